"""How old debts are: what is open, by the days since it was due."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import Final
from uuid import UUID

AGES: Final = ("not_due", "0-30", "31-60", "61-90", "90+")
"""Due on the day itself is 0 days; what is not due yet is no debt, and shown beside."""

_UPPER: Final = (30, 60, 90)


@dataclass(frozen=True, slots=True)
class Household:
    """Who owes: an account, with the unit and tenants of its newest lease."""

    account_id: UUID
    lease_id: UUID
    property_id: UUID
    unit_label: str
    tenant_ids: tuple[UUID, ...]
    time_zone: str
    currency: str


@dataclass(frozen=True, slots=True)
class Aged:
    """What one account owes, by age."""

    household: Household
    on: date
    cents: Counter[str] = field(default_factory=Counter)

    @property
    def total_cents(self) -> int:
        """All that is open."""
        return sum(self.cents.values())


def age(due_on: date, on: date) -> str:
    """The age of a debt on a day."""
    days = (on - due_on).days
    if days < 0:
        return AGES[0]
    return next((AGES[place + 1] for place, upper in enumerate(_UPPER) if days <= upper), AGES[-1])


def aged(household: Household, on: date, debts: Iterable[tuple[date, int]]) -> Aged:
    """The debts of an account, each a due date and what is open, summed by age."""
    sums: Counter[str] = Counter()
    for due_on, cents in debts:
        sums[age(due_on, on)] += cents
    return Aged(household, on, Counter({name: cents for name, cents in sums.items() if cents}))


def totals(rows: Iterable[Aged]) -> dict[str, Counter[str]]:
    """By currency: money of two currencies is never added up."""
    found: dict[str, Counter[str]] = {}
    for row in rows:
        found.setdefault(row.household.currency, Counter()).update(row.cents)
    return found
