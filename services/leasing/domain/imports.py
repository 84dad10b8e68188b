"""What importing a portfolio adds to what is there. It only ever adds: nothing stored is changed."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar
from uuid import UUID

from services.leasing.domain.checks import natural_key
from services.leasing.domain.leases import Lease, refuse_overlap
from services.leasing.domain.portfolio import left_out
from services.leasing.domain.portfolio_rows import LEASE_COLUMNS, LeaseKey, PortfolioRow, Problem
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
    def __init__(self, column: str, reason: str, *, harmless: bool = False) -> None:
        super().__init__(reason)
        self.column = column
        self.harmless = harmless
        """Whether the lease is whole without this row."""


@dataclass(slots=True)
class _Household:
    """One lease on its way in: what its rows say, row by row."""

    first: PortfolioRow
    place: Property
    unit: Unit
    signers: dict[str, tuple[int, Tenant]] = field(default_factory=dict)
    """By e-mail address, with the line that names them."""


def plan_import(rows: Iterable[PortfolioRow], stored: Stored, new_id: Callable[[], UUID]) -> ImportPlan:
    """Decide about each lease in turn; `stored` takes in what is planned, so that leases see each other."""
    planner = _Planner(stored, new_id)
    by_lease: dict[LeaseKey, list[PortfolioRow]] = {}
    for row in rows:
        by_lease.setdefault(row.lease_key(), []).append(row)
    for rows_of_lease in by_lease.values():
        planner.add(rows_of_lease)
    return planner.plan


class _Planner:
    def __init__(self, stored: Stored, new_id: Callable[[], UUID]) -> None:
        self._stored = stored
        self._new_id = new_id
        self.plan = ImportPlan()

    def add(self, rows: Sequence[PortfolioRow]) -> None:
        """Plan one lease as a whole: what a refused one mentions is not created for its sake."""
        household: _Household | None = None
        refused: dict[int, _Refused] = {}
        for row in rows:
            try:
                household = household or self._begin(row)
                self._admit(household, row)
            except _Refused as refusal:
                refused[row.line] = refusal
        if household is not None and all(refusal.harmless for refusal in refused.values()):
            refused |= self._decide(household)
        self._report(rows, refused)

    def _begin(self, row: PortfolioRow) -> _Household:
        place = self._property(row)
        unit = self._stored.units.get((place.id, natural_key(row.unit)))
        return _Household(row, place, unit or Unit(id=self._new_id(), property_id=place.id, label=row.unit))

    def _admit(self, household: _Household, row: PortfolioRow) -> None:
        first = household.first
        _refuse_other_place(row, household.place)
        for name, value in _values(row.terms, LeaseTerms).items():
            if value != getattr(first.terms, name):
                reason = f"differs from line {first.line}; a further tenant's row may leave all terms out"
                raise _Refused(LEASE_COLUMNS.get(name, name), reason)
        tenant = self._tenant(row, household)
        line, _ = household.signers.setdefault(natural_key(tenant.email or ""), (row.line, tenant))
        if line != row.line:
            reason = f"is let from {row.terms.starts_on} by line {line} already"
            raise _Refused("unit", reason, harmless=True)

    def _property(self, row: PortfolioRow) -> Property:
        known = self._stored.properties.get(natural_key(row.property.name))
        return known or Property(id=self._new_id(), **_values(row.property, PropertyDetails))

    def _tenant(self, row: PortfolioRow, household: _Household) -> Tenant:
        key = natural_key(row.tenant.email or "")
        _, signer = household.signers.get(key, (0, None))
        known = signer or self._stored.tenants.get(key)
        if known is None:
            return Tenant(id=self._new_id(), **_values(row.tenant, TenantDetails))
        if natural_key(known.name) != natural_key(row.tenant.name):
            raise _Refused("tenant_email", f"{known.email} belongs to {known.name} already")
        return known

    def _decide(self, household: _Household) -> dict[int, _Refused]:
        """Take the lease, or know it again; what is wrong with it, by line."""
        terms = household.first.terms
        others = self._stored.leases.get(household.unit.id, [])
        if same := next((lease for lease in others if lease.starts_on == terms.starts_on), None):
            return self._recognise(household, same)
        try:
            refuse_overlap(terms, others)
        except LeasesOverlap as refusal:
            return {household.first.line: _Refused("starts_on", str(refusal))}
        self._take(household)
        return {}

    def _recognise(self, household: _Household, same: Lease) -> dict[int, _Refused]:
        reason = f"another tenant has the unit from {same.starts_on} (lease {same.id})"
        strangers = {
            line: _Refused("tenant_email", reason, harmless=True)
            for line, tenant in household.signers.values()
            if tenant.id not in same.tenant_ids
        }
        if len(strangers) < len(household.signers):
            self.plan.already_there.append(household.first.line)
            if _values(same, LeaseTerms) != _values(household.first.terms, LeaseTerms):
                self.plan.kept_as_stored.append(household.first.line)
        return strangers

    def _take(self, household: _Household) -> None:
        place, unit = household.place, household.unit
        signers = [tenant for _, tenant in household.signers.values()]
        lease = Lease(
            id=self._new_id(),
            property_id=place.id,
            unit_id=unit.id,
            unit_label=unit.label,
            tenant_ids=tuple(tenant.id for tenant in signers),
            time_zone=place.time_zone,
            currency=place.currency,
            **_values(household.first.terms, LeaseTerms),
        )
        _remember(self._stored.properties, natural_key(place.name), place, self.plan.properties)
        _remember(self._stored.units, (place.id, natural_key(unit.label)), unit, self.plan.units)
        for tenant in signers:
            _remember(self._stored.tenants, natural_key(tenant.email or ""), tenant, self.plan.tenants)
        self._stored.leases.setdefault(unit.id, []).append(lease)
        self.plan.leases.append(lease)

    def _report(self, rows: Sequence[PortfolioRow], refused: Mapping[int, _Refused]) -> None:
        """Say what is wrong, and which good rows are left out because their lease would not be whole."""
        spoilt = next((line for line, refusal in refused.items() if not refusal.harmless), None)
        for row in rows:
            if row.line in refused:
                refusal = refused[row.line]
                self.plan.problems.append(Problem(row.line, refusal.column, str(refusal)))
            elif spoilt is not None:
                self.plan.problems.append(left_out(row.line, spoilt))


def _refuse_other_place(row: PortfolioRow, place: Property) -> None:
    for name in ("time_zone", "currency"):
        is_now, said = getattr(place, name), getattr(row.property, name)
        if is_now != said:
            raise _Refused(name, f"{said} contradicts {is_now}, which {place.name} has already")


def _remember(stored: dict[K, V], key: K, thing: V, planned: list[V]) -> None:
    if key not in stored:
        stored[key] = thing
        planned.append(thing)


def _values(details: Any, kind: type) -> dict[str, Any]:
    """The fields that somebody states, without those we add."""
    return {item.name: getattr(details, item.name) for item in fields(kind)}
