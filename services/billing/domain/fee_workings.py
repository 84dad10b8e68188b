"""How a late fee was worked out, as values; nothing is reckoned here.

The ledger and the commands keep it in English words (`in_words`); mails say it in their reader's language.
"""

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Literal

from shared.documents import decimal_text
from shared.money import format_cents

Way = Literal["fixed", "percent_of_rent", "percent_of_late_balance", "tier", "tiers", "interest"]


@dataclass(frozen=True, slots=True)
class Stretch:
    """So much was late for so many days."""

    late_cents: int
    days: int


@dataclass(frozen=True, slots=True)
class Limit:
    """The cap that left less than a rule wanted."""

    law: str | None
    """The name of the law it is in; None is the policy's own."""
    most_cents: int
    """What it comes to for the invoice, all fees together."""
    left_cents: int
    """What fees before this one left of it, which is what this one is."""
    by: str
    """The whole of it in words: "new_york: the lesser of $50.00 and 5 % of the rent = $50.00"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Working:
    """What went into a fee, or into all interest up to a day."""

    way: Way
    comes_to_cents: int
    """Before any limit."""
    nth: int | None = None
    """Of what repeats: which time this is."""
    every: Literal["day", "month"] | None = None
    percent: Decimal | None = None
    """Of `of_cents`; of interest, in a year."""
    of_cents: int | None = None
    """What the percentage is of; the rent, where tiers are looked up by it."""
    plus_cents: int = 0
    """The amount of a tier, beside its percentage."""
    up_to_cents: int | None = None
    """The rent up to which the tier goes; None is the last one."""
    stretches: tuple[Stretch, ...] = ()
    """What interest is on: the first few stretches of days, each with what was late."""
    further_days: int = 0
    """Days of interest after those stretches, on other amounts."""
    limit: Limit | None = None
    posted_cents: int | None = None
    """What had been posted for the same day; None where this is not a correction of it."""


def within(working: Working, limit: Limit | None) -> tuple[int, Working]:
    """What of it a limit leaves, in cents, and the working that says so where that is less."""
    if limit is None or working.comes_to_cents <= limit.left_cents:
        return working.comes_to_cents, working
    return limit.left_cents, replace(working, limit=limit)


def in_words(working: Working, currency: str) -> str:
    """The formula: "5 % of the rent of $1,500.00 = $75.00"."""

    def money(cents: int) -> str:
        return format_cents(cents, currency)

    turn = f"{working.every} {working.nth}: " if working.every else ""
    words = f"{turn}{_what(working, currency)} = {money(working.comes_to_cents)}"
    if working.limit is not None:
        words += f", limited to {money(working.limit.left_cents)} by {working.limit.by}"
    return words


def _what(working: Working, currency: str) -> str:
    of = format_cents(working.of_cents or 0, currency)
    percent = f"{decimal_text(working.percent)} %" if working.percent else ""
    match working.way:
        case "fixed":
            return "fixed amount"
        case "percent_of_rent":
            return f"{percent} of the rent of {of}"
        case "percent_of_late_balance":
            return f"{percent} of what is late, {of}"
        case "tiers":
            return f"tiers up to the rent of {of}"
        case "tier":
            return f"rent of {of}, {_tier(working, currency)}"
        case "interest":
            return f"{percent} a year of {_stretches(working, currency)}"


def _tier(working: Working, currency: str) -> str:
    end = working.up_to_cents
    which = "the last tier" if end is None else f"the tier up to {format_cents(end, currency)}"
    parts = [
        format_cents(working.plus_cents, currency) if working.plus_cents else "",
        f"{decimal_text(working.percent)} % of it" if working.percent else "",
    ]
    return f"{which}: {' and '.join(part for part in parts if part) or 'nothing'}"


def _stretches(working: Working, currency: str) -> str:
    words = [
        f"{format_cents(item.late_cents, currency)} for {_days(item.days)}" for item in working.stretches
    ]
    if working.further_days:
        words.append(f"other amounts for {_days(working.further_days)}")
    return ", then ".join(words)


def _days(count: int) -> str:
    return f"{count} day" if count == 1 else f"{count} days"
