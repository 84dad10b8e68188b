"""What may be done with a work order, and what a window in the property's time is."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from services.leasing.domain import work_orders as rules
from services.leasing.domain.refusals import Invalid, NotPossible
from services.leasing.domain.work_orders import POSSIBLE, STATES, Assignee, Window, WorkOrder
from shared.identity import new_id

NOON = datetime(2026, 9, 1, 16, tzinfo=UTC)
NEW_YORK = ZoneInfo("America/New_York")
TOMORROW = Window(NOON + timedelta(days=1), NOON + timedelta(days=1, hours=3))
RAPID = Assignee("Rapid Plumbing", "jobs@rapid.example")


def an_order(state: str = "open", **values: Any) -> WorkOrder:
    """A work order in a state, with what belongs to it."""
    assigned = {"assignee_name": RAPID.name, "assignee_email": RAPID.email}
    when = {"scheduled_from": TOMORROW.begins_at, "scheduled_until": TOMORROW.ends_at}
    of_state: dict[str, dict[str, Any]] = {
        "open": {},
        "assigned": assigned,
        "scheduled": assigned | when,
        "done": assigned | when | {"closed_at": NOON},
        "cancelled": {"closed_at": NOON},
    }
    given_: dict[str, Any] = {
        "id": new_id(),
        "number": "WO-2026-000007",
        "property_id": new_id(),
        "time_zone": "America/New_York",
        "title": "Kitchen tap drips",
        "opened_at": NOON,
        "changed_at": NOON,
        "state": state,
    }
    return WorkOrder(**given_ | of_state[state] | values)


def do(verb: str, order: WorkOrder, at: datetime = NOON) -> WorkOrder:
    """Each verb with what it needs."""
    done = {
        "change": lambda: rules.amended(order, {"priority": "high"}, at),
        "assign": lambda: rules.assigned(order, Assignee("Somebody else"), at),
        "unassign": lambda: rules.unassigned(order, at),
        "schedule": lambda: rules.scheduled(
            order, Window(at + timedelta(hours=1), at + timedelta(hours=2)), at
        ),
        "complete": lambda: rules.completed(order, at),
        "cancel": lambda: rules.cancelled(order, "no longer needed", at),
        "reopen": lambda: rules.reopened(order, "it drips again", at),
    }
    return done[verb]()


VERBS = ("change", "assign", "unassign", "schedule", "complete", "cancel", "reopen")
AFTER = {
    ("open", "assign"): "assigned",
    ("assigned", "assign"): "assigned",
    ("scheduled", "assign"): "scheduled",
    ("assigned", "unassign"): "open",
    ("scheduled", "unassign"): "open",
    ("assigned", "schedule"): "scheduled",
    ("scheduled", "schedule"): "scheduled",
    **{(state, "complete"): "done" for state in ("open", "assigned", "scheduled")},
    **{(state, "cancel"): "cancelled" for state in ("open", "assigned", "scheduled")},
    **{(state, "change"): state for state in ("open", "assigned", "scheduled")},
    ("done", "reopen"): "open",
    ("cancelled", "reopen"): "open",
}


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_leads_where_it_should_or_is_refused_with_what_is_possible(state: str, verb: str) -> None:
    order = an_order(state)
    expected = AFTER.get((state, verb))

    if expected is None:
        with pytest.raises(NotPossible, match=f"WO-2026-000007 is {state}: you cannot {verb} it, but ") as no:
            do(verb, order)
        assert all(word in str(no.value) for word in POSSIBLE[order.state])
    else:
        assert (do(verb, order).state, do(verb, order).version) == (expected, 2)


def test_the_table_of_what_is_possible_is_what_the_rules_allow() -> None:
    allowed = {(state, verb) for state, verbs in POSSIBLE.items() for verb in verbs}

    assert allowed == set(AFTER)


def test_an_appointment_stays_when_somebody_else_takes_over() -> None:
    after = rules.assigned(an_order("scheduled"), Assignee("Slow Plumbing"), NOON)

    assert (after.assignee_name, after.assignee_email) == ("Slow Plumbing", None)
    assert after.scheduled_from == TOMORROW.begins_at


@pytest.mark.parametrize("verb", ["unassign", "reopen"])
def test_what_is_open_is_in_nobodys_hands_and_has_no_appointment(verb: str) -> None:
    after = do(verb, an_order("done" if verb == "reopen" else "scheduled"))

    assert (after.assignee_name, after.assignee_email) == (None, None)
    assert (after.scheduled_from, after.scheduled_until, after.closed_at) == (None, None, None)


def test_the_same_again_is_no_change() -> None:
    order = an_order("scheduled")

    assert rules.assigned(order, RAPID, NOON) is order
    assert rules.scheduled(order, TOMORROW, NOON) is order
    assert rules.amended(order, {"title": " Kitchen tap drips "}, NOON) is order


@pytest.mark.parametrize(("rule_", "state"), [(rules.cancelled, "open"), (rules.reopened, "done")])
@pytest.mark.parametrize("reason", [None, "", "  "])
def test_what_tenants_have_to_be_told_needs_a_reason(rule_: Any, state: str, reason: str | None) -> None:
    with pytest.raises(Invalid, match="reason is missing"):
        rule_(an_order(state), reason, NOON)


def test_an_appointment_lies_ahead() -> None:
    gone = Window(NOON - timedelta(hours=2), NOON)

    with pytest.raises(Invalid, match="is over already"):
        rules.scheduled(an_order("assigned"), gone, NOON)


def test_history_does_not_run_backwards() -> None:
    with pytest.raises(Invalid, match="when it was changed last"):
        rules.completed(an_order(), NOON - timedelta(seconds=1))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("title", ""),
        ("title", "two\nlines"),
        ("title", "x" * 121),
        ("category", "plumbering"),
        ("priority", "yesterday"),
        ("description", "\x1b[2J"),
        ("description", "x" * 4_001),
    ],
)
def test_details_that_make_no_sense_are_refused_by_name(field: str, value: str) -> None:
    with pytest.raises(Invalid, match=f"^{field} "):
        rules.amended(an_order(), {field: value}, NOON)


def test_a_description_may_have_several_lines() -> None:
    after = rules.amended(an_order(), {"description": "First.\r\n\r\nSecond.\n"}, NOON)

    assert after.description == "First.\n\nSecond."


def test_a_window_is_said_in_the_propertys_time() -> None:
    when = rules.window(date(2026, 9, 3), time(9), time(12), NEW_YORK)

    assert (when.begins_at, when.ends_at) == (
        datetime(2026, 9, 3, 13, tzinfo=UTC),
        datetime(2026, 9, 3, 16, tzinfo=UTC),
    )


@pytest.mark.parametrize("ends", [time(9), time(8, 59)])
def test_a_window_ends_after_it_begins(ends: time) -> None:
    with pytest.raises(Invalid, match="a window lies within one day"):
        rules.window(date(2026, 9, 3), time(9), ends, NEW_YORK)


@pytest.mark.parametrize(("begins", "ends", "field"), [((2, 30), (4, 0), "from"), ((1, 0), (2, 30), "to")])
def test_a_time_that_the_clocks_leave_out_is_refused(
    begins: tuple[int, int], ends: tuple[int, int], field: str
) -> None:
    with pytest.raises(Invalid, match=f"{field} 02:30 does not exist on 2026-03-08"):
        rules.window(date(2026, 3, 8), time(*begins), time(*ends), NEW_YORK)


def test_an_hour_that_comes_twice_is_taken_as_wide_as_it_can_be_read() -> None:
    when = rules.window(date(2026, 11, 1), time(1, 15), time(1, 45), NEW_YORK)

    assert when.ends_at - when.begins_at == timedelta(hours=1, minutes=30)


@given(
    day=st.dates(date(2020, 1, 1), date(2035, 12, 31)),
    hours=st.tuples(st.times(), st.times()),
    zone=st.sampled_from(["America/New_York", "Australia/Lord_Howe", "America/St_Johns", "UTC"]),
)
def test_a_window_reads_back_as_it_was_said(day: date, hours: tuple[time, time], zone: str) -> None:
    begins, ends = sorted(at.replace(microsecond=0) for at in hours)
    try:
        when = rules.window(day, begins, ends, ZoneInfo(zone))
    except Invalid:
        return

    there = [at.astimezone(ZoneInfo(zone)).replace(tzinfo=None) for at in (when.begins_at, when.ends_at)]
    assert there == [datetime.combine(day, begins), datetime.combine(day, ends)]
    assert when.begins_at < when.ends_at


class AnyStory(RuleBasedStateMachine):
    """Whatever is done with a work order in whatever order, it is one of the things it may be."""

    def __init__(self) -> None:
        super().__init__()
        self.order = an_order()
        self.at = NOON

    @rule(verb=st.sampled_from(VERBS), minutes=st.integers(0, 5_000))
    def something(self, verb: str, minutes: int) -> None:
        self.at += timedelta(minutes=minutes)
        before = self.order
        try:
            self.order = do(verb, before, self.at)
        except NotPossible:
            assert verb not in POSSIBLE[before.state]
            return
        changed = self.order is not before
        assert self.order.version == before.version + changed
        assert not changed or rules.change_between(before, self.order)

    @invariant()
    def state_and_fields_agree(self) -> None:
        order = self.order
        assert (order.closed_at is not None) == (order.state in rules.FINISHED)
        assert order.state not in {"assigned", "scheduled"} or order.assignee_name
        assert (order.scheduled_from is None) == (order.scheduled_until is None)
        assert order.state != "scheduled" or order.scheduled_from is not None
        assert order.state != "open" or not (order.assignee_name or order.scheduled_from)


TestAnyStory = AnyStory.TestCase
