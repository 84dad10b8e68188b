"""Work orders are opened, given to somebody, scheduled, finished; each step is kept with who took it."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime, time
from typing import Any, Final
from uuid import UUID

from services.leasing.domain import work_orders as rules
from services.leasing.domain.checks import line_of_text
from services.leasing.domain.refusals import Invalid, Taken, Unknown, Wrong
from services.leasing.domain.work_orders import Assignee, Change, Decision, Place, WorkOrder, WorkOrderDetails
from services.leasing.store import properties, tenants, work_orders
from services.leasing.store.work_orders import Entry
from shared.clock import local_date, zone
from shared.contracts.leasing import WorkOrderChanged, WorkOrderFact, WorkOrderOpened
from shared.identity import new_id
from shared.messaging.transaction import Tx

_NOT_TOLD: Final = frozenset({"amended", "assigned", "unassigned"})
"""Changes whose reason is the office's own: tenants hear of none of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What somebody wants done, where, and who said so."""

    details: WorkOrderDetails
    property_id: UUID | None = None
    unit_id: UUID | None = None
    """One of the two has to be there; the unit says the property."""
    reported_by: UUID | None = None
    """A tenant; None is the office."""
    reference: str | None = None
    """The same one again opens nothing."""


@dataclass(frozen=True, slots=True)
class Opened:
    """The work order, and whether it was there already under its reference."""

    order: WorkOrder
    repeated: bool


async def open_work_order(tx: Tx, report: Report, decision: Decision) -> Opened:
    """Open a work order, at `decision.at` where it is given. Raises `Invalid`, `Unknown` or `Taken`."""
    said = rules.checked_decision(decision)
    details = rules.checked_details(report.details)
    reference = _reference(report.reference)
    if reference and (known := await work_orders.work_order_by_reference(tx.connection, reference)):
        return Opened(known, repeated=True)
    place = await _place(tx, report)
    if report.reported_by and not await tenants.known_tenants(tx.connection, [report.reported_by]):
        raise Unknown("tenant", report.reported_by)
    order = await _numbered(tx, details, place, said.at or tx.at)
    order = replace(order, reported_by=report.reported_by, reference=reference)
    if not await work_orders.add_work_order(tx.connection, order):
        raise Taken(f"A work order with the reference {reference} is being opened at this moment")
    await _keep_entry(tx, None, order, "opened", said)
    tx.emit(await _fact(tx, WorkOrderOpened, order, "opened"))
    return Opened(order, repeated=False)


async def change_work_order(tx: Tx, identity: UUID, decision: Decision, **changes: Any) -> WorkOrder:
    """Say it better: title, description, category, priority. Raises `Unknown`, `Invalid` or `NotPossible`."""
    return await _move(tx, identity, decision, lambda order, at: rules.amended(order, changes, at))


async def assign_work_order(tx: Tx, identity: UUID, assignee: Assignee, decision: Decision) -> WorkOrder:
    """Give it to somebody. Raises `Unknown`, `Invalid` or `NotPossible`."""
    return await _move(tx, identity, decision, lambda order, at: rules.assigned(order, assignee, at))


async def unassign_work_order(tx: Tx, identity: UUID, decision: Decision) -> WorkOrder:
    """Take it from whoever had it. Raises `Unknown` or `NotPossible`."""
    return await _move(tx, identity, decision, rules.unassigned)


async def schedule_work_order(
    tx: Tx, identity: UUID, on: date, hours: tuple[time, time], decision: Decision
) -> WorkOrder:
    """Make an appointment, in the property's time. Raises `Unknown`, `Invalid` or `NotPossible`."""

    def scheduled(order: WorkOrder, at: datetime) -> WorkOrder:
        return rules.scheduled(order, rules.window(on, *hours, zone(order.time_zone)), at)

    return await _move(tx, identity, decision, scheduled)


async def complete_work_order(tx: Tx, identity: UUID, decision: Decision) -> WorkOrder:
    """Say that it is done. Raises `Unknown` or `NotPossible`."""
    return await _move(tx, identity, decision, rules.completed)


async def cancel_work_order(tx: Tx, identity: UUID, decision: Decision) -> WorkOrder:
    """Give it up, for a reason. Raises `Unknown`, `Invalid` or `NotPossible`."""
    return await _move(tx, identity, decision, lambda order, at: rules.cancelled(order, decision.reason, at))


async def reopen_work_order(tx: Tx, identity: UUID, decision: Decision) -> WorkOrder:
    """It is to be done after all, for a reason. Raises `Unknown`, `Invalid` or `NotPossible`."""
    return await _move(tx, identity, decision, lambda order, at: rules.reopened(order, decision.reason, at))


