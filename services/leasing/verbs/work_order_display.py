"""Work orders as people and programs see them; times are those of the property."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

import typer

from services.leasing.domain.work_orders import POSSIBLE, WorkOrder
from services.leasing.store.work_orders import Entry, ListedWorkOrder
from shared.cli import print_json, print_record, print_table, success
from shared.clock import local_date, zone

_COLUMNS = ("Number", "State", "Priority", "What", "Property", "Unit", "Who", "When", "Since", "Id")


def announce(order: WorkOrder, words: str, *, dry_run: bool, as_json: bool) -> None:
    """What became of a work order: its number for programs, a sentence for people."""
    if as_json:
        print_json(order)
    elif not dry_run:
        typer.echo(order.number)
        success(f"Work order {order.number} {words}.")


def print_work_orders(rows: Sequence[ListedWorkOrder], at: datetime) -> None:
    """Work orders as a person scans them."""
    print_table(_COLUMNS, [_cells(row, at) for row in rows], empty="There are no such work orders.")


def document(listed: ListedWorkOrder, at: datetime, history: Sequence[Entry] | None = None) -> dict[str, Any]:
    """A work order as `--json` prints it, with what may be done with it now."""
    found = asdict(listed.order) | {
        "property": listed.property,
        "reporter": listed.reporter,
        "appointment_is_over": appointment_is_over(listed.order, at),
        "possible": list(POSSIBLE[listed.order.state]),
    }
    return found if history is None else found | {"history": [asdict(entry) for entry in history]}


def print_work_order(listed: ListedWorkOrder, at: datetime, history: Sequence[Entry]) -> None:
    """One work order with its history."""
    order = listed.order
    reporter = f"{listed.reporter} ({order.reported_by})" if order.reported_by else "the office"
    print_record(
        {
            "Number": order.number,
            "What": order.title,
            "State": order.state,
            "Priority": order.priority,
            "Category": order.category.replace("_", " "),
            "Property": f"{listed.property} ({order.property_id})",
            "Unit": f"{order.unit_label} ({order.unit_id})" if order.unit_id else "the property itself",
            "Reported by": reporter,
            "Assigned to": _who(order),
            "When": _when(order, at),
            "Opened": _moment(order.opened_at, order),
            "Closed": _moment(order.closed_at, order) if order.closed_at else None,
            "Reference": order.reference,
            "Time zone": order.time_zone,
            "Possible": ", ".join((*POSSIBLE[order.state], "note")),
            "Id": order.id,
            "Version": order.version,
        }
    )
    if order.description:
        typer.echo(f"\n{order.description}")
    typer.echo()
    lines = [
        [_moment(entry.at, order), entry.by, entry.action, entry.reason, _changes(entry)] for entry in history
    ]
    print_table(["At", "By", "What", "Said", "Changed"], lines)


def appointment_is_over(order: WorkOrder, at: datetime) -> bool:
    """Whether nobody has said what came of an appointment that has gone by."""
    return order.state == "scheduled" and order.scheduled_until is not None and order.scheduled_until <= at


def _cells(listed: ListedWorkOrder, at: datetime) -> list[object]:
    order = listed.order
    return [
        *(order.number, order.state, order.priority, order.title, listed.property, order.unit_label),
        *(order.assignee_name, _when(order, at), local_date(order.opened_at, order.time_zone), order.id),
    ]


def _who(order: WorkOrder) -> str | None:
    if order.assignee_email:
        return f"{order.assignee_name} <{order.assignee_email}>"
    return order.assignee_name


def _when(order: WorkOrder, at: datetime) -> str | None:
    if order.scheduled_from is None or order.scheduled_until is None:
        return None
    there = zone(order.time_zone)
    begins, ends = order.scheduled_from.astimezone(there), order.scheduled_until.astimezone(there)
    over = " (over)" if appointment_is_over(order, at) else ""
    return f"{begins:%Y-%m-%d %H:%M} to {ends:%H:%M}{over}"


def _moment(at: datetime, order: WorkOrder) -> str:
    return f"{at.astimezone(zone(order.time_zone)):%Y-%m-%d %H:%M}"


def _changes(entry: Entry) -> str | None:
    if entry.action == "opened":
        return None
    shown = [name for name in entry.changes if name not in {"closed_at", "scheduled_until"}]
    return "; ".join(f"{name.replace('_', ' ')}: {_pair(entry.changes[name])}" for name in shown) or None


def _pair(values: Sequence[Any]) -> str:
    old, new = ("none" if value is None else str(value) for value in values)
    return f"{old} -> {new}"
