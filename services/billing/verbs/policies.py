"""`propman billing policy`: what is agreed about billing, shown, set and explained."""

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer
from sqlalchemy.ext.asyncio import AsyncConnection

from services.billing.domain.jurisdictions import UnlawfulPolicy
from services.billing.domain.policies import DEFAULT_POLICY, document_of, read_layer
from services.billing.domain.policy_book import Place
from services.billing.domain.policy_fields import BY_NAME, POLICY_FIELDS
from services.billing.domain.policy_template import template
from services.billing.domain.policy_words import key_named, read_assignments
from services.billing.handlers.policies import (
    Located,
    PlaceUnknown,
    Planned,
    PolicyChangedMeanwhile,
    keep_policy,
    locate,
    plan_policy,
)
from services.billing.store import InvoiceStore, PolicyStore
from services.billing.verbs.database import opened, unknown_invoice
from services.billing.verbs.policy_files import read_policy_file, refuse
from services.billing.verbs.policy_tables import (
    change_json,
    show_change,
    show_history,
    show_issued_terms,
    show_policy,
)
from shared.cli import (
    ByOption,
    CommandError,
    DryRunOption,
    JsonOption,
    UsageProblem,
    date_option,
    id_option,
    json_wanted,
    print_json,
    say,
    service_app,
    signed,
    success,
)
from shared.clock import local_date
from shared.documents import BadDocument
from shared.messaging.transaction import Transactions

app = service_app("policy", "What is agreed about billing: due days, late fees, reminders.")

OfPropertyOption = Annotated[UUID | None, id_option("--property", help="Of this property.")]
OfLeaseOption = Annotated[UUID | None, id_option("--lease", help="Of this lease.")]
EffectiveOption = Annotated[
    date | None, date_option("--effective-on", help="From this day on; by default today, at the property.")
]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why; it is kept with the version.")]


@app.command("show")
async def show(
    property_id: OfPropertyOption = None,
    lease_id: OfLeaseOption = None,
    invoice: Annotated[str | None, typer.Option("--invoice", help="As an invoice was issued under.")] = None,
    on: Annotated[date | None, date_option("--on", help="As it is on this day; by default today.")] = None,
    as_json: JsonOption = False,
) -> None:
    r"""Show what holds, where each value comes from, and when the first late fee is possible.

    \b
    Examples:
      propman billing policy show
      propman billing policy show --property 0198c1d2-7e1a-7c3f-9b2e-3d4c5b6a7f80 --on 2026-12-01
      propman billing policy show --invoice INV-2026-000001
    """
    if invoice is not None and (property_id or lease_id or on):
        raise UsageProblem("An invoice has the terms it was issued under.", remedy="Give --invoice alone.")
    async with opened() as transactions, transactions.engine.connect() as connection:
        if invoice is not None:
            await _show_invoice(transactions, connection, invoice)
            return
        located = await _located(connection, property_id, lease_id)
        book = await PolicyStore(connection).book_around(located.place)
        show_policy(located, book, on or _today(transactions, located))


