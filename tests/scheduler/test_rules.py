"""The pure rules: which due instant speaks for the others, and what reports make of an occurrence."""

from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Literal

import pytest

from services.scheduler.announcing import occurrence_id
from services.scheduler.domain.catch_up import COUNT_LIMIT, TimetableStuck, arrears
from services.scheduler.domain.occurrences import Report, settle
from services.scheduler.domain.schedules import LONGEST_RETRY, retry_delay
from services.scheduler.timetable import parse_cron
from shared.clock import zone
from shared.identity import derived_id

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
HOURLY = parse_cron("0 * * * *", "UTC")


def a_report(
    consumer: str,
    state: Literal["succeeded", "partial", "failed"] = "succeeded",
    *,
    minute: int = 0,
    failed: int = 0,
) -> Report:
    return Report(consumer, state, NOON + timedelta(minutes=minute), {"created": 3, "failed": failed})


def test_what_came_due_is_listed_oldest_first() -> None:
    due = arrears(HOURLY, first=NOON, now=NOON + timedelta(hours=2, minutes=30))

    assert due.instants == tuple(NOON + timedelta(hours=hours) for hours in range(3))
    assert (due.between, due.following) == (0, NOON + timedelta(hours=3))


def test_years_of_missed_minutes_still_find_the_latest_at_once() -> None:
    each_minute = parse_cron("* * * * *", "UTC")
    now = NOON + timedelta(days=900, seconds=30)

    due = arrears(each_minute, first=NOON, now=now)

    assert (due.instants[0], due.instants[-1]) == (NOON, NOON + timedelta(days=900))
    assert due.following == due.instants[-1] + timedelta(minutes=1)
    assert due.between_from == NOON + timedelta(minutes=1)
    assert len(due.instants) == COUNT_LIMIT == due.between


def test_a_timetable_that_does_not_advance_is_refused() -> None:
    class Stuck:
        def after(self, moment: datetime) -> datetime:
            return NOON

    with pytest.raises(TimetableStuck):
        arrears(Stuck(), first=NOON, now=NOON + timedelta(hours=1))


def test_all_expected_consumers_succeeding_is_success_at_the_last_end() -> None:
    reports = [a_report("billing", minute=1), a_report("rewards", minute=3)]

    assert settle(["billing", "rewards"], reports) == ("succeeded", NOON + timedelta(minutes=3))


def test_a_missing_consumer_keeps_it_waiting() -> None:
    assert settle(["billing", "rewards"], [a_report("billing")]) == ("waiting", None)
    assert settle([], []) == ("waiting", None)


def test_where_nobody_is_expected_the_first_report_settles_it() -> None:
    assert settle([], [a_report("billing")]) == ("succeeded", NOON)


def test_failed_items_make_it_partial() -> None:
    assert settle(["billing"], [a_report("billing", failed=1)])[0] == "partial"
    assert settle(["billing"], [a_report("billing", "partial")])[0] == "partial"


def test_a_failure_is_known_before_the_others_answer() -> None:
    assert settle(["billing", "rewards"], [a_report("billing", "failed")])[0] == "failed"


def test_the_order_of_reports_has_no_influence() -> None:
    reports = [a_report("a", minute=1), a_report("b", "partial", minute=5), a_report("c", minute=2)]

    assert len({settle(["a", "b", "c"], order) for order in permutations(reports)}) == 1


def test_a_failing_schedule_rests_longer_each_time_up_to_a_limit() -> None:
    delays = [retry_delay(count) for count in range(1, 9)]

    assert delays == sorted(delays)
    assert delays[0] == timedelta(seconds=5)
    assert retry_delay(10_000) == LONGEST_RETRY


def test_an_occurrence_has_the_same_id_wherever_it_is_computed() -> None:
    schedule = derived_id("a schedule")
    elsewhere = NOON.astimezone(zone("Asia/Tokyo"))

    assert occurrence_id(schedule, "UTC", NOON, "schedule") == occurrence_id(
        schedule, "UTC", elsewhere, "schedule"
    )


def test_another_zone_instant_origin_or_key_is_another_occurrence() -> None:
    schedule = derived_id("a schedule")

    ids = {
        occurrence_id(schedule, "UTC", NOON, "schedule"),
        occurrence_id(schedule, "Asia/Tokyo", NOON, "schedule"),
        occurrence_id(schedule, "UTC", NOON + timedelta(hours=1), "schedule"),
        occurrence_id(schedule, "UTC", NOON, "manual"),
        occurrence_id(schedule, "UTC", NOON, "manual", "again"),
        occurrence_id(derived_id("another"), "UTC", NOON, "schedule"),
    }

    assert len(ids) == 6
