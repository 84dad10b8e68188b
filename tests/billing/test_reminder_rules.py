"""Which reminder is due on which day."""

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.billing.domain.fee_calendar import Hold
from services.billing.domain.reminder_groups import MessageKey, households, in_chunks
from services.billing.domain.reminders import Decision, Outcome, Remindable, decide
from shared.identity import new_id

STAGES = (-3, -1, 1, 7, 30)
DUE = date(2026, 12, 10)


def an_invoice(**changes: Any) -> Remindable:
    """$1,500.00, issued on the first and due on the tenth of December."""
    values: dict[str, Any] = {"issued_on": date(2026, 12, 1), "due_on": DUE, "open_cents": 150_000}
    return Remindable(**values | changes)


def day(offset: int) -> date:
    return DUE + timedelta(days=offset)


def run(invoice: Remindable, offsets: list[int], stages: tuple[int, ...] = STAGES) -> dict[int, int]:
    """Look on these days, one after the other, and keep what is decided; the day on which each stage was said."""
    said: dict[int, int] = {}
    decided = dict(invoice.decided)
    for offset in offsets:
        now = an_invoice(
            issued_on=invoice.issued_on, due_on=invoice.due_on, holds=invoice.holds, decided=decided
        )
        decision = decide(now, stages, day(offset))
        decided |= {item.stage: item.outcome for item in decision.stages}
        if decision.say is not None:
            said[decision.say] = offset
    return said


def outcomes(decision: Decision) -> dict[int, str]:
    return {item.stage: item.outcome for item in decision.stages}


def test_each_stage_is_said_on_its_day() -> None:
    assert run(an_invoice(), list(range(-9, 40))) == {-3: -3, -1: -1, 1: 1, 7: 7, 30: 30}


def test_stages_missed_in_a_downtime_become_one_of_the_latest() -> None:
    decision = decide(an_invoice(), STAGES, day(9))

    assert (decision.say, decision.next_on) == (7, day(30))
    assert outcomes(decision) == {-3: "collapsed", -1: "collapsed", 1: "collapsed", 7: "said"}


@pytest.mark.parametrize("offset", [0, 1, 5])
def test_a_stage_before_the_due_date_is_never_said_on_it_or_after_it(offset: int) -> None:
    decision = decide(an_invoice(), (-3, -1), day(offset))

    assert (decision.say, decision.why) == (None, "nothing_left")
    assert outcomes(decision) == {-3: "dropped", -1: "dropped"}


def test_a_stage_on_the_due_date_is_said_on_that_day_only() -> None:
    assert decide(an_invoice(), (0,), day(0)).say == 0
    assert decide(an_invoice(), (0,), day(1)).say is None


def test_an_invoice_that_is_issued_late_is_not_overdue_the_morning_after() -> None:
    late = an_invoice(issued_on=day(5))

    assert run(late, list(range(5, 40))) == {7: 7, 30: 30}
    assert [decide(late, STAGES, day(offset)).say for offset in (5, 6, 7)] == [None, None, 7]


def test_an_invoice_issued_on_its_due_date_is_not_overdue_the_morning_after() -> None:
    today = an_invoice(issued_on=DUE)

    assert [decide(today, STAGES, day(offset)).say for offset in (0, 1, 2)] == [None, None, 1]


def test_the_invoice_itself_stands_for_the_stages_of_its_day_and_before() -> None:
    short = an_invoice(issued_on=day(-3))

    assert outcomes(decide(short, STAGES, day(-3))) == {-3: "dropped"}
    assert decide(short, STAGES, day(-1)).say == -1


@pytest.mark.parametrize(
    ("changes", "why"),
    [({"state": "paid", "open_cents": 0}, "paid"), ({"state": "void"}, "void"), ({"open_cents": 0}, "paid")],
)
def test_nobody_is_reminded_of_what_is_not_owed(changes: dict[str, Any], why: str) -> None:
    decision = decide(an_invoice(**changes), STAGES, day(1))

    assert decision == Decision(why)  # type: ignore[arg-type]


def test_a_hold_stops_reminders_and_afterwards_the_latest_is_said() -> None:
    held = an_invoice(holds=[Hold(from_on=day(0), to_on=day(10))])

    assert decide(held, STAGES, day(1)) == Decision("held", next_on=day(2))
    assert run(held, list(range(-9, 40))) == {-3: -3, -1: -1, 7: 11, 30: 30}


def test_who_pays_by_autopay_is_not_overdue_while_the_charge_is_under_way() -> None:
    under_way = an_invoice(charge_on=DUE)

    assert decide(under_way, STAGES, day(-3)).say == -3
    assert decide(under_way, STAGES, day(1)) == Decision("charge_under_way", next_on=day(2))
    assert decide(an_invoice(charge_on=day(3)), STAGES, day(1)).say == 1
    assert decide(an_invoice(charge_on=day(3)), STAGES, day(3)).say == 1
    assert decide(an_invoice(charge_on=None), STAGES, day(2)).say == 1


