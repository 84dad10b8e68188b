"""`propman trigger`: for people who keep their own cron, and for trying things out."""

from typing import Annotated

import typer

from services.scheduler.asking import KeyOption, Request, TimeoutOption, WaitOption, announce_by_hand
from shared.cli import AsOfOption, JsonOption, MonthOption, PropertyOption, command_app

app = command_app("trigger")


@app.command()
async def trigger(
    name: Annotated[
        str,
        typer.Argument(metavar="NAME", help="A schedule's key or a trigger, such as monthly-billing-due."),
    ],
    *,
    month: MonthOption = None,
    property_id: PropertyOption = None,
    as_of: AsOfOption = None,
    key: KeyOption = None,
    wait: WaitOption = False,
    timeout: TimeoutOption = 120,  # noqa: ASYNC109 - the option's name
    as_json: JsonOption = False,
) -> None:
    """Say that a time has come: publish a trigger, as the scheduler does at its times.

    NAME is a schedule's key, or a trigger's name where there is no schedule. Without --wait the
    occurrence's id is printed; `propman scheduler history` and `propman trace ID` say what came of it.

    \b
    Examples:
      propman trigger monthly-billing --wait
      propman trigger monthly-billing --month 2026-12 --key december
      propman trigger MonthlyBillingDue --property 0198c1d2-7e1a-7c3f-9b2e-3d4c5b6a7f80 --wait --timeout 60
    """
    payload = {"period": month, "property_id": property_id}
    await announce_by_hand(name, payload, Request(key=key, as_of=as_of), wait=wait, timeout=timeout)
