"""`propman rewards balance` and `ledger`."""

from typing import Annotated, Any
from uuid import UUID

from services.rewards.domain.ledgers import Funds
from services.rewards.handlers.reading import Standing, standings
from services.rewards.store import CopyStore, LedgerStore
from services.rewards.verbs.database import UNNAMED, reading, refuse_unknown_tenant
from shared.cli import (
    App,
    JsonOption,
    TenantOption,
    id_option,
    json_wanted,
    print_json,
    print_table,
    say,
)
from shared.money import format_cents

OneTenant = Annotated[UUID, id_option("--tenant", help="Whose ledger.")]


def add_to(app: App) -> None:
    """Give rewards' app its commands."""
    app.command()(balance)
    app.command()(ledger)


async def balance(tenant_id: TenantOption = None, as_json: JsonOption = False) -> None:
    r"""Show each tenant's streak, and what they can redeem.

    \b
    Examples:
      propman rewards balance
      propman rewards balance --tenant 0198c1d2-7e1a-7c3f-9b2e-3d4c5b6a7f80 --json
    """
    async with reading() as (connection, _):
        await refuse_unknown_tenant(connection, tenant_id)
        found = await standings(connection, None if tenant_id is None else [tenant_id])
        names = await CopyStore(connection).names()
    if json_wanted():
        print_json([_document(key, names.get(key), item) for key, item in found.items()])
        return
    print_table(
        ("tenant", "streak", "balance", "shortfall", "judged on", "id"),
        [
            (names.get(key, UNNAMED), item.streak, *_money(funds, currency), item.judged_on, key)
            for key, item in sorted(found.items(), key=lambda item: (names.get(item[0], "~"), item[0]))
            for currency, funds in item.funds or (("USD", Funds()),)
        ],
        empty="Nobody was judged yet: see `propman rewards calculate-rewards --dry-run`.",
    )


async def ledger(tenant_id: OneTenant, as_json: JsonOption = False) -> None:
    r"""Show every entry of a tenant's reward ledger, which is only ever added to.

    \b
    Examples:
      propman rewards ledger --tenant 0198c1d2-7e1a-7c3f-9b2e-3d4c5b6a7f80
    """
    async with reading() as (connection, _):
        await refuse_unknown_tenant(connection, tenant_id)
        entries = await LedgerStore(connection).entries_of(tenant_id)
        name = (await CopyStore(connection).names()).get(tenant_id)
    if json_wanted():
        print_json(entries)
        return
    say(f"The reward ledger of {name or tenant_id}:")
    print_table(
        ("posted on", "what", "rule", "month", "amount", "balance", "because"),
        [_row(entry) for entry in entries],
        empty="No reward was ever granted to this tenant.",
    )
    if entries and entries[-1]["shortfall_cents"]:
        shortfall = format_cents(entries[-1]["shortfall_cents"], entries[-1]["currency"])
        say(f"{shortfall} was revoked after it had been redeemed: the next grants make it good first.")


def _row(entry: dict[str, Any]) -> tuple[Any, ...]:
    currency = entry["currency"]
    sign = "" if entry["kind"] in {"granted", "restored"} else "-"
    because = (entry["cause"], entry["cause_period"], entry["reason"], entry["decided_by"])
    return (
        entry["posted_on"],
        entry["kind"],
        entry["rule"],
        entry["period"],
        sign + format_cents(entry["amount_cents"], currency),
        format_cents(entry["balance_cents"], currency),
        ", ".join(filter(None, because)),
    )


def _money(funds: Funds, currency: str) -> tuple[str, str]:
    return format_cents(funds.balance_cents, currency), format_cents(funds.shortfall_cents, currency)


def _document(tenant_id: UUID, name: str | None, found: Standing) -> dict[str, Any]:
    return {
        "tenant_id": tenant_id,
        "name": name,
        "streak": found.streak,
        "balance_cents": found.balance_cents,
        "shortfall_cents": found.shortfall_cents,
        "granted_cents": found.granted_cents,
        "revoked_cents": found.revoked_cents,
        "redeemed_cents": found.redeemed_cents,
        "judged_on": found.judged_on,
        "currencies": [
            {
                "currency": currency,
                "balance_cents": funds.balance_cents,
                "shortfall_cents": funds.shortfall_cents,
            }
            for currency, funds in found.funds
        ],
    }
