"""How much a danger matters, and of what kind it is."""

from enum import Enum, IntEnum


class Level(IntEnum):
    """In rising order; `word` is what contracts and people say."""

    ADVISORY = 1
    WATCH = 2
    WARNING = 3
    EMERGENCY = 4

    @property
    def word(self) -> str:
        """The level as it is written."""
        return self.name.lower()

    @classmethod
    def of(cls, word: str) -> "Level":
        """The level that is written so; raises `KeyError`."""
        return cls[word.upper()]


class Category(Enum):
    """What a danger does to people and buildings."""

    EXTREME_HEAT = "extreme_heat"
    EXTREME_COLD = "extreme_cold"
    HIGH_WIND = "high_wind"
    SEVERE_WEATHER = "severe_weather"
