"""Interest on late rent: simple, accrued by days, rounded once. Never on fees, and never on interest."""

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Final

from services.billing.domain.fee_workings import Stretch, Working
from services.billing.domain.lateness import Lateness
from shared.money import round_cents

DAYS_OF_A_YEAR: Final = 365
"""Also in a leap year, so that a day costs the same in all of them."""

_ONE_DAY: Final = timedelta(days=1)
_SPELLED_OUT: Final = 4


@dataclass(frozen=True, slots=True)
class Interest:
    """What has accrued by a date."""

    cents: int = 0
    working: Working | None = None
    """None where nothing accrued at all."""


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
    stretches = _stretches(spans)
    return Interest(
        cents,
        Working(
            way="interest",
            comes_to_cents=cents,
            percent=policy.interest_apr,
            stretches=tuple(stretches[:_SPELLED_OUT]),
            further_days=sum(item.days for item in stretches[_SPELLED_OUT:]),
        ),
    )


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


def _stretches(spans: list[tuple[int, int]]) -> list[Stretch]:
    merged: list[Stretch] = []
    for late, days in spans:
        if merged and merged[-1].late_cents == late:
            merged[-1] = Stretch(late, merged[-1].days + days)
        else:
            merged.append(Stretch(late, days))
    return merged
