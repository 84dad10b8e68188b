"""Charges beside the rent: how often, from when to when, and what becomes of them in a renewal."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import combinations, count
from typing import Final, Literal, get_args

from services.leasing.domain.checks import line_of_text
from services.leasing.domain.refusals import Invalid, Wrong
from services.leasing.domain.values import (
    checked_amount,
    checked_day,
    months_after,
    parse_amount,
    parse_day,
)

ChargeFrequency = Literal["monthly", "quarterly", "annual", "once"]
CHARGE_FREQUENCIES: Final[tuple[ChargeFrequency, ...]] = get_args(ChargeFrequency)
CHARGE_FORMAT: Final = "CODE:TEXT:AMOUNT[:FREQUENCY[:FROM[:TO]]]"

_MONTHS: Final = {"monthly": 1, "quarterly": 3, "annual": 12}
_CODE: Final = re.compile(r"[a-z][a-z0-9_]{0,49}")
# The text may hold colons, so what follows the amount is known by its words: "deposit:Keys: two:50:once".
_WRITTEN: Final = re.compile(
    r"(?P<code>[^:]*):(?P<text>.*?):(?P<amount>[^:]*)"
    rf"(?::\s*(?P<frequency>{'|'.join(CHARGE_FREQUENCIES)})\s*(?::(?P<begins>[^:]*)(?::(?P<ends>[^:]*))?)?)?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """A charge beside the rent, such as pet rent or parking."""

    code: str
    description: str
    amount_cents: int
    frequency: ChargeFrequency = "monthly"
    """Quarterly and annual ones, and monthly ones beside weekly rent, count from their first day; one that is
    charged once is charged on it."""
    starts_on: date | None = None
    """The first day; None begins with the lease."""
    ends_on: date | None = None
    """The last day; None ends with the lease."""

    def days(self, lease_starts_on: date, lease_last_on: date | None) -> tuple[date, date]:
        """First and last day, in a lease that runs from the one day to the other."""
        begins = self.starts_on or lease_starts_on
        if self.frequency == "once":
            return begins, begins
        return begins, self.ends_on or lease_last_on or date.max


def parse_charge(text: str) -> Charge:
    """A charge written as `pet_rent:Pet rent:35.00`, or `tax:Tax:120.00:annual:2026-07-01:2027-06-30`."""
    found = _WRITTEN.fullmatch(text.strip())
    if found is None or not all(found[name].strip() for name in ("code", "text", "amount")):
        raise ValueError(f"{text!r} is not a charge such as pet_rent:Pet rent:35.00 or {CHARGE_FORMAT}")
    begins, ends = (found["begins"] or "").strip(), (found["ends"] or "").strip()
    return Charge(
        code=found["code"].strip(),
        description=found["text"].strip(),
        amount_cents=parse_amount(found["amount"].strip()),
        frequency=next((word for word in CHARGE_FREQUENCIES if word == found["frequency"]), "monthly"),
        starts_on=parse_day(begins) if begins else None,
        ends_on=parse_day(ends) if ends else None,
    )


def parse_charges(text: str) -> tuple[Charge, ...]:
    """Any number of charges, separated by semicolons."""
    return tuple(parse_charge(part) for part in text.split(";") if part.strip())


def checked_charges(charges: Sequence[Charge]) -> tuple[Charge, ...]:
    """Charges that make sense one by one, whatever the lease; raises `ValueError` with the reason."""
    for charge in charges:
        if not _CODE.fullmatch(charge.code):
            raise ValueError(
                f"code {charge.code!r} is not lower-case letters, digits and _, such as pet_rent"
            )
        line_of_text(charge.description)
        checked_amount(charge.amount_cents)
        for day in (charge.starts_on, charge.ends_on):
            if day is not None:
                checked_day(day)
        if charge.frequency == "once" and charge.ends_on is not None:
            raise ValueError(f"{charge.code} is charged once, on its first day, and needs no end")
    return tuple(charges)


def misplaced(charges: Sequence[Charge], starts_on: date, last_on: date | None) -> Iterator[str]:
    """What is wrong with these charges in a lease of these days, as reasons."""
    for charge in charges:
        begins, ends = charge.days(starts_on, last_on)
        if begins < starts_on:
            yield f"{charge.code} from {begins} is outside the lease, which begins on {starts_on}"
        elif last_on is not None and max(begins, ends) > last_on:
            reach = max(begins, ends)
            yield f"{charge.code} reaches to {reach}, outside the lease, whose last day is {last_on}"
        elif ends < begins:
            yield f"{charge.code} ends on {ends}, before it begins on {begins}"
    for one, other in combinations(charges, 2):
        (one_begins, one_ends), (begins, ends) = one.days(starts_on, last_on), other.days(starts_on, last_on)
        if one.code == other.code and max(one_begins, begins) <= min(one_ends, ends):
            yield f"code {one.code!r} is there twice on {max(one_begins, begins)}"


def without_later_days(charges: Sequence[Charge], starts_on: date, last_on: date) -> tuple[Charge, ...]:
    """The charges of a lease that is cut short: what lies after its last day falls away."""
    kept = [charge for charge in charges if (charge.starts_on or starts_on) <= last_on]
    return tuple(
        replace(charge, ends_on=last_on) if charge.ends_on and charge.ends_on > last_on else charge
        for charge in kept
    )


def ended_charge(charges: Sequence[Charge], code: str, on: date, lease_starts_on: date) -> tuple[Charge, ...]:
    """The charges, with this day the last of that code; what had not begun by then is taken back.

    What was charged up to then stays part of the terms, so that an invoice can still be explained. Raises
    `Invalid` where nothing of that code is charged after the day.
    """
    goes_on = [
        charge for charge in charges if charge.code == code and charge.days(lease_starts_on, None)[1] > on
    ]
    if not goes_on:
        known = ", ".join(dict.fromkeys(charge.code for charge in charges)) or "none"
        raise Invalid([Wrong("charge", f"{code!r} is not charged after {on}; the charges are: {known}")])
    kept = [
        charge for charge in charges if charge not in goes_on or (charge.starts_on or lease_starts_on) <= on
    ]
    return tuple(replace(charge, ends_on=on) if charge in goes_on else charge for charge in kept)


def carried_over(
    charges: Sequence[Charge], lease_starts_on: date, renewed_on: date, *, by_the_month: bool
) -> tuple[Charge, ...]:
    """The charges as a renewal goes on with them: what ended before it stays behind.

    Charges that count from their first day begin on the next day that the count comes to, so that a renewal
    neither repeats nor skips one; the 31st that a short month made the 30th stays the 30th from then on.
    Where the old rent is `by_the_month`, a monthly charge is for all its days, and goes on without a break.
    """
    return tuple(
        replace(charge, starts_on=begins if begins > renewed_on else None)
        for charge in charges
        if (begins := _next_day(charge, lease_starts_on, renewed_on, by_the_month=by_the_month)) is not None
        and charge.days(lease_starts_on, None)[1] >= begins
    )


def _next_day(charge: Charge, lease_starts_on: date, renewed_on: date, *, by_the_month: bool) -> date | None:
    begins = charge.starts_on or lease_starts_on
    if begins >= renewed_on:
        return begins
    if charge.frequency == "once":
        return None
    if charge.frequency == "monthly" and by_the_month:
        return renewed_on
    step = _MONTHS[charge.frequency]
    days = (months_after(begins, step * times) for times in count(1))
    return next(day for day in days if day >= renewed_on)
