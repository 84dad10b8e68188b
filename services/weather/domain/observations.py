"""What a place's weather is and will be, in SI, whoever said it; and what cannot be true of it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum
from typing import Final

OLDEST_OBSERVATION: Final = timedelta(hours=2)
HORIZON: Final = timedelta(hours=24)
"""How far ahead a forecast is looked at."""

STRONGEST_WIND: Final = 110.0
"""Metres a second; the record gust at the ground is 113. More than this is a fault of the data."""
DOUBTFUL_WIND: Final = 60.0
"""Believed only when two answers in a row say so (open-meteo #585, #956)."""
COLDEST: Final = -90.0
HOTTEST: Final = 60.0
WARMEST_SNOW: Final = 5.0
SNOW_CODES: Final = frozenset({71, 73, 75, 77, 85, 86})
ICE_CODES: Final = frozenset({66, 67})


class Metric(Enum):
    """What a threshold is about."""

    HEAT = "heat_index"
    """How hot it feels, or the air where that is hotter."""
    CHILL = "wind_chill"
    """How cold it feels, or the air where that is colder."""
    AIR = "air_temperature"
    """The air by itself, low: pipes freeze at it whatever it feels like."""
    WIND = "wind"
    GUST = "gust"
    STORM = "storm_signs"
    """1 where a forecast model shows a dangerous storm; only without official alerts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """The weather from one moment to another; None is what nobody said, never calm."""

    starts_at: datetime
    ends_at: datetime
    observed: bool = False
    temperature: float | None = None
    humidity: float | None = None
    wind: float | None = None
    gust: float | None = None
    precipitation: float | None = None
    probability: float | None = None
    cape: float | None = None
    code: float | None = None

    @property
    def is_empty(self) -> bool:
        """Whether it says nothing that any threshold needs."""
        return all(value is None for value in (self.temperature, self.wind, self.gust, self.code))


@dataclass(frozen=True, slots=True)
class Conditions:
    """One place's samples from one source, by time."""

    source: str
    samples: tuple[Sample, ...]
    attribution: str = ""


def usable(samples: Iterable[Sample], now: datetime) -> list[Sample]:
    """What is recent or ahead and says something, cleaned of what cannot be true, by time."""
    kept = []
    for sample in samples:
        oldest = now - OLDEST_OBSERVATION if sample.observed else now
        late = sample.starts_at if sample.observed else sample.ends_at
        if late >= oldest and sample.starts_at <= now + HORIZON:
            cleaned = plausible(sample)
            if not cleaned.is_empty:
                kept.append(cleaned)
    return sorted(kept, key=lambda sample: (sample.starts_at, sample.ends_at))


def plausible(sample: Sample) -> Sample:
    """A sample without impossible values; a gust is never weaker than the wind it is a gust of."""
    wind, gust = _within(sample.wind, 0, STRONGEST_WIND), _within(sample.gust, 0, STRONGEST_WIND)
    if wind is not None and gust is not None:
        gust = max(wind, gust)
    humidity = sample.humidity
    if humidity is not None:
        humidity = min(humidity, 100.0) if 0 <= humidity <= 110 else None
    temperature = _within(sample.temperature, COLDEST, HOTTEST)
    snow = sample.code in SNOW_CODES and temperature is not None and temperature > WARMEST_SNOW
    ice = sample.code in ICE_CODES and temperature is not None and temperature > WARMEST_SNOW
    return replace(
        sample,
        temperature=temperature,
        humidity=humidity,
        wind=wind,
        gust=gust,
        code=None if snow or ice else sample.code,
    )


def _within(value: float | None, least: float, most: float) -> float | None:
    return value if value is not None and least <= value <= most else None


def is_doubtful(samples: Sequence[Sample]) -> bool:
    """Whether some wind is so strong that a second answer has to confirm it."""
    return any(
        value is not None and value > DOUBTFUL_WIND
        for sample in samples
        for value in (sample.wind, sample.gust)
    )


def without_doubtful_wind(samples: Sequence[Sample]) -> list[Sample]:
    """The same without winds that are yet to be confirmed: unknown, not calm."""
    return [
        replace(
            sample, wind=_within(sample.wind, 0, DOUBTFUL_WIND), gust=_within(sample.gust, 0, DOUBTFUL_WIND)
        )
        for sample in samples
    ]
