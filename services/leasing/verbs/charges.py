"""`propman leasing leases add-charge` and `remove-charge`: one charge, from a day or up to a day."""

from dataclasses import replace
from datetime import date
from typing import Annotated

import typer

from services.leasing import handlers
from services.leasing.domain.charges import CHARGE_FORMAT, parse_charge
from services.leasing.domain.refusals import Invalid, Wrong
from services.leasing.verbs.database import changing, parsed, refusals
from services.leasing.verbs.lease_options import announce
from shared.cli import App, DryRunOption, IdArgument, JsonOption, date_option


async def add_charge(
    identity: IdArgument,
    text: Annotated[str, typer.Argument(metavar="CHARGE", help=f"As {CHARGE_FORMAT}.")],
    starts_on: Annotated[date | None, date_option("--from", help="Its first day.")] = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    r"""Agree on another charge, from its first day on.

    FREQUENCY is monthly, quarterly, annual or once; without, monthly. Without FROM and TO it begins and ends
    with the lease.

    \b
    Examples:
      propman leasing leases add-charge ID "parking:Parking:50.00" --from 2026-10-01
      propman leasing leases add-charge ID "boiler:Boiler inspection:120.00:annual:2026-11-15"
      propman leasing leases add-charge ID "key:Replacement key:25.00:once" --from 2026-09-20
    """
    with refusals():
        charge = parsed("charge", parse_charge, text)
        if starts_on is not None and charge.starts_on not in {None, starts_on}:
            raise Invalid([Wrong("from", f"is {starts_on}, and the charge says {charge.starts_on}")])
        charge = replace(charge, starts_on=starts_on or charge.starts_on)
    async with changing("add_charge", dry_run=dry_run) as tx:
        found = await handlers.add_charge(tx, identity, charge)
    announce(
        found,
        f"{charge.description} is charged from {charge.starts_on or found.starts_on}.",
        dry_run=dry_run,
        as_json=as_json,
    )


async def remove_charge(
    identity: IdArgument,
    code: Annotated[str, typer.Argument(metavar="CODE", help="Which one, such as pet_rent.")],
    on: Annotated[date, date_option("--on", help="Its last day.")],
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    r"""End a charge: the day is its last one, and what was charged up to then stays explainable.

    \b
    Example:
      propman leasing leases remove-charge ID parking --on 2026-12-31
    """
    async with changing("remove_charge", dry_run=dry_run) as tx:
        found = await handlers.remove_charge(tx, identity, code, on)
    announce(found, f"{code} is charged up to {on}.", dry_run=dry_run, as_json=as_json)


def add_to(app: App) -> None:
    """Offer these verbs under `propman leasing leases`."""
    app.command()(add_charge)
    app.command()(remove_charge)
