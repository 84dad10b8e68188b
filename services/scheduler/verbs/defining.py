"""`propman scheduler add`, `edit`, `archive` and `remove`: which schedules there are, and what they say."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import zip_longest
from typing import Annotated, Any

import typer

from services.scheduler.controlling import Change, edit
from services.scheduler.controlling import add as keep
from services.scheduler.controlling import archive as put_away
from services.scheduler.definitions import new_schedule
from services.scheduler.domain.rules import Rules
from services.scheduler.domain.schedules import PROPERTY_ZONE, Schedule
from services.scheduler.following import parts_of
from services.scheduler.reporting import no_runs, payload_in_words, run_time, schedule_document
from services.scheduler.rule_texts import parse_duration, parse_rules, rule_changes
from services.scheduler.spec_words import spec_in_words
from services.scheduler.specs import InvalidSpec, parse_document, read_spec
from services.scheduler.store import DueStore
from services.scheduler.timetable import parse_cron
from services.scheduler.timetables import coming
from services.scheduler.verbs.opening import KeyArgument, changing, looking, the_schedule
from shared.cli import (
    App,
    CommandError,
    DryRunOption,
    JsonOption,
    UsageProblem,
    YesOption,
    confirm,
    json_wanted,
    print_json,
    print_table,
    say,
    success,
)
from shared.messaging.transaction import Tx

Run = tuple[datetime, str]
"""An instant and the zone it is meant in."""
Difference = tuple[str, str | None, str | None]
"""What is different about a schedule: its name, what it was, what it is; None is not set."""

CronOption = Annotated[str | None, typer.Option("--cron", help="Five fields, or an alias such as @daily.")]
EveryOption = Annotated[
    str | None, typer.Option("--every", metavar="LENGTH", help="So much apart from now on: 90s, 15m, 6h, 7d.")
]
SpecOption = Annotated[
    str | None, typer.Option("--spec", metavar="JSON", help="Any kind of timetable; see preview --help.")
]
ZoneOption = Annotated[
    str | None,
    typer.Option(
        "--zone", help="The IANA time zone of --cron, or @property for that of each property; else UTC."
    ),
]
RuleOption = Annotated[
    list[str] | None, typer.Option("--rule", metavar="NAME=VALUE", help="A policy; repeatable.")
]
PayloadOption = Annotated[
    list[str] | None, typer.Option("--payload", metavar="K=V", help="A field of the trigger; repeatable.")
]


def add_to(app: App) -> None:
    """Give the scheduler's app its commands."""
    app.command()(add)
    app.command("edit")(change)
    app.command()(archive)
    app.command()(remove)


