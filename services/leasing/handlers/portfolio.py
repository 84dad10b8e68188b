"""Thousands at once: a portfolio comes in from a file, and everything is said again."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from services.leasing.domain.checks import natural_key
from services.leasing.domain.imports import ImportPlan, Stored, plan_import
from services.leasing.domain.portfolio import PortfolioRow, Problem
from services.leasing.handlers import facts
from services.leasing.handlers.work_orders import say_work_orders_again
from services.leasing.store import leases, locks, properties, tenants
from shared.contracts.leasing import (
    LeaseActivated,
    LeaseChanged,
    LeaseEnded,
    PropertyChanged,
    PropertyRegistered,
    TenantContactChanged,
    TenantRegistered,
)
from shared.identity import new_id
from shared.messaging.transaction import Tx

PAGE: Final = 2_000


@dataclass(frozen=True, slots=True)
class ImportOutcome:
    """What an import added, or would have."""

    properties: int
    units: int
    tenants: int
    leases: int
    already_there: int
    kept_as_stored: tuple[int, ...]
    """Lines whose lease is stored with other terms; an import changes nothing."""
    problems: tuple[Problem, ...]
    saved: bool


@dataclass(frozen=True, slots=True)
class Page:
    """How many were said again, and after which id the next page begins; None at the end."""

    count: int
    last: UUID | None


async def import_portfolio(
    tx: Tx, rows: Sequence[PortfolioRow], *, skip_bad: bool = False, dry_run: bool = False
) -> ImportOutcome:
    """Add the leases of these rows, and the properties, units and tenants they mention first.

    What is there already is recognised by name, label and e-mail address, so that the same rows again add
    nothing. With a problem nothing is saved, unless `skip_bad`. One statement per table, whatever the number.
    """
    await locks.take_portfolio(tx.connection)
    plan = plan_import(rows, await _stored(tx, rows), new_id)
    saved = not dry_run and (skip_bad or not plan.problems)
    if saved:
        await _save(tx, plan)
        _emit(tx, plan)
    return ImportOutcome(
        properties=len(plan.properties),
        units=len(plan.units),
        tenants=len(plan.tenants),
        leases=len(plan.leases),
        already_there=len(plan.already_there),
        kept_as_stored=tuple(plan.kept_as_stored),
        problems=tuple(plan.problems),
        saved=saved,
    )


async def republish_properties(tx: Tx, after: UUID | None = None, limit: int = PAGE) -> Page:
    """Say again how properties are; one page of them."""
    found = await properties.properties_after(tx.connection, after, limit)
    tx.emit(*(facts.of_property(PropertyChanged, item) for item in found))
    return Page(len(found), found[-1].id if len(found) == limit else None)


async def republish_tenants(tx: Tx, after: UUID | None = None, limit: int = PAGE) -> Page:
    """Say again how tenants are reached; one page of them."""
    found = await tenants.tenants_after(tx.connection, after, limit)
    tx.emit(*(facts.of_tenant(TenantContactChanged, item) for item in found))
    return Page(len(found), found[-1].id if len(found) == limit else None)


async def republish_leases(tx: Tx, after: UUID | None = None, limit: int = PAGE) -> Page:
    """Say again what leases there are, and which of them are over; one page of them."""
    found = await leases.leases_after(tx.connection, after, limit)
    for item in found:
        tx.emit(facts.of_lease(LeaseEnded if item.state == "ended" else LeaseChanged, item))
    return Page(len(found), found[-1].id if len(found) == limit else None)


async def republish_work_orders(tx: Tx, after: UUID | None = None, limit: int = PAGE) -> Page:
    """Say again what is to be mended, and what was; one page of it."""
    found = await say_work_orders_again(tx, after, limit)
    return Page(len(found), found[-1].id if len(found) == limit else None)


REPUBLISHED: Final = {
    "properties": republish_properties,
    "tenants": republish_tenants,
    "leases": republish_leases,
    "work orders": republish_work_orders,
}
"""Everything a consumer that is added later needs to hear, in this order; versions stay as they are."""


async def _stored(tx: Tx, rows: Sequence[PortfolioRow]) -> Stored:
    names = {natural_key(row.property.name) for row in rows}
    addresses = {natural_key(row.tenant.email or "") for row in rows}
    places = await properties.properties_by_key(tx.connection, names)
    units = await properties.units_by_key(tx.connection, [place.id for place in places.values()])
    return Stored(
        properties=places,
        units=units,
        tenants=await tenants.tenants_by_key(tx.connection, addresses),
        leases=await leases.leases_of_units(tx.connection, [unit.id for unit in units.values()]),
    )


async def _save(tx: Tx, plan: ImportPlan) -> None:
    if plan.leases:  # nothing else is ever planned without one
        await properties.add_properties(tx.connection, plan.properties)
        await properties.add_units(tx.connection, plan.units)
        await tenants.add_tenants(tx.connection, plan.tenants)
        await leases.add_leases(tx.connection, plan.leases)


def _emit(tx: Tx, plan: ImportPlan) -> None:
    tx.emit(*(facts.of_property(PropertyRegistered, item) for item in plan.properties))
    tx.emit(*(facts.of_tenant(TenantRegistered, item) for item in plan.tenants))
    tx.emit(*(facts.of_lease(LeaseActivated, item) for item in plan.leases))
