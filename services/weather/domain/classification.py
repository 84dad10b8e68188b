"""Which category and level an official alert has. CAP severity alone ranks wrongly: 78 watches say Severe."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from services.weather.domain.levels import Category, Level
from services.weather.domain.vtec import Vtec

HEAT, COLD = Category.EXTREME_HEAT, Category.EXTREME_COLD
WIND, STORM = Category.HIGH_WIND, Category.SEVERE_WEATHER

FAMILIES: Final[dict[str, tuple[Category, tuple[str, ...]]]] = {
    "heat": (HEAT, ("HT", "XH", "EH")),
    "cold": (COLD, ("CW", "EC", "WC")),
    "freeze": (COLD, ("FZ", "HZ", "FR")),
    "wind": (WIND, ("HW", "WI", "LW", "EW")),
    "convective": (STORM, ("TO", "SV", "SQ")),
    "dust": (STORM, ("DS",)),
    "flood": (STORM, ("FF", "FA", "FL")),
    "winter": (STORM, ("WS", "WW", "BZ", "IS", "LE", "ZR")),
    "tropical": (STORM, ("HU", "TR", "TY", "SS")),
    "coastal": (STORM, ("CF", "LS")),
    "tsunami": (STORM, ("TS",)),
}
"""Members of a family turn into each other: a heat advisory is upgraded to a warning, and back."""

_BY_PHENOMENON: Final = {
    phenomenon: (family, category)
    for family, (category, members) in FAMILIES.items()
    for phenomenon in members
}

_IGNORED_NAMES: Final = (
    *("air quality", "air stagnation", "hydrologic", "red flag", "fire weather", "extreme fire danger"),
    *("marine", "small craft", "gale", "hazardous seas", "beach", "rip current", "surf", "low water"),
    *("dense fog", "dense smoke", "freezing spray", "brisk wind", "short term forecast"),
)

_BY_NAME: Final[tuple[tuple[str, str], ...]] = (
    ("wind chill", "cold"),
    ("freeze", "freeze"),
    ("frost", "freeze"),
    ("cold", "cold"),
    ("heat", "heat"),
    ("tornado", "convective"),
    ("thunderstorm", "convective"),
    ("squall", "convective"),
    ("flood", "flood"),
    ("hurricane", "tropical"),
    ("typhoon", "tropical"),
    ("tropical", "tropical"),
    ("storm surge", "tropical"),
    ("tsunami", "tsunami"),
    ("dust storm", "dust"),
    ("blizzard", "winter"),
    ("ice storm", "winter"),
    ("snow", "winter"),
    ("winter", "winter"),
    ("storm", "winter"),
    ("wind", "wind"),
)
"""The first that is part of an event's name decides, for alerts without a VTEC."""

_EMERGENCIES: Final = frozenset(
    {
        "tornado warning",
        "extreme wind warning",
        "hurricane warning",
        "tsunami warning",
        "civil danger warning",
        "shelter in place warning",
    }
)
_LEVELS: Final = {"W": Level.WARNING, "A": Level.WATCH, "Y": Level.ADVISORY, "S": Level.ADVISORY}


@dataclass(frozen=True, slots=True)
class Classified:
    """What an alert is to a tenant."""

    category: Category
    level: Level
    family: str
    known: bool = True
    """Whether the table knew it; what it does not know has the lowest level and is worth a log line."""


@dataclass(frozen=True, slots=True)
class Ignored:
    """An alert that concerns nobody in a building, with the reason."""

    why: str


def classify(
    event: str, vtec: Vtec | None, threats: Mapping[str, str], also: Collection[str] = ()
) -> Classified | Ignored:
    """Judge an alert by its VTEC, or by its name where it has none.

    `threats` are its damage-threat tags; `also` are phenomena somebody chose to be warned of as well,
    such as FW for fire weather.
    """
    name = event.lower()
    if vtec is not None:
        found = _BY_PHENOMENON.get(vtec.phenomenon)
        if found is None and vtec.phenomenon in also:
            found = (vtec.phenomenon, STORM)
        if found is None:
            return Ignored(f"phenomenon {vtec.phenomenon} is not one we warn of")
        family, category = found
        return Classified(category, _level(name, _LEVELS.get(vtec.significance), threats), family)
    if any(part in name for part in _IGNORED_NAMES):
        return Ignored(f"{event} is not one we warn of")
    named = next((family for part, family in _BY_NAME if part in name), None)
    if named is None:
        level = Level.EMERGENCY if _is_emergency(name) else Level.ADVISORY
        return Classified(STORM, level, "other", known=_is_emergency(name))
    return Classified(FAMILIES[named][0], _level(name, _level_by_name(name), threats), named)


def _level(name: str, official: Level | None, threats: Mapping[str, str]) -> Level:
    if _is_emergency(name) or _threatens(threats):
        return Level.EMERGENCY
    return official or Level.ADVISORY


def _level_by_name(name: str) -> Level:
    if name.endswith(("warning", "emergency")):
        return Level.WARNING
    return Level.WATCH if name.endswith("watch") else Level.ADVISORY


def _is_emergency(name: str) -> bool:
    return name in _EMERGENCIES or "evacuation" in name


def _threatens(threats: Mapping[str, str]) -> bool:
    """Whether the office itself says that this one is of the worst kind."""
    for tag, value in threats.items():
        worst = {"CATASTROPHIC", "DESTRUCTIVE"}
        if tag == "tornadoDamageThreat":
            worst = worst | {"CONSIDERABLE"}
        if value.upper() in worst:
            return True
    return False
