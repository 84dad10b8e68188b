"""When a cron expression is due, across clock changes and the ends of months."""

import json
import os
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from cronsim import CronSim, CronSimError
from hypothesis import example, given
from hypothesis import strategies as st

from services.scheduler.domain.cron_faults import fault_in
from services.scheduler.timetable import ALIASES, InvalidCron, is_ambiguous, parse_cron
from shared.clock import UnknownZone

ROOT = Path(__file__).parents[2]
SHARED = Path(os.environ.get("PROPMAN_SHARED", ROOT.parent / "shared"))
VECTORS = SHARED / "vectors" / "schedule_vectors.json"

NEW_YORK = "America/New_York"

crons = st.sampled_from(
    [
        *ALIASES.values(),
        "5 * * * *",
        "30 2 * * *",
        "30 1 * * *",
        "*/15 * * * *",
        "0 2,3 * * *",
        "0 0 L * *",
        "59 23 29 2 *",
        "15 */6 * * 1-5",
    ]
)
zones = st.sampled_from(
    [
        "UTC",
        NEW_YORK,
        "Europe/London",
        "Australia/Lord_Howe",
        "Africa/Cairo",
        "Asia/Kathmandu",
        "Pacific/Apia",
    ]
)
moments = st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_a_time_the_clock_skips_runs_once_when_it_has_jumped() -> None:
    cron = parse_cron("30 2 * * *", NEW_YORK)

    found = cron.upcoming(at("2025-03-08T12:00:00Z"), 2)

    assert found == [at("2025-03-09T07:00:00Z"), at("2025-03-10T06:30:00Z")]


def test_a_time_that_comes_twice_runs_the_first_time_only() -> None:
    cron = parse_cron("30 1 * * *", NEW_YORK)

    found = cron.upcoming(at("2025-11-01T12:00:00Z"), 2)

    assert found == [at("2025-11-02T05:30:00Z"), at("2025-11-03T06:30:00Z")]


def test_asking_within_the_second_copy_of_an_hour_never_goes_back() -> None:
    cron = parse_cron("30 1 * * *", NEW_YORK)

    assert cron.after(at("2025-11-02T06:15:00Z")) == at("2025-11-03T06:30:00Z")


def test_an_hourly_schedule_runs_in_both_copies_of_an_hour() -> None:
    cron = parse_cron("0 * * * *", NEW_YORK)

    found = cron.upcoming(at("2025-11-02T04:30:00Z"), 3)

    assert found == [at(f"2025-11-02T0{hour}:00:00Z") for hour in (5, 6, 7)]


def test_the_first_of_the_month_skips_no_month() -> None:
    found = parse_cron("0 0 1 * *", NEW_YORK).upcoming(at("2026-02-15T00:00:00Z"), 3)

    assert found == [at("2026-03-01T05:00:00Z"), at("2026-04-01T04:00:00Z"), at("2026-05-01T04:00:00Z")]


@given(crons, zones, moments)
def test_next_is_strictly_after_and_nexts_strictly_increase(
    expression: str, zone: str, moment: datetime
) -> None:
    cron = parse_cron(expression, zone)

    found = [moment, *cron.upcoming(moment, 4)]

    assert all(earlier < later for earlier, later in pairwise(found))


@given(crons, zones, moments)
def test_the_latest_is_the_one_after_which_none_has_come(
    expression: str, zone: str, moment: datetime
) -> None:
    cron = parse_cron(expression, zone)

    latest = cron.latest(moment)

    assert latest <= moment < cron.after(latest)


