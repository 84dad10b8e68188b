"""From which value on a condition is dangerous, and from which on it is over again.

Official criteria differ by office; these defaults are the second net under the offices' own alerts,
and anybody may set others for the portfolio or a property.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from services.weather.domain.comfort import feels_cold, feels_hot
from services.weather.domain.levels import Category, Level
from services.weather.domain.observations import Metric, Sample
from services.weather.domain.units import celsius, fahrenheit, metres_a_second, mph

CATEGORY_OF: Final = {
    Metric.HEAT: Category.EXTREME_HEAT,
    Metric.CHILL: Category.EXTREME_COLD,
    Metric.AIR: Category.EXTREME_COLD,
    Metric.WIND: Category.HIGH_WIND,
    Metric.GUST: Category.HIGH_WIND,
    Metric.STORM: Category.SEVERE_WEATHER,
}
FALLING: Final = frozenset({Metric.CHILL, Metric.AIR})
"""The metrics that are dangerous when low."""
TEMPERATURES: Final = frozenset({Metric.HEAT, Metric.CHILL, Metric.AIR})


PLAUSIBLE: Final = {True: (-90.0, 95.0), False: (1.0, 110.0)}
"""Between which values a line makes sense, in SI: temperatures felt on Earth, else winds."""
MOST_HOURS: Final = 24
"""A forecast of a day cannot show a longer stretch."""
MOST_ANSWERS: Final = 96
LONGEST_SILENCE: Final = timedelta(days=7)


class BadThreshold(ValueError):
    """A threshold that could never work, with the reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """One line: raised at or beyond `raise_at`, over at or inside `clear_at`; both in SI."""

    metric: Metric
    level: Level
    raise_at: float
    clear_at: float
    hours: float = 0
    """For how long in a row it has to last."""
    raise_count: int = 1
    """In how many answers in a row."""
    clear_count: int = 2
    min_hold: timedelta = timedelta(hours=2)
    cooldown: timedelta = timedelta(hours=6)

    def __post_init__(self) -> None:
        """Refuse what would raise and clear at the same value."""
        gap = self.clear_at - self.raise_at if self.metric in FALLING else self.raise_at - self.clear_at
        if gap <= 0:
            side = "above" if self.metric in FALLING else "below"
            raise BadThreshold(f"the clear value of {self.metric.value} has to lie {side} its raise value")
        if self.level not in {Level.ADVISORY, Level.WARNING}:
            raise BadThreshold("a threshold is an advisory or a warning; only an office gives other levels")
        if min(self.raise_count, self.clear_count) < 1 or self.hours < 0:
            raise BadThreshold("counts begin at 1, and hours at 0")
        if min(self.min_hold, self.cooldown) < timedelta():
            raise BadThreshold("hold and cooldown cannot be negative")

    def require_sense(self) -> None:
        """Refuse, with `BadThreshold`, what would warn of everything, or of nothing for ever.

        For what somebody sets; what was set long ago still has to be read.
        """
        low, high = PLAUSIBLE[self.metric in TEMPERATURES]
        if self.metric is not Metric.STORM and not all(
            low <= v <= high for v in (self.raise_at, self.clear_at)
        ):
            raise BadThreshold(f"no {self.metric.value} is like that; check the value and its unit")
        if not self.hours <= MOST_HOURS:
            raise BadThreshold(f"a forecast of {MOST_HOURS} hours cannot show a longer stretch")
        if max(self.raise_count, self.clear_count) > MOST_ANSWERS:
            raise BadThreshold(f"more than {MOST_ANSWERS} answers in a row would be days of waiting")
        if max(self.min_hold, self.cooldown) > LONGEST_SILENCE:
            raise BadThreshold(f"hold and cooldown are {LONGEST_SILENCE.days} days at most")

    def is_milder_than(self, other: "Threshold") -> bool:
        """Whether it is passed before another one of the same metric."""
        return self.raise_at > other.raise_at if self.metric in FALLING else self.raise_at < other.raise_at

    def is_breached_by(self, value: float) -> bool:
        """Whether a value is dangerous."""
        return value <= self.raise_at if self.metric in FALLING else value >= self.raise_at

    def is_cleared_by(self, value: float) -> bool:
        """Whether a value is harmless again; between the two nothing changes."""
        return value >= self.clear_at if self.metric in FALLING else value <= self.clear_at


def _heat(level: Level, high: float, clear: float, hours: float = 0) -> Threshold:
    count = 1 if level is Level.WARNING else 2
    return Threshold(
        metric=Metric.HEAT,
        level=level,
        raise_at=celsius(high),
        clear_at=celsius(clear),
        hours=hours,
        raise_count=count,
    )


def _cold(metric: Metric, level: Level, low: float, clear: float) -> Threshold:
    count = 1 if level is Level.WARNING else 2
    return Threshold(
        metric=metric, level=level, raise_at=celsius(low), clear_at=celsius(clear), raise_count=count
    )


def _wind(metric: Metric, level: Level, strong: float, clear: float, hours: float = 0) -> Threshold:
    return Threshold(
        metric=metric,
        level=level,
        raise_at=metres_a_second(strong),
        clear_at=metres_a_second(clear),
        hours=hours,
        raise_count=1 if level is Level.WARNING else 2,
    )


