"""Plans in files: written by a dry run, carried out by `--apply`."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from services.billing.domain.invoices import Draft
from services.billing.domain.plans import FORMAT, PlannedInvoice, PlanOutdated, SavedPlan, planned, read_plan
from services.billing.handlers.applying import apply_plan, was_applied
from services.billing.handlers.planning import Plan, Request
from services.billing.store.invoices import Issued
from services.billing.verbs.documents import read_json
from shared.cli import CommandError, UsageProblem, plain, warning
from shared.documents import BadDocument
from shared.messaging.transaction import Transactions

MOST_SHOWN = 20


def write(file: Path, request: Request, drafts: Sequence[Draft]) -> None:
    """Keep what a dry run showed."""
    totals: Counter[str] = Counter()
    for draft in drafts:
        totals[draft.terms.currency] += draft.total_cents
    document = {
        "format": FORMAT,
        "as_of": request.as_of,
        "month": request.period,
        "property_id": request.property_id,
        "invoices": [_document(planned(draft)) for draft in drafts],
        "total_cents": totals,
    }
    try:
        file.write_text(json.dumps(plain(document), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise UsageProblem(f"{file} cannot be written: {error.strerror}.") from error


async def carry_out(transactions: Transactions, file: Path) -> tuple[Plan, list[Issued]] | None:
    """Issue what a plan says; None where that was done before.

    Where the world has changed, list the differences and issue nothing.
    """
    saved = _read(file)
    try:
        async with transactions.command("billing.apply_plan") as tx:
            return await apply_plan(tx, saved)
    except PlanOutdated as outdated:
        async with transactions.engine.connect() as connection:
            if await was_applied(connection, saved):
                return None
        for difference in outdated.differences[:MOST_SHOWN]:
            warning(difference)
        if len(outdated.differences) > MOST_SHOWN:
            warning(f"… and {len(outdated.differences) - MOST_SHOWN} more.")
        raise CommandError(
            f"Nothing was issued: the world has changed since the plan was made, {outdated}.",
            remedy="Make a new one with --dry-run --save.",
        ) from outdated


def _read(file: Path) -> SavedPlan:
    try:
        return read_plan(read_json(str(file), "The plan"))
    except BadDocument as problem:
        raise UsageProblem(f"{file} is not a plan that can be applied: {problem}.") from problem


def _document(invoice: PlannedInvoice) -> dict[str, object]:
    fields: dict[str, object] = {name: getattr(invoice, name) for name in PlannedInvoice.__dataclass_fields__}
    return fields | {"total_cents": invoice.total_cents}
