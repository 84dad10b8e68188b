"""What conditions mean for one property: incidents of our own thresholds, beside the official ones."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from services.weather.domain.incidents import Incident, Kind, Ledger, Measured, Reason, Words
from services.weather.domain.levels import Category
from services.weather.domain.observations import Conditions
from services.weather.domain.official import Identify
from services.weather.domain.thresholds import CATEGORY_OF, Breach, Threshold, assess, shown
from services.weather.domain.vigils import FIRST, Verdict, Vigil, step

LASTS_ON: Final = timedelta(hours=24)
"""The end of a forecast breach creeps on by the hour; that it lasts a day longer is news."""

NAMES: Final = {
    Category.EXTREME_HEAT: "Extreme Heat",
    Category.EXTREME_COLD: "Extreme Cold",
    Category.HIGH_WIND: "High Wind",
    Category.SEVERE_WEATHER: "Severe Weather",
}
_METRIC_WORDS: Final = {
    "heat_index": "It may feel like {value:.0f}F",
    "wind_chill": "It may feel like {value:.0f}F",
    "air_temperature": "The air may be as cold as {value:.0f}F",
    "wind": "Wind may reach {value:.0f} mph",
    "gust": "Gusts may reach {value:.0f} mph",
    "storm_signs": "A forecast model shows severe weather",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """One property: its thresholds, how far each category has come, and its zone."""

    thresholds: Sequence[Threshold]
    vigils: Mapping[Category, Vigil]
    time_zone: str
    official: bool
    """Whether official alerts cover the place; then a model's storm signs count for nothing."""


@dataclass(frozen=True, slots=True)
class MeasuredReduction:
    """What came of one answer for one property."""

    ledger: Ledger
    vigils: dict[Category, Vigil]


def reduce_conditions(
    incidents: Iterable[Incident],
    conditions: Conditions,
    watched: Watched,
    *,
    now: datetime,
    identify: Identify,
) -> MeasuredReduction:
    """Work off what is measured and forecast; all samples have to be usable ones."""
    ledger = Ledger(incidents)
    vigils = {**FIRST, **watched.vigils}
    for finding in assess(watched.thresholds, conditions.samples):
        if finding.category is Category.SEVERE_WEATHER and watched.official:
            continue
        vigils[finding.category], verdict = step(vigils[finding.category], finding, now)
        current = _own(ledger, finding.category)
        if verdict is Verdict.RAISE and current is None and finding.breach:
            opened = _opened(finding.breach, conditions, watched, now=now, identify=identify)
            _announce(ledger, opened)
        elif verdict is Verdict.CLEAR and current is not None:
            ledger.close(current, Reason.BELOW_THRESHOLD, now)
        elif finding.breach and current is not None:
            _refresh(ledger, current, finding.breach, worse=verdict is Verdict.WORSEN)
    _unmute(ledger)
    changed = {key: item for key, item in vigils.items() if item != {**FIRST, **watched.vigils}[key]}
    return MeasuredReduction(ledger, changed)


def _own(ledger: Ledger, category: Category) -> Incident | None:
    return next((item for item in ledger.open if not item.official and item.category is category), None)


def _muted_by(ledger: Ledger, incident: Incident) -> Incident | None:
    """The official alert of the same category and at least its level that makes ours superfluous."""
    return next(
        (
            item
            for item in ledger.open
            if item.official and item.category is incident.category and item.level >= incident.level
        ),
        None,
    )


def _announce(ledger: Ledger, incident: Incident) -> None:
    muting = _muted_by(ledger, incident)
    if muting is not None:
        ledger.keep(replace(incident, suppressed_by=muting.id))
    else:
        ledger.say(Kind.RAISED, replace(incident, suppressed_by=None))


def _unmute(ledger: Ledger) -> None:
    """What an official alert had muted is said once that alert is over and the danger is still there."""
    for incident in ledger.open:
        if not incident.official and incident.suppressed_by and _muted_by(ledger, incident) is None:
            ledger.say(Kind.RAISED, replace(incident, suppressed_by=None))


def _refresh(ledger: Ledger, current: Incident, breach: Breach, *, worse: bool) -> None:
    now = replace(
        current,
        level=breach.threshold.level if worse else current.level,
        event=_event(breach.threshold) if worse else current.event,
        words=_words(breach, current.words.attribution) if worse else current.words,
        measured=_measured(breach) if worse else current.measured,
        ends_at=max(filter(None, (current.ends_at, breach.last_at))),
    )
    told = current.told
    if told is None:
        muting = _muted_by(ledger, now)
        if muting is None and current.suppressed_by is not None:
            ledger.say(Kind.RAISED, replace(now, suppressed_by=None))
        else:
            ledger.keep(now)
        return
    moved = told.ends_at is not None and now.ends_at is not None and now.ends_at - told.ends_at >= LASTS_ON
    changes = (("level",) if worse else ()) + (("ends",) if moved else ())
    if changes:
        ledger.say(Kind.UPDATED, now, changes=changes)
    else:
        ledger.keep(now)


def _opened(
    breach: Breach, conditions: Conditions, watched: Watched, *, now: datetime, identify: Identify
) -> Incident:
    threshold = breach.threshold
    began = breach.first_at.astimezone(ZoneInfo(watched.time_zone)).date()
    category = _category(threshold)
    key = f"thr:{category.value}:{began.isoformat()}"
    return Incident(
        id=identify(key, now),
        key=key,
        key_parts=key,
        category=category,
        level=threshold.level,
        family="own",
        source="self" if conditions.source == "nws" else conditions.source,
        event=_event(threshold),
        words=_words(breach, conditions.attribution),
        opened_at=now,
        onset_at=breach.first_at,
        ends_at=breach.last_at,
        measured=_measured(breach),
    )


def _category(threshold: Threshold) -> Category:
    return CATEGORY_OF[threshold.metric]


def _event(threshold: Threshold) -> str:
    return f"{NAMES[_category(threshold)]} {threshold.level.word.title()}"


def _measured(breach: Breach) -> Measured:
    return Measured(breach.threshold.metric.value, breach.value, breach.threshold.raise_at)


def _words(breach: Breach, attribution: str) -> Words:
    value, _unit = shown(breach.threshold.metric, breach.value)
    said = _METRIC_WORDS[breach.threshold.metric.value].format(value=value)
    headline = f"{_event(breach.threshold)}: {said}"
    return Words(
        headline=headline, summary=headline, description=f"{said} within a day.", attribution=attribution
    )
