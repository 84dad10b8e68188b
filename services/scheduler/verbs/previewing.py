"""`propman scheduler preview` and `catch-up`: what a timetable would do. They read and write nothing."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Annotated, Any, get_args

import typer

from services.scheduler.domain.catch_up import CatchUpRules, Policy, plan_catch_up
from services.scheduler.domain.schedules import PROPERTY_ZONE
from services.scheduler.specs import InvalidSpec, Spec, TooMany, notes_on, parse_document, read_spec
from services.scheduler.store import ZoneStore
from services.scheduler.verbs.opening import looking
from shared.cli import (
    App,
    JsonOption,
    UsageProblem,
    json_wanted,
    parse_instant,
    print_json,
    print_table,
    say,
    warning,
)
from shared.clock import zone as zone_named

SpecOption = Annotated[
    str, typer.Option("--spec", metavar="JSON", help='When: {"kind": "cron", "expr": …, "timezone": …}.')
]
MOST_DUE = 10_000
"""So many instants one look at catching up may be about."""

INSTANT = {"parser": parse_instant, "metavar": "INSTANT"}


def add_to(app: App) -> None:
    """Give the scheduler's app its commands."""
    app.command()(preview)
    app.command()(catch_up)


async def preview(
    spec: SpecOption,
    after: Annotated[datetime, typer.Option("--after", help="Strictly after this moment.", **INSTANT)],
    count: Annotated[int, typer.Option("--count", "-n", min=1, max=10_000, help="How many.")] = 10,
    zone: Annotated[
        list[str] | None,
        typer.Option(
            "--zone",
            metavar="ZONE",
            help="Where @property is looked at; repeatable. By default, wherever there are properties.",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    r"""Show when a timetable would be due, with what clock changes and short months do to it.

    \b
    Kinds and their fields:
      cron           expr, timezone; for fixed times dst_gap (transition, shift, skip) and
                     dst_overlap (first, last, both)
      interval       anchor, every_seconds
      calendar_days  start_date, every_days, time, timezone
      monthly        start_month, every_months, day (1 to 31, or last), time, timezone, overflow (clamp, skip)
      once           at; without an offset it is a local time, and timezone says where

    A timezone of @property is that of each property.

    \b
    Examples:
      propman scheduler preview --after 2026-01-15T00:00:00Z --count 6 \
        --spec '{"kind":"cron","expr":"0 0 1 * *","timezone":"America/New_York"}'
      propman scheduler preview --after 2026-01-15T00:00:00Z --zone America/Denver --zone America/New_York \
        --spec '{"kind":"cron","expr":"0 9 * * *","timezone":"@property"}'
    """
    places = await _places(spec, zone or [])
    with _within_the_calendar():
        found = sorted(
            (moment, place.zone.key) for place in places for moment in place.upcoming(after, count)
        )
    runs = found[:count]
    notes = [
        note
        for place in places
        for note in notes_on(place, [moment for moment, name in runs if name == place.zone.key], after=after)
    ]
    if json_wanted():
        document = _preview_document(runs, notes)
        print_json(document if len(places) == 1 else document | {"zones": [name for _, name in runs]})
    else:
        _print_runs(runs, notes, complete=len(runs) == count)


def _preview_document(runs: Sequence[tuple[datetime, str]], notes: list[str]) -> dict[str, Any]:
    return {
        "expected": [_utc(moment) for moment, _ in runs],
        "expected_local": [_local(*run) for run in runs],
        "notes": notes,
    }


def _print_runs(runs: Sequence[tuple[datetime, str]], notes: Sequence[str], *, complete: bool) -> None:
    rows = [(_local(moment, name), name, _utc(moment)) for moment, name in runs]
    print_table(["there", "zone", "UTC"], rows, empty="It is never due after that.")
    for note in notes:
        say(note)
    if not complete:
        warning("It is not due any more after that.")


@contextmanager
def _within_the_calendar() -> Iterator[None]:
    try:
        yield
    except TooMany as error:
        raise UsageProblem(f"{error}.") from None
    except OverflowError as error:
        raise UsageProblem("That leads past the year 9999, where the calendar ends.") from error


def catch_up(
    spec: SpecOption,
    last_handled: Annotated[
        datetime, typer.Option("--last-handled", help="The last instant that was announced.", **INSTANT)
    ],
    now: Annotated[datetime, typer.Option("--now", help="The moment it is noticed.", **INSTANT)],
    policy: Annotated[str, typer.Option("--policy", help="latest, all, earliest or skip.")] = "latest",
    window: Annotated[
        int, typer.Option("--window", min=0, help="Seconds after which it is missed.")
    ] = 2_678_400,
    most: Annotated[int, typer.Option("--max", min=1, help="How many `all` announces.")] = 100,
    grace: Annotated[int, typer.Option("--grace", min=0, help="Seconds that are still on time.")] = 60,
    as_json: JsonOption = False,
) -> None:
    r"""Show what would be announced, and what written down as missed, after a time without a scheduler.

    \b
    Example:
      propman scheduler catch-up --policy all --last-handled 2026-03-01T05:00:00Z --now 2026-05-10T00:00:00Z \
        --spec '{"kind":"cron","expr":"0 0 1 * *","timezone":"America/New_York"}'
    """
    if policy not in get_args(Policy):
        raise UsageProblem(f"{policy!r} is not a policy.", remedy=f"Choose {', '.join(get_args(Policy))}.")
    if now < last_handled:
        raise UsageProblem("--now is before --last-handled.")
    found = _read(spec)
    rules = CatchUpRules(policy, timedelta(seconds=window), most, timedelta(seconds=grace))  # type: ignore[arg-type]
    with _within_the_calendar():
        due = found.due(last_handled, now, most=MOST_DUE)
        plan = plan_catch_up(due, now=now, rules=rules)
        following = found.upcoming(now, 1)
    if json_wanted():
        print_json(
            {
                "due": [_utc(moment) for moment in due],
                "publish": [_announced(item) for item in plan.publish],
                "record_missed": [_utc(item.scheduled_for) for item in plan.missed],
                "next_run": _utc(following[0]) if following else None,
            }
        )
        return
    rows = [(_utc(item.scheduled_for), "announced", f"for {item.coalesced}") for item in plan.publish]
    rows += [(_utc(item.scheduled_for), "missed", item.reason) for item in plan.missed]
    print_table(["UTC", "what", "why"], sorted(rows), empty="Nothing came due.")
    say(f"Next: {_utc(following[0])}." if following else "It is never due again.")


async def _places(spec: str, named: list[str]) -> list[Spec]:
    """The timetable; one of `@property` in each zone that is named, else wherever there are properties."""
    try:
        follows = parse_document(spec).get("timezone") == PROPERTY_ZONE
    except InvalidSpec as error:
        raise UsageProblem(f"{error}.") from None
    if not follows:
        return [_read(spec)]
    if not named:
        async with looking() as (store, _now):
            named = list(await ZoneStore(store.connection).portfolio())
    if not named:
        raise UsageProblem("The scheduler has heard of no property yet.", remedy="Give a --zone.")
    return [_read(spec, name) for name in sorted(set(named))]


def _local(moment: datetime, name: str) -> str:
    return moment.astimezone(zone_named(name)).isoformat()


def _read(spec: str, here: str | None = None) -> Spec:
    try:
        return read_spec(parse_document(spec), here=here)
    except InvalidSpec as error:
        raise UsageProblem(f"{error}.") from None


def _announced(item: Any) -> dict[str, Any]:
    document: dict[str, Any] = {"scheduled_for": _utc(item.scheduled_for), "coalesced": item.coalesced}
    if item.coalesced_from is not None:
        document["coalesced_from"] = _utc(item.coalesced_from)
    return document


def _utc(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
