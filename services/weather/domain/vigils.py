"""Watching one category at one property: when thresholds raise an incident, and when they end it.

`clear -> pending -> active -> clear`. Two values and counts keep 99.9 and 100.1 °F from being a day of
alerts; the hold and the cooldown keep an incident from ending at once and from coming back at once.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum
from typing import Final

from services.weather.domain.levels import Category, Level
from services.weather.domain.observations import Metric
from services.weather.domain.thresholds import Breach, Finding, Threshold


class Verdict(Enum):
    """What an answer means for a vigil."""

    NOTHING = "nothing"
    RAISE = "raise"
    WORSEN = "worsen"
    REFRESH = "refresh"
    CLEAR = "clear"


@dataclass(frozen=True, slots=True, kw_only=True)
class Vigil:
    """How far a category has come; `level` and `metric` are set while it is active."""

    category: Category
    breaches: int = 0
    """Answers in a row that passed any threshold."""
    grave_breaches: int = 0
    """Answers in a row that passed one of a warning."""
    clears: int = 0
    level: Level | None = None
    metric: Metric | None = None
    opened_at: datetime | None = None
    closed_at: datetime | None = None
    closed_level: Level | None = None
    clear_count: int = 2
    min_hold_seconds: int = 7_200
    cooldown_seconds: int = 21_600

    @property
    def active(self) -> bool:
        """Whether an incident is open."""
        return self.level is not None


def step(vigil: Vigil, finding: Finding, now: datetime) -> tuple[Vigil, Verdict]:
    """One more answer. Without a finding there is no step: missing data neither raises nor clears."""
    grave = finding.breach is not None and finding.breach.threshold.level is Level.WARNING
    counted = replace(
        vigil,
        breaches=vigil.breaches + 1 if finding.breach else 0,
        grave_breaches=vigil.grave_breaches + 1 if grave else 0,
        clears=vigil.clears + 1 if _is_clear(vigil, finding) else 0,
    )
    if finding.breach is not None:
        return _breached(counted, finding.breach, now)
    if counted.active and counted.clears >= counted.clear_count and _held(counted, now):
        return _cleared(counted, now), Verdict.CLEAR
    return counted, Verdict.NOTHING


def _is_clear(vigil: Vigil, finding: Finding) -> bool:
    """Every metric that is known is harmless, and what raised the incident is among them."""
    return finding.clear == finding.known and (vigil.metric is None or vigil.metric in finding.known)


def _breached(vigil: Vigil, breach: Breach, now: datetime) -> tuple[Vigil, Verdict]:
    threshold = breach.threshold
    grave = threshold.level is Level.WARNING
    count = vigil.grave_breaches if grave else vigil.breaches
    if vigil.level is not None:
        worse = threshold.level > vigil.level and count >= threshold.raise_count
        if worse:
            return _taken(vigil, threshold), Verdict.WORSEN
        return vigil, Verdict.REFRESH
    if count < threshold.raise_count or _cools_down(vigil, threshold, now):
        return vigil, Verdict.NOTHING
    return replace(_taken(vigil, threshold), opened_at=now), Verdict.RAISE


def _taken(vigil: Vigil, threshold: Threshold) -> Vigil:
    return replace(
        vigil,
        level=threshold.level,
        metric=threshold.metric,
        clear_count=threshold.clear_count,
        min_hold_seconds=int(threshold.min_hold.total_seconds()),
        cooldown_seconds=int(threshold.cooldown.total_seconds()),
    )


def _cleared(vigil: Vigil, now: datetime) -> Vigil:
    return replace(
        vigil,
        breaches=0,
        grave_breaches=0,
        clears=0,
        level=None,
        metric=None,
        opened_at=None,
        closed_at=now,
        closed_level=vigil.level,
    )


def _held(vigil: Vigil, now: datetime) -> bool:
    return vigil.opened_at is None or (now - vigil.opened_at).total_seconds() >= vigil.min_hold_seconds


def _cools_down(vigil: Vigil, threshold: Threshold, now: datetime) -> bool:
    """After an incident the same level stays silent for a while; a higher one does not."""
    if vigil.closed_at is None or vigil.closed_level is None:
        return False
    recent = (now - vigil.closed_at).total_seconds() < vigil.cooldown_seconds
    return recent and threshold.level <= vigil.closed_level


FIRST: Final = {category: Vigil(category=category) for category in Category}
"""A property nobody has watched yet."""
