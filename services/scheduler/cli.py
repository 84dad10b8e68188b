"""`propman scheduler`: what is announced when, and what came of it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Annotated

import typer

from services.scheduler.asking import (
    KeyOption,
    TimeoutOption,
    WaitOption,
    announce_by_hand,
    refusals,
    scheduler_settings,
)
from services.scheduler.definitions import new_schedule
from services.scheduler.definitions import resume as run_again
from services.scheduler.domain.schedules import Schedule
from services.scheduler.handlers import router
from services.scheduler.reporting import local_time, occurrence_document, outcome_words, schedule_document
from services.scheduler.store import SchedulerStore
from services.scheduler.timetable import parse_cron
from services.scheduler.triggers import spoken_name
from services.scheduler.verbs import previewing
from shared.cli import (
    AsOfOption,
    CommandError,
    DryRunOption,
    JsonOption,
    LimitOption,
    MonthOption,
    UsageProblem,
    YesOption,
    confirm,
    print_json,
    print_record,
    print_table,
    say,
    service_app,
    success,
)
from shared.hosting import open_transactions
from shared.messaging.commands import add_messaging_commands
from shared.messaging.transaction import Tx

app = service_app("scheduler", "When things are due: schedules, their occurrences, and what came of each.")
add_messaging_commands(app, router)
previewing.add_to(app)

KeyArgument = Annotated[str, typer.Argument(metavar="KEY", help="A schedule's key, such as monthly-billing.")]
CountOption = Annotated[int, typer.Option("--count", "-n", min=1, max=1_000, help="How many.")]


@app.command("list")
async def list_schedules(as_json: JsonOption = False) -> None:
    """List the schedules: when each runs next, in its own zone, and what came of its last run.

    \b
    Examples:
      propman scheduler list
      propman scheduler list --json
    """
    async with _looking() as (store, _now):
        schedules, last = await store.schedules(), await store.last_occurrences()
    if as_json:
        print_json([schedule_document(schedule, last.get(schedule.key)) for schedule in schedules])
        return
    print_table(
        ["key", "trigger", "cron", "zone", "next run", "last outcome", "state"],
        [
            [
                schedule.key,
                spoken_name(schedule.trigger),
                schedule.cron,
                schedule.time_zone,
                "-" if schedule.state == "paused" else local_time(schedule.next_run_at, schedule.time_zone),
                outcome_words(last.get(schedule.key)),
                schedule.state,
            ]
            for schedule in schedules
        ],
        empty="There are no schedules; `propman scheduler add` makes one.",
    )


@app.command()
async def show(key: KeyArgument, as_json: JsonOption = False) -> None:
    """Show one schedule in full.

    \b
    Example:
      propman scheduler show monthly-billing
    """
    async with _looking() as (store, _now):
        schedule = await _schedule(store, key)
        last = next(iter(await store.history(key, 1)), None)
    if as_json:
        print_json(schedule_document(schedule, last))
        return
    print_record(
        {
            "key": schedule.key,
            "trigger": schedule.trigger,
            "cron": schedule.cron,
            "zone": schedule.time_zone,
            "payload": ", ".join(f"{name}={value}" for name, value in schedule.payload.items()) or None,
            "expects an outcome of": ", ".join(schedule.expected) or None,
            "state": schedule.state,
            "next run": local_time(schedule.next_run_at, schedule.time_zone),
            "last run": local_time(schedule.last_run_at, schedule.time_zone),
            "last outcome": outcome_words(last),
            "errors in a row": schedule.error_count,
            "last error": schedule.last_error,
            "tried again": local_time(schedule.retry_at, schedule.time_zone),
        }
    )


@app.command()
async def add(
    key: KeyArgument,
    *,
    trigger: Annotated[str, typer.Option("--trigger", metavar="NAME", help="Which trigger it announces.")],
    cron: Annotated[str, typer.Option("--cron", help="Five fields, or an alias such as @daily.")],
    zone: Annotated[str, typer.Option("--zone", help="The IANA time zone the cron is meant in.")] = "UTC",
    payload: Annotated[
        list[str] | None, typer.Option("--payload", metavar="K=V", help="A field of the trigger; repeatable.")
    ] = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Add a schedule, and show its next five runs.

    \b
    Examples:
      propman scheduler add ny-rent --trigger monthly-billing-due --cron "0 0 1 * *" --zone America/New_York
      propman scheduler add nightly --trigger monthly-billing-due --cron @daily --dry-run
    """
    async with _changing("add") as (store, tx):
        with refusals():
            fields = _payload(payload or [])
            schedule = new_schedule(
                key, trigger=trigger, cron=cron, time_zone=zone, payload=fields, now=tx.at
            )
        taken = await store.schedule(key) is not None
        if taken or not (dry_run or await store.add_schedule(schedule, now=tx.at)):
            raise CommandError(
                f"There is a schedule {key!r} already.", remedy="Remove it, or use another key."
            )
        coming = parse_cron(cron, zone).upcoming(tx.at, 5)
    if as_json:
        document = schedule_document(schedule, None)
        print_json(document | {"dry_run": dry_run, "upcoming": coming})
        return
    print_table(["next runs"], [[local_time(moment, zone)] for moment in coming])
    if dry_run:
        say("Dry run: nothing was added.")
    else:
        success(f"{key} is scheduled.")


