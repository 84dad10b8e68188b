"""Units of the outside world into SI and back: degrees Celsius, metres a second, millimetres, per cent."""

from collections.abc import Callable
from typing import Final

KMH_PER_MS: Final = 3.6
MPH_PER_MS: Final = 2.236936292054402
KNOTS_PER_MS: Final = 1.943844492440605
MM_PER_INCH: Final = 25.4


class UnknownUnit(ValueError):
    """A unit that we do not know: its value is not guessed at."""


def celsius(fahrenheit: float) -> float:
    """Degrees Fahrenheit as degrees Celsius."""
    return (fahrenheit - 32) * 5 / 9


def fahrenheit(celsius: float) -> float:
    """Degrees Celsius as degrees Fahrenheit."""
    return celsius * 9 / 5 + 32


def metres_a_second(mph: float) -> float:
    """Miles an hour as metres a second."""
    return mph / MPH_PER_MS


def mph(metres_a_second: float) -> float:
    """Metres a second as miles an hour."""
    return metres_a_second * MPH_PER_MS


def _same(value: float) -> float:
    return value


_TO_SI: Final[dict[str, Callable[[float], float]]] = {
    "degc": _same,
    "°c": _same,
    "c": _same,
    "degf": celsius,
    "°f": celsius,
    "f": celsius,
    "k": lambda value: value - 273.15,
    "m_s-1": _same,
    "m/s": _same,
    "ms": _same,
    "km_h-1": lambda value: value / KMH_PER_MS,
    "km/h": lambda value: value / KMH_PER_MS,
    "kmh": lambda value: value / KMH_PER_MS,
    "mph": metres_a_second,
    "mp/h": metres_a_second,  # what Open-Meteo labels miles an hour
    "kn": lambda value: value / KNOTS_PER_MS,
    "kt": lambda value: value / KNOTS_PER_MS,
    "mm": _same,
    "cm": lambda value: value * 10,
    "inch": lambda value: value * MM_PER_INCH,
    "percent": _same,
    "%": _same,
    "j/kg": _same,
    "wmo code": _same,
}


def to_si(value: float | None, unit: str) -> float | None:
    """A value in the unit its provider names (`wmoUnit:km_h-1`, `mp/h`, `°F`), in SI; None stays None.

    Raises `UnknownUnit`.
    """
    name = unit.removeprefix("wmoUnit:").removeprefix("unit:").strip().lower()
    convert = _TO_SI.get(name)
    if convert is None:
        raise UnknownUnit(f"unit {unit!r} is not known")
    return None if value is None else convert(value)
