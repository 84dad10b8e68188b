"""`propman scheduler`: what is announced when, and what came of it. What changes it is in verbs/."""

from typing import Annotated

import typer

from services.scheduler.asking import refusals
from services.scheduler.domain.zones import cursor_of
from services.scheduler.following import parts_of
from services.scheduler.handlers import router
from services.scheduler.reporting import (
    next_run,
    no_runs,
    occurrence_document,
    outcome_words,
    run_time,
    schedule_document,
    schedule_record,
)
from services.scheduler.spec_words import spec_in_words
from services.scheduler.store import HistoryStore
from services.scheduler.timetables import coming
from services.scheduler.triggers import known_triggers, spoken_name
from services.scheduler.verbs import (
    alerts,
    backfills,
    cleaning,
    controls,
    defining,
    importing,
    previewing,
    seeds,
    services,
)
from services.scheduler.verbs.opening import KeyArgument, looking, the_schedule
from shared.cli import (
    JsonOption,
    LimitOption,
    print_json,
    print_record,
    print_table,
    say,
    service_app,
)
from shared.messaging.commands import add_messaging_commands

app = service_app("scheduler", "When things are due: schedules, their occurrences, and what came of each.")
add_messaging_commands(app, router)
for subject in (previewing, defining, controls, backfills, importing, cleaning, alerts, services, seeds):
    subject.add_to(app)

CountOption = Annotated[int, typer.Option("--count", "-n", min=1, max=1_000, help="How many.")]


@app.command("list")
async def list_schedules(
    everything: Annotated[bool, typer.Option("--all", help="Also those that are archived.")] = False,
    as_json: JsonOption = False,
) -> None:
    """List the schedules: when each runs next, in its own zone, and what came of its last run.

    \b
    Examples:
      propman scheduler list
      propman scheduler list --all --json
    """
    async with looking() as (store, _now):
        found, last = await store.schedules(), await HistoryStore(store.connection).last_occurrences()
    found = [schedule for schedule in found if everything or schedule.state != "archived"]
    if as_json:
        print_json([schedule_document(schedule, last.get(schedule.key)) for schedule in found])
        return
    print_table(
        ["key", "trigger", "when", "next run", "last outcome", "state"],
        [
            [
                schedule.key,
                spoken_name(schedule.trigger),
                spec_in_words(schedule.spec),
                next_run(schedule),
                outcome_words(last.get(schedule.key)),
                schedule.state,
            ]
            for schedule in found
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
    async with looking() as (store, _now):
        schedule = await the_schedule(store, key)
        last = next(iter(await HistoryStore(store.connection).history(key, 1)), None)
        parts = await parts_of(store.connection, schedule) if schedule.follows_properties else []
    cursors = [cursor_of(part) for part in parts]
    if as_json:
        print_json(schedule_document(schedule, last, cursors))
        return
    print_record(schedule_record(schedule, last, cursors))


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
    async with looking() as (store, _now):
        found = await HistoryStore(store.connection).history(key, limit)
        if key is not None and not found and key not in map(spoken_name, known_triggers()):
            await the_schedule(store, key)  # one that has no history yet, or none at all
    if as_json:
        print_json([occurrence_document(occurrence) for occurrence in found])
        return
    print_table(
        ["occurrence", "schedule", "scheduled for", "zone", "origin", "stands for", "outcome"],
        [
            [
                item.id,
                item.schedule_key,
                run_time(item.scheduled_for, item.zone),
                item.zone,
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
    async with looking() as (store, now):
        schedule = await the_schedule(store, key)
        parts = await parts_of(store.connection, schedule)
    with refusals():
        runs = coming(parts, now, count)
    if schedule.state == "paused":
        say(f"{key} is paused: these are the times it would run.")
    if as_json:
        print_json([moment for moment, _ in runs])
        return
    print_table(
        ["local", "zone", "utc"],
        [[run_time(moment, zone), zone, run_time(moment, "UTC")] for moment, zone in runs],
        empty=no_runs(schedule),
    )
