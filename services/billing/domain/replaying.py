"""Which money pays what: an account's facts, replayed in the order of their business dates.

Nothing here depends on when a fact was keyed in. So a cheque that came on the 1st and is booked on the 10th
leaves the ledger as if it had been booked on the 1st, and no repair is ever needed.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import groupby
from typing import Final
from uuid import UUID

from services.billing.domain.allocation import (
    BUCKETS,
    Bucket,
    Order,
    Owed,
    Received,
    Replay,
    Standing,
    Step,
    TakenBack,
    Waiting,
    Why,
)

_RANK: Final = {bucket: rank for rank, bucket in enumerate(BUCKETS)}


def replay(owed: Iterable[Owed], received: Iterable[Received], taken_back: Iterable[TakenBack]) -> Replay:
    """What paid what, what waits as credit, and how each invoice stands.

    On one day invoices and fees come first, then payments, then reversals. After each of the three, credit
    pays whatever is open, so that no money waits beside a debt. The exceptions are money whose payer
    named an invoice that is not issued yet, which waits for that one, and money for fees only.
    """
    invoices = tuple(owed)
    ledger = _Ledger({invoice.invoice_id for invoice in invoices})
    events = sorted(_events(invoices, received, taken_back), key=lambda event: event.order)
    for (on, _), group in groupby(events, key=lambda event: (event.on, event.kind)):
        fresh: set[UUID] = set()
        for event in group:
            match event.fact:
                case _Charge() as charge:
                    ledger.charge(charge, on)
                    fresh.add(charge.invoice.invoice_id)
                case Received() as payment:
                    ledger.receive(payment)
                case TakenBack() as reversal:
                    ledger.take_back(reversal, on)
        ledger.spend_waiting(on, fresh)
    return ledger.result()


@dataclass(frozen=True, slots=True)
class _Charge:
    """What an invoice owes more, or less, from a day on."""

    invoice: Owed
    amounts: dict[Bucket, int]


@dataclass(frozen=True, slots=True)
class _Event:
    on: date
    kind: int
    """Its place in the day: 0 charges, 1 payments, 2 reversals."""
    key: tuple[str, ...]
    fact: "_Charge | Received | TakenBack"

    @property
    def order(self) -> tuple[date, int, tuple[str, ...]]:
        return self.on, self.kind, self.key


def _events(
    owed: Iterable[Owed], received: Iterable[Received], taken_back: Iterable[TakenBack]
) -> Iterator[_Event]:
    for invoice in owed:
        yield from _charges(invoice)
    came: dict[UUID, date] = {}
    for payment in received:
        came[payment.payment_id] = payment.received_on
        yield _Event(payment.received_on, 1, (payment.reference, str(payment.payment_id)), payment)
    for reversal in taken_back:
        known_on = max(reversal.known_on, came[reversal.payment_id])
        yield _Event(known_on, 2, (reversal.reference, str(reversal.payment_id)), reversal)


def _charges(invoice: Owed) -> Iterator[_Event]:
    """The invoice on its day, and its fees summed by day: a fee taken back on its own day never was."""
    key = (invoice.due_on.isoformat(), invoice.number, str(invoice.invoice_id))
    days: Counter[date] = Counter()
    for line in invoice.fees:
        days[max(line.counts_on, invoice.issued_on)] += line.amount_cents
    first: dict[Bucket, int] = {
        "rent": invoice.rent_cents,
        "charge": invoice.charge_cents,
        "fee": days.pop(invoice.issued_on, 0),
    }
    yield _Event(invoice.issued_on, 0, ("issued", *key), _Charge(invoice, first))
    for day, cents in days.items():
        if cents:
            yield _Event(
                day, 0, ("more" if cents > 0 else "taken off", *key), _Charge(invoice, {"fee": cents})
            )


@dataclass(slots=True)
class _Item:
    """An invoice while it is replayed."""

    invoice: Owed
    settled_on: date
    stated: Counter[Bucket] = field(default_factory=Counter)
    due: dict[Bucket, int] = field(default_factory=lambda: dict.fromkeys(BUCKETS, 0))
    paid: dict[Bucket, int] = field(default_factory=lambda: dict.fromkeys(BUCKETS, 0))

    def open_cents(self, bucket: Bucket) -> int:
        return self.due[bucket] - self.paid[bucket]

    @property
    def is_open(self) -> bool:
        return any(self.due[bucket] > self.paid[bucket] for bucket in BUCKETS)

    def owe(self, amounts: dict[Bucket, int]) -> None:
        """Add up; a bucket below nothing makes the others smaller, fees first and rent last."""
        self.stated.update(amounts)
        less = -sum(cents for cents in self.stated.values() if cents < 0)
        for bucket in reversed(BUCKETS):
            stated = max(self.stated[bucket], 0)
            self.due[bucket] = stated - min(stated, less)
            less -= min(stated, less)


@dataclass(slots=True)
class _Purse:
    """Money of one payment that is on no invoice."""

    payment: Received
    since: date
    cents: int


@dataclass(slots=True)
class _Slice:
    """Money of one payment that is on an invoice."""

    payment: Received
    item: _Item
    bucket: Bucket
    effective_on: date
    cents: int


class _Ledger:
    """The state that the events of one account pass through."""

    def __init__(self, to_come: set[UUID]) -> None:
        self._to_come = to_come
        self._order: Order = "oldest_first"
        self._items: dict[UUID, _Item] = {}
        self._open: dict[UUID, _Item] = {}
        self._purses: list[_Purse] = []
        self._slices: list[_Slice] = []
        self._steps: list[Step] = []
        self._reversed: Counter[UUID] = Counter()

    def charge(self, charge: _Charge, on: date) -> None:
        """An invoice is issued, or a fee put on it or taken off it."""
        invoice = charge.invoice
        item = self._items.get(invoice.invoice_id)
        if item is None:
            item = self._items[invoice.invoice_id] = _Item(invoice, settled_on=on)
            self._to_come.discard(invoice.invoice_id)
            self._order = invoice.order
        item.owe(charge.amounts)
        for bucket in BUCKETS:
            if item.open_cents(bucket) < 0:
                self._free(item, bucket, -item.open_cents(bucket), on)
        if item.is_open:
            self._open[invoice.invoice_id] = item
        elif self._open.pop(invoice.invoice_id, None) is not None:
            item.settled_on = on

    def receive(self, payment: Received) -> None:
        """Money comes in."""
        self._purses.append(_Purse(payment, payment.received_on, payment.amount_cents))

    def take_back(self, reversal: TakenBack, on: date) -> None:
        """A payment loses first what is credit, then what it paid last."""
        left = reversal.amount_cents
        for purse in reversed(self._purses):
            if purse.payment.payment_id == reversal.payment_id:
                part = min(purse.cents, left)
                purse.cents -= part
                left -= part
        slices = [item for item in self._slices if item.payment.payment_id == reversal.payment_id]
        for standing in reversed(slices):
            left -= self._remove(standing, left, on, "reversed")
        self._reversed[reversal.payment_id] += reversal.amount_cents - left

    def _free(self, item: _Item, bucket: Bucket, cents: int, on: date) -> None:
        """What was paid on something that is not owed any more waits again; the latest money first."""
        slices = [found for found in self._slices if found.item is item and found.bucket == bucket]
        for standing in reversed(slices):
            part = self._remove(standing, cents, on, "freed")
            cents -= part
            if part:
                self._purses.append(_Purse(standing.payment, on, part))

    def _remove(self, standing: _Slice, most_cents: int, on: date, why: Why) -> int:
        part = min(standing.cents, most_cents)
        if part:
            standing.cents -= part
            standing.item.paid[standing.bucket] -= part
            self._note(standing, -part, on, on, why)
            if standing.item.is_open:
                self._open[standing.item.invoice.invoice_id] = standing.item
        return part

    def spend_waiting(self, on: date, fresh: set[UUID]) -> None:
        """Let credit pay what is open, the oldest credit first.

        On what has just been charged it counts from the day it waits since: who paid before the invoice
        came paid in time. On what was open before, it counts from today.
        """
        if not self._open or not self._purses:
            return
        for purse in sorted(
            self._purses, key=lambda purse: (purse.payment.invoice_id not in fresh, purse.since)
        ):
            if not self._is_held(purse):
                self._spend(purse, on, fresh)
        self._purses = [purse for purse in self._purses if purse.cents]

    def _is_held(self, purse: _Purse) -> bool:
        return purse.payment.invoice_id in self._to_come

    def _spend(self, purse: _Purse, on: date, fresh: set[UUID]) -> None:
        named = purse.payment.invoice_id
        for item, bucket in self._in_order(named):
            part = min(purse.cents, item.open_cents(bucket))
            if not part or (purse.payment.fees_only and bucket != "fee"):
                continue
            effective_on = purse.since if item.invoice.invoice_id in fresh else on
            purse.cents -= part
            item.paid[bucket] += part
            spent = _Slice(purse.payment, item, bucket, effective_on, part)
            self._slices.append(spent)
            why: Why = "named" if item.invoice.invoice_id == named else self._order
            self._note(spent, part, on, effective_on, "credit" if purse.since < on else why)
            if not item.is_open:
                del self._open[item.invoice.invoice_id]

    def _in_order(self, named: UUID | None) -> Sequence[tuple[_Item, Bucket]]:
        """What is open, in the order in which it is to be paid.

        Under `rent_first` no fee is paid while rent is open, whatever the payer named (RCW 59.18.283).
        """
        rent_first = self._order == "rent_first"

        def place(entry: tuple[_Item, Bucket]) -> tuple[bool, bool, int, date, date, str, int]:
            item, bucket = entry
            invoice, rank = item.invoice, _RANK[bucket]
            return (
                rent_first and bucket == "fee",
                invoice.invoice_id != named,
                rank if rent_first else 0,
                invoice.due_on,
                invoice.issued_on,
                invoice.number,
                rank,
            )

        return sorted(((item, bucket) for item in self._open.values() for bucket in BUCKETS), key=place)

    def _note(self, found: _Slice, cents: int, on: date, effective_on: date, why: Why) -> None:
        payment_id, invoice_id = found.payment.payment_id, found.item.invoice.invoice_id
        self._steps.append(Step(on, payment_id, invoice_id, found.bucket, cents, effective_on, why))

    def result(self) -> Replay:
        """What it all came to."""
        waiting = [
            Waiting(item.payment.payment_id, item.since, item.cents) for item in self._purses if item.cents
        ]
        money: dict[UUID, list[_Slice]] = {invoice_id: [] for invoice_id in self._items}
        for found in self._slices:
            if found.cents:
                money[found.item.invoice.invoice_id].append(found)
        standings = {key: _standing(item, money[key]) for key, item in self._items.items()}
        return Replay(tuple(self._steps), tuple(waiting), standings, dict(self._reversed))


def _standing(item: _Item, money: Sequence[_Slice]) -> Standing:
    counted = [found.effective_on for found in money]
    return Standing(
        total_cents=item.stated.total(),
        fee_cents=item.stated["fee"],
        paid_cents=sum(item.paid.values()),
        rent_open_cents=item.open_cents("rent"),
        paid_on=None if item.is_open else max(counted, default=item.settled_on),
        rent_paid_on=_rent_paid_on(item, money),
    )


def _rent_paid_on(item: _Item, money: Sequence[_Slice]) -> date | None:
    if item.stated["rent"] <= 0 or item.open_cents("rent"):
        return None
    return max((found.effective_on for found in money if found.bucket == "rent"), default=item.settled_on)