def test_who_was_told_today_is_told_tomorrow() -> None:
    assert decide(an_invoice(), STAGES, day(1), told_today=True) == Decision("told_today", next_on=day(2))


def test_edited_stages_repeat_none_and_only_later_ones_are_said() -> None:
    told = an_invoice(decided={-3: "said", 1: "said"})

    assert decide(told, (-5, -2, 2), day(1)).say is None
    assert decide(told, (-5, -2, 2), day(2)).say == 2
    assert decide(told, (-5, 1), day(5)) == Decision("nothing_left")


def test_stages_that_are_turned_on_later_cover_an_invoice_that_is_open() -> None:
    assert decide(an_invoice(), (), day(8)) == Decision("nothing_left")
    assert decide(an_invoice(), STAGES, day(8)).say == 7


an_issue = st.integers(-20, 40)
some_stages = st.lists(st.integers(-30, 60), unique=True, max_size=6).map(lambda found: tuple(sorted(found)))
some_holds = st.lists(
    st.tuples(st.integers(-20, 60), st.integers(0, 15)).map(
        lambda found: Hold(from_on=day(found[0]), to_on=day(found[0] + found[1]))
    ),
    max_size=2,
)
ALL_DAYS = list(range(-40, 120))


@given(issued=an_issue, stages=some_stages, holds=some_holds, days=st.sets(st.sampled_from(ALL_DAYS)))
def test_whenever_one_looks_nothing_is_said_early_twice_or_out_of_place(
    issued: int, stages: tuple[int, ...], holds: list[Hold], days: set[int]
) -> None:
    invoice = an_invoice(issued_on=day(issued), holds=holds)

    said = run(invoice, sorted(found for found in days if found >= issued), stages)

    assert len(set(said.values())) == len(said)
    assert list(said) == sorted(said)
    for stage, offset in said.items():
        assert stage <= offset
        assert offset < 0 if stage < 0 else offset >= 0
        assert not any(hold.covers(day(offset)) for hold in holds)
        assert offset > issued + 1 if stage > 0 else offset > issued


@given(issued=an_issue, stages=some_stages, holds=some_holds)
def test_looking_on_the_announced_days_says_what_looking_daily_says(
    issued: int, stages: tuple[int, ...], holds: list[Hold]
) -> None:
    invoice = an_invoice(issued_on=day(issued), holds=holds)
    daily = run(invoice, [offset for offset in ALL_DAYS if offset >= issued], stages)

    said: dict[int, int] = {}
    decided: dict[int, Outcome] = {}
    on: date | None = day(issued)
    while on and on <= day(ALL_DAYS[-1]):
        decision = decide(an_invoice(issued_on=day(issued), holds=holds, decided=decided), stages, on)
        decided |= {item.stage: item.outcome for item in decision.stages}
        said |= {} if decision.say is None else {decision.say: (on - DUE).days}
        assert decision.next_on is None or decision.next_on > on
        on = decision.next_on

    assert said == daily


class Told:
    """Something that is told to tenants."""

    def __init__(self, *tenants: Any) -> None:
        self.tenant_ids = tenants


def test_invoices_that_share_a_tenant_are_in_one_chunk_however_they_are_linked() -> None:
    ann, bob, cat, dan = (new_id() for _ in range(4))
    one, two, three, four = Told(ann, bob), Told(cat), Told(bob, cat), Told(dan)

    assert households([one, two, three, four]) == [[one, two, three], [four]]
    assert in_chunks([one, four, two, three], 2) == [[one, two, three], [four]]


@given(
    people=st.lists(st.lists(st.integers(0, 12), min_size=1, max_size=3, unique=True), max_size=30),
    size=st.integers(1, 5),
)
def test_chunks_hold_everything_once_and_no_tenant_twice(people: list[list[int]], size: int) -> None:
    ids = [new_id() for _ in range(13)]
    items = [Told(*(ids[person] for person in household)) for household in people]

    chunks = in_chunks(items, size)

    assert sorted(id(item) for chunk in chunks for item in chunk) == sorted(map(id, items))
    places = [{tenant for item in chunk for tenant in item.tenant_ids} for chunk in chunks]
    assert sum(map(len, places)) == len(set().union(*places))


def test_a_reminder_has_one_id_a_day_and_currency() -> None:
    ann = new_id()

    assert MessageKey(ann, DUE, "USD").reminder_id == MessageKey(ann, DUE, "USD").reminder_id
    assert MessageKey(ann, DUE, "USD").reminder_id != MessageKey(ann, day(1), "USD").reminder_id
