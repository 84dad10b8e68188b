"""The policies, pure: no instant is lost, none is announced twice, and each that is left out says why."""

from datetime import UTC, date, datetime, timedelta
from typing import get_args
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.scheduler.domain.calendars import Interval
from services.scheduler.domain.catch_up import COUNT_LIMIT, NeverAgain, Policy, arrears
from services.scheduler.domain.decisions import Slot, decide
from services.scheduler.domain.exclusions import Bounded, DaysOff, Excluding
from services.scheduler.domain.occurrences import Occurrence, Report, outcome_of
from services.scheduler.domain.rules import OnExcluded, Overlapping, Rules, jitter_of
from services.scheduler.timetable import parse_cron
from tests.scheduler.driver import START

HOURLY = Interval(START, timedelta(hours=1))
NEW_YORK = ZoneInfo("America/New_York")
RULES = st.builds(
    Rules,
    max_runs=st.none() | st.integers(1, 5),
    catch_up=st.sampled_from(get_args(Policy)),
    catch_up_window=st.integers(0, 40).map(lambda hours: timedelta(hours=hours)),
    catch_up_max=st.integers(1, 8),
    grace=st.integers(0, 7_200).map(lambda seconds: timedelta(seconds=seconds)),
    overlap=st.sampled_from(get_args(Overlapping)),
)


@given(
    rules=RULES,
    late=st.integers(0, 30 * 3_600),
    runs=st.integers(0, 6),
    slot=st.builds(Slot, st.booleans(), st.booleans()),
)
def test_every_due_instant_is_dealt_with_exactly_once(rules: Rules, late: int, runs: int, slot: Slot) -> None:
    now = START + timedelta(seconds=late)
    due = arrears(HOURLY, first=START, now=now)

    decision = decide(due, now=now, rules=rules, runs=runs, slot=slot)

    announced = [item.scheduled_for for item in decision.announce]
    queued = [decision.queue.scheduled_for] if decision.queue else []
    left_out = [item.scheduled_for for item in decision.left_out]
    assert sorted([*announced, *queued, *left_out]) == list(due.instants)
    assert announced == sorted(announced)


@given(rules=RULES, late=st.integers(0, 30 * 3_600), runs=st.integers(0, 6))
def test_the_limit_of_runs_is_never_exceeded(rules: Rules, late: int, runs: int) -> None:
    now = START + timedelta(seconds=late)

    decision = decide(arrears(HOURLY, first=START, now=now), now=now, rules=rules, runs=runs)

    assert rules.max_runs is None or decision.runs <= max(rules.max_runs - runs, 0)


@given(rules=RULES, late=st.integers(0, 30 * 3_600))
def test_nothing_goes_beside_a_run_that_is_under_way_unless_allowed(rules: Rules, late: int) -> None:
    now = START + timedelta(seconds=late)
    due = arrears(HOURLY, first=START, now=now)

    decision = decide(due, now=now, rules=rules, slot=Slot(is_open=True))

    assert rules.overlap == "allow" or not decision.announce
    assert rules.overlap == "queue_one" or decision.queue is None


@pytest.mark.parametrize(
    ("policy", "state", "reason"),
    [
        ("latest", "skipped", "coalesced"),
        ("earliest", "skipped", "coalesced"),
        ("all", "missed", "cap"),
        ("skip", "missed", "policy"),
    ],
)
def test_instants_too_many_to_list_are_one_row_with_their_count(
    policy: Policy, state: str, reason: str
) -> None:
    now = START + timedelta(hours=5_000)
    rules = Rules(catch_up=policy, catch_up_window=timedelta(days=3_650), catch_up_max=COUNT_LIMIT)

    decision = decide(arrears(HOURLY, first=START, now=now), now=now, rules=rules)

    [row] = [item for item in decision.left_out if item.count > 1]
    assert (row.state, row.reason, row.count) == (state, reason, COUNT_LIMIT)
    assert row.scheduled_for == START + timedelta(hours=1)


def test_the_first_is_announced_for_all_however_many_there_are() -> None:
    now = START + timedelta(hours=5_000)
    rules = Rules(catch_up="earliest", catch_up_window=timedelta(days=3_650), grace=timedelta(0))

    [first, _on_time] = decide(arrears(HOURLY, first=START, now=now), now=now, rules=rules).announce

    assert first.scheduled_for == START


def test_queue_one_has_one_wait_and_skips_the_others() -> None:
    due = arrears(HOURLY, first=START, now=START)

    first = decide(due, now=START, rules=Rules(overlap="queue_one"), slot=Slot(is_open=True))
    second = decide(
        due, now=START, rules=Rules(overlap="queue_one"), slot=Slot(is_open=True, has_queued=True)
    )

    assert first.queue is not None
    assert (second.queue, second.left_out[0].reason) == (None, "overlap")


