"""`propman scheduler backfill`: run what a schedule has not run, after a look at what that is."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated

import typer

from services.scheduler.backfilling import MOST, Gap, instants_between
from services.scheduler.backfilling import backfill as fill
from services.scheduler.backfilling import cancel as stop
from services.scheduler.definitions import InvalidSchedule
from services.scheduler.domain.backfills import Backfill
from services.scheduler.reporting import local_time, run_time
from services.scheduler.store import BackfillStore
from services.scheduler.verbs.opening import KeyArgument, changing, looking, the_schedule
from shared.cli import (
    App,
    ByOption,
    DryRunOption,
    IdArgument,
    JsonOption,
    LimitOption,
    UsageProblem,
    YesOption,
    confirm,
    counted,
    json_wanted,
    parse_instant,
    print_json,
    print_table,
    say,
    signed,
    success,
)

COLUMNS = [
    *("backfill", "schedule", "since", "by", "state", "at a time"),
    *("waiting", "under way", "succeeded", "failed", "left out"),
]
_INSTANT = {"parser": parse_instant, "metavar": "INSTANT"}


def add_to(app: App) -> None:
    """Give the scheduler's app its commands."""
    app.command()(backfill)
    group = app.group("backfills", "Ranges that are being filled: how far each has come, and no further.")
    group.command("list")(list_backfills)
    group.command()(cancel)


async def backfill(
    key: KeyArgument,
    *,
    after: Annotated[datetime, typer.Option("--from", help="Strictly after this moment.", **_INSTANT)],
    until: Annotated[datetime, typer.Option("--to", help="Up to this moment, included.", **_INSTANT)],
    everything: Annotated[bool, typer.Option("--all", help="Also what succeeded or is under way.")] = False,
    max_in_flight: Annotated[
        int,
        typer.Option("--max-in-flight", min=1, max=MOST, help="So many runs are under way at a time."),
    ] = 1,
    by: ByOption = None,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Announce the instants of a range that no run has succeeded for, oldest first, under one backfill id.

    One is announced when the one before it has an outcome or is given up; --max-in-flight lets several go
    at once. The schedule's own runs go on beside it. `propman scheduler backfills list` shows how far it is.

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
        asked = None
        if chosen and not dry_run and confirm(f"Announce {counted(len(chosen), 'run')} of {key}?", yes=yes):
            asked = await fill(tx, schedule, chosen, by=signed(by), max_in_flight=max_in_flight)
    if as_json:
        instants = {"instants": gaps, "chosen": [gap.scheduled_for for gap in chosen]}
        print_json({"backfill_id": asked and asked.id, "max_in_flight": max_in_flight, **instants})
    elif asked is None:
        say("Nothing was announced.")
    else:
        _tell(asked, len(chosen))


def _tell(asked: Backfill, count: int) -> None:
    waiting = max(count - asked.max_in_flight, 0)
    rest = f", {waiting} wait for their turn" if waiting else ""
    success(f"{count - waiting} runs of {asked.schedule_key} are announced{rest}; backfill {asked.id}.")


async def list_backfills(limit: LimitOption = 20, as_json: JsonOption = False) -> None:
    """List backfills, newest first, with how many runs of each wait, are under way and are over.

    \b
    Example:
      propman scheduler backfills list
    """
    async with looking() as (store, _now):
        found = await BackfillStore(store.connection).newest(limit)
    if as_json:
        print_json(
            [asdict(one) | asdict(far) | {"total": far.total, "state": far.state(one)} for one, far in found]
        )
        return
    rows = [
        [
            one.id,
            one.schedule_key,
            local_time(one.created_at, "UTC"),
            one.requested_by,
            far.state(one),
            one.max_in_flight,
            far.queued,
            far.under_way,
            far.succeeded,
            far.failed,
            far.left_out,
        ]
        for one, far in found
    ]
    print_table(COLUMNS, rows, empty="Nothing was ever backfilled.")


async def cancel(identity: IdArgument, by: ByOption = None) -> None:
    """Announce no more runs of a backfill; those that are under way go on.

    \b
    Example:
      propman scheduler backfills cancel 0198c1d2-7e1a-7c3f-9b2e-3d4c5b6a7f80
    """
    async with changing("cancel_backfill") as (store, tx):
        asked = await BackfillStore(tx.connection).find(identity)
        if asked is None:
            raise UsageProblem(
                f"There is no backfill {identity}.", remedy="See `propman scheduler backfills list`."
            )
        await store.schedule(asked.schedule_key, lock=True)
        dropped = await stop(tx, asked, by=signed(by))
    if dropped:
        success(f"{dropped} runs of {asked.schedule_key} will not come.")
    else:
        say("Nothing of it was waiting any more.")


def _so_far(gap: Gap) -> str:
    if gap.state is None:
        return "cleaned up" if gap.forgotten else "never announced"
    return f"{gap.state}{f' ({gap.reason})' if gap.reason else ''}"


def _show(gaps: list[Gap], chosen: list[Gap]) -> None:
    wanted = set(chosen)
    rows = [
        [
            run_time(gap.scheduled_for, gap.zone),
            gap.zone,
            _so_far(gap),
            "run" if gap in wanted else "-",
        ]
        for gap in gaps
    ]
    print_table(["instant", "zone", "so far", "backfill"], rows, empty="Nothing was due in that range.")
