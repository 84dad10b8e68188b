"""How tenants pay: what each of them does on a day, from what they owe and the day it is. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random
from typing import Protocol

from propman.simulation.calendar import Span


@dataclass(frozen=True, slots=True)
class Bill:
    """An invoice that is open, as its tenants see it."""

    number: str
    period: str
    due_on: date
    total_cents: int
    open_cents: int


@dataclass(frozen=True, slots=True)
class Pay:
    """Money that somebody sends."""

    reference: str
    """The same for the same payment, so that a day that is simulated again books nothing twice."""
    invoice: str
    amount_cents: int
    method: str


class Habit(Protocol):
    """Somebody's way to pay."""

    def pays(self, who: str, bills: Sequence[Bill], on: date, span: Span) -> Iterable[Pay]:
        """What they send on a day, given what they owe on that day."""


def _pay(who: str, bill: Bill, on: date, cents: int, method: str) -> Pay:
    return Pay(f"{who}-{bill.number}-{on:%m%d}", bill.number, min(cents, bill.open_cents), method)


def _days(number: int) -> timedelta:
    return timedelta(days=number)


@dataclass(frozen=True, slots=True)
class InFull:
    """Pays all that is open on an invoice, so many days after it was due."""

    after_days: int = 0
    method: str = "transfer"
    stops: int | None = None
    """In the last so many months nothing is paid any more."""

    def pays(self, who: str, bills: Sequence[Bill], on: date, span: Span) -> Iterator[Pay]:
        """Everything that has been due for so long."""
        unpaid = span.months[-self.stops :] if self.stops else ()
        for bill in bills:
            if bill.period not in unpaid and on >= bill.due_on + _days(self.after_days):
                yield _pay(who, bill, on, bill.open_cents, self.method)


@dataclass(frozen=True, slots=True)
class SomeDay:
    """Pays in full on some day within the grace; the seed of the simulation chooses it."""

    seed: int
    within_days: int = 4

    def pays(self, who: str, bills: Sequence[Bill], on: date, span: Span) -> Iterator[Pay]:  # noqa: ARG002
        """Each invoice on its own day."""
        for bill in bills:
            chance = Random(f"{self.seed}/{who}/{bill.number}")
            if on >= bill.due_on + _days(chance.randint(0, self.within_days)):
                yield _pay(who, bill, on, bill.open_cents, "card")


@dataclass(frozen=True, slots=True)
class Instalments:
    """Sends fixed parts, each so many days after an invoice was due, and what is left at the end."""

    parts: tuple[tuple[int, int], ...]
    """Days after, and cents."""
    rest_after_days: int

    def pays(self, who: str, bills: Sequence[Bill], on: date, span: Span) -> Iterator[Pay]:  # noqa: ARG002
        """The part of the day."""
        for bill in bills:
            late = (on - bill.due_on).days
            if late >= self.rest_after_days:
                yield _pay(who, bill, on, bill.open_cents, "check")
            for days, cents in self.parts:
                if days == late:
                    yield _pay(who, bill, on, cents, "check")


@dataclass(frozen=True, slots=True)
class Ahead:
    """When an invoice is open, pays for it and for the months after it."""

    months: int = 3

    def pays(self, who: str, bills: Sequence[Bill], on: date, span: Span) -> Iterator[Pay]:
        """So many months' worth, and never more than are left of the span."""
        for bill in bills:
            if on >= bill.due_on:
                left = len(span.months) - span.months.index(bill.period)
                cents = bill.open_cents * min(self.months, left)
                yield Pay(f"{who}-{bill.number}-{on:%m%d}", bill.number, cents, "transfer")


@dataclass(frozen=True, slots=True)
class Share:
    """Pays a fixed part of each invoice, so many days after it was due; somebody else pays the rest."""

    cents: int
    after_days: int

    def pays(self, who: str, bills: Sequence[Bill], on: date, span: Span) -> Iterator[Pay]:  # noqa: ARG002
        """Their part."""
        for bill in bills:
            if on == bill.due_on + _days(self.after_days):
                yield _pay(who, bill, on, self.cents, "transfer")


@dataclass(frozen=True, slots=True)
class OnceLate:
    """Pays when it is due, but in one month only so many days later.

    With `tries`, in that month too: that payment comes back, and the next one is made so many days later.
    """

    month: int
    after_days: int
    tries: bool = False

    def pays(self, who: str, bills: Sequence[Bill], on: date, span: Span) -> Iterator[Pay]:
        """Everything that is to be paid by its day."""
        for bill in bills:
            late = (on - bill.due_on).days
            is_it = bill.period == span.month(self.month)
            if late >= self.after_days or (late >= 0 and not is_it) or (late == 0 and self.tries):
                yield _pay(who, bill, on, bill.open_cents, "ach")


@dataclass(frozen=True, slots=True)
class ByItself:
    """Autopay: the system takes it, and they do nothing."""

    def pays(self, who: str, bills: Sequence[Bill], on: date, span: Span) -> tuple[Pay, ...]:  # noqa: ARG002
        """Nothing."""
        return ()
