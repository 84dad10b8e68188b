"""When a cron expression is due, across clock changes and the ends of months."""

import json
import os
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
        ("60 * * * *", "the minute is out of range"),
        ("0 22-2 * * *", "the hour is out of range, backwards"),
        ("0 0 32 * *", "the day of the month"),
        ("0 0 30 2 *", "the day of the month is out of range, backwards, or never comes"),
        ("0 0 15W * *", "uses W"),
        ("@reboot", "not a known alias"),
        ("", "0 fields"),
    ],
)
def test_a_bad_expression_is_refused_with_its_reason(expression: str, reason: str) -> None:
    with pytest.raises(InvalidCron, match=reason):
        parse_cron(expression, "UTC")


def test_an_unknown_zone_is_refused() -> None:
    with pytest.raises(UnknownZone, match="'Mars/Base' is not an IANA time zone"):
        parse_cron("0 0 * * *", "Mars/Base")


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
