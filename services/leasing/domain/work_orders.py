"""Work orders: what is broken, who mends it and when, and what may become of that."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import UTC, date, datetime, time, tzinfo
from typing import Any, Final, Literal, TypeVar, get_args
from uuid import UUID

from services.leasing.domain.checks import checked, line_of_text, text_of_lines
from services.leasing.domain.refusals import Invalid, NotPossible, Wrong
from services.leasing.domain.tenants import email_address
from services.leasing.domain.values import parse_word

State = Literal["open", "assigned", "scheduled", "done", "cancelled"]
Priority = Literal["emergency", "high", "normal", "low"]
Category = Literal[
    "plumbing",
    "electrical",
    "heating_cooling",
    "appliance",
    "locks",
    "structure",
    "pests",
    "safety",
    "cleaning",
    "grounds",
    "other",
]
Change = Literal[
    "opened",
    "amended",
    "assigned",
    "unassigned",
    "scheduled",
    "rescheduled",
    "called_off",
    "completed",
    "cancelled",
    "reopened",
    "republished",
]

STATES: Final[tuple[State, ...]] = get_args(State)
PRIORITIES: Final[tuple[Priority, ...]] = get_args(Priority)
CATEGORIES: Final[tuple[Category, ...]] = get_args(Category)

POSSIBLE: Final[Mapping[State, tuple[str, ...]]] = {
    "open": ("change", "assign", "complete", "cancel"),
    "assigned": ("change", "assign", "unassign", "schedule", "complete", "cancel"),
    "scheduled": ("change", "assign", "unassign", "schedule", "complete", "cancel"),
    "done": ("reopen",),
    "cancelled": ("reopen",),
}
"""What may be done with a work order in each state. A note may always be added."""

FINISHED: Final[tuple[State, ...]] = ("done", "cancelled")
UNFINISHED: Final[tuple[State, ...]] = ("open", "assigned", "scheduled")

D = TypeVar("D", bound="WorkOrderDetails")


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkOrderDetails:
    """What somebody says is to be done."""

    title: str
    """One line, which tenants get to read."""
    description: str = ""
    """As many lines as it takes, for the office and who does the work."""
    category: Category = "other"
    priority: Priority = "normal"


@dataclass(frozen=True, slots=True)
class Place:
    """Where the work is: a property, and the unit if it is in one."""

    property_id: UUID
    unit_id: UUID | None
    unit_label: str | None
    time_zone: str


@dataclass(frozen=True, slots=True)
class Assignee:
    """Who does the work: a contractor, or somebody of the house."""

    name: str
    email: str | None = None


@dataclass(frozen=True, slots=True)
class Window:
    """Between when and when somebody comes."""

    begins_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class Decision:
    """Who decided something, why, and when where it is not now."""

    by: str
    reason: str | None = None
    at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkOrder(WorkOrderDetails):
    """A work order as it is kept."""

    id: UUID
    version: int = 1
    number: str
    reference: str | None = None
    """The caller's own name for it: the same one again is the same work order."""
    property_id: UUID
    unit_id: UUID | None = None
    unit_label: str | None = None
    time_zone: str
    reported_by: UUID | None = None
    """The tenant who reported it; None is the office."""
    state: State = "open"
    assignee_name: str | None = None
    assignee_email: str | None = None
    scheduled_from: datetime | None = None
    scheduled_until: datetime | None = None
    opened_at: datetime
    changed_at: datetime
    closed_at: datetime | None = None


_NOT_SAID: Final = frozenset({"id", "version", "number", "changed_at", "time_zone", "unit_label"})
"""What a line of the history does not repeat."""


def numbered(year: int, sequence: int) -> str:
    """How people call a work order; numbers are counted by year and never used again."""
    return f"WO-{year}-{sequence:06d}"


def checked_details(details: D) -> D:
    """The details as they are kept, or `Invalid`."""
    return checked(
        details,
        {
            "title": lambda text: line_of_text(text, longest=120),
            "description": lambda text: text_of_lines(text, longest=4_000),
            "category": lambda word: parse_word(word, CATEGORIES),
            "priority": lambda word: parse_word(word, PRIORITIES),
        },
    )


def checked_assignee(assignee: Assignee) -> Assignee:
    """The person as they are kept, or `Invalid`."""
    return checked(assignee, {"name": lambda text: line_of_text(text, longest=120), "email": email_address})


def window(on: date, begins: time, ends: time, zone: tzinfo) -> Window:
    """A window said in the property's time, or `Invalid`.

    An hour that the clocks go through twice is taken as wide as it can be read; one that they leave out is
    refused.
    """
    if begins >= ends:
        raise Invalid(
            [Wrong("to", f"{ends:%H:%M} is not after {begins:%H:%M}; a window lies within one day")]
        )
    return Window(_instant("from", on, begins, zone, fold=0), _instant("to", on, ends, zone, fold=1))


