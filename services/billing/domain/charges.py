"""The charges beside the rent: which fall in a period, and on what day each is owed.

The day an occurrence is owed identifies it, so that it is billed once, whenever its invoice is made.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Final

from services.billing.domain.leases import Charge, ChargeFrequency, RentTerms
from services.billing.domain.periods import BillingPeriod, months_after, months_between
from services.billing.domain.proration import Piece, Proration, prorate
from shared.money import plain_cents

_MONTHS: Final[dict[ChargeFrequency, int]] = {"monthly": 1, "quarterly": 3, "annual": 12}


@dataclass(frozen=True, slots=True)
class ChargeDue:
    """One occurrence of a charge: what it costs in its period, and the day that identifies it."""

    charge: Charge
    period: BillingPeriod
    """The period it belongs to, which is not that of its invoice where that had been issued before."""
    occurs_on: date
    amount_cents: int
    formula: str

    @property
    def key(self) -> tuple[str, date]:
        """What it is known by within its lease."""
        return self.charge.code, self.occurs_on


def charges_due(terms: RentTerms, period: BillingPeriod, method: Proration) -> list[ChargeDue]:
    """Every charge of a lease that belongs to a period; none where the lease has no day in it."""
    if terms.in_force(period.starts_on, period.ends_on) is None:
        return []
    return [due for charge in terms.charges for due in _occurrences(charge, terms, period, method)]


def _occurrences(
    charge: Charge, terms: RentTerms, period: BillingPeriod, method: Proration
) -> Iterator[ChargeDue]:
    if charge.frequency == "monthly" and period.frequency == "monthly":
        yield from _beside_the_rent(charge, terms, period, method)
        return
    days = _once(charge, terms, period) if charge.frequency == "once" else _recurring(charge, terms, period)
    for day in days:
        words = f"{plain_cents(charge.amount_cents)} {charge.frequency}, of {day}"
        yield ChargeDue(charge, period, day, charge.amount_cents, words)


def _beside_the_rent(
    charge: Charge, terms: RentTerms, period: BillingPeriod, method: Proration
) -> Iterator[ChargeDue]:
    """A monthly charge of a monthly lease: for the days both are in force, prorated like the rent."""
    days = terms.in_force(period.starts_on, period.ends_on)
    if days is None:
        return
    first, last = max(days[0], charge.starts_on or days[0]), min(days[1], charge.ends_on or days[1])
    if first <= last:
        [share] = prorate(period, [Piece(first, last, charge.amount_cents)], method)
        yield ChargeDue(charge, period, period.starts_on, share.amount_cents, share.formula)


def _once(charge: Charge, terms: RentTerms, period: BillingPeriod) -> Iterator[date]:
    """On its day, where the lease is in force on it: nothing outside a lease is owed under it."""
    day = charge.starts_on or terms.starts_on
    if period.holds(day) and terms.in_force(day, day) is not None:
        yield day


def _recurring(charge: Charge, terms: RentTerms, period: BillingPeriod) -> Iterator[date]:
    """On the day of the month it began on, clamped to each month and counted from the first."""
    anchor_on = charge.starts_on or terms.starts_on
    last_on = min(charge.ends_on or date.max, terms.last_on or date.max, period.ends_on)
    first_on = max(terms.starts_on, period.starts_on)
    step = _MONTHS[charge.frequency]
    for months in range(
        max(months_between(anchor_on, period.starts_on), 0), months_between(anchor_on, period.ends_on) + 1
    ):
        day = months_after(anchor_on, months)
        if months % step == 0 and first_on <= day <= last_on:
            yield day
