"""`propman info` and `propman memory`: the state of the whole system, once."""

from typing import Annotated

import typer

from propman.console import showing
from propman.console.observing import Panel, Snapshot, observe
from shared import heartbeats
from shared.cli import CommandError, JsonOption, command_app, print_json, print_table, say, success, warning

info_app = command_app("info")
memory_app = command_app("memory")

CheckOption = Annotated[
    bool, typer.Option("--check", help="Exit 1 where something is wrong; for cron and CI.")
]


@info_app.command()
async def info(check: CheckOption = False, as_json: JsonOption = False) -> None:
    r"""Show services and their processes, queues, outboxes, dead letters and schedules, and what is wrong.

    \b
    Examples:
      propman info
      propman info --check
      propman info --json
    """
    seen = await observe()
    if as_json:
        print_json(seen)
    else:
        _print(seen)
    if check and seen.problems:
        raise CommandError(f"{len(seen.problems)} problems.", remedy="`propman doctor` says what to do.")


def _print(seen: Snapshot) -> None:
    _table(showing.SERVICE_COLUMNS, [showing.service_cells(row) for row in seen.services.rows], seen.services)
    busy = [row for row in seen.queues.rows if row["ready"] or row["unacked"] or row["in_per_second"]]
    _table(showing.QUEUE_COLUMNS, [showing.queue_cells(row) for row in busy], seen.queues)
    if not busy and not seen.queues.error:
        say(f"All {len(seen.queues.rows)} queues are empty.")
    _table(
        showing.SCHEDULE_COLUMNS, [showing.schedule_cells(row) for row in seen.schedules.rows], seen.schedules
    )
    now = seen.alerts.at
    _table(showing.ALERT_COLUMNS, [showing.alert_cells(row, now) for row in seen.alerts.rows], seen.alerts)
    newest = max(panel.at for _, panel in _panels(seen))
    ages = ", ".join(f"{name} {(newest - panel.at).total_seconds():.1f} s" for name, panel in _panels(seen))
    say(f"As of {newest:%Y-%m-%d %H:%M:%S} UTC; older than that are: {ages}.")
    if any(row["per_second"] for row in seen.services.rows if not row["error"]):
        say("What processes say of themselves is up to 2 s old, rates of the broker up to 5 s.")
    for problem in seen.problems:
        warning(problem)
    if not seen.problems:
        success("Nothing is wrong.")


def _panels(seen: Snapshot) -> list[tuple[str, Panel]]:
    return [
        ("services", seen.services),
        ("queues", seen.queues),
        ("schedules", seen.schedules),
        ("alerts", seen.alerts),
    ]


def _table(columns: list[str], rows: list[list[str]], panel: Panel) -> None:
    if panel.error:
        warning(f"{columns[0]}: {panel.error}")
    elif rows:
        print_table(columns, rows)


@memory_app.command()
async def memory(as_json: JsonOption = False) -> None:
    r"""Show what every process on every host uses, now, at its start and at its peak, and the servers too.

    \b
    Examples:
      propman memory
      propman memory --json
    """
    seen = await observe()
    if as_json:
        print_json({"instances": seen.instances, "servers": seen.servers})
        return
    now = seen.instances.at
    rows = [
        showing.instance_cells(
            row,
            state=state_of(row, alive=heartbeats.is_alive(row, now)),
            up=(now - row["started_at"]).total_seconds(),
        )
        for row in seen.instances.rows
        if row["state"] != "stopped"
    ]
    print_table(showing.INSTANCE_COLUMNS, rows, empty="No process of Propman runs.")
    _table(showing.SERVER_COLUMNS, [showing.server_cells(row) for row in seen.servers.rows], seen.servers)


def state_of(row: dict[str, object], *, alive: bool) -> str:
    """A process's state, as far as its silence lets one say."""
    return str(row["state"]) if alive or row["state"] == "stopped" else "SILENT"
