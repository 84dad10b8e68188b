"""`propman scheduler backfill`: run what a schedule has not run, after a look at what that is."""

from datetime import datetime
from typing import Annotated

import typer

from services.scheduler.backfilling import Gap, instants_between
from services.scheduler.backfilling import backfill as fill
from services.scheduler.definitions import InvalidSchedule
from services.scheduler.reporting import local_time
from services.scheduler.verbs.opening import KeyArgument, changing, the_schedule
from shared.cli import (
    App,
    ByOption,
    DryRunOption,
    JsonOption,
    UsageProblem,
    YesOption,
    confirm,
    json_wanted,
    parse_instant,
    print_json,
    print_table,
    say,
    signed,
    success,
)

_INSTANT = {"parser": parse_instant, "metavar": "INSTANT"}


def add_to(app: App) -> None:
    """Give the scheduler's app its command."""
    app.command()(backfill)


async def backfill(
    key: KeyArgument,
    *,
    after: Annotated[datetime, typer.Option("--from", help="Strictly after this moment.", **_INSTANT)],
    until: Annotated[datetime, typer.Option("--to", help="Up to this moment, included.", **_INSTANT)],
    everything: Annotated[bool, typer.Option("--all", help="Also what succeeded or is under way.")] = False,
    by: ByOption = None,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Announce the instants of a range that no run has succeeded for, oldest first, under one backfill id.

    They are announced at once and may overlap: each consumer takes them one after the other from its queue.

    \b
    Examples:
      propman scheduler backfill late-fees --from 2026-11-01T00:00:00Z --to 2026-11-08T00:00:00Z --dry-run
      propman scheduler backfill late-fees --from 2026-11-01T00:00:00Z --to 2026-11-08T00:00:00Z --yes
    """
    if until <= after:
        raise UsageProblem("--to is not after --from.")
    async with changing("backfill") as (store, tx):
        schedule = await the_schedule(store, key, lock=True)
        if until > tx.at:
            raise InvalidSchedule("--to lies in the future; only what has passed can be filled")
        gaps = await instants_between(tx.connection, schedule, after, until)
        chosen = [gap for gap in gaps if everything or gap.missing]
        if not json_wanted():
            _show(gaps, chosen)
        identity = None
        if chosen and not dry_run and confirm(f"Announce {len(chosen)} runs of {key}?", yes=yes):
            identity = await fill(tx, schedule, chosen, by=signed(by))
    if as_json:
        print_json(
            {"backfill_id": identity, "instants": gaps, "chosen": [gap.scheduled_for for gap in chosen]}
        )
    elif identity is None:
        say("Nothing was announced.")
    else:
        success(f"{len(chosen)} runs of {key} are announced; backfill {identity}.")


def _so_far(gap: Gap) -> str:
    if gap.state is None:
        return "cleaned up" if gap.forgotten else "never announced"
    return f"{gap.state}{f' ({gap.reason})' if gap.reason else ''}"


def _show(gaps: list[Gap], chosen: list[Gap]) -> None:
    wanted = set(chosen)
    rows = [
        [
            local_time(gap.scheduled_for, gap.zone),
            gap.zone,
            _so_far(gap),
            "run" if gap in wanted else "-",
        ]
        for gap in gaps
    ]
    print_table(["instant", "zone", "so far", "backfill"], rows, empty="Nothing was due in that range.")
