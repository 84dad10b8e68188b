"""`propman leasing leases`: signing, changing, ending and looking."""

from datetime import date
from typing import Annotated
from uuid import UUID

import typer

from services.leasing import handlers
from services.leasing.domain.refusals import Invalid, Unknown, Wrong
from services.leasing.domain.terms import LeaseTerms, RentChange
from services.leasing.domain.values import parse_amount
from services.leasing.store import leases as store
from services.leasing.verbs import charges, renewals
from services.leasing.verbs.database import MORE, changing, first, given, now, parsed, reading, refusals
from services.leasing.verbs.lease_display import lease_document, print_lease, print_leases
from services.leasing.verbs.lease_options import (
    ChargesOption,
    DueDayOption,
    EndOption,
    FreeMonthsOption,
    FrequencyOption,
    NoChargesOption,
    ThenOption,
    announce,
    charges_given,
    frequency_given,
    months_given,
    rolls_over_agreed,
    rolls_over_given,
)
from shared.cli import (
    DryRunOption,
    IdArgument,
    JsonOption,
    LimitOption,
    PropertyOption,
    TenantOption,
    date_option,
    id_option,
    print_json,
    service_app,
)

app = service_app("leases", "Who rents which unit, on what terms.")


@app.command()
async def add(
    *,
    unit_id: Annotated[UUID, id_option("--unit", help="What is let.")],
    tenant_ids: Annotated[list[UUID], id_option("--tenant", help="To whom. Repeatable.")],
    rent: Annotated[str, typer.Option("--rent", metavar="AMOUNT", help="Each time it is due: 1234.50.")],
    starts_on: Annotated[date, date_option("--starts-on", help="The first day.")],
    ends_on: EndOption = None,
    then: ThenOption = None,
    frequency: FrequencyOption = None,
    due_day: DueDayOption = None,
    charge: ChargesOption = None,
    free_month: FreeMonthsOption = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    r"""Let a unit to one or several tenants; prints the lease's id.

    \b
    Examples:
      propman leasing leases add --unit ID --tenant ID --rent 1250 --starts-on 2026-09-15
      propman leasing leases add --unit ID --tenant ID --tenant ID --rent 1250 --starts-on 2026-09-01 \
        --ends-on 2027-08-31 --then month-to-month --free-month 2026-10 --charge "pet_rent:Pet rent:35"
      propman leasing leases add --unit ID --tenant ID --rent 300 --frequency weekly --starts-on 2026-09-07
    """
    with refusals():
        terms = LeaseTerms(
            rent_cents=parsed("rent", parse_amount, rent),
            frequency=frequency_given(frequency) or "monthly",
            free_periods=months_given(free_month) or (),
            charges=charges_given(charge) or (),
            starts_on=starts_on,
            ends_on=ends_on,
            rolls_over=rolls_over_agreed(then, ends_on) or False,
            due_day=1 if due_day is None else due_day,
        )
    async with changing("sign_lease", dry_run=dry_run) as tx:
        found = await handlers.sign_lease(tx, unit_id, tenant_ids, terms)
    announce(
        found, f"Unit {found.unit_label} is let from {found.starts_on}.", dry_run=dry_run, as_json=as_json
    )


@app.command()
async def change(
    *,
    identity: IdArgument,
    rent: Annotated[
        str | None,
        typer.Option("--rent", metavar="AMOUNT", help="A new rent: with --from, else a correction."),
    ] = None,
    rent_from: Annotated[date | None, date_option("--from", help="The first day of the new rent.")] = None,
    cancel: Annotated[
        list[date] | None,
        date_option("--cancel-rent-change", help="Take back the one from this day. Repeatable."),
    ] = None,
    due_day: DueDayOption = None,
    ends_on: EndOption = None,
    then: ThenOption = None,
    charge: ChargesOption = None,
    no_charges: NoChargesOption = False,
    free_month: FreeMonthsOption = None,
    no_free_months: Annotated[bool, typer.Option("--no-free-months", help="Take all of them away.")] = False,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    r"""Change a lease's terms; what is not given stays.

    Without --from, --rent corrects the rent that the lease started with. --charge replaces all charges and
    --free-month all free months; add-charge and remove-charge change one charge from a day on.

    \b
    Examples:
      propman leasing leases change ID --rent 1300 --from 2027-01-01
      propman leasing leases change ID --cancel-rent-change 2027-01-01
      propman leasing leases change ID --ends-on 2027-12-31 --then month-to-month
    """
    with refusals():
        amount = parsed("rent", parse_amount, rent) if rent is not None else None
        changes = given(
            rent_cents=amount if rent_from is None else None,
            due_day=due_day,
            ends_on=ends_on,
            rolls_over=rolls_over_given(then),
            charges=() if no_charges and not charge else charges_given(charge),
            free_periods=() if no_free_months and not free_month else months_given(free_month),
        )
        scheduled = _scheduled(amount, rent_from)
    async with changing("change_lease", dry_run=dry_run) as tx:
        found = await handlers.change_lease(
            tx, identity, scheduled=scheduled, taken_back=cancel or (), **changes
        )
    announce(found, f"The lease is at version {found.version}.", dry_run=dry_run, as_json=as_json)


def _scheduled(amount: int | None, effective_on: date | None) -> list[RentChange]:
    if effective_on is None:
        return []
    if amount is None:
        raise Invalid([Wrong("rent", "is missing: --from says from when there is another")])
    return [RentChange(effective_on=effective_on, rent_cents=amount)]


@app.command()
async def end(
    identity: IdArgument,
    on: Annotated[date, date_option("--on", help="The last day.")],
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """End a lease, also one that goes on from month to month; its terms do not change any more."""
    async with changing("end_lease", dry_run=dry_run) as tx:
        found = await handlers.end_lease(tx, identity, on)
    announce(
        found,
        f"The lease of unit {found.unit_label} ends on {found.ends_on}.",
        dry_run=dry_run,
        as_json=as_json,
    )


@app.command("list")
async def list_(
    property_id: PropertyOption = None,
    tenant_id: TenantOption = None,
    limit: LimitOption = 100,
    as_json: JsonOption = False,
) -> None:
    """List leases by property, unit and start, with the rent of today and what comes next."""
    async with reading() as connection:
        found = await store.list_leases(
            connection, limit + MORE, property_id=property_id, tenant_id=tenant_id
        )
    rows = first(found, limit)
    if as_json:
        print_json([lease_document(row, now()) for row in rows])
    else:
        print_leases(rows, now(), empty="There are no leases here.")


@app.command()
async def show(identity: IdArgument, as_json: JsonOption = False) -> None:
    """Show one lease with all its terms, what is to come, and what happens at its end."""
    async with reading() as connection:
        rows = await store.list_leases(connection, 1, lease_id=identity)
    with refusals():
        if not rows:
            raise Unknown("lease", identity)
    if as_json:
        print_json(lease_document(rows[0], now()))
    else:
        print_lease(rows[0], now())


renewals.add_to(app)
charges.add_to(app)