def test_the_latest_includes_the_moment_itself() -> None:
    moment = at("2026-11-20T12:05:00Z")

    assert parse_cron("5 * * * *", "UTC").latest(moment) == moment
    assert parse_cron("5 * * * *", "UTC").latest(moment - timedelta(seconds=1)) == moment - timedelta(hours=1)


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("30 0 9 * * *", "six|6 fields; five are needed"),
        ("* * * *", "4 fields; five are needed"),
        ("0 0 1 * * America/New_York", "time zone is given apart"),
        ("60 * * * *", r": 60 is not a minute: 0 to 59$"),
        ("0 24 * * *", "24 is not an hour: 0 to 23"),
        ("0 22-2 * * *", "22-2 is backwards; write 22-23,0-2"),
        ("0 0 * * fri-mon", "fri-mon is backwards; write fri-SAT,SUN-mon"),
        ("0 0 * * 6-1", "6-1 is backwards; write 6,0-1"),
        ("0 0 * * 7-2", "7-2 is backwards; write 0-2"),
        ("0 0 32 * *", "32 is not a day of the month: 1 to 31, or L for the last"),
        ("0 0 L-5 * *", "L-5: L stands for itself"),
        ("0 0 1 0 *", "0 is not a month: 1 to 12, or JAN to DEC"),
        ("0 0 * * 8", r"8 is not a day of the week: 0 to 7 \(0 and 7 are Sunday\), or SUN to SAT"),
        ("0 0 * * 1#6", "after # comes which one of the month it is, 1 to 5"),
        ("0 0 * * FRIL", "FRIL is not the last of a weekday"),
        ("*/0 * * * *", r"\*/0: after / comes a step"),
        ("1,,2 * * * *", "a minute is missing"),
        ("0 0 30 2 *", "none of its months has that day"),
        ("0 0 15W * *", "uses W"),
        ("@reboot", "not a known alias"),
        ("", "0 fields"),
    ],
)
def test_a_bad_expression_is_refused_with_its_reason(expression: str, reason: str) -> None:
    with pytest.raises(InvalidCron, match=reason):
        parse_cron(expression, "UTC")


TERMS = st.text(alphabet="0123456789*/-,L#?", min_size=1, max_size=5) | st.sampled_from(
    ["MON", "fri-sun", "JAN", "dec-feb", "5L", "2#2", "*/7", "0-0/1", "L/2"]
)


@given(st.tuples(TERMS, TERMS, TERMS, TERMS, TERMS))
@example(("0", "0", "30", "2", "*"))
def test_what_is_refused_says_what_is_wrong_and_nothing_else_is_said_to_be(parts: tuple[str, ...]) -> None:
    refused = ""
    try:
        CronSim(" ".join(parts), datetime(2026, 1, 1, tzinfo=UTC))
    except CronSimError as error:
        refused = str(error)

    said = fault_in(parts)

    assert bool(said) is bool(refused) or (said, refused) == (None, "Bad day-of-month")


def test_an_unknown_zone_is_refused() -> None:
    for name in (
        "Mars/Base",
        "America",
        "",
        "M" * 400,
    ):  # nothing, a folder, and more than a file name may have
        with pytest.raises(UnknownZone, match=f"'{name}' is not an IANA time zone"):
            parse_cron("0 0 * * *", name)


def test_an_alias_stands_for_its_fields() -> None:
    assert parse_cron("@Monthly", "UTC").expression == "0 0 1 * *"


@pytest.mark.parametrize(
    ("expression", "ambiguous"),
    [("0 0 */2 * 1", True), ("0 0 13 * */2", True), ("0 0 1-7 * 1", False), ("0 0 */2 * *", False)],
)
def test_a_step_in_one_day_field_beside_a_restriction_is_ambiguous(
    expression: str, *, ambiguous: bool
) -> None:
    assert is_ambiguous(expression) is ambiguous


def vectors(kind: str) -> list[Any]:
    if not VECTORS.exists():
        reason = pytest.mark.skip(reason="the shared vectors are not on this machine (PROPMAN_SHARED)")
        return [pytest.param({}, id="no-vectors", marks=reason)]
    found = json.loads(VECTORS.read_text(encoding="utf-8"))[kind]
    return [pytest.param(vector, id=vector["id"]) for vector in found]


@pytest.mark.shared_data
@pytest.mark.parametrize("vector", vectors("cron"))
def test_every_shared_cron_vector_holds(vector: dict[str, Any]) -> None:
    cron = parse_cron(vector["expr"], vector["timezone"])

    found = cron.upcoming(at(vector["after"]), vector["count"])

    assert found == [at(text) for text in vector["expected"]]


@pytest.mark.shared_data
@pytest.mark.parametrize("vector", vectors("cron_reject"))
def test_every_shared_rejection_holds(vector: dict[str, Any]) -> None:
    with pytest.raises(InvalidCron):
        parse_cron(vector["expr"], "UTC")
