"""Our cron beside another one that was written apart from it, on expressions nobody thought of.

crondst follows Vixie's cron as we do. It takes clock changes of whole hours only, so Lord Howe is left out.
"""

from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from crondst import CronDst, CronDstError
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from services.scheduler.timetable import InvalidCron, is_ambiguous, parse_cron
from shared.clock import zone

ZONES = (
    "America/New_York",
    "America/Los_Angeles",
    "Europe/London",
    "Europe/Berlin",
    "Africa/Cairo",
    "America/Santiago",
    "Australia/Sydney",
    "Asia/Kolkata",
    "UTC",
)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@cache
def clock_changes(name: str, year: int) -> tuple[datetime, ...]:
    """The hours of a year before which a zone's clock was moved."""
    here, hour = zone(name), datetime(year, 1, 1, tzinfo=UTC)
    found = []
    while hour.year == year:
        if (hour + DAY).astimezone(here).utcoffset() != hour.astimezone(here).utcoffset():
            found += [
                moment
                for moment in (hour + step * HOUR for step in range(24))
                if moment.astimezone(here).utcoffset() != (moment + HOUR).astimezone(here).utcoffset()
            ]
        hour += DAY
    return tuple(found)


@st.composite
def moments(draw: st.DrawFn, name: str) -> datetime:
    """A moment of these years, as often as not within a day and a half of a clock change."""
    year = draw(st.integers(2020, 2036))
    changes = clock_changes(name, year)
    beside_a_change: bool = draw(st.booleans())
    if changes and beside_a_change:
        start = draw(st.sampled_from(changes))
        return start + timedelta(minutes=draw(st.integers(-36 * 60, 36 * 60)))
    return datetime(year, 1, 1, tzinfo=UTC) + timedelta(minutes=draw(st.integers(0, 365 * 24 * 60)))


@st.composite
def fields(draw: st.DrawFn, least: int, most: int) -> str:
    """One field: everything, every so many, numbers, ranges, and lists of these."""
    numbers = st.integers(least, most)
    spans = st.tuples(numbers, numbers).map(sorted)
    parts = st.one_of(
        numbers.map(str),
        spans.map(lambda span: f"{span[0]}-{span[1]}"),
        st.tuples(spans, st.integers(1, 7)).map(lambda item: f"{item[0][0]}-{item[0][1]}/{item[1]}"),
    )
    kinds = st.one_of(
        st.just("*"),
        st.integers(2, max(most // 2, 2)).map(lambda step: f"*/{step}"),
        st.lists(parts, min_size=1, max_size=3).map(",".join),
    )
    return draw(kinds)


@st.composite
def expressions(draw: st.DrawFn) -> str:
    """Five fields, mostly of times around the hours at which clocks are changed."""
    hours = st.one_of(fields(0, 23), fields(0, 3))
    days = st.one_of(st.just("*"), fields(1, 31))
    weekdays = st.one_of(st.just("*"), fields(0, 6))
    months = st.one_of(st.just("*"), fields(1, 12))
    return " ".join(draw(field) for field in (fields(0, 59), hours, days, months, weekdays))


@settings(max_examples=150)
@given(expressions(), st.sampled_from(ZONES), st.data())
def test_another_cron_finds_the_same_instants(expression: str, name: str, data: st.DataObject) -> None:
    assume(not is_ambiguous(expression))
    try:
        ours, theirs = parse_cron(expression, name), CronDst(expression)
    except (InvalidCron, CronDstError):  # it never comes; crondst says so of any day of February alone
        assume(condition=False)
    moment = data.draw(moments(name))

    found = list(islice(theirs.iter(moment.astimezone(ZoneInfo(name))), 12))

    assert ours.upcoming(moment, 12) == [instant.astimezone(UTC) for instant in found]


@pytest.mark.parametrize(
    ("typed", "meant"), [("* 0-0/1 * * *", "* 0 * * *"), ("5 9 * * mon-mon/2", "5 9 * * mon")]
)
def test_a_range_of_one_is_that_one_whatever_its_step(typed: str, meant: str) -> None:
    after = datetime(2026, 1, 1, tzinfo=UTC)

    assert parse_cron(typed, "UTC").upcoming(after, 90) == parse_cron(meant, "UTC").upcoming(after, 90)


@pytest.mark.parametrize("name", ["America/New_York", "Europe/London", "Africa/Cairo"])
@pytest.mark.parametrize(
    "expression", ["30 2 * * *", "30 1 * * *", "*/20 * * * *", "0 0-4 * * *", "15 */2 * * *"]
)
def test_another_cron_agrees_on_every_clock_change(expression: str, name: str) -> None:
    ours, theirs = parse_cron(expression, name), CronDst(expression)

    for year in range(2024, 2030):
        for change in clock_changes(name, year):
            start = change - DAY
            found = list(islice(theirs.iter(start.astimezone(ZoneInfo(name))), 30))
            assert ours.upcoming(start, 30) == [moment.astimezone(UTC) for moment in found]