@app.command("set")
async def set_policy(
    reason: ReasonOption,
    words: Annotated[list[str] | None, typer.Argument(metavar="KEY=VALUE…", help="What is to hold.")] = None,
    property_id: OfPropertyOption = None,
    lease_id: OfLeaseOption = None,
    effective_on: EffectiveOption = None,
    from_file: Annotated[
        Path | None, typer.Option("--from-file", help="Also what this TOML or JSON file says.")
    ] = None,
    by: ByOption = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    r"""Set fields for the whole portfolio, a property or a lease, from a day on.

    A lease overrules its property, and a property the portfolio, field by field. Invoices that were
    issued keep their terms. Money may be written as nsf_fee=25.00, rules as kind:amount joined by +.

    \b
    Examples:
      propman billing policy set grace_days=5 late_fee_rules=flat:50 --reason "as in the leases"
      propman billing policy set late_fee_rules=flat:50+daily:5,max_days=10 late_fee_cap=lesser_of:100,10% \
        --property 0198c1d2-7e1a-7c3f-9b2e-3d4c5b6a7f80 --effective-on 2027-01-01 --reason "new terms"
      propman billing policy set --from-file policy.toml --reason "reviewed" --dry-run
    """
    given = _given(words or [], from_file)
    if not given:
        raise UsageProblem("Nothing is given.", remedy="Give KEY=VALUE or --from-file.")
    await _change(given, (), (property_id, lease_id), effective_on, (reason, by), dry_run=dry_run)


@app.command("unset")
async def unset_policy(
    names: Annotated[list[str], typer.Argument(metavar="KEY…", help="The fields to take back.")],
    reason: ReasonOption,
    property_id: OfPropertyOption = None,
    lease_id: OfLeaseOption = None,
    effective_on: EffectiveOption = None,
    by: ByOption = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    r"""Take fields back, so that the layer above decides them again.

    \b
    Example:
      propman billing policy unset grace_days --property 0198c1d2-7e1a-7c3f-9b2e-3d4c5b6a7f80 \
        --reason "as everywhere"
    """
    keys = [key_named(name) for name in names]
    if unknown := [name for name, key in zip(names, keys, strict=True) if key not in BY_NAME]:
        raise UsageProblem(
            f"No such field: {', '.join(unknown)}.", remedy="See `propman billing policy template`."
        )
    await _change({}, keys, (property_id, lease_id), effective_on, (reason, by), dry_run=dry_run)


@app.command("history")
async def history(
    property_id: OfPropertyOption = None, lease_id: OfLeaseOption = None, as_json: JsonOption = False
) -> None:
    r"""List the versions of one layer: what each changed, from when on, who set it and why.

    \b
    Examples:
      propman billing policy history
      propman billing policy history --lease 0198c1d2-7e1a-7c3f-9b2e-3d4c5b6a7f80 --json
    """
    async with opened() as transactions, transactions.engine.connect() as connection:
        located = await _located(connection, property_id, lease_id)
        book = await PolicyStore(connection).book_around(located.place)
    show_history(located, book.history(*located.place.layers[-1]))


@app.command("validate")
def validate(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A policy in TOML or JSON.")],
    as_json: JsonOption = False,
) -> None:
    r"""Say everything that is wrong with a policy in a file. Needs no server.

    \b
    Example:
      propman billing policy validate policy.toml
    """
    try:
        layer = read_layer(read_policy_file(file))
    except BadDocument as problem:
        if as_json:
            print_json({"valid": False, "mistakes": problem.mistakes})
        raise refuse(problem, source=str(file)) from problem
    if as_json:
        print_json({"valid": True, "terms": layer})
    success(f"{file} is valid: it sets {', '.join(layer) or 'nothing'}.")


@app.command("template")
def print_template(as_json: JsonOption = False) -> None:
    r"""Print a policy to fill in, with every field's meaning and default. Needs no server.

    \b
    Example:
      propman billing policy template >policy.toml
    """
    if not as_json:
        typer.echo(template(), nl=False)
        return
    defaults = document_of(DEFAULT_POLICY)
    print_json(
        {
            item.name: {"meaning": item.meaning, "default": defaults[item.name], "example": item.example}
            for item in POLICY_FIELDS
        }
    )


async def _show_invoice(transactions: Transactions, connection: AsyncConnection, identity: str) -> None:
    invoice = await InvoiceStore(connection).find(identity)
    if invoice is None:
        raise unknown_invoice(identity)
    store = PolicyStore(connection)
    terms = await store.terms_of(invoice.invoice_id)
    located = await _located(connection, None, invoice.lease_id)
    book = await store.book_around(located.place)
    show_issued_terms(invoice, terms, book.policy(located.place, _today(transactions, located)))


def _given(words: Sequence[str], file: Path | None) -> dict[str, Any]:
    """What the command line says, over what the file says."""
    try:
        return (read_policy_file(file) if file else {}) | read_assignments(words)
    except BadDocument as problem:
        raise refuse(problem, source="what is given", kind=UsageProblem) from problem


async def _change(
    given: Mapping[str, Any],
    taken_back: Sequence[str],
    of: tuple[UUID | None, UUID | None],
    effective_on: date | None,
    order: tuple[str, str | None],
    *,
    dry_run: bool,
) -> None:
    reason, by = order
    if not reason.strip():
        raise UsageProblem("A change needs a reason.", remedy='Give --reason "…".')
    async with opened() as transactions:
        async with transactions.engine.connect() as connection:
            located = await _located(connection, *of)
            on = effective_on or _today(transactions, located)
            planned = await _plan(connection, located.place, on, given, taken_back)
        if not dry_run and not planned.change.repeats:
            await _keep(transactions, planned, reason.strip(), signed(by))
    if json_wanted():
        print_json(change_json(located, planned, dry_run=dry_run))
    _say(located, planned, dry_run=dry_run)


async def _plan(
    connection: AsyncConnection, place: Place, on: date, given: Mapping[str, Any], taken_back: Sequence[str]
) -> Planned:
    try:
        return await plan_policy(connection, place, on, given, taken_back=taken_back)
    except BadDocument as problem:
        raise refuse(problem, source="what is given", kind=UsageProblem) from problem
    except UnlawfulPolicy as refusal:
        raise CommandError(
            f"Nothing was set: {refusal}.", remedy="Change it, or set jurisdiction_mode=clamp."
        ) from refusal


async def _keep(transactions: Transactions, planned: Planned, reason: str, by: str) -> None:
    try:
        async with transactions.command("billing.set_policy") as tx:
            await keep_policy(tx, planned.change, reason=reason, by=by)
    except PolicyChangedMeanwhile as refusal:
        raise CommandError(f"Nothing was set: {refusal}.", remedy="Look at it, and try again.") from refusal


def _say(located: Located, planned: Planned, *, dry_run: bool) -> None:
    change = planned.change
    if change.repeats:
        success(f"Nothing to do: this is so already for {located.name} on {change.effective_on}.")
        return
    show_change(located, planned)
    what = f"version {change.version} of the policy of {located.name}, from {change.effective_on} on"
    if dry_run:
        say(f"Dry run: this would be {what}.")
    else:
        success(f"Set: {what}.")


async def _located(connection: AsyncConnection, property_id: UUID | None, lease_id: UUID | None) -> Located:
    try:
        return await locate(connection, property_id, lease_id)
    except PlaceUnknown as refusal:
        raise UsageProblem(
            f"Billing knows {refusal}.", remedy="See `propman leasing leases list`."
        ) from refusal


def _today(transactions: Transactions, located: Located) -> date:
    return local_date(transactions.clock.now(), located.time_zone)