def _instant(field: str, on: date, at: time, zone: tzinfo, *, fold: int) -> datetime:
    said = datetime.combine(on, at)
    instant = said.replace(tzinfo=zone, fold=fold).astimezone(UTC)
    if instant.astimezone(zone).replace(tzinfo=None) != said:
        raise Invalid([Wrong(field, f"{at:%H:%M} does not exist on {on}: the clocks go forward")])
    return instant


def amended(order: WorkOrder, changes: Mapping[str, Any], at: datetime) -> WorkOrder:
    """The order in other words, or the same where none are. Raises `Invalid` or `NotPossible`."""
    _require(order, "change")
    after = checked_details(replace(order, **changes))
    return order if after == order else _moved(after, at)


def assigned(order: WorkOrder, assignee: Assignee, at: datetime) -> WorkOrder:
    """The order in somebody's hands; an appointment stays. Raises `Invalid` or `NotPossible`."""
    _require(order, "assign")
    who = checked_assignee(assignee)
    if (order.assignee_name, order.assignee_email) == (who.name, who.email):
        return order
    state: State = "scheduled" if order.state == "scheduled" else "assigned"
    return _moved(order, at, state=state, assignee_name=who.name, assignee_email=who.email)


def unassigned(order: WorkOrder, at: datetime) -> WorkOrder:
    """The order in nobody's hands, and without an appointment. Raises `NotPossible`."""
    _require(order, "unassign")
    return _moved(order, at, state="open", **_NOBODY)


def scheduled(order: WorkOrder, when: Window, at: datetime) -> WorkOrder:
    """The order with an appointment. Raises `Invalid` or `NotPossible`."""
    _require(order, "schedule")
    if when.ends_at <= at:
        raise Invalid([Wrong("to", "is over already: an appointment lies ahead")])
    if (order.scheduled_from, order.scheduled_until) == (when.begins_at, when.ends_at):
        return order
    return _moved(order, at, state="scheduled", scheduled_from=when.begins_at, scheduled_until=when.ends_at)


def completed(order: WorkOrder, at: datetime) -> WorkOrder:
    """The order done. Raises `NotPossible`."""
    _require(order, "complete")
    return _moved(order, at, state="done", closed_at=at)


def cancelled(order: WorkOrder, reason: str | None, at: datetime) -> WorkOrder:
    """The order given up; tenants are told why. Raises `Invalid` or `NotPossible`."""
    _require(order, "cancel")
    _reason(reason)
    return _moved(order, at, state="cancelled", closed_at=at)


def reopened(order: WorkOrder, reason: str | None, at: datetime) -> WorkOrder:
    """The order to be done after all, by nobody yet. Raises `Invalid` or `NotPossible`."""
    _require(order, "reopen")
    _reason(reason)
    return _moved(order, at, state="open", closed_at=None, **_NOBODY)


def change_between(before: WorkOrder, after: WorkOrder) -> Change:
    """What others hear of two states of a work order."""
    if after.state in FINISHED and before.state != after.state:
        return "completed" if after.state == "done" else "cancelled"
    if before.state in FINISHED and after.state == "open":
        return "reopened"
    if before.assignee_name is not None and after.assignee_name is None:
        return "unassigned" if before.scheduled_from is None else "called_off"
    if (before.scheduled_from, before.scheduled_until) != (after.scheduled_from, after.scheduled_until):
        return "scheduled" if before.scheduled_from is None else "rescheduled"
    if (before.assignee_name, before.assignee_email) != (after.assignee_name, after.assignee_email):
        return "assigned"
    return "amended"


def differences(before: WorkOrder | None, after: WorkOrder) -> dict[str, tuple[Any, Any]]:
    """What a line of the history says is different: each field's old and new value."""
    found = {}
    for field in fields(after):
        old, new = getattr(before, field.name, None), getattr(after, field.name)
        if field.name not in _NOT_SAID and old != new:
            found[field.name] = (old, new)
    return found


def checked_decision(decision: Decision) -> Decision:
    """Who decided and why, as they are kept, or `Invalid`."""

    def reason(text: str | None) -> str | None:
        return line_of_text(text or "", longest=500, optional=True) or None

    return checked(decision, {"by": lambda text: line_of_text(text, longest=120), "reason": reason})


def _reason(reason: str | None) -> None:
    if not (reason or "").strip():
        raise Invalid([Wrong("reason", "is missing: the tenants are told why")])


_NOBODY: Final[Mapping[str, Any]] = {
    "assignee_name": None,
    "assignee_email": None,
    "scheduled_from": None,
    "scheduled_until": None,
}


def _moved(order: WorkOrder, at: datetime, **values: Any) -> WorkOrder:
    if at < order.changed_at:
        raise Invalid([Wrong("at", f"is before {order.changed_at.isoformat()}, when it was changed last")])
    return replace(order, version=order.version + 1, changed_at=at, **values)


def _require(order: WorkOrder, verb: str) -> None:
    possible = POSSIBLE[order.state]
    if verb not in possible:
        words = f"{', '.join(possible[:-1])} or {possible[-1]}" if possible[1:] else possible[0]
        message = f"Work order {order.number} is {order.state}: you cannot {verb} it, but {words} it"
        raise NotPossible(message)
