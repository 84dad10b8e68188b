"""`propman rewards explain`: why a month counts as it does, and why it earned something or nothing."""

from typing import Annotated, Any
from uuid import UUID

import typer

from services.rewards.domain.explaining import explain as sentences
from services.rewards.handlers.reading import Explained, explain_month
from services.rewards.store import CopyStore
from services.rewards.verbs.database import reading, refuse_unknown_tenant
from shared.cli import App, JsonOption, id_option, json_wanted, parse_month, print_json, say
from shared.money import format_cents

OneTenant = Annotated[UUID, id_option("--tenant", help="The tenant.")]
OneMonth = Annotated[
    str, typer.Option("--month", parser=parse_month, metavar="YYYY-MM", help="The month, e.g. 2026-09.")
]


def add_to(app: App) -> None:
    """Give rewards' app its command."""
    app.command()(explain)


async def explain(tenant_id: OneTenant, month: OneMonth, as_json: JsonOption = False) -> None:
    r"""Say what a month counts as for a tenant and why, and what each rule makes of it, also why not.

    It replays the facts as they are now; what was posted is shown beside it.

    \b
    Examples:
      propman rewards explain --tenant 0198c1d2-7e1a-7c3f-9b2e-3d4c5b6a7f80 --month 2026-09
    """
    async with reading() as (connection, today):
        await refuse_unknown_tenant(connection, tenant_id)
        found = await explain_month(connection, tenant_id, month, today)
        name = (await CopyStore(connection).names()).get(tenant_id)
    lines = sentences(found.record, found.policies, month)
    if json_wanted():
        print_json(_document(found, month, lines))
        return
    say(f"{month} of {name or tenant_id}:")
    for line in [*lines, *(_posted(entry) for entry in found.entries)]:
        typer.echo(line)
    if not found.entries:
        say("Nothing is posted for that month.")


def _posted(entry: dict[str, Any]) -> str:
    money = format_cents(entry["amount_cents"], entry["currency"])
    because = (entry["cause"], entry["cause_period"], entry["reason"], entry["decided_by"])
    why = ", ".join(filter(None, because))
    return f"On {entry['posted_on']} {money} was {entry['kind']}: {entry['rule']}" + (
        f" ({why})." if why else "."
    )


def _document(found: Explained, period: str, lines: list[str]) -> dict[str, Any]:
    month = found.record.month(period)
    return {
        "tenant_id": found.record.tenant_id,
        "month": period,
        "verdict": month and month.verdict,
        "why": month and month.why,
        "streak": month.streak if month else None,
        "invoices": [
            {
                "invoice_id": item.invoice.invoice_id,
                "number": item.invoice.number,
                "verdict": item.verdict,
                "why": item.why,
                "due_on": item.invoice.due_on,
                "deadline_on": item.deadline_on,
                "covered_on": item.invoice.covered_on,
            }
            for item in (month.judged if month else ())
        ],
        "earned": [
            {"rule": item.rule, "amount_cents": item.amount_cents, "currency": item.currency}
            for item in found.record.earned
            if item.period == period
        ],
        "posted": found.entries,
        "explanation": lines,
    }
