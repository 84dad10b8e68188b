"""One line of a rent roll: what a lease is to bring in a month, what was billed, and what has come."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from services.billing.domain.due_periods import Tenure, standing
from services.billing.domain.leases import LeaseTerms
from services.billing.domain.periods import first_day, last_day, periods_between


@dataclass(frozen=True, slots=True)
class RollLine:
    """A lease in a month, as it was at the end of a day."""

    terms: LeaseTerms
    on: date
    rent_cents: int
    """For a whole period, as agreed for that day."""
    charge_cents: int
    """What accompanies the rent on that day; not what is owed quarterly, yearly or once."""
    billed_cents: int
    paid_cents: int
    unbilled: tuple[str, ...]
    """Periods without an invoice, by name: of this month, and of those since the first that was billed."""

    @property
    def open_cents(self) -> int:
        """What is billed and not paid."""
        return self.billed_cents - self.paid_cents


def agreed(terms: LeaseTerms, on: date) -> tuple[int, int]:
    """Rent and accompanying charges of a whole period on a day; a lease's own days bound it."""
    day = max(on, terms.starts_on) if terms.last_on is None else min(max(on, terms.starts_on), terms.last_on)
    charges = sum(
        item.amount_cents
        for item in terms.charges
        if item.frequency == "monthly"
        and (item.starts_on is None or item.starts_on <= day)
        and (item.ends_on is None or day <= item.ends_on)
    )
    return terms.rent_on(day), charges


def unbilled(terms: LeaseTerms, month: str, on: date, issued: Sequence[tuple[date, date]]) -> tuple[str, ...]:
    """The periods up to a month, begun by a day, that no invoice is for.

    What lies before the first invoice of a lease was billed elsewhere, before Propman, and is not named.
    """
    tenure = Tenure(terms.frequency, terms.starts_on, terms.last_on)
    since = min([first_day(month), *(days[0] for days in issued)])
    begun = periods_between(
        terms.frequency, terms.starts_on, max(since, terms.starts_on), min(last_day(month), on)
    )
    missing = [item for item in begun if tenure.covers(item) and standing(item, issued) == "free"]
    return tuple(item.text for item in missing)


def billed_in(month: str, periods: Iterable[tuple[date, int, int]]) -> tuple[int, int]:
    """What was billed for periods that begin in a month, and paid on them: first day, total, paid of each."""
    found = [item for item in periods if first_day(month) <= item[0] <= last_day(month)]
    return sum(total for _, total, _ in found), sum(paid for _, _, paid in found)
