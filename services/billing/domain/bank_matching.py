"""Whose money a line of a statement is: by what it names, and never by its amount alone.

Two tenants who pay the same rent on the same day are the rule and not the exception. So an amount that
fits is shown to a person, and booked by nobody.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from services.billing.domain.bank_statements import Entry

_NUMBER: Final = re.compile(
    r"(?<![0-9A-Z])INV[-\s_/.]?(\d{4})[-\s_/.]?(\d{6,})(?!\d)", re.ASCII | re.IGNORECASE
)
_ID: Final = re.compile(
    r"(?<![0-9a-f-])[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}(?![0-9a-f-])", re.ASCII | re.IGNORECASE
)
_WORD: Final = re.compile(r"[\w.:/-]{3,}")
MOST_SUGGESTIONS: Final = 5


@dataclass(frozen=True, slots=True)
class KnownInvoice:
    """An invoice that a line may be about."""

    invoice_id: UUID
    number: str
    account_id: UUID
    currency: str
    balance_cents: int


@dataclass(frozen=True, slots=True)
class KnownLease:
    """A lease that a line may be about."""

    lease_id: UUID
    account_id: UUID
    currency: str


@dataclass(frozen=True, slots=True)
class Known:
    """What billing knows of everything that the lines of a statement name."""

    invoices: Mapping[str, KnownInvoice] = field(default_factory=dict)
    """By number."""
    leases: Mapping[UUID, KnownLease] = field(default_factory=dict)
    payments: Mapping[str, UUID] = field(default_factory=dict)
    """By reference, of what was booked: whose account it is on."""
    open_by_amount: Mapping[int, Sequence[KnownInvoice]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Pay:
    """Money for an account, and for one invoice of it where just one was named."""

    account_id: UUID
    invoice: KnownInvoice | None
    because: str


@dataclass(frozen=True, slots=True)
class TakeBack:
    """A payment that came back."""

    payment: str


@dataclass(frozen=True, slots=True)
class NoMatch:
    """Nobody's, as far as the line says; with the invoices whose open amount it is, for a person to see."""

    reason: str
    suggestions: tuple[KnownInvoice, ...] = ()


class Refused(ValueError):
    """A line that names what cannot be meant, with the reason in words."""


@dataclass(frozen=True, slots=True)
class Names:
    """What a line names."""

    numbers: tuple[str, ...]
    lease_ids: tuple[UUID, ...]
    words: tuple[str, ...]
    """What may be the reference of a payment; of money that left only."""


def names_in(entry: Entry) -> Names:
    """Everything in a line that could be an invoice, a lease or a payment of ours."""
    text = " ".join(filter(None, (entry.invoice, entry.text)))
    numbers = [f"INV-{year}-{serial}" for year, serial in _NUMBER.findall(text)]
    ids = [UUID(found) for found in _ID.findall(" ".join(filter(None, (entry.lease, entry.text))))]
    words: list[str] = []
    if entry.amount_cents < 0:
        words = [entry.payment] if entry.payment else _WORD.findall(entry.text)
    return Names(tuple(dict.fromkeys(numbers)), tuple(dict.fromkeys(ids)), tuple(dict.fromkeys(words)))


def match(entry: Entry, known: Known, *, source: str, currency: str) -> Pay | TakeBack | NoMatch:
    """What to do with one line. Raises `Refused` for a line that contradicts itself or what we know."""
    if entry.amount_cents < 0:
        return _taken_back(entry, known, source)
    names = names_in(entry)
    _check_hints(entry, names, known)
    invoices = [known.invoices[number] for number in names.numbers if number in known.invoices]
    leases = [known.leases[lease_id] for lease_id in names.lease_ids if lease_id in known.leases]
    named = [(item.account_id, item.currency, item.number) for item in invoices]
    named += [(item.account_id, item.currency, f"lease {item.lease_id}") for item in leases]
    accounts = {account_id for account_id, _, _ in named}
    if not accounts:
        fitting = known.open_by_amount.get(entry.amount_cents, ())
        return NoMatch("names no invoice and no lease that we know", tuple(fitting[:MOST_SUGGESTIONS]))
    if len(accounts) > 1:
        raise Refused("names invoices or leases of different accounts")
    if others := {theirs for _, theirs, _ in named} - {currency}:
        raise Refused(f"is in {currency}, and what it names is in {', '.join(sorted(others))}")
    one = invoices[0] if len(invoices) == 1 else None
    return Pay(accounts.pop(), one, ", ".join(name for _, _, name in named))


def _check_hints(entry: Entry, names: Names, known: Known) -> None:
    """A column that is there to name an invoice or a lease has to name one."""
    if entry.invoice and not any(number in known.invoices for number in names.numbers):
        raise Refused(f"there is no invoice {entry.invoice!r}")
    if entry.lease and not any(lease_id in known.leases for lease_id in names.lease_ids):
        raise Refused(f"there is no lease {entry.lease!r}")


def _taken_back(entry: Entry, known: Known, source: str) -> TakeBack | NoMatch:
    found = {
        reference
        for word in names_in(entry).words
        for reference in (word, f"{source}:{word}")
        if reference in known.payments
    }
    if len(found) == 1:
        return TakeBack(found.pop())
    if found:
        raise Refused("names several payments")
    if entry.payment:
        raise Refused(f"there is no payment {entry.payment!r}")
    return NoMatch("money that left, and names no payment that we know")
