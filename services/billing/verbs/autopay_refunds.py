"""`propman billing autopay refund`."""

from typing import Annotated
from uuid import UUID

import typer

from services.billing.domain.autopay import Answer, Result
from services.billing.domain.payments import ReversalRefused
from services.billing.gateways.configured import configured_gateways
from services.billing.handlers.refunding import NothingToRefund, RefundPlan, book_refund, plan_refund
from services.billing.settings import Settings
from services.billing.verbs.amounts import cents_in
from services.billing.verbs.database import opened
from shared.cli import (
    App,
    CommandError,
    DryRunOption,
    IdArgument,
    JsonOption,
    Unreachable,
    UsageProblem,
    json_wanted,
    print_json,
    success,
)
from shared.messaging.transaction import Transactions
from shared.money import format_cents


def add_to(app: App) -> None:
    """Give `propman billing autopay` its command."""
    app.command()(refund)


async def refund(
    charge_id: IdArgument,
    amount: Annotated[
        str | None, typer.Option("--amount", help="Less than all that is left of it, e.g. 50.00.")
    ] = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    r"""Give the money of a charge back through its gateway, and book it.

    If the answer gets lost, run the same command again: the gateway makes the same refund once.

    \b
    Examples:
      propman billing autopay refund CHARGE --dry-run
      propman billing autopay refund CHARGE --amount 50.00
    """
    async with opened() as transactions:
        plan = await _plan(transactions, charge_id, None if amount is None else cents_in(amount))
        if not dry_run:
            answer = await _ask(transactions, plan)
            async with transactions.command("billing.autopay_refund") as tx:
                await book_refund(tx, plan, answer)
    if json_wanted():
        document = {"dry_run": dry_run, "charge_id": charge_id, "refund_id": plan.order.refund_id}
        print_json(document | {"amount_cents": plan.order.amount_cents, "refunded_cents": plan.total_cents})
    amount_text = format_cents(plan.order.amount_cents, plan.charge.currency)
    words = "would be given back" if dry_run else "given back"
    success(f"{amount_text} {words} of {plan.charge.invoice_number} through {plan.charge.gateway}.")


async def _plan(transactions: Transactions, charge_id: UUID, amount_cents: int | None) -> RefundPlan:
    try:
        async with transactions.engine.connect() as connection:
            return await plan_refund(connection, charge_id, amount_cents)
    except NothingToRefund:
        raise CommandError(
            f"No charge {charge_id} has taken money.", remedy="See `propman billing autopay charges`."
        ) from None
    except ReversalRefused as refusal:
        raise CommandError(f"Not refunded: {refusal}.") from refusal


async def _ask(transactions: Transactions, plan: RefundPlan) -> Answer:
    """The gateway's yes; anything else ends the command, with what to do next."""
    gateways = configured_gateways(Settings(), transactions.clock)  # from the environment
    gateway = gateways.get(plan.charge.gateway)
    if gateway is None:
        raise UsageProblem(
            f"The gateway {plan.charge.gateway} is not configured here.", remedy="See docs/guides/autopay.md."
        )
    answer = await gateway.refund(plan.order)
    for other in gateways.values():
        await other.close()
    match answer.result:
        case Result.SUCCEEDED:
            return answer
        case Result.PROCESSING:
            remedy = "It is booked when the gateway tells that it is done."
            raise CommandError("The refund is under way at the gateway.", remedy=remedy)
        case Result.DECLINED:
            raise CommandError(f"The gateway refused ({answer.detail}).")
        case _:
            remedy = "Run the same command again: it is made once."
            raise Unreachable(f"Nobody knows yet whether it was refunded ({answer.detail}).", remedy=remedy)
