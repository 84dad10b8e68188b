"""`propman leasing leases renew`."""

from datetime import date
from typing import Annotated

import typer

from services.leasing import handlers
from services.leasing.domain.renewals import Renewal
from services.leasing.domain.values import parse_amount
from services.leasing.verbs.database import changing, parsed, refusals
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
)
from shared.cli import App, DryRunOption, IdArgument, JsonOption, date_option


async def renew(
    *,
    identity: IdArgument,
    starts_on: Annotated[
        date | None, date_option("--starts-on", help="The first day; else the day after the agreed end.")
    ] = None,
    ends_on: EndOption = None,
    then: ThenOption = None,
    rent: Annotated[
        str | None, typer.Option("--rent", metavar="AMOUNT", help="Else the rent goes on as it is.")
    ] = None,
    frequency: FrequencyOption = None,
    due_day: DueDayOption = None,
    charge: ChargesOption = None,
    no_charges: NoChargesOption = False,
    free_month: FreeMonthsOption = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    r"""Renew a lease: another one for the same unit and tenants, on the same account; prints its id.

    It follows the old one directly, which gets its end. What is not given goes on as it was: rent, due day,
    charges, and what happens after the end. --charge replaces all charges.

    \b
    Examples:
      propman leasing leases renew ID --ends-on 2027-12-31 --rent 1300
      propman leasing leases renew ID --starts-on 2026-10-01 --ends-on 2027-09-30 --then month-to-month
    """
    with refusals():
        renewal = Renewal(
            starts_on=starts_on,
            ends_on=ends_on,
            rent_cents=parsed("rent", parse_amount, rent) if rent is not None else None,
            frequency=frequency_given(frequency),
            charges=() if no_charges and not charge else charges_given(charge),
            free_periods=months_given(free_month),
            rolls_over=rolls_over_agreed(then, ends_on),
            due_day=due_day,
        )
    async with changing("renew_lease", dry_run=dry_run) as tx:
        found = await handlers.renew_lease(tx, identity, renewal)
    announce(
        found,
        f"Unit {found.unit_label} is let to the same tenants from {found.starts_on} on.",
        dry_run=dry_run,
        as_json=as_json,
    )


def add_to(app: App) -> None:
    """Offer this verb under `propman leasing leases`."""
    app.command()(renew)