async def add(
    key: KeyArgument,
    *,
    trigger: Annotated[str, typer.Option("--trigger", metavar="NAME", help="Which trigger it announces.")],
    cron: CronOption = None,
    every: EveryOption = None,
    spec: SpecOption = None,
    zone: ZoneOption = None,
    payload: PayloadOption = None,
    rule: RuleOption = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    r"""Add a schedule, and show its next five runs.

    \b
    Rules:
      catch-up          latest, all, earliest or skip: what is announced of what was late
      catch-up-window   how far back: 31d; catch-up-max: how many `all` announces
      grace             so late is on time: 60s
      overlap           skip, queue_one or allow, while a run has no outcome
      start-deadline    by then a consumer has to have begun: 5m, or none
      run-timeout       after so long without an outcome a run is given up: 1h, or none
      exclude           2026-12-25,2027-01-01; exclude-weekends: yes or no
      on-excluded       skip or next_business_day
      jitter            each run up to so much later, the same on every replica
      start-at, end-at, max-runs

    \b
    Examples:
      propman scheduler add ny-rent --trigger monthly-billing-due --cron "0 0 1 * *" --zone America/New_York
      propman scheduler add fees --trigger late-fees --cron "0 9 * * *" --zone @property
      propman scheduler add often --trigger weather-check --every 10m --rule catch-up=skip
      propman scheduler add last --trigger late-fees-due --rule on-excluded=next_business_day \
        --rule exclude-weekends=yes --spec '{"kind":"monthly","start_month":"2026-12","every_months":1,
        "day":"last","time":"09:00","timezone":"America/Chicago"}'
    """
    async with changing("add", dry_run=dry_run) as (_store, tx):
        when = _when(cron, every, spec, zone, now=tx.at)
        if when is None:
            raise UsageProblem("It needs a time.", remedy="Give --cron, --every or --spec.")
        rules, fields = parse_rules(rule or [], Rules()), _payload(payload or [])
        schedule = await _keep_new(
            tx, new_schedule(key, trigger=trigger, spec=when, payload=fields, rules=rules, now=tx.at)
        )
        following = coming(await parts_of(tx.connection, schedule), tx.at, 5)
    _show_new(schedule, following, dry_run=dry_run, as_json=as_json)


async def _keep_new(tx: Tx, schedule: Schedule) -> Schedule:
    kept = await keep(tx, schedule)
    if kept is None:
        raise CommandError(
            f"There is a schedule {schedule.key!r} already.", remedy="Edit it, remove it, or use another key."
        )
    return kept


def _show_new(schedule: Schedule, following: Sequence[Run], *, dry_run: bool, as_json: bool) -> None:
    if as_json:
        instants = [moment for moment, _ in following]
        print_json(schedule_document(schedule, None) | {"dry_run": dry_run, "upcoming": instants})
        return
    say(f"{spec_in_words(schedule.spec)}.")
    print_table(
        ["next runs", "zone"], [[run_time(*run), run[1]] for run in following], empty=no_runs(schedule)
    )
    if dry_run:
        say("Dry run: nothing was added.")
    else:
        success(f"{schedule.key} is scheduled.")


async def change(
    key: KeyArgument,
    *,
    cron: CronOption = None,
    every: EveryOption = None,
    spec: SpecOption = None,
    zone: ZoneOption = None,
    payload: PayloadOption = None,
    rule: RuleOption = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Change a schedule from now on, and show its next five runs before and after. Nothing runs for the past.

    What is not named stays; --payload replaces the whole payload. Rules are as in `add`; none takes one away.

    \b
    Examples:
      propman scheduler edit monthly-billing --cron "*/30 * * * *" --dry-run
      propman scheduler edit late-fees --rule overlap=skip --rule run-timeout=20m
    """
    async with changing("edit", dry_run=dry_run) as (store, tx):
        former = await the_schedule(store, key, lock=True)
        if zone and not (cron or every or spec):
            if former.spec["kind"] != "cron":
                raise UsageProblem("--zone alone is for a cron.", remedy="Give the whole --spec.")
            cron = str(former.spec["expr"])
        wanted = Change(
            spec=_when(cron, every, spec, zone or former.spec.get("timezone"), now=tx.at),
            payload=None if payload is None else _payload(payload),
            rules=parse_rules(rule, former.rules) if rule else None,
        )
        if wanted == Change():
            raise UsageProblem("Nothing was to be changed.", remedy="See `propman scheduler edit --help`.")
        before = coming(await parts_of(tx.connection, former), tx.at, 5)
        changed = await edit(tx, former, wanted)
        after = coming(await parts_of(tx.connection, changed), tx.at, 5)
    differences = _differences(former, changed)
    _show_change(changed, before, after, differences)
    if dry_run:
        say("Dry run: nothing was changed.")
    else:
        success(f"{key} is version {changed.spec_version}: {spec_in_words(changed.spec)}.")


async def archive(key: KeyArgument) -> None:
    """Never run a schedule again, and keep it to be looked at; `resume` brings it back.

    \b
    Example:
      propman scheduler archive nightly
    """
    async with changing("archive") as (store, tx):
        await put_away(tx, await the_schedule(store, key, lock=True))
    success(f"{key} is archived; `propman scheduler list --all` shows it.")


async def remove(key: KeyArgument, yes: YesOption = False) -> None:
    """Remove a schedule. Its history stays.

    \b
    Example:
      propman scheduler remove nightly --yes
    """
    async with looking() as (store, _now):
        schedule = await the_schedule(store, key)
    if not confirm(f"Remove {key} ({spec_in_words(schedule.spec)})?", yes=yes):
        say("Nothing was removed.")
        return
    async with changing("remove") as (store, tx):
        await DueStore(tx.connection).drop_queued(schedule.id, reason="removed", now=tx.at)
        await store.remove_schedule(schedule)
    success(f"{key} is removed.")


def _when(
    cron: str | None, every: str | None, spec: str | None, zone: str | None, *, now: datetime
) -> Mapping[str, Any] | None:
    given = [option for option in (cron, every, spec) if option is not None]
    if len(given) > 1:
        raise UsageProblem("There are several times.", remedy="Give one of --cron, --every and --spec.")
    if cron is not None:
        expression = parse_cron(cron, "UTC" if zone == PROPERTY_ZONE else zone or "UTC").expression
        return {"kind": "cron", "expr": expression, "timezone": zone or "UTC"}
    if every is not None:
        return {
            "kind": "interval",
            "anchor": now.replace(microsecond=0).isoformat(),
            "every_seconds": _seconds(every),
        }
    if spec is None:
        return None
    document = parse_document(spec)
    read_spec(document, here="UTC")
    return document


def _seconds(text: str) -> int:
    try:
        return int(parse_duration(text).total_seconds())
    except ValueError as error:
        raise InvalidSpec(f"every: {error}") from None


def _payload(pairs: list[str]) -> dict[str, str]:
    fields = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not (name and equals):
            raise UsageProblem(f"{pair!r} is not a field.", remedy="Write --payload name=value.")
        fields[name] = value
    return fields


def _show_change(
    schedule: Schedule, before: list[Run], after: list[Run], differences: list[Difference]
) -> None:
    if json_wanted():
        instants = {"before": [moment for moment, _ in before], "after": [moment for moment, _ in after]}
        changes = [{"name": name, "was": was, "now": now} for name, was, now in differences]
        print_json({"key": schedule.key, **instants, "changes": changes})
        return
    if before == after and before:
        print_table(["next runs, as before", "zone"], [[run_time(*run), run[1]] for run in after])
    else:
        rows = [[run_time(*run) if run else "-" for run in pair] for pair in zip_longest(before, after)]
        print_table(["before", "after"], rows, empty=no_runs(schedule))
    for name, was, now in differences:
        say(f"{name}: {now or 'no more'} (was: {was or 'not set'})")


def _differences(former: Schedule, changed: Schedule) -> list[Difference]:
    """What an edit comes to: when it is due, each rule, and the payload, as it was and as it is."""
    others = [
        ("when", spec_in_words(former.spec), spec_in_words(changed.spec)),
        ("payload", payload_in_words(former), payload_in_words(changed)),
    ]
    return [item for item in others if item[1] != item[2]] + rule_changes(former.rules, changed.rules)
