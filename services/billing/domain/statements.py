"""The running ledger of an account, as a landlord knows it: date, what, charge, payment, balance."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import IntEnum


class Kind(IntEnum):
    """What an entry is; on one day they come in this order."""

    CHARGE = 0
    VOID = 1
    PAYMENT = 2
    REVERSAL = 3


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that changed what is owed."""

    on: date
    kind: Kind
    reference: str
    """The invoice's number, or the payment's reference."""
    what: str
    charge_cents: int = 0
    """Negative where less is owed: a concession, a waiver, a void."""
    payment_cents: int = 0
    """Negative where money is gone again."""


@dataclass(frozen=True, slots=True)
class Row:
    """An entry, and what is owed after it; below nothing it is credit."""

    entry: Entry
    balance_cents: int


def running(entries: Iterable[Entry]) -> list[Row]:
    """The entries by date, each with what is owed after it."""
    balance, rows = 0, list[Row]()
    for entry in sorted(entries, key=lambda entry: (entry.on, entry.kind, entry.reference)):
        balance += entry.charge_cents - entry.payment_cents
        rows.append(Row(entry, balance))
    return rows