async def note_on_work_order(tx: Tx, identity: UUID, decision: Decision) -> WorkOrder:
    """Add the decision's reason to the history; others hear nothing. Raises `Unknown` or `Invalid`."""
    said = rules.checked_decision(decision)
    if not said.reason:
        raise Invalid([Wrong("text", "is missing")])
    order = await _held(tx, identity)
    await _keep_entry(tx, order, order, "noted", said)
    return order


async def say_work_orders_again(tx: Tx, after: UUID | None, limit: int) -> list[WorkOrder]:
    """Say again how a page of work orders are; what was told once is not told again."""
    found = await work_orders.work_orders_after(tx.connection, after, limit)
    today = {item.id: local_date(tx.at, item.time_zone) for item in found}
    people = await work_orders.concerned_by(tx.connection, found, today) if found else {}
    tx.emit(*(_said(WorkOrderChanged, item, "republished", people[item.id]) for item in found))
    return found


async def _move(
    tx: Tx, identity: UUID, decision: Decision, rule: Callable[[WorkOrder, datetime], WorkOrder]
) -> WorkOrder:
    """Keep and announce what a rule makes of a work order; nothing where nothing is different."""
    said = rules.checked_decision(decision)
    before = await _held(tx, identity)
    # Another machine's clock may be a little ahead of ours; the history keeps its order all the same.
    said = replace(said, at=said.at or max(tx.at, before.changed_at))
    after = rule(before, said.at or tx.at)
    if after is before:
        return before
    change = rules.change_between(before, after)
    await work_orders.replace_work_order(tx.connection, after)
    await _keep_entry(tx, before, after, change, said)
    reason = None if change in _NOT_TOLD else said.reason
    tx.emit(await _fact(tx, WorkOrderChanged, after, change, reason))
    return after


async def _held(tx: Tx, identity: UUID) -> WorkOrder:
    order = await work_orders.hold_work_order(tx.connection, identity)
    if order is None:
        raise Unknown("work order", identity)
    return order


async def _place(tx: Tx, report: Report) -> Place:
    unit = await properties.unit_by_id(tx.connection, report.unit_id) if report.unit_id else None
    if report.unit_id and unit is None:
        raise Unknown("unit", report.unit_id)
    property_id = unit.property_id if unit else report.property_id
    if property_id is None:
        raise Invalid([Wrong("property", "is missing: say the unit, or the property")])
    if report.property_id and property_id != report.property_id:
        raise Invalid([Wrong("unit", "is in another property")])
    found = await properties.property_by_id(tx.connection, property_id)
    if found is None:
        raise Unknown("property", property_id)
    return Place(property_id, unit.id if unit else None, unit.label if unit else None, found.time_zone)


async def _numbered(tx: Tx, details: WorkOrderDetails, place: Place, at: datetime) -> WorkOrder:
    year = local_date(at, place.time_zone).year
    number = rules.numbered(year, await work_orders.next_sequence(tx.connection, year))
    return WorkOrder(
        id=new_id(), number=number, opened_at=at, changed_at=at, **asdict(details), **asdict(place)
    )


async def _keep_entry(
    tx: Tx, before: WorkOrder | None, after: WorkOrder, action: str, said: Decision
) -> None:
    changes = {
        name: [_plain(old), _plain(new)] for name, (old, new) in rules.differences(before, after).items()
    }
    entry = Entry(said.at or tx.at, said.by, action, said.reason, after.version, changes)
    await work_orders.add_entry(tx.connection, after.id, entry)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value) if isinstance(value, UUID) else value


async def _fact(
    tx: Tx, contract: type[WorkOrderFact], order: WorkOrder, change: Change, reason: str | None = None
) -> WorkOrderFact:
    today = local_date(order.changed_at, order.time_zone)
    people = await work_orders.concerned(tx.connection, order, today)
    return _said(contract, order, change, people, reason)


def _said(
    contract: type[WorkOrderFact],
    order: WorkOrder,
    change: Change,
    people: tuple[UUID, ...],
    reason: str | None = None,
) -> WorkOrderFact:
    """What others may know of a work order."""
    said = {"work_order_id": order.id, "occurred_at": order.changed_at, "tenant_ids": people}
    return contract.model_validate(asdict(order) | said | {"change": change, "reason": reason})


def _reference(reference: str | None) -> str | None:
    try:
        return line_of_text(reference or "", longest=120, optional=True) or None
    except ValueError as wrong:
        raise Invalid([Wrong("reference", str(wrong))]) from None