@app.command()
async def pause(key: KeyArgument) -> None:
    """Announce nothing of a schedule until it is resumed. A run by hand is still possible.

    \b
    Example:
      propman scheduler pause monthly-billing
    """
    async with _changing("pause") as (store, tx):
        schedule = await _schedule(store, key, lock=True)
        await store.pause(schedule, now=tx.at)
    success(f"{key} was paused already." if schedule.state == "paused" else f"{key} is paused.")


@app.command()
async def resume(key: KeyArgument) -> None:
    """Let a paused or failing schedule run again, from its next time on; what was missed stays missed.

    \b
    Example:
      propman scheduler resume monthly-billing
    """
    async with _changing("resume") as (store, tx):
        with refusals():
            schedule = await run_again(tx, await _schedule(store, key, lock=True))
        last = next(iter(await store.history(key, 1)), None)
    if last is not None and last.state == "missed" and last.created_at == tx.at:
        say(f"While it was paused {last.coalesced} runs were missed; run-now makes up for them.")
    success(f"{key} runs next at {local_time(schedule.next_run_at, schedule.time_zone)}.")


@app.command()
async def remove(key: KeyArgument, yes: YesOption = False) -> None:
    """Remove a schedule. Its history stays.

    \b
    Example:
      propman scheduler remove nightly --yes
    """
    async with _looking() as (store, _now):
        schedule = await _schedule(store, key)
    if not confirm(f"Remove {key} ({schedule.cron} {schedule.time_zone})?", yes=yes):
        say("Nothing was removed.")
        return
    async with _changing("remove") as (store, _tx):
        await store.remove_schedule(schedule)
    success(f"{key} is removed.")


@app.command()
async def run_now(
    key: KeyArgument,
    *,
    as_of: AsOfOption = None,
    month: MonthOption = None,
    idempotency_key: KeyOption = None,
    wait: WaitOption = False,
    timeout: TimeoutOption = 120,  # noqa: ASYNC109 - the option's name
    as_json: JsonOption = False,
) -> None:
    """Run a schedule now, beside its own times; its next run stays where it is.

    \b
    Examples:
      propman scheduler run-now monthly-billing --wait
      propman scheduler run-now monthly-billing --month 2026-12 --key december
    """
    await announce_by_hand(
        key, {"period": month}, key=idempotency_key, as_of=as_of, wait=wait, timeout=timeout
    )


@app.command()
async def history(
    key: Annotated[str | None, typer.Argument(metavar="[KEY]", help="Only of this schedule.")] = None,
    limit: LimitOption = 20,
    as_json: JsonOption = False,
) -> None:
    """List what was announced, newest first, and what came of it.

    \b
    Examples:
      propman scheduler history
      propman scheduler history monthly-billing --limit 50 --json
    """
    async with _looking() as (store, _now):
        found = await store.history(key, limit)
    if as_json:
        print_json([occurrence_document(occurrence) for occurrence in found])
        return
    print_table(
        ["occurrence", "schedule", "scheduled for", "origin", "stands for", "outcome"],
        [
            [
                item.id,
                item.schedule_key,
                local_time(item.scheduled_for, item.zone),
                item.origin,
                item.coalesced,
                outcome_words(item),
            ]
            for item in found
        ],
        empty="Nothing was announced yet.",
    )


@app.command("next")
async def next_runs(key: KeyArgument, count: CountOption = 5, as_json: JsonOption = False) -> None:
    """Show when a schedule runs next, in its own zone and in UTC.

    \b
    Example:
      propman scheduler next monthly-billing --count 10
    """
    async with _looking() as (store, now):
        schedule = await _schedule(store, key)
    with refusals():
        coming = parse_cron(schedule.cron, schedule.time_zone).upcoming(now, count)
    if schedule.state == "paused":
        say(f"{key} is paused: these are the times it would run.")
    if as_json:
        print_json(coming)
        return
    print_table(
        ["local", "utc"],
        [[local_time(moment, schedule.time_zone), local_time(moment, "UTC")] for moment in coming],
    )


@asynccontextmanager
async def _looking() -> AsyncIterator[tuple[SchedulerStore, datetime]]:
    """The scheduler's database to read from, and what time it is."""
    async with open_transactions(scheduler_settings(), "scheduler") as transactions:
        now = transactions.clock.now()
        async with transactions.engine.connect() as connection:
            yield SchedulerStore(connection), now


@asynccontextmanager
async def _changing(verb: str) -> AsyncIterator[tuple[SchedulerStore, Tx]]:
    """The scheduler's database to change, in one transaction."""
    async with (
        open_transactions(scheduler_settings(), "scheduler") as transactions,
        transactions.command(f"scheduler.{verb}") as tx,
    ):
        yield SchedulerStore(tx.connection), tx


async def _schedule(store: SchedulerStore, key: str, *, lock: bool = False) -> Schedule:
    schedule = await store.schedule(key, lock=lock)
    if schedule is None:
        known = ", ".join(item.key for item in await store.schedules()) or "none"
        raise UsageProblem(f"There is no schedule {key!r}.", remedy=f"There are: {known}.")
    return schedule


def _payload(pairs: list[str]) -> dict[str, str]:
    fields = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not (name and equals):
            raise UsageProblem(f"{pair!r} is not a field.", remedy="Write --payload name=value.")
        fields[name] = value
    return fields
