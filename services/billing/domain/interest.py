"""Interest on late rent: simple, accrued by days, rounded once. Never on fees, and never on interest."""

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Final

from services.billing.domain.lateness import Lateness
from shared.documents import decimal_text
from shared.money import format_cents, round_cents

DAYS_OF_A_YEAR: Final = 365
"""Also in a leap year, so that a day costs the same in all of them."""

_ONE_DAY: Final = timedelta(days=1)
_SPELLED_OUT: Final = 4


@dataclass(frozen=True, slots=True)
class Interest:
    """What has accrued by a date."""

    cents: int = 0
    formula: str = ""


def accrued(
    lateness: Lateness, first_fee_on: date | None, on: date, *, lawful_only: bool = False
) -> Interest:
    """The interest of every day up to a date on which something was late and no hold covered it.

    It runs from the day after the due date, or from the first fee date, as the policy says; but nobody owes
    any of it who paid before the first fee date. Where a law forbids anything before a first date
    (`lawful_only`), it runs from there whatever the policy says.
    """
    policy = lateness.terms.policy
    late_from = lateness.first_late_from(first_fee_on) if first_fee_on else None
    if policy.interest_apr is None or first_fee_on is None or late_from is None or late_from > on:
        return Interest()
    from_due = policy.interest_from == "due_date" and not lawful_only
    start = lateness.terms.due_on + _ONE_DAY if from_due else first_fee_on
    spans = _spans(lateness, start, on)
    cents_days = sum(late * days for late, days in spans)
    cents = round_cents(Decimal(cents_days) * policy.interest_apr / 100 / DAYS_OF_A_YEAR)
    rate, money = decimal_text(policy.interest_apr), lateness.terms.currency
    return Interest(cents, f"{rate} % a year of {_in_words(spans, money)} = {format_cents(cents, money)}")


def _spans(lateness: Lateness, start: date, on: date) -> list[tuple[int, int]]:
    """So many cents were late for so many days."""
    edges = {start, on + _ONE_DAY, *lateness.changes}
    for hold in lateness.calendar.holds:
        edges |= {hold.from_on} | ({hold.to_on + _ONE_DAY} if hold.to_on else set())
    days = sorted(edge for edge in edges if start <= edge <= on + _ONE_DAY)
    return [
        (lateness.late_cents(begin), (end - begin).days)
        for begin, end in pairwise(days)
        if lateness.earns_a_fee(begin)
    ]


def _in_words(spans: list[tuple[int, int]], currency: str) -> str:
    merged: list[tuple[int, int]] = []
    for late, days in spans:
        if merged and merged[-1][0] == late:
            merged[-1] = (late, merged[-1][1] + days)
        else:
            merged.append((late, days))
    words = [f"{format_cents(late, currency)} for {_days(days)}" for late, days in merged[:_SPELLED_OUT]]
    if len(merged) > _SPELLED_OUT:
        words.append(f"other amounts for {_days(sum(days for _, days in merged[_SPELLED_OUT:]))}")
    return ", then ".join(words)


def _days(count: int) -> str:
    return f"{count} day" if count == 1 else f"{count} days"
