"""`propman billing autopay`: who is charged by themselves, and what came of it."""

from dataclasses import asdict
from datetime import date
from typing import Annotated, Any
from uuid import UUID

import typer

from services.billing.domain.autopay import State
from services.billing.gateways.configured import configured_gateways
from services.billing.handlers.autopay import (
    AlreadyEnrolled,
    LeaseUnknown,
    Method,
    NotEnrolled,
    end_enrolment,
    enrol,
)
from services.billing.settings import Settings
from services.billing.store import AutopayStore, ChargeStore
from services.billing.store.autopay import Enrolment
from services.billing.store.charges import Charge
from services.billing.verbs.database import opened, reading, unknown_lease
from shared.cli import (
    CommandError,
    IdArgument,
    JsonOption,
    LimitOption,
    PropertyOption,
    UsageProblem,
    date_option,
    id_option,
    json_wanted,
    print_json,
    print_table,
    service_app,
    success,
    warning,
)
from shared.clock import SystemClock
from shared.money import format_cents

app = service_app("autopay", "Charge tenants' cards and bank accounts when rent is due.")


@app.command("enrol")
async def enrol_lease(
    lease_id: IdArgument,
    gateway: Annotated[str, typer.Option("--gateway", help="stripe, or simulated (moves no money).")],
    customer: Annotated[str, typer.Option("--customer", help="The gateway's id of the payer, e.g. cus_…")],
    method: Annotated[str, typer.Option("--method", help="Its id of the card or account, e.g. pm_…")],
    from_on: Annotated[
        date | None, date_option("--from", help="Charge what is due on this day or later; today by default.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    r"""Charge the invoices of a lease, and of its renewals, by themselves.

    The tenant leaves their card or account with the gateway, on a page of the gateway's own, and agrees
    there to be charged; here it is named by the gateway's ids alone.

    \b
    Examples:
      propman billing autopay enrol LEASE --gateway stripe --customer cus_9s6XKz --method pm_1MqLiJ
      propman billing autopay enrol LEASE --gateway simulated --customer anybody --method sim_card
    """
    known = configured_gateways(Settings(), SystemClock())  # from the environment
    if gateway not in known:
        raise UsageProblem(f"There is no gateway {gateway!r} here.", remedy=_remedy(known))
    async with opened() as transactions:
        try:
            async with transactions.command("billing.autopay_enrol") as tx:
                made = await enrol(tx, lease_id, Method(gateway, customer, method), from_on)
        except LeaseUnknown as error:
            raise unknown_lease(lease_id) from error
        except AlreadyEnrolled as refusal:
            remedy = f"`propman billing autopay end {lease_id}` ends it."
            raise CommandError(f"Not enrolled: {refusal}.", remedy=remedy) from refusal
    if json_wanted():
        print_json(asdict(made))
    if gateway == "simulated":
        warning("The gateway is simulated: no money will move, and invoices will count as paid.")
    success(f"Enrolled: what is due on {made.enrolled_on} or later is charged through {gateway}.")


def _remedy(known: dict[str, Any]) -> str:
    names = " and ".join(sorted(known)) or "none"
    return (
        f"Configured: {names}. BILLING_STRIPE_SECRET_KEY gives stripe;"
        " BILLING_AUTOPAY_SIMULATED=true gives simulated."
    )


@app.command("end")
async def end_lease(
    lease_id: IdArgument,
    reason: Annotated[str, typer.Option("--reason", help="Kept with the enrolment.")] = "asked for",
    as_json: JsonOption = False,
) -> None:
    r"""Charge a lease by itself no more. What a gateway has been asked for already goes its way.

    \b
    Example:
      propman billing autopay end LEASE --reason "pays by bank transfer from now on"
    """
    async with opened() as transactions:
        try:
            async with transactions.command("billing.autopay_end") as tx:
                ended = await end_enrolment(tx, lease_id, reason)
        except LeaseUnknown as error:
            raise unknown_lease(lease_id) from error
        except NotEnrolled as refusal:
            raise CommandError(
                f"Nothing to end: {refusal}.", remedy="See `propman billing autopay list`."
            ) from refusal
    if json_wanted():
        print_json(asdict(ended))
    success(f"Ended on {ended.ended_on}; reminders ask for the payment from now on.")


@app.command("list")
async def list_enrolments(
    with_ended: Annotated[bool, typer.Option("--all", help="Also those that ended.")] = False,
    limit: LimitOption = 50,
    as_json: JsonOption = False,
) -> None:
    r"""List who is charged by themselves, newest first.

    \b
    Examples:
      propman billing autopay list
      propman billing autopay list --all --json
    """
    async with reading() as connection:
        found = await AutopayStore(connection).enrolments(ended=with_ended, limit=limit)
    if as_json:
        print_json(found)
        return
    rows = [_enrolment_row(item) for item in found]
    columns = ["account", "gateway", "customer", "method", "from", "ended", "reason"]
    print_table(columns, rows, empty="Nobody is enrolled in autopay.")


def _enrolment_row(item: Enrolment) -> list[object]:
    return [
        item.account_id,
        item.gateway,
        item.customer_ref,
        item.method_ref,
        item.enrolled_on,
        item.ended_on,
        item.ended_reason,
    ]


@app.command("charges")
async def list_charges(
    state: Annotated[
        str | None, typer.Option("--state", help="planned, unknown, failed, succeeded …")
    ] = None,
    lease_id: Annotated[UUID | None, id_option("--lease", help="Only the account of this lease.")] = None,
    property_id: PropertyOption = None,
    limit: LimitOption = 50,
    as_json: JsonOption = False,
) -> None:
    r"""List charges, newest first: what was asked for, what came of it, and when it is tried again.

    \b
    Examples:
      propman billing autopay charges --state failed
      propman billing autopay charges --state unknown --json
    """
    if state is not None and state not in set(State):
        raise UsageProblem(f"{state!r} is not a state.", remedy=f"Choose one of {', '.join(State)}.")
    async with reading() as connection:
        account = None if lease_id is None else await AutopayStore(connection).account_of(lease_id)
        if lease_id is not None and account is None:
            raise unknown_lease(lease_id)
        found = await ChargeStore(connection).search(
            state=state, account_id=account[0] if account else None, property_id=property_id, limit=limit
        )
    if as_json:
        print_json([_charge_json(item) for item in found])
        return
    columns = ["invoice", "attempt", "amount", "gateway", "state", "why", "again on", "reference"]
    print_table(columns, [_charge_row(item) for item in found], empty="There are no charges.")


def _charge_row(item: Charge) -> list[object]:
    return [
        item.invoice_number,
        item.attempt,
        format_cents(item.amount_cents, item.currency),
        item.gateway,
        item.state,
        item.failure,
        item.retry_on,
        item.gateway_ref,
    ]


def _charge_json(item: Charge) -> dict[str, Any]:
    hidden = {"claimed_by", "terms_id", "time_zone", "invoice_state", "open_cents"}
    return {name: value for name, value in asdict(item).items() if name not in hidden}
