"""Quiet hours over midnight, zones and daylight saving time."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notifications.domain.quiet_hours import QuietWindow, is_quiet, opens_at, opens_everywhere

ZONES = [
    "America/New_York",
    "America/Phoenix",
    "Pacific/Honolulu",
    "Asia/Kolkata",
    "Australia/Lord_Howe",
    "UTC",
]
OVERNIGHT = QuietWindow(time(21), time(8))
NEW_YORK = ZoneInfo("America/New_York")

windows = st.builds(
    QuietWindow,
    st.times().map(lambda at: at.replace(second=0, microsecond=0)),
    st.times().map(lambda at: at.replace(second=0, microsecond=0)),
)
moments = st.datetimes(datetime(2024, 1, 1), datetime(2028, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - zone beside
zones = st.sampled_from(ZONES).map(ZoneInfo)


@given(windows, zones, moments)
def test_a_message_goes_out_when_it_is_not_quiet_and_no_later_than_it_must(
    window: QuietWindow, zone: ZoneInfo, at: datetime
) -> None:
    opens = opens_at(window, zone, at)

    assert opens >= at
    assert not is_quiet(window, zone, opens)
    assert opens - at <= timedelta(hours=25)
    if opens > at:
        assert is_quiet(window, zone, at)
        assert is_quiet(window, zone, opens - timedelta(minutes=1))


@given(windows, zones, moments)
def test_asked_again_when_it_is_due_the_answer_is_now(
    window: QuietWindow, zone: ZoneInfo, at: datetime
) -> None:
    opens = opens_at(window, zone, at)

    assert opens_at(window, zone, opens) == opens


@given(st.lists(zones, min_size=1, max_size=2), moments)
def test_the_default_hours_of_two_zones_are_kept_together_or_those_of_the_first(
    both: list[ZoneInfo], at: datetime
) -> None:
    opens = opens_everywhere(OVERNIGHT, both, at)

    assert not is_quiet(OVERNIGHT, both[0], opens)
    if any(not is_quiet(OVERNIGHT, both[0], at + timedelta(minutes=step)) for step in range(0, 1500, 5)) and (
        both[0] == both[-1] or {zone.key for zone in both} <= {"America/New_York", "America/Phoenix"}
    ):
        assert not any(is_quiet(OVERNIGHT, zone, opens) for zone in both)


def test_equal_ends_mean_no_quiet_hours() -> None:
    at = datetime(2026, 9, 1, 3, 0, tzinfo=UTC)

    assert opens_at(QuietWindow(time(8), time(8)), NEW_YORK, at) == at


@pytest.mark.parametrize(
    ("at", "opens"),
    [
        # 02:30 does not exist on 8 March 2026: the clocks leap from 2 to 3, which is past the end.
        (datetime(2026, 3, 8, 6, 0, tzinfo=UTC), datetime(2026, 3, 8, 7, 0, tzinfo=UTC)),
        # 1:30 comes twice on 1 November 2026; it is quiet until the first 2:30, which comes once.
        (datetime(2026, 11, 1, 5, 30, tzinfo=UTC), datetime(2026, 11, 1, 7, 30, tzinfo=UTC)),
    ],
)
def test_a_window_that_ends_while_the_clocks_change_ends_once(at: datetime, opens: datetime) -> None:
    assert opens_at(QuietWindow(time(21), time(2, 30)), NEW_YORK, at) == opens


def test_eight_o_clock_is_eight_o_clock_on_both_sides_of_a_change_of_the_clocks() -> None:
    night_before, night_of = datetime(2026, 3, 7, 4, tzinfo=UTC), datetime(2026, 3, 8, 4, tzinfo=UTC)

    assert opens_at(OVERNIGHT, NEW_YORK, night_before) == datetime(2026, 3, 7, 13, tzinfo=UTC)
    assert opens_at(OVERNIGHT, NEW_YORK, night_of) == datetime(2026, 3, 8, 12, tzinfo=UTC)
