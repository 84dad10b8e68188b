"""`propman billing reverse-payment` and `refund`: money that is gone again."""

from dataclasses import asdict
from datetime import date
from typing import Annotated

import typer

from services.billing.domain.payments import REVERSALS, ReversalRefused
from services.billing.handlers.reversals import NewReversal, PaymentUnknown, Reversed, reverse_payment
from services.billing.verbs.amounts import cents_in
from services.billing.verbs.database import changing, unknown_payment
from shared.cli import (
    App,
    ByOption,
    CommandError,
    DryRunOption,
    JsonOption,
    UsageProblem,
    date_option,
    json_wanted,
    print_json,
    say,
    signed,
    success,
)
from shared.money import format_cents

PaymentArgument = Annotated[str, typer.Argument(help="The payment's reference or id.")]
ReferenceOption = Annotated[
    str, typer.Option("--reference", help="The bank's or your own id of the reversal; booked once.")
]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why; kept with it.")]
PartOption = Annotated[
    str | None, typer.Option("--amount", help="A part; by default all that is left of the payment.")
]
KnownOption = Annotated[
    date | None,
    date_option("--known-on", help="When it became known; by default today, at the property."),
]


def add_to(billing: App) -> None:
    """Give billing's app its commands."""
    billing.command("reverse-payment")(reverse)
    billing.command()(refund)


async def reverse(
    payment: PaymentArgument,
    reference: ReferenceOption,
    kind: Annotated[str, typer.Option("--kind", help="returned, charged_back or entered_in_error.")],
    reason: ReasonOption,
    amount: PartOption = None,
    known_on: KnownOption = None,
    by: ByOption = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    r"""Take back a payment that bounced, was charged back or was never made.

    Its invoices are open again from the day it became known, with the due dates they had. A returned payment
    costs the fee of the policy, once. The same reference again changes nothing and says so.

    \b
    Examples:
      propman billing reverse-payment CHK-1041 --kind returned --reference RET-88 --reason "No funds"
      propman billing reverse-payment CHK-1041 --kind charged_back --reference CB-7 --reason Stolen --dry-run
    """
    kinds = {name: name for name in REVERSALS if name != "refunded"}
    if kind not in kinds:
        raise UsageProblem(f"{kind!r} is no kind of reversal.", remedy=f"Choose {', '.join(kinds)}.")
    new = NewReversal(
        payment=payment,
        reference=reference,
        kind=kinds[kind],
        reason=reason,
        amount_cents=None if amount is None else cents_in(amount),
        known_on=known_on,
        recorded_by=signed(by),
    )
    await _take_back(new, dry_run=dry_run)


async def refund(
    payment: PaymentArgument,
    reference: ReferenceOption,
    reason: ReasonOption,
    amount: PartOption = None,
    known_on: KnownOption = None,
    by: ByOption = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    r"""Book that money of a payment was paid back, wholly or in part.

    What of the payment is credit goes first, then what it paid last. It is booked here; no money is moved.

    \b
    Examples:
      propman billing refund CHK-1041 --amount 250 --reference REF-12 --reason "Moved out, credit returned"
      propman billing refund CHK-1041 --reference REF-13 --reason "Paid twice" --dry-run
    """
    new = NewReversal(
        payment=payment,
        reference=reference,
        kind="refunded",
        reason=reason,
        amount_cents=None if amount is None else cents_in(amount),
        known_on=known_on,
        recorded_by=signed(by),
    )
    await _take_back(new, dry_run=dry_run)


async def _take_back(new: NewReversal, *, dry_run: bool) -> None:
    try:
        async with changing("billing.reverse_payment", dry_run=dry_run) as tx:
            done = await reverse_payment(tx, new)
    except PaymentUnknown:
        raise unknown_payment(new.payment) from None
    except ReversalRefused as refusal:
        raise CommandError(f"Not booked: {refusal}.") from refusal
    _report(done, dry_run=dry_run)


def _report(done: Reversed, *, dry_run: bool) -> None:
    if json_wanted():
        print_json(
            asdict(done.reversal)
            | {"reopened": done.reopened, "nsf_fee_cents": done.nsf_fee_cents}
            | {"repeated": done.repeated, "dry_run": dry_run}
        )
    words = f"{_in_words(done)}."
    if done.repeated:
        success(f"Already booked: {words}")
    elif dry_run:
        say(f"Dry run: this would book {words}")
    else:
        success(f"Booked: {words}")


def _in_words(done: Reversed) -> str:
    money = done.payment.currency
    kind = done.reversal.kind.replace("_", " ")
    words = [f"{format_cents(done.reversal.amount_cents, money)} of {done.payment.reference} {kind}"]
    if done.reopened:
        words.append(f"open again {', '.join(done.reopened)}")
    if done.nsf_fee_cents:
        words.append(f"fee {format_cents(done.nsf_fee_cents, money)}")
    return ", ".join(words)
