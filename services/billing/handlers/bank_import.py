"""A bank's statement, put into the books: each line once, in whatever file it comes, and how often."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final
from uuid import UUID

from services.billing.domain.bank_matching import (
    Known,
    KnownInvoice,
    NoMatch,
    Pay,
    Refused,
    TakeBack,
    match,
    names_in,
)
from services.billing.domain.bank_statements import Entry, Statement
from services.billing.domain.payments import PaymentRefused
from services.billing.handlers.payments import NewPayment, record_payment
from services.billing.handlers.reversals import NewReversal, reverse_payment
from services.billing.handlers.settling import lock_accounts
from services.billing.store.matching import MatchingStore
from shared.messaging.transaction import Tx
from shared.money import format_cents

METHOD: Final = "transfer"
_LONGEST_NOTE: Final = 200


class Outcome(StrEnum):
    """What became of a line."""

    BOOKED = "booked"
    RETURNED = "returned"
    """A payment that came back was reversed."""
    KNOWN = "already_known"
    NOT_MATCHED = "not_matched"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Account:
    """Where the statement is from."""

    source: str
    """A name for the account at the bank; part of every reference."""
    currency: str
    recorded_by: str | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the statement, and what became of it."""

    line: int
    outcome: Outcome
    on: str = ""
    amount_cents: int = 0
    text: str = ""
    what: str = ""
    """What it was booked on, or why it was not."""
    reference: str = ""
    suggestions: tuple[str, ...] = ()
    account_id: UUID | None = None
    """Where it was booked as a payment."""


async def import_statement(tx: Tx, statement: Statement, account: Account) -> list[Line]:
    """Book every line that says whose it is; the caller decides what refused lines mean for the others.

    What came is booked before what came back, because many banks list the newest first.
    """
    known = await _known(tx, statement, account)
    # All at once and in one order everywhere, so that two imports never wait for each other.
    await lock_accounts(tx, _accounts(known))
    lines = [Line(item.line, Outcome.REFUSED, what=item.reason) for item in statement.unread]
    came = [entry for entry in statement.entries if entry.amount_cents > 0]
    lines += [await _take(tx, entry, known, account) for entry in came]
    known = replace(known, payments={**known.payments, **_booked(lines)})
    left = [entry for entry in statement.entries if entry.amount_cents < 0]
    lines += [await _take(tx, entry, known, account) for entry in left]
    return sorted(lines, key=lambda line: line.line)


async def _known(tx: Tx, statement: Statement, account: Account) -> Known:
    """All that the lines name, and which of them a person has booked under their references already."""
    names = [names_in(entry) for entry in statement.entries]
    amounts = {entry.amount_cents for entry in statement.entries}
    references = {entry.reference(account.source) for entry in statement.entries}
    return await MatchingStore(tx.connection).known(
        names, amounts, references, source=account.source, currency=account.currency
    )


def _accounts(known: Known) -> set[UUID]:
    """Every account that a line may be booked on."""
    invoices = {item.account_id for item in known.invoices.values()}
    leases = {item.account_id for item in known.leases.values()}
    return invoices | leases | set(known.payments.values())


def _booked(lines: Sequence[Line]) -> dict[str, UUID]:
    """What was booked just now, by reference."""
    return {line.reference: line.account_id for line in lines if line.account_id is not None}


async def _take(tx: Tx, entry: Entry, known: Known, account: Account) -> Line:
    try:
        match match(entry, known, source=account.source, currency=account.currency):
            case Pay() as pay:
                return await _book(tx, entry, pay, account)
            case TakeBack() as back:
                return await _reverse(tx, entry, back, account)
            case NoMatch() if entry.reference(account.source) in known.payments:
                return _line(entry, account, Outcome.KNOWN, "booked under its reference")
            case NoMatch() as none:
                suggestions = _suggestions(none.suggestions)
                return _line(entry, account, Outcome.NOT_MATCHED, none.reason, suggestions)
    except (Refused, PaymentRefused) as refusal:
        # Both are refused before anything is written, so the other lines may go on in this transaction.
        return _line(entry, account, Outcome.REFUSED, str(refusal))


async def _book(tx: Tx, entry: Entry, pay: Pay, account: Account) -> Line:
    booked = await record_payment(
        tx,
        NewPayment(
            reference=entry.reference(account.source),
            amount_cents=entry.amount_cents,
            invoice=None if pay.invoice is None else str(pay.invoice.invoice_id),
            account_id=pay.account_id if pay.invoice is None else None,
            received_on=entry.on,
            method=METHOD,
            note=entry.text[:_LONGEST_NOTE] or None,
            recorded_by=account.recorded_by,
        ),
    )
    outcome = Outcome.KNOWN if booked.repeated else Outcome.BOOKED
    line = _line(entry, account, outcome, booked.warning or pay.because)
    return replace(line, account_id=pay.account_id)


async def _reverse(tx: Tx, entry: Entry, back: TakeBack, account: Account) -> Line:
    new = NewReversal(
        payment=back.payment,
        reference=entry.reference(account.source),
        kind="returned",
        reason=entry.text[:_LONGEST_NOTE] or "returned by the bank",
        amount_cents=-entry.amount_cents,
        known_on=entry.on,
        recorded_by=account.recorded_by,
    )
    reversed_ = await reverse_payment(tx, new)
    outcome = Outcome.KNOWN if reversed_.repeated else Outcome.RETURNED
    return _line(entry, account, outcome, f"payment {back.payment}")


def _line(
    entry: Entry, account: Account, outcome: Outcome, what: str, suggestions: tuple[str, ...] = ()
) -> Line:
    return Line(
        line=entry.line,
        outcome=outcome,
        on=entry.on.isoformat(),
        amount_cents=entry.amount_cents,
        text=entry.text,
        what=what,
        reference=entry.reference(account.source),
        suggestions=suggestions,
    )


def _suggestions(found: Sequence[KnownInvoice]) -> tuple[str, ...]:
    return tuple(
        f"{item.number}, open with {format_cents(item.balance_cents, item.currency)}" for item in found
    )
