"""What landlord and tenants agree on: rent, its changes, free months, charges and dates."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from itertools import pairwise
from typing import Final, Literal, TypeVar, get_args

from services.leasing.domain.charges import Charge, checked_charges, misplaced, without_later_days
from services.leasing.domain.checks import checked
from services.leasing.domain.refusals import Invalid, Wrong
from services.leasing.domain.values import (
    checked_amount,
    checked_day,
    checked_month,
    days_of,
    parse_amount,
    parse_day,
    parse_month,
    parse_word,
)

Frequency = Literal["monthly", "weekly", "four_weekly"]
FREQUENCIES: Final[tuple[Frequency, ...]] = get_args(Frequency)

T = TypeVar("T", bound="LeaseTerms")

_LAST_DAY_OF_MONTH: Final = 31


@dataclass(frozen=True, slots=True, kw_only=True)
class RentChange:
    """From this day on the rent is another."""

    effective_on: date
    rent_cents: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseTerms:
    """What landlord and tenants agree on."""

    rent_cents: int
    """The rent from the start, for one month, one week or four weeks, as `frequency` says."""
    frequency: Frequency = "monthly"
    rent_changes: tuple[RentChange, ...] = ()
    """In the order of their days; each replaces the rent from its day on."""
    free_periods: tuple[str, ...] = ()
    """Months free of rent, such as "2026-09", in order."""
    charges: tuple[Charge, ...] = ()
    starts_on: date
    ends_on: date | None = None
    """The agreed end; None goes on from month to month from the first day."""
    rolls_over: bool = False
    """After the agreed end it goes on from month to month until it is ended."""
    due_day: int = 1
    """Day of the month; rent by the week is due when its week begins."""

    @property
    def last_on(self) -> date | None:
        """The last day, inclusive; None while the lease goes on until somebody ends it."""
        return None if self.rolls_over else self.ends_on

    def rent_on(self, day: date) -> int:
        """The rent that is in force on a day; before the first day it is the one it starts with."""
        due = [change.rent_cents for change in self.rent_changes if change.effective_on <= day]
        return due[-1] if due else self.rent_cents


def checked_terms(terms: T) -> T:
    """The terms as they are kept, or `Invalid`."""
    kept = checked(
        terms,
        {
            "rent_cents": checked_amount,
            "frequency": frequency,
            "rent_changes": _rent_changes,
            "free_periods": _free_periods,
            "charges": checked_charges,
            "starts_on": checked_day,
            "ends_on": lambda day: None if day is None else checked_day(day),
            "due_day": _due_day,
        },
    )
    kept = replace(kept, rolls_over=kept.rolls_over and kept.ends_on is not None)
    if kept.ends_on is not None and kept.ends_on <= kept.starts_on:
        raise Invalid([Wrong("ends_on", f"{kept.ends_on} is not after the start on {kept.starts_on}")])
    if wrong := list(_contradictions(kept)):
        raise Invalid(wrong)
    return kept


def cut_off(terms: T, last_on: date) -> T:
    """The terms with this day the last one: what lies after it falls away with it."""
    return replace(
        terms,
        ends_on=last_on,
        rolls_over=False,
        rent_changes=tuple(item for item in terms.rent_changes if item.effective_on <= last_on),
        free_periods=tuple(month for month in terms.free_periods if days_of(month)[0] <= last_on),
        charges=without_later_days(terms.charges, terms.starts_on, last_on),
    )


def frequency(name: str) -> Frequency:
    """How often rent falls due: monthly, weekly or four_weekly."""
    return parse_word(name, FREQUENCIES)


def parse_rent_change(text: str) -> RentChange:
    """A rent change written as `2027-01-01:1300.00`."""
    day, _, amount = text.partition(":")
    if not (day.strip() and amount.strip()):
        raise ValueError(f"{text!r} is not a rent change such as 2027-01-01:1300.00")
    return RentChange(effective_on=parse_day(day), rent_cents=parse_amount(amount))


def parse_rent_changes(text: str) -> tuple[RentChange, ...]:
    """Any number of rent changes, separated by semicolons."""
    return tuple(parse_rent_change(part) for part in text.split(";") if part.strip())


def parse_months(text: str) -> tuple[str, ...]:
    """Any number of months, separated by semicolons."""
    return tuple(parse_month(part) for part in text.split(";") if part.strip())


def _contradictions(terms: LeaseTerms) -> Iterator[Wrong]:
    """What is fine by itself and does not go with the rest."""
    last_on = terms.last_on
    for change in terms.rent_changes:
        if change.effective_on <= terms.starts_on:
            reason = f"from {change.effective_on} are not after the start on {terms.starts_on}"
            yield Wrong("rent_changes", reason)
        elif last_on is not None and change.effective_on > last_on:
            yield Wrong("rent_changes", f"from {change.effective_on} are after the last day, {last_on}")
    for month in terms.free_periods:
        first, last = days_of(month)
        if last < terms.starts_on or (last_on is not None and first > last_on):
            yield Wrong("free_periods", f"have {month}, in which the lease has no day")
    for reason in misplaced(terms.charges, terms.starts_on, last_on):
        yield Wrong("charges", reason)
    if terms.frequency != "monthly":
        yield from _wrong_without_months(terms)


def _wrong_without_months(terms: LeaseTerms) -> Iterator[Wrong]:
    if terms.free_periods:
        yield Wrong("free_periods", f"are months, and this rent is {terms.frequency}")
    if terms.due_day != 1:
        reason = f"{terms.due_day} is a day of the month; {terms.frequency} rent is due when its weeks begin"
        yield Wrong("due_day", reason)


def _rent_changes(changes: Iterable[RentChange]) -> tuple[RentChange, ...]:
    kept = sorted(changes, key=lambda change: change.effective_on)
    for before, after in pairwise(kept):
        if before.effective_on == after.effective_on:
            raise ValueError(f"are two from {after.effective_on}; take the first one back before another")
    for change in kept:
        checked_day(change.effective_on)
        checked_amount(change.rent_cents)
    return tuple(kept)


def _free_periods(months: Iterable[str]) -> tuple[str, ...]:
    kept = sorted(checked_month(month) for month in months)
    for before, after in pairwise(kept):
        if before == after:
            raise ValueError(f"have {after} twice")
    return tuple(kept)


def _due_day(day: int) -> int:
    if not 1 <= day <= _LAST_DAY_OF_MONTH:
        raise ValueError(f"{day} is not a day of the month, 1 to 31")
    return day
