"""Our own thresholds: raised after enough answers, cleared below another value, never flapping."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from services.weather.domain.incidents import Incident
from services.weather.domain.levels import Category, Level
from services.weather.domain.measured import Watched, reduce_conditions
from services.weather.domain.observations import Conditions, Metric, Sample, usable
from services.weather.domain.official import Circumstances, Place, reduce_alerts
from services.weather.domain.polls import read_poll
from services.weather.domain.thresholds import DEFAULTS, BadThreshold, Threshold, profile, shown, value_of
from services.weather.domain.units import celsius, metres_a_second
from services.weather.domain.vigils import Vigil
from shared.identity import derived_id
from tests.weather.nws import NOON, answer, feature, hours, minutes, vtec, words


class Watch:
    """A property whose weather is asked for every quarter of an hour."""

    def __init__(self, *thresholds: Threshold, official: bool = True) -> None:
        self.thresholds = profile(thresholds)
        self.official = official
        self.incidents: dict[Any, Incident] = {}
        self.vigils: dict[Category, Vigil] = {}

    def sees(self, *samples: Sample, at: datetime) -> list[str]:
        """One answer; what was said."""
        watched = Watched(
            thresholds=self.thresholds,
            vigils=self.vigils,
            time_zone="America/New_York",
            official=self.official,
        )
        conditions = Conditions("nws", tuple(usable(samples, at)), "National Weather Service")
        result = reduce_conditions(self.incidents.values(), conditions, watched, now=at, identify=derived_id)
        self.incidents |= {item.id: item for item in result.ledger.touched}
        self.vigils |= result.vigils
        return [words(change) for change in result.ledger.changes]

    def feels(self, degrees: float, *, at: datetime) -> list[str]:
        """An hour of dry heat that feels as its air."""
        return self.sees(hour(at, temperature=celsius(degrees)), at=at)

    def hears(self, *features: dict[str, Any], at: datetime) -> list[str]:
        """An answer of official alerts."""
        poll = read_poll(answer(*features, updated=at))
        result = reduce_alerts(
            self.incidents.values(), poll, Place(), Circumstances(now=at, identify=derived_id)
        )
        self.incidents |= {item.id: item for item in result.ledger.touched}
        return [words(change) for change in result.ledger.changes]


def hour(at: datetime, length: float = 3, **values: Any) -> Sample:
    return Sample(starts_at=at, ends_at=at + hours(length), **values)


def quarter(number: int) -> datetime:
    return NOON + minutes(15 * number)


def test_an_advisory_needs_two_answers_in_a_row_and_a_warning_one() -> None:
    watch = Watch()

    assert watch.feels(101, at=quarter(0)) == []
    assert watch.feels(101, at=quarter(1)) == ["raised Extreme Heat Advisory advisory"]
    assert Watch().feels(106, at=quarter(0)) == ["raised Extreme Heat Warning warning"]


def test_a_heat_warning_needs_two_hours_of_it() -> None:
    short, long = Watch(), Watch()

    assert short.sees(hour(quarter(0), 1, temperature=celsius(106)), at=quarter(0)) == []
    assert long.sees(
        hour(quarter(0), 1, temperature=celsius(106)),
        hour(quarter(4), 1, temperature=celsius(107)),
        at=quarter(0),
    ) == ["raised Extreme Heat Warning warning"]


def test_two_hours_with_a_cool_one_between_are_not_two_hours_of_it() -> None:
    said = Watch().sees(
        hour(NOON, 1, temperature=celsius(106)),
        hour(NOON + hours(1), 1, temperature=celsius(90)),
        hour(NOON + hours(2), 1, temperature=celsius(106)),
        at=NOON,
    )

    assert said == []


def test_flapping_by_half_a_degree_for_a_day_is_raised_once_and_cleared_once() -> None:
    watch = Watch()
    said: list[str] = []
    for number in range(96):
        said += watch.feels(99.5 if number % 2 else 100.5, at=quarter(number))
        said += watch.feels(100.5, at=quarter(number) + minutes(7)) if number == 0 else []
    for number in range(96, 100):
        said += watch.feels(90, at=quarter(number))

    assert said == [
        "raised Extreme Heat Advisory advisory",
        "cleared Extreme Heat Advisory advisory below_threshold",
    ]


def test_between_the_two_values_nothing_changes() -> None:
    watch = Watch()
    watch.feels(106, at=quarter(0))

    said = [line for number in range(1, 60) for line in watch.feels(98, at=quarter(number))]

    assert said == []
    assert len([item for item in watch.incidents.values() if item.is_open]) == 1


@pytest.mark.parametrize("line", DEFAULTS)
def test_the_values_of_a_line_belong_to_it(line: Threshold) -> None:
    assert line.is_breached_by(line.raise_at)
    assert line.is_cleared_by(line.clear_at)
    assert not line.is_cleared_by(line.raise_at)
    assert not line.is_breached_by(line.clear_at)


def test_an_alert_lasts_two_hours_however_soon_it_cools_down() -> None:
    watch = Watch()
    watch.feels(106, at=quarter(0))

    said = {number: watch.feels(80, at=quarter(number)) for number in range(1, 9)}

    assert [number for number, lines in said.items() if lines] == [8]


def test_after_an_alert_the_same_level_is_silent_for_six_hours_and_a_higher_one_is_not() -> None:
    watch = Watch()
    watch.feels(101, at=quarter(0))
    watch.feels(101, at=quarter(1))
    for number in range(2, 12):
        watch.feels(80, at=quarter(number))

    assert [watch.feels(101, at=quarter(number)) for number in (12, 13, 14)] == [[], [], []]
    assert watch.feels(106, at=quarter(15)) == ["raised Extreme Heat Warning warning"]


def test_after_the_cooldown_it_is_raised_again() -> None:
    watch = Watch()
    watch.feels(106, at=quarter(0))
    for number in range(1, 10):
        watch.feels(80, at=quarter(number))

    assert watch.feels(106, at=NOON + hours(7)) == []
    assert watch.feels(106, at=NOON + hours(9)) == ["raised Extreme Heat Warning warning"]


def test_an_advisory_that_becomes_a_warning_is_the_same_incident_with_a_higher_level() -> None:
    watch = Watch()
    watch.feels(101, at=quarter(0))
    watch.feels(101, at=quarter(1))

    assert watch.feels(106, at=quarter(2)) == ["updated Extreme Heat Warning warning level"]
    assert watch.feels(101, at=quarter(3)) == []
    assert watch.feels(106, at=quarter(4)) == []
    assert len(watch.incidents) == 1


def test_missing_data_is_never_an_all_clear() -> None:
    watch = Watch()
    watch.sees(hour(NOON, gust=metres_a_second(60)), at=NOON)

    said = [
        line
        for number in range(1, 40)
        for line in watch.sees(hour(quarter(number), temperature=20.0, wind=1.0), at=quarter(number))
    ]

    # The wind is calm and nobody says what the gusts are: the wind alone then stands for them.
    assert said == ["cleared High Wind Warning warning below_threshold"]
    blind = Watch()
    blind.sees(hour(NOON, gust=metres_a_second(60)), at=NOON)
    assert [blind.sees(hour(quarter(n), temperature=20.0), at=quarter(n)) for n in range(1, 40)] == [[]] * 39


@pytest.mark.parametrize(
    ("sample", "said"),
    [
        ({"temperature": celsius(-10), "wind": metres_a_second(20)}, ["raised Extreme Cold Warning warning"]),
        ({"gust": metres_a_second(58)}, ["raised High Wind Warning warning"]),
        ({"wind": metres_a_second(40)}, ["raised High Wind Warning warning"]),
        ({"temperature": celsius(96), "humidity": 60.0}, ["raised Extreme Heat Warning warning"]),
        ({"temperature": celsius(70), "wind": 3.0, "gust": 6.0, "humidity": 50.0}, []),
    ],
)
def test_the_default_warnings(sample: dict[str, float], said: list[str]) -> None:
    assert Watch().sees(hour(NOON, **sample), at=NOON) == said


@pytest.mark.parametrize(
    ("sample", "event"),
    [
        ({"temperature": celsius(19), "wind": 0.0}, "Extreme Cold Advisory"),
        ({"temperature": celsius(22), "wind": metres_a_second(60)}, "Extreme Cold Advisory"),
        ({"gust": metres_a_second(47)}, "High Wind Advisory"),
        ({"wind": metres_a_second(32)}, "High Wind Advisory"),
        ({"temperature": celsius(100)}, "Extreme Heat Advisory"),
    ],
)
def test_the_default_advisories(sample: dict[str, float], event: str) -> None:
    watch = Watch()
    said = [watch.sees(hour(quarter(number), **sample), at=quarter(number)) for number in (0, 1)]

    assert any(line.startswith(f"raised {event}") for line in said[1])


def test_heat_that_is_forecast_for_tonight_is_told_now_with_its_hours() -> None:
    watch = Watch()
    evening = hour(NOON + hours(8), 3, temperature=celsius(107))

    assert watch.sees(hour(NOON, 1, temperature=celsius(90)), evening, at=NOON) == [
        "raised Extreme Heat Warning warning"
    ]
    incident = next(iter(watch.incidents.values()))
    assert (incident.onset_at, incident.ends_at) == (NOON + hours(8), NOON + hours(11))
    assert incident.key == "thr:extreme_heat:2026-07-15"


def test_heat_on_five_afternoons_is_five_episodes_when_it_cools_down_between() -> None:
    watch = Watch()
    said: list[str] = []
    for quarters in range(5 * 96):
        moment = quarter(quarters)
        hot = 14 <= moment.hour < 19
        said += watch.sees(hour(moment, 2, temperature=celsius(106 if hot else 85)), at=moment)

    assert said.count("raised Extreme Heat Warning warning") == 5
    assert len({item.key for item in watch.incidents.values()}) == 5


def test_heat_on_five_days_in_a_row_of_forecasts_is_one_incident_whose_end_moves() -> None:
    watch = Watch()
    said: list[str] = []
    for number in range(5 * 24):
        moment = NOON + hours(number)
        ahead = [hour(moment + hours(step), 1, temperature=celsius(106)) for step in range(24)]
        said += watch.sees(*ahead, at=moment)

    assert said.count("raised Extreme Heat Warning warning") == 1
    assert said.count("updated Extreme Heat Warning warning ends") == 4
    assert len(said) == 5


def test_an_official_alert_mutes_ours_of_the_same_kind() -> None:
    watch = Watch()
    watch.hears(feature(event="Extreme Heat Warning", code=vtec(event="KALY.XH.W.0001")), at=NOON)

    assert watch.feels(106, at=quarter(1)) == []
    muted = next(item for item in watch.incidents.values() if not item.official)
    assert muted.suppressed_by is not None


def test_an_official_alert_after_ours_takes_its_place_as_an_update() -> None:
    watch = Watch()
    watch.feels(106, at=NOON)
    ours = next(iter(watch.incidents.values()))

    poll = [feature(event="Extreme Heat Warning", code=vtec(event="KALY.XH.W.0001"))]

    assert watch.hears(*poll, at=quarter(1)) == ["updated Extreme Heat Warning warning source"]
    assert watch.incidents[ours.id].told is None


def test_a_lower_official_alert_does_not_mute_ours() -> None:
    watch = Watch()
    watch.hears(feature(event="Heat Advisory", code=vtec(event="KALY.HT.Y.0001")), at=NOON)

    assert watch.feels(106, at=quarter(1)) == ["raised Extreme Heat Warning warning"]


def test_what_an_official_alert_muted_is_told_when_that_is_over_and_it_is_still_hot() -> None:
    watch = Watch()
    watch.hears(feature(event="Extreme Heat Warning", code=vtec(event="KALY.XH.W.0001")), at=NOON)
    watch.feels(106, at=quarter(1))
    over = feature(event="Extreme Heat Warning", code=vtec("CAN", "KALY.XH.W.0001"), sent=quarter(2))

    assert watch.hears(over, at=quarter(2)) == ["cleared Extreme Heat Warning warning cancelled quietly"]
    assert watch.feels(106, at=quarter(3)) == ["raised Extreme Heat Warning warning"]


THUNDER = {"code": 95, "temperature": 20.0}


@pytest.mark.parametrize(
    ("sample", "raised"),
    [
        (THUNDER, False),
        (THUNDER | {"precipitation": 0.0, "probability": 90.0}, False),
        (THUNDER | {"precipitation": 1.0}, False),
        (THUNDER | {"precipitation": 1.0, "probability": 40.0}, True),
        (THUNDER | {"precipitation": 1.0, "gust": metres_a_second(45)}, True),
        (THUNDER | {"precipitation": 1.0, "cape": 1500.0}, True),
        ({"code": 96, "precipitation": 0.2, "cape": 3000.0}, False),
        ({"code": 82, "temperature": 20.0}, True),
        ({"code": 61, "precipitation": 9.0, "probability": 100.0}, False),
    ],
)
def test_a_weather_code_alone_is_no_storm(sample: dict[str, Any], raised: bool) -> None:
    watch = Watch(official=False)

    said = [
        line for number in (0, 1) for line in watch.sees(hour(quarter(number), **sample), at=quarter(number))
    ]

    assert ("raised Severe Weather Advisory advisory" in said) is raised


def test_a_model_s_storm_counts_for_nothing_where_an_office_watches() -> None:
    watch = Watch(official=True)
    storm = THUNDER | {"precipitation": 5.0, "probability": 90.0}

    assert [watch.sees(hour(quarter(number), **storm), at=quarter(number)) for number in range(4)] == [[]] * 4


def test_heavy_rain_has_to_last_two_hours() -> None:
    watch = Watch(official=False)

    assert [watch.sees(hour(quarter(n), 1, code=65), at=quarter(n)) for n in range(3)] == [[]] * 3


def test_a_property_s_threshold_stands_over_the_portfolio_s_and_that_over_the_default() -> None:
    def heat(degrees: float) -> Threshold:
        return Threshold(
            metric=Metric.HEAT, level=Level.ADVISORY, raise_at=celsius(degrees), clear_at=celsius(degrees - 3)
        )

    found = profile([heat(95)], [heat(90)])

    line = next(item for item in found if (item.metric, item.level) == (Metric.HEAT, Level.ADVISORY))
    assert shown(Metric.HEAT, line.raise_at) == (90.0, "degF")
    assert len(found) == len(DEFAULTS)


@pytest.mark.parametrize(
    "changes",
    [
        {"clear_at": 38.0},
        {"clear_at": 39.0},
        {"level": Level.EMERGENCY},
        {"raise_count": 0},
        {"hours": -1},
        {"cooldown": timedelta(hours=-1)},
        {"metric": Metric.CHILL},
    ],
)
def test_a_threshold_that_could_never_work_is_refused(changes: dict[str, Any]) -> None:
    values: dict[str, Any] = {
        "metric": Metric.HEAT,
        "level": Level.ADVISORY,
        "raise_at": 38.0,
        "clear_at": 36.0,
    }

    with pytest.raises(BadThreshold):
        Threshold(**values | changes)


@given(temperatures=some.lists(some.floats(70, 120), min_size=1, max_size=120))
def test_raised_and_cleared_alternate_whatever_the_weather_does(temperatures: list[float]) -> None:
    watch = Watch()
    said = [
        line.split()[0]
        for number, value in enumerate(temperatures)
        for line in watch.feels(value, at=quarter(number))
        if not line.startswith("updated")
    ]

    assert all(kind == ("raised", "cleared")[number % 2] for number, kind in enumerate(said))


def test_what_a_sample_does_not_say_has_no_value() -> None:
    nothing = hour(NOON, code=3)

    assert [value_of(metric, nothing) for metric in Metric] == [None, None, None, None, None, 0.0]


@pytest.mark.parametrize(
    "changes",
    [
        {"raise_at": 2700.0},
        {"hours": float("inf")},
        {"hours": 25},
        {"raise_count": 10**20},
        {"min_hold": timedelta(days=8)},
        {"metric": Metric.GUST, "raise_at": -2.0, "clear_at": -4.0},
    ],
)
def test_a_threshold_that_warns_of_all_or_of_nothing_is_not_sensible(changes: dict[str, Any]) -> None:
    values: dict[str, Any] = {
        "metric": Metric.HEAT,
        "level": Level.ADVISORY,
        "raise_at": 38.0,
        "clear_at": 36.0,
    }

    with pytest.raises(BadThreshold):
        Threshold(**values | changes).require_sense()


def test_the_thresholds_that_everybody_has_are_sensible() -> None:
    for item in DEFAULTS:
        item.require_sense()
