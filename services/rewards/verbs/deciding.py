"""`propman rewards grant`, `revoke` and `redeem`: what a person decides."""

from typing import Annotated, Any
from uuid import UUID

import typer

from services.rewards.handlers.by_hand import Decided, NewGrant
from services.rewards.handlers.by_hand import grant as grant_reward
from services.rewards.handlers.by_hand import revoke as revoke_reward
from services.rewards.handlers.posting import Decision
from services.rewards.handlers.redeeming import NewRedemption, Redeemed
from services.rewards.handlers.redeeming import redeem as redeem_reward
from services.rewards.verbs.database import opened, refusals_in_words
from shared.cli import (
    App,
    ByOption,
    DryRunOption,
    IdArgument,
    JsonOption,
    LeaseOption,
    UsageProblem,
    id_option,
    json_wanted,
    print_json,
    say,
    signed,
    success,
    warning,
)
from shared.money import BadAmount, format_cents, parse_cents

ForTenant = Annotated[UUID, id_option("--tenant", help="The tenant.")]
AmountOption = Annotated[str, typer.Option("--amount", metavar="AMOUNT", help="How much, e.g. 25.00.")]
SomeAmount = Annotated[
    str | None, typer.Option("--amount", metavar="AMOUNT", help="How much; without it, all there is.")
]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why; it is kept, and the tenant reads it.")]
ReferenceOption = Annotated[
    str | None, typer.Option("--reference", help="Your own name for it: given twice, it is done once.")
]
CurrencyOption = Annotated[str, typer.Option("--currency", help="An ISO code, such as USD.")]


def add_to(app: App) -> None:
    """Give rewards' app its commands."""
    app.command()(grant)
    app.command()(revoke)
    app.command()(redeem)


async def grant(
    tenant_id: ForTenant,
    amount: AmountOption,
    reason: ReasonOption,
    lease_id: LeaseOption = None,
    reference: ReferenceOption = None,
    currency: CurrencyOption = "USD",
    by: ByOption = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    r"""Give a tenant a reward that no rule asks for.

    \b
    Examples:
      propman rewards grant --tenant 0198c1d2-7e1a-7c3f-9b2e-3d4c5b6a7f80 --amount 25.00 --reason "The boiler"
    """
    new = NewGrant(
        tenant_id=tenant_id,
        amount_cents=_cents(amount),
        decision=Decision(reason, signed(by)),
        lease_id=lease_id,
        currency=currency,
        reference=reference,
    )
    with refusals_in_words("grant"):
        async with opened() as transactions, transactions.command("rewards.grant", dry_run=dry_run) as tx:
            decided = await grant_reward(tx, new)
    _report("granted", decided, dry_run=dry_run)


async def revoke(
    entry_id: IdArgument,
    reason: ReasonOption,
    by: ByOption = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    r"""Take a grant back for good: it is not granted again for that month, whatever the rule says.

    The id is that of the grant, as `propman rewards ledger --json` shows it.

    \b
    Examples:
      propman rewards revoke 0198c1d2-7e1a-7c3f-9b2e-3d4c5b6a7f80 --reason "Granted in error"
    """
    with refusals_in_words("revoke"):
        async with opened() as transactions, transactions.command("rewards.revoke", dry_run=dry_run) as tx:
            decided = await revoke_reward(tx, entry_id, Decision(reason, signed(by)))
    _report("revoked", decided, dry_run=dry_run)


async def redeem(
    tenant_id: ForTenant,
    amount: SomeAmount = None,
    lease_id: LeaseOption = None,
    reference: ReferenceOption = None,
    currency: CurrencyOption = "USD",
    by: ByOption = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    r"""Use a tenant's balance, as the policy of the lease's property has it.

    Against rent or fees, billing books it as a payment with the method `reward`; what it has no use for comes
    back to the balance. Off the ledger, it is yours to hand out.

    \b
    Examples:
      propman rewards redeem --tenant 0198c1d2-7e1a-7c3f-9b2e-3d4c5b6a7f80
      propman rewards redeem --tenant 0198c1d2-7e1a-7c3f-9b2e-3d4c5b6a7f80 --amount 25.00 --reference gift-7
    """
    new = NewRedemption(
        tenant_id=tenant_id,
        amount_cents=None if amount is None else _cents(amount),
        lease_id=lease_id,
        currency=currency,
        reference=reference,
        decision=Decision("", signed(by)),
    )
    with refusals_in_words("redeem"):
        async with opened() as transactions, transactions.command("rewards.redeem", dry_run=dry_run) as tx:
            redeemed = await redeem_reward(tx, new)
    _report_redeemed(redeemed, dry_run=dry_run)


def _cents(amount: str) -> int:
    try:
        cents = parse_cents(amount)
    except BadAmount as reason:
        raise UsageProblem(str(reason)) from reason
    if cents <= 0:
        raise UsageProblem(f"{amount} is not more than nothing.", remedy="Write an amount such as 25.00.")
    return cents


def _report(what: str, decided: Decided, *, dry_run: bool) -> None:
    money, balance = (
        format_cents(cents, decided.currency) for cents in (decided.amount_cents, decided.funds.balance_cents)
    )
    if json_wanted():
        print_json(_document(what, decided) | {"dry_run": dry_run})
    if decided.repeated:
        success(f"{money} was {what} before under this reference; nothing is done.")
        return
    success(f"{money} {'would be' if dry_run else 'is'} {what}; the balance is then {balance}.")
    if decided.missing_cents:
        missing = format_cents(decided.missing_cents, decided.currency)
        warning(f"{missing} of it had been redeemed: it is kept as shortfall.")


def _document(what: str, decided: Decided) -> dict[str, Any]:
    return {
        "what": what,
        "entry_id": decided.entry_id,
        "amount_cents": decided.amount_cents,
        "currency": decided.currency,
        "balance_cents": decided.funds.balance_cents,
        "shortfall_cents": decided.funds.shortfall_cents,
        "missing_cents": decided.missing_cents,
        "repeated": decided.repeated,
    }


def _report_redeemed(redeemed: Redeemed, *, dry_run: bool) -> None:
    use, money = (
        redeemed.redemption,
        format_cents(redeemed.redemption.amount_cents, redeemed.redemption.currency),
    )
    if json_wanted():
        names = ("redemption_id", "tenant_id", "account_id", "amount_cents", "currency", "against")
        document = {name: getattr(use, name) for name in names}
        balance = {"balance_cents": redeemed.funds.balance_cents, "repeated": redeemed.repeated}
        print_json(document | balance | {"dry_run": dry_run})
    if redeemed.repeated:
        success(f"{money} was redeemed before under this reference; nothing is done.")
        return
    left = format_cents(redeemed.funds.balance_cents, use.currency)
    success(f"{money} {'would be' if dry_run else 'is'} redeemed ({use.against}); {left} is left.")
    if use.against != "off_ledger":
        say("Billing books it; what it has no use for comes back to the balance.")
