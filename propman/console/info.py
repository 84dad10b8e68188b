"""`propman info` and `propman memory`: the state of the whole system, once."""

from collections.abc import Iterable
from typing import Annotated

import typer

from propman.broker import queues_in_words
from propman.catalog import all_queues
from propman.console import showing
from propman.console.observing import Panel, Snapshot, observe
from propman.console.problems import unseen
from propman.console.processes import is_alive
from propman.discovery import service_names
from shared.cli import (
    CommandError,
    JsonOption,
    command_app,
    counted,
    print_json,
    print_table,
    say,
    success,
    warning,
)

info_app = command_app("info")
memory_app = command_app("memory")

CheckOption = Annotated[
    bool, typer.Option("--check", help="Exit 1 where something is wrong; for cron and CI.")
]


@info_app.command()
async def info(check: CheckOption = False, as_json: JsonOption = False) -> None:
    r"""Show services and their processes, queues, outboxes, dead letters and schedules, and what is wrong.

    A server that is down is one of the things that are wrong, and the rest is shown. Exit 1 where something
    is and --check was said; 3 where nothing could be looked at.

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
    seen.refuse_blindness()
    if check and seen.problems:
        raise CommandError(
            f"{counted(len(seen.problems), 'problem')}.", remedy="`propman doctor` says what to do."
        )


def _print(seen: Snapshot) -> None:
    if not seen.is_blind:
        _print_tables(seen)
    for problem in seen.problems:
        warning(problem)
    if not seen.problems:
        success("Nothing is wrong.")


def _print_tables(seen: Snapshot) -> None:
    _table(showing.SERVICE_COLUMNS, map(showing.service_cells, seen.services.rows))
    if alive := [row for row in seen.processes.rows if is_alive(row)]:
        say(showing.processes_in_words(alive))
    busy = [row for row in seen.queues.rows if row["ready"] or row["unacked"] or row["in_per_second"]]
    _table(showing.QUEUE_COLUMNS, map(showing.queue_cells, busy))
    if not busy and not seen.queues.error:
        say(_empty_words(len(seen.queues.rows)))
    _table(showing.SCHEDULE_COLUMNS, map(showing.schedule_cells, seen.schedules.rows))
    now = seen.alerts.at
    _table(showing.ALERT_COLUMNS, [showing.alert_cells(row, now) for row in seen.alerts.rows])
    newest = max(panel.at for _, panel in _panels(seen))
    ages = ", ".join(f"{name} {(newest - panel.at).total_seconds():.1f} s" for name, panel in _panels(seen))
    say(f"As of {newest:%Y-%m-%d %H:%M:%S} UTC; older than that are: {ages}.")
    if any(row["per_second"] for row in seen.services.rows if not row["error"]):
        say("What processes say of themselves is up to 2 s old, rates of the broker up to 5 s.")


def _empty_words(there: int) -> str:
    known = len(all_queues())
    if there == known:
        return f"All {queues_in_words()} are empty."
    return f"{known - there} of {queues_in_words()} are not there, the others are empty."


def _panels(seen: Snapshot) -> list[tuple[str, Panel]]:
    """Those that could be looked at, by name."""
    panels = [
        ("services", seen.services),
        ("queues", seen.queues),
        ("schedules", seen.schedules),
        ("alerts", seen.alerts),
    ]
    return [(name, panel) for name, panel in panels if panel.error is None]


def _table(columns: list[str], rows: Iterable[list[str]]) -> None:
    """A table where there is anything in it; what could not be looked at is among the problems."""
    if cells := list(rows):
        print_table(columns, cells)


@memory_app.command()
async def memory(as_json: JsonOption = False) -> None:
    r"""Show what every process on every host uses, now, at its start and at its peak, and the servers too.

    Exit 3 where nothing could be looked at.

    \b
    Examples:
      propman memory
      propman memory --json
    """
    seen = await observe()
    if as_json:
        print_json({"processes": seen.processes, "instances": seen.instances, "servers": seen.servers})
    elif not seen.is_blind:
        rows = seen.processes.rows
        cells = [showing.process_cells(row, service_names()) for row in rows]
        print_table(showing.PROCESS_COLUMNS, cells, empty="No process of Propman runs.")
        if len(rows) > 1:
            say(showing.processes_in_words(rows))
        _table(showing.SERVER_COLUMNS, map(showing.server_cells, seen.servers.rows))
    for reason in unseen(seen):
        warning(reason)
    seen.refuse_blindness()
