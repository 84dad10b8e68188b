"""What of an invoice is late on which day, and on which days a fee rule strikes because of it."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from itertools import accumulate

from services.billing.domain.fee_calendar import FeeCalendar
from services.billing.domain.fee_rules import Daily, FeeRule, RecurringMonthly
from services.billing.domain.late_terms import Case, LateTerms
from services.billing.domain.periods import months_after

_ONE_DAY = timedelta(days=1)


class Lateness:
    """The late balance of one invoice as a function of the day, as it is known at a date.

    Money counts from the day it was received, so that a cheque keyed in late still came in time. What
    came or was known after the date is not known at it.
    """

    def __init__(self, case: Case, on: date) -> None:
        self.terms: LateTerms = case.terms
        policy = case.terms.policy
        self.calendar = FeeCalendar(case.holds, policy.hold_days_count, policy.holidays)
        self._least = max(policy.minimum_balance_cents, 1)
        received: Counter[date] = Counter()
        for receipt in case.receipts:
            if receipt.received_on <= on:
                received[receipt.received_on] += receipt.amount_cents
        self.changes = sorted(received)
        self._paid = list(accumulate(received[day] for day in self.changes))

    def paid_cents(self, day: date) -> int:
        """What was paid by the end of a day."""
        known = bisect_right(self.changes, day)
        return self._paid[known - 1] if known else 0

    def late_cents(self, day: date) -> int:
        """What is open at the end of a day of what may be late: never fees, never interest."""
        return max(self.terms.countable_cents - self.paid_cents(day), 0)

    def earns_a_fee(self, day: date) -> bool:
        """Whether enough is late on that day and no hold covers it."""
        return self.late_cents(day) >= self._least and not self.calendar.held(day)

    def first_late_from(self, day: date) -> date | None:
        """The first day from this one on that earns a fee, given what is known; None where none does."""
        following = self.changes[bisect_right(self.changes, day) :]
        for start in (day, *following):
            found = self.calendar.released(start)
            if found is not None and self.earns_a_fee(found):
                return found
        return None


def strikes(rule: FeeRule, start: date, lateness: Lateness) -> Iterator[date]:
    """The days on which a rule that may begin on a day brings a fee; without end where it repeats."""
    match rule:
        case Daily():
            return _daily(rule, start, lateness)
        case RecurringMonthly():
            return _monthly(rule, start, lateness)
        case _:
            return _once(start, lateness)


def start_of(rule: FeeRule, rules: tuple[FeeRule, ...], first_on: date, calendar: FeeCalendar) -> date | None:
    """The first day on which a rule may strike.

    It is so many days after the first fee date as the rule says. A rule that repeats and says nothing
    begins one step after the fee that comes once, if there is one: first this, then daily that.
    """
    if rule.after_days is not None:
        return calendar.after(first_on, rule.after_days)
    follows = rule.repeats and not all(other.repeats for other in rules)
    if not follows:
        return first_on
    if isinstance(rule, RecurringMonthly):
        return calendar.month_after(first_on, months_after(first_on, 1))
    return calendar.after(first_on, 1)


def limited_to_one(rule: FeeRule) -> FeeRule:
    """The rule, striking once at most."""
    match rule:
        case Daily():
            return replace(rule, max_days=1)
        case RecurringMonthly():
            return replace(rule, max_times=1)
        case _:
            return rule


def _once(start: date, lateness: Lateness) -> Iterator[date]:
    found = lateness.first_late_from(start)
    if found is not None:
        yield found


def _daily(rule: Daily, start: date, lateness: Lateness) -> Iterator[date]:
    last = lateness.terms.rental_period[1] if rule.until == "period_end" else date.max
    struck = 0
    found = lateness.first_late_from(start)
    while found is not None and found <= last and struck != rule.max_days:
        yield found
        struck += 1
        found = lateness.first_late_from(found + _ONE_DAY)


def _monthly(rule: RecurringMonthly, start: date, lateness: Lateness) -> Iterator[date]:
    """A month after the fee before it, on the day of the first: a fee that had to wait is a new first."""
    anchor, months, struck = start, 0, 0
    due: date | None = start
    while due is not None and struck != rule.max_times:
        found = lateness.first_late_from(due)
        if found is None:
            return
        yield found
        struck += 1
        if found != months_after(anchor, months):
            anchor, months = found, 0
        months += 1
        due = lateness.calendar.month_after(found, months_after(anchor, months))
