"""What importing a portfolio adds to what is there. It only ever adds: nothing stored is changed."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar
from uuid import UUID

from services.leasing.domain.checks import natural_key
from services.leasing.domain.leases import Lease, refuse_overlap
from services.leasing.domain.portfolio import PortfolioRow, Problem
from services.leasing.domain.properties import Property, PropertyDetails, Unit
from services.leasing.domain.refusals import LeasesOverlap
from services.leasing.domain.tenants import Tenant, TenantDetails
from services.leasing.domain.terms import LeaseTerms


@dataclass(slots=True)
class Stored:
    """What there is already, by the keys a file knows things by."""

    properties: dict[str, Property] = field(default_factory=dict)
    units: dict[tuple[UUID, str], Unit] = field(default_factory=dict)
    tenants: dict[str, Tenant] = field(default_factory=dict)
    leases: dict[UUID, list[Lease]] = field(default_factory=dict)
    """By unit."""


@dataclass(slots=True)
class ImportPlan:
    """What to add, what is there already, and what cannot be."""

    properties: list[Property] = field(default_factory=list)
    units: list[Unit] = field(default_factory=list)
    tenants: list[Tenant] = field(default_factory=list)
    leases: list[Lease] = field(default_factory=list)
    already_there: list[int] = field(default_factory=list)
    """Lines whose lease is stored."""
    kept_as_stored: list[int] = field(default_factory=list)
    """Those of them that say something else of the lease than what is stored."""
    problems: list[Problem] = field(default_factory=list)


K = TypeVar("K")
V = TypeVar("V")


class _Refused(Exception):
    def __init__(self, column: str, reason: str) -> None:
        super().__init__(reason)
        self.column = column


def plan_import(rows: Iterable[PortfolioRow], stored: Stored, new_id: Callable[[], UUID]) -> ImportPlan:
    """Decide about each row in turn; `stored` takes in what is planned, so that rows see each other."""
    planner = _Planner(stored, new_id)
    for row in rows:
        try:
            planner.add(row)
        except _Refused as refusal:
            planner.plan.problems.append(Problem(row.line, refusal.column, str(refusal)))
    return planner.plan


class _Planner:
    def __init__(self, stored: Stored, new_id: Callable[[], UUID]) -> None:
        self._stored = stored
        self._new_id = new_id
        self._lines: dict[UUID, int] = {}
        self.plan = ImportPlan()

    def add(self, row: PortfolioRow) -> None:
        """Plan one row as a whole: what a refused row mentions is not created for its sake."""
        place, tenant = self._property(row), self._tenant(row)
        unit = self._unit(row, place)
        others = self._stored.leases.get(unit.id, [])
        if same := next((lease for lease in others if lease.starts_on == row.terms.starts_on), None):
            self._recognise(row, same, tenant)
            return
        try:
            refuse_overlap(row.terms, others)
        except LeasesOverlap as refusal:
            raise _Refused("starts_on", str(refusal)) from None
        self._take(row, place, unit, tenant)

    def _property(self, row: PortfolioRow) -> Property:
        known = self._stored.properties.get(natural_key(row.property.name))
        if known is None:
            return Property(id=self._new_id(), **_values(row.property, PropertyDetails))
        for name in ("time_zone", "currency"):
            is_now, said = getattr(known, name), getattr(row.property, name)
            if is_now != said:
                raise _Refused(name, f"{said} contradicts {is_now}, which {known.name} has already")
        return known

    def _unit(self, row: PortfolioRow, place: Property) -> Unit:
        known = self._stored.units.get((place.id, natural_key(row.unit)))
        return known or Unit(id=self._new_id(), property_id=place.id, label=row.unit)

    def _tenant(self, row: PortfolioRow) -> Tenant:
        known = self._stored.tenants.get(natural_key(row.tenant.email or ""))
        if known is None:
            return Tenant(id=self._new_id(), **_values(row.tenant, TenantDetails))
        if natural_key(known.name) != natural_key(row.tenant.name):
            raise _Refused("tenant_email", f"{known.email} belongs to {known.name} already")
        return known

    def _recognise(self, row: PortfolioRow, same: Lease, tenant: Tenant) -> None:
        if same.id in self._lines:
            raise _Refused("unit", f"is let from {same.starts_on} by line {self._lines[same.id]} already")
        if tenant.id not in same.tenant_ids:
            raise _Refused(
                "tenant_email", f"another tenant has the unit from {same.starts_on} (lease {same.id})"
            )
        self.plan.already_there.append(row.line)
        if _values(same, LeaseTerms) != _values(row.terms, LeaseTerms):
            self.plan.kept_as_stored.append(row.line)

    def _take(self, row: PortfolioRow, place: Property, unit: Unit, tenant: Tenant) -> None:
        lease = Lease(
            id=self._new_id(),
            property_id=place.id,
            unit_id=unit.id,
            unit_label=unit.label,
            tenant_ids=(tenant.id,),
            time_zone=place.time_zone,
            currency=place.currency,
            **_values(row.terms, LeaseTerms),
        )
        _remember(self._stored.properties, natural_key(place.name), place, self.plan.properties)
        _remember(self._stored.units, (place.id, natural_key(unit.label)), unit, self.plan.units)
        _remember(self._stored.tenants, natural_key(tenant.email or ""), tenant, self.plan.tenants)
        self._lines[lease.id] = row.line
        self._stored.leases.setdefault(unit.id, []).append(lease)
        self.plan.leases.append(lease)


def _remember(stored: dict[K, V], key: K, thing: V, planned: list[V]) -> None:
    if key not in stored:
        stored[key] = thing
        planned.append(thing)


def _values(details: Any, kind: type) -> dict[str, Any]:
    """The fields that somebody states, without those we add."""
    return {item.name: getattr(details, item.name) for item in fields(kind)}