DEFAULTS: Final = (
    _heat(Level.ADVISORY, 100, 97),
    _heat(Level.WARNING, 105, 101, hours=2),
    _cold(Metric.CHILL, Level.ADVISORY, 0, 4),
    _cold(Metric.AIR, Level.ADVISORY, 20, 24),
    _cold(Metric.CHILL, Level.WARNING, -20, -15),
    _wind(Metric.WIND, Level.ADVISORY, 31, 27, hours=1),
    _wind(Metric.GUST, Level.ADVISORY, 46, 41),
    _wind(Metric.WIND, Level.WARNING, 40, 35, hours=1),
    _wind(Metric.GUST, Level.WARNING, 58, 50),
    Threshold(metric=Metric.STORM, level=Level.ADVISORY, raise_at=1, clear_at=0, raise_count=2),
)
"""NWSI 10-515 for wind; for heat and cold a middle of what offices use, which differ by climate."""


def profile(*layers: Iterable[Threshold]) -> tuple[Threshold, ...]:
    """The defaults under the portfolio's under the property's: per metric and level the last one counts."""
    chosen = {(item.metric, item.level): item for item in DEFAULTS}
    for layer in layers:
        chosen |= {(item.metric, item.level): item for item in layer}
    return tuple(chosen.values())


def shown(metric: Metric, value: float) -> tuple[float, str]:
    """A value in the unit people here read, to a tenth."""
    if metric in TEMPERATURES:
        return round(fahrenheit(value), 1), "degF"
    if metric is Metric.STORM:
        return value, "flag"
    return round(mph(value), 1), "mph"


def value_of(metric: Metric, sample: Sample) -> float | None:
    """What a sample says of a metric; None where it does not."""
    match metric:
        case Metric.HEAT:
            return None if sample.temperature is None else feels_hot(sample.temperature, sample.humidity)
        case Metric.CHILL:
            return None if sample.temperature is None else feels_cold(sample.temperature, sample.wind)
        case Metric.AIR:
            return sample.temperature
        case Metric.WIND:
            return sample.wind
        case Metric.GUST:
            return sample.gust if sample.gust is not None else sample.wind
        case Metric.STORM:
            return None if sample.code is None else float(_storm_signs(sample))


THUNDER_CODES: Final = frozenset({95, 96, 99})
LASTING_CODES: Final = frozenset({65, 66, 67, 75, 82, 86})
"""Ice, heavy snow and heavy rain; dangerous when they last for two hours."""
_STRONG_GUST: Final = metres_a_second(45)


def _storm_signs(sample: Sample) -> bool:
    """A WMO code alone is no storm: models show thunder under a clear sky (open-meteo #812, #1022)."""
    if sample.code in LASTING_CODES:
        return True
    if sample.code not in THUNDER_CODES or (sample.precipitation or 0) < 0.3:
        return False
    return (
        (sample.probability or 0) >= 40
        or (sample.gust is not None and sample.gust >= _STRONG_GUST)
        or (sample.cape or 0) >= 1500
    )


@dataclass(frozen=True, slots=True)
class Breach:
    """Where and how far a threshold was passed."""

    threshold: Threshold
    value: float
    """The worst, in SI."""
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True, slots=True)
class Finding:
    """What an answer says of one category."""

    category: Category
    breach: Breach | None
    """Of the highest level that was passed."""
    clear: frozenset[Metric]
    """The metrics that are known and on the harmless side of every threshold."""
    known: frozenset[Metric]


def assess(thresholds: Sequence[Threshold], samples: Sequence[Sample]) -> list[Finding]:
    """Judge every category that some sample says something about."""
    found = []
    for category in Category:
        relevant = [item for item in thresholds if CATEGORY_OF[item.metric] is category]
        known = frozenset(
            item.metric for item in relevant if any(value_of(item.metric, s) is not None for s in samples)
        )
        if known:
            breaches = [breach for item in relevant if (breach := _breach(item, samples))]
            worst = max(breaches, key=lambda breach: breach.threshold.level, default=None)
            unclear = {item.metric for item in relevant if not _is_clear(item, samples)}
            found.append(Finding(category, worst, known - unclear, known))
    return found


def _is_clear(threshold: Threshold, samples: Sequence[Sample]) -> bool:
    values = [value for sample in samples if (value := value_of(threshold.metric, sample)) is not None]
    return all(threshold.is_cleared_by(value) for value in values)


def _breach(threshold: Threshold, samples: Sequence[Sample]) -> Breach | None:
    """The first stretch that lasts long enough; its end is the end of the last such stretch."""
    stretches = [run for run in _runs(threshold, samples) if _hours(run) >= _needed(threshold, run)]
    if not stretches:
        return None
    values = [
        value
        for run in stretches
        for sample in run
        if (value := value_of(threshold.metric, sample)) is not None
    ]
    worst = min(values) if threshold.metric in FALLING else max(values)
    return Breach(
        threshold, worst, stretches[0][0].starts_at, max(sample.ends_at for sample in stretches[-1])
    )


def _needed(threshold: Threshold, run: Sequence[Sample]) -> float:
    lasting = threshold.metric is Metric.STORM and any(sample.code in LASTING_CODES for sample in run)
    return max(threshold.hours, 2.0 if lasting else 0.0)


def _hours(run: Sequence[Sample]) -> float:
    return (max(sample.ends_at for sample in run) - run[0].starts_at).total_seconds() / 3600


def _runs(threshold: Threshold, samples: Sequence[Sample]) -> list[list[Sample]]:
    runs: list[list[Sample]] = []
    current: list[Sample] = []
    for sample in samples:
        value = value_of(threshold.metric, sample)
        if value is None:
            continue
        joined = bool(current) and sample.starts_at <= max(item.ends_at for item in current)
        if threshold.is_breached_by(value):
            if not joined:
                current = []
                runs.append(current)
            current.append(sample)
        elif not sample.observed:
            current = []
    return runs
