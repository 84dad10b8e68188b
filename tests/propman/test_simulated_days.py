"""The days of a simulated past, and the moments at which its clock stands."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from propman.simulation.calendar import EARLY, NOON, Span, moments

FOREVER = datetime(2030, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("months", "until", "starts_on", "last"),
    [
        (12, date(2024, 12, 31), date(2024, 1, 1), "2024-12"),
        (12, date(2026, 11, 24), date(2025, 12, 1), "2026-11"),
        (1, date(2024, 2, 29), date(2024, 2, 1), "2024-02"),
        (3, date(2024, 1, 15), date(2023, 11, 1), "2024-01"),
    ],
)
def test_a_span_is_whole_months_up_to_its_last_day(
    months: int, until: date, starts_on: date, last: str
) -> None:
    span = Span.of(months, until)

    assert (span.starts_on, span.until_on, len(span.months)) == (starts_on, until, months)
    assert (span.months[0], span.months[-1]) == (f"{starts_on:%Y-%m}", last)


def test_every_day_has_a_moment_at_which_people_act() -> None:
    span = Span.of(12, date(2024, 12, 31))

    found = list(moments(span, after=span.eve, now=FOREVER))

    assert [moment.on for moment in found if moment.people_act] == [
        span.starts_on + timedelta(days=number) for number in range(366)
    ]
    assert found == sorted(found)
    assert len(found) == 366 + 12


def test_each_moment_is_on_its_own_day_in_every_zone_of_the_portfolio() -> None:
    zones = ("America/New_York", "America/Chicago", "America/Phoenix", "America/Los_Angeles")
    for month in range(1, 13):
        for hour in (EARLY, NOON):
            moment = datetime.combine(date(2024, month, 1), hour, UTC)
            days = {moment.astimezone(ZoneInfo(zone)).date() for zone in (*zones, "Pacific/Honolulu")}
            assert days == {moment.date()}


def test_what_was_cut_off_goes_on_with_the_moment_it_was_in() -> None:
    span = Span.of(1, date(2024, 1, 31))
    all_of_them = list(moments(span, after=span.eve, now=FOREVER))

    rest = list(moments(span, after=all_of_them[7].at, now=FOREVER))

    assert rest == all_of_them[7:]


def test_nothing_is_simulated_that_is_still_to_come() -> None:
    span = Span.of(1, date(2024, 1, 31))
    now = datetime(2024, 1, 3, 12, tzinfo=UTC)

    assert [moment.at.day for moment in moments(span, after=span.eve, now=now)] == [1, 1, 2]
