"""`propman scheduler pause`, `resume` and `run-now`: what people do when the times do not fit."""

from datetime import datetime
from typing import Annotated, cast, get_args

import typer

from services.scheduler.asking import KeyOption, Request, TimeoutOption, WaitOption, announce_by_hand
from services.scheduler.controlling import AfterPause
from services.scheduler.controlling import pause as hold
from services.scheduler.controlling import resume as run_again
from services.scheduler.following import missed_so_far, parts_of
from services.scheduler.reporting import local_time, paused_words
from services.scheduler.verbs.opening import KeyArgument, changing, the_schedule
from shared.cli import (
    App,
    AsOfOption,
    ByOption,
    DryRunOption,
    JsonOption,
    MonthOption,
    UsageProblem,
    counted,
    parse_instant,
    say,
    signed,
    success,
)


def add_to(app: App) -> None:
    """Give the scheduler's app its commands."""
    app.command()(pause)
    app.command()(resume)
    app.command()(run_now)


async def pause(
    key: KeyArgument,
    *,
    reason: Annotated[str | None, typer.Option("--reason", help="Why, for whoever wonders later.")] = None,
    until: Annotated[
        datetime | None,
        typer.Option("--until", parser=parse_instant, metavar="INSTANT", help="When it goes on by itself."),
    ] = None,
    by: ByOption = None,
) -> None:
    """Announce nothing of a schedule until it is resumed. What runs goes on; a run by hand is still possible.

    Of one that is paused already, a reason goes over who paused it and why, and --until over until when.

    \b
    Examples:
      propman scheduler pause monthly-billing --reason "rents are being corrected"
      propman scheduler pause weather-alerts --until 2026-12-01T06:00:00Z --reason "API outage"
    """
    async with changing("pause") as (store, tx):
        schedule = await the_schedule(store, key, lock=True)
        paused = await hold(tx, schedule, by=signed(by), reason=reason, until=until)
    before = "was paused already and stays so" if schedule.state == "paused" else "is paused"
    success(f"{key} {before}: {paused_words(paused)}.")


async def resume(
    key: KeyArgument,
    *,
    catch_up: Annotated[
        str, typer.Option("--catch-up", help="Of what was missed: skip, latest (one for all) or all.")
    ] = "skip",
    dry_run: DryRunOption = False,
) -> None:
    """Let a schedule run again that is paused, failing or archived, and say what it missed.

    \b
    Examples:
      propman scheduler resume monthly-billing --dry-run
      propman scheduler resume monthly-billing --catch-up latest
    """
    if catch_up not in get_args(AfterPause):
        raise UsageProblem(f"--catch-up {catch_up}: choose {', '.join(get_args(AfterPause))}.")
    async with changing("resume", dry_run=dry_run) as (store, tx):
        schedule = await the_schedule(store, key, lock=True)
        if schedule.state != "active":
            _say_missed(
                [
                    (moment, part.time_zone)
                    for part in await parts_of(tx.connection, schedule)
                    for moment in missed_so_far(part, tx.at).instants
                ]
            )
        schedule, announced = await run_again(tx, schedule, catch_up=cast("AfterPause", catch_up))
    if announced:
        say(f"{announced} of them {'would be' if dry_run else 'are'} announced now.")
    following = local_time(schedule.next_run_at, schedule.time_zone)
    if dry_run:
        say(f"Dry run: nothing was changed; it would run next at {following}.")
    else:
        success(f"{key} runs next at {following}.")


def _say_missed(instants: list[tuple[datetime, str]]) -> None:
    if not instants:
        return
    shown = ", ".join(local_time(moment, zone) for moment, zone in sorted(instants)[:5])
    more = f" and {len(instants) - 5} more" if len(instants) > 5 else ""
    say(f"Missed meanwhile: {counted(len(instants), 'run')}, {shown}{more}.")


async def run_now(
    key: KeyArgument,
    *,
    as_of: AsOfOption = None,
    month: MonthOption = None,
    zone: Annotated[
        str | None, typer.Option("--zone", metavar="ZONE", help="Only properties in this time zone.")
    ] = None,
    idempotency_key: KeyOption = None,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Ask the consumers what they would do; they write nothing, and weather asks nobody.",
        ),
    ] = False,
    reason: Annotated[str | None, typer.Option("--reason", help="Why, for the history.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Also while another run is under way.")] = False,
    by: ByOption = None,
    wait: WaitOption = False,
    timeout: TimeoutOption = 120,  # noqa: ASYNC109 - the option's name
    as_json: JsonOption = False,
) -> None:
    """Run a schedule now, beside its own times; its next run stays where it is.

    \b
    Examples:
      propman scheduler run-now monthly-billing --wait
      propman scheduler run-now monthly-billing --month 2026-12 --key december --reason "late leases"
      propman scheduler run-now monthly-billing --as-of 2026-12-01T06:00:00Z --dry-run --wait
    """
    request = Request(
        key=idempotency_key, as_of=as_of, dry_run=dry_run, reason=reason, force=force, by=signed(by)
    )
    await announce_by_hand(key, {"period": month, "only_zone": zone}, request, wait=wait, timeout=timeout)