@given(
    moment=st.integers(0, 365 * 86_400).map(lambda seconds: START + timedelta(seconds=seconds)),
    off=st.frozensets(st.dates(date(2026, 11, 1), date(2027, 12, 10)), max_size=40),
    weekends=st.booleans(),
    action=st.sampled_from(get_args(OnExcluded)),
)
def test_nothing_is_due_on_an_excluded_day(
    moment: datetime, off: frozenset[date], weekends: bool, action: OnExcluded
) -> None:
    days_off = DaysOff(off, weekends)
    timetable = Excluding(parse_cron("30 2 * * *", NEW_YORK.key), NEW_YORK, days_off, action)

    found = timetable.after(moment)

    assert found > moment
    assert found.astimezone(NEW_YORK).date() not in days_off
    assert timetable.after(found - timedelta(microseconds=1)) == found


@given(
    after=st.integers(0, 400 * 24).map(lambda hours: START + timedelta(hours=hours)),
    off=st.frozensets(st.dates(date(2026, 11, 1), date(2028, 1, 10)), max_size=60),
)
def test_what_is_moved_is_neither_lost_nor_doubled(after: datetime, off: frozenset[date]) -> None:
    daily = parse_cron("0 9 * * *", "UTC")
    timetable = Excluding(daily, UTC, DaysOff(off, weekends=True), "next_business_day")

    found, moment = [], after
    for _ in range(20):
        moment = timetable.after(moment)
        found.append(moment.date())

    business = [after.date() + timedelta(days=days) for days in range(200)]
    wanted = [day for day in business if day.weekday() < 5 and day not in off and at_nine(day) > after]
    assert found == wanted[:20]


def at_nine(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 9, tzinfo=UTC)


def test_a_monthly_run_on_a_holiday_comes_on_the_next_business_day() -> None:
    rent = parse_cron("0 9 1 * *", NEW_YORK.key)
    off = DaysOff(frozenset({date(2027, 1, 1)}), weekends=True)
    timetable = Excluding(rent, NEW_YORK, off, "next_business_day")

    found = timetable.after(datetime(2026, 12, 15, tzinfo=UTC))

    assert found.astimezone(NEW_YORK).isoformat() == "2027-01-04T09:00:00-05:00"  # a Monday


def test_a_timetable_of_which_nothing_is_left_is_found_out() -> None:
    saturdays = parse_cron("0 9 * * 6", "UTC")

    with pytest.raises(NeverAgain):
        Excluding(saturdays, UTC, DaysOff(frozenset(), weekends=True), "skip").after(START)


def test_the_bounds_of_a_schedule_belong_to_it() -> None:
    timetable = Bounded(HOURLY, START + timedelta(hours=2), START + timedelta(hours=3))

    assert timetable.after(START) == START + timedelta(hours=2)
    assert timetable.after(START + timedelta(hours=2)) == START + timedelta(hours=3)
    with pytest.raises(NeverAgain):
        timetable.after(START + timedelta(hours=3))


@given(seconds=st.integers(0, 10_000), number=st.integers(0, 1_000), identity=st.uuids())
def test_jitter_is_the_same_everywhere_and_ends_before_the_next_run(
    seconds: int, number: int, identity: UUID
) -> None:
    moment = START + timedelta(hours=number)
    following = moment + timedelta(hours=1)
    most = timedelta(seconds=seconds)

    delay = jitter_of(identity, moment, following, most)

    assert timedelta() <= delay <= most
    assert moment + delay < following
    assert delay == jitter_of(identity, moment.astimezone(NEW_YORK), following, most)


def test_jitter_spreads_the_runs_of_one_instant() -> None:
    hour = timedelta(hours=1)

    delays = {jitter_of(UUID(int=number), START, START + hour, hour) for number in range(100)}

    assert len(delays) == 100
    assert max(delays) - min(delays) > timedelta(minutes=45)


@pytest.mark.parametrize(
    ("minute", "state", "expected"),
    [
        (5, "waiting", "succeeded"),
        (5, "timed_out", "succeeded"),
        (15, "timed_out", "succeeded_late"),
        (15, "waiting", "succeeded_late"),
    ],
)
def test_late_is_what_ended_after_the_deadline_not_what_arrived_late(
    minute: int, state: str, expected: str
) -> None:
    occurrence = Occurrence(
        id=UUID(int=1),
        schedule_key="rent",
        trigger="t",
        zone="UTC",
        scheduled_for=START,
        origin="schedule",
        created_at=START,
        state=state,  # type: ignore[arg-type]
        expected=("billing",),
        deadline_at=START + timedelta(minutes=10),
        reports=(Report("billing", "succeeded", START + timedelta(minutes=minute)),),
    )

    assert outcome_of(occurrence)[0] == expected
