"""The facts of an account, and what they amount to: what paid what. `replaying.py` does the sum."""

from collections import Counter
from dataclasses import dataclass
from datetime import date
from typing import Final, Literal
from uuid import UUID

Bucket = Literal["rent", "charge", "fee"]
Order = Literal["oldest_first", "rent_first"]
Why = Literal["named", "oldest_first", "rent_first", "credit", "reversed", "freed"]

BUCKETS: Final[tuple[Bucket, ...]] = ("rent", "charge", "fee")


@dataclass(frozen=True, slots=True)
class FeeLine:
    """A fee put on an invoice or, where it is negative, taken off it."""

    counts_on: date
    amount_cents: int


@dataclass(frozen=True, slots=True)
class Owed:
    """An invoice that was not voided: a voided one never existed."""

    invoice_id: UUID
    number: str
    issued_on: date
    due_on: date
    rent_cents: int
    charge_cents: int
    fees: tuple[FeeLine, ...] = ()
    order: Order = "oldest_first"
    """Of the terms it was issued under; holds until the next invoice is issued."""


@dataclass(frozen=True, slots=True)
class Received:
    """A payment, and the invoice its payer named."""

    payment_id: UUID
    reference: str
    received_on: date
    amount_cents: int
    invoice_id: UUID | None = None
    fees_only: bool = False
    """It pays fees and nothing else, such as a reward that may not go against rent; else it waits."""


@dataclass(frozen=True, slots=True)
class TakenBack:
    """What of a payment bounced, was charged back or was refunded."""

    payment_id: UUID
    reference: str
    known_on: date
    amount_cents: int


@dataclass(frozen=True, slots=True)
class Step:
    """One movement of one payment's money, onto an invoice or, negative, off it."""

    on: date
    payment_id: UUID
    invoice_id: UUID
    bucket: Bucket
    amount_cents: int
    effective_on: date
    """Since when it counts for the invoice; before `on` where it had waited as credit."""
    why: Why


@dataclass(frozen=True, slots=True)
class Waiting:
    """What of a payment is credit."""

    payment_id: UUID
    since: date
    amount_cents: int


@dataclass(frozen=True, slots=True)
class Standing:
    """An invoice after everything that is known."""

    total_cents: int
    fee_cents: int
    paid_cents: int
    rent_open_cents: int
    paid_on: date | None
    """The day the last of the money counts from; None while something is open."""
    rent_paid_on: date | None
    """The same of its rent; None also where it has none."""

    @property
    def state(self) -> Literal["open", "paid"]:
        """Whether something is still to be paid."""
        return "open" if self.paid_on is None else "paid"

    @property
    def balance_cents(self) -> int:
        """What is still to be paid."""
        return max(self.total_cents, 0) - self.paid_cents


AllocationKey = tuple[UUID, UUID, Bucket, date]
"""Payment, invoice, bucket, and the day from which it counts."""


@dataclass(frozen=True, slots=True)
class Replay:
    """What an account's facts amount to."""

    steps: tuple[Step, ...]
    waiting: tuple[Waiting, ...]
    standings: dict[UUID, Standing]
    reversed_cents: dict[UUID, int]
    """By payment."""

    @property
    def credit_cents(self) -> int:
        """All that waits for something to pay."""
        return sum(item.amount_cents for item in self.waiting)

    def allocations(self) -> dict[AllocationKey, int]:
        """The steps, summed; what came and went on one day is not there."""
        sums: Counter[AllocationKey] = Counter()
        for step in self.steps:
            sums[step.payment_id, step.invoice_id, step.bucket, step.effective_on] += step.amount_cents
        return {key: cents for key, cents in sums.items() if cents}

    def applied_cents(self) -> dict[UUID, int]:
        """What of each payment is on an invoice."""
        sums: Counter[UUID] = Counter()
        for step in self.steps:
            sums[step.payment_id] += step.amount_cents
        return dict(sums)
