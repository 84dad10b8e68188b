"""`propman weather thresholds`."""

import re
from dataclasses import replace
from datetime import timedelta
from typing import Annotated, Any, Final
from uuid import UUID

import typer
from sqlalchemy.ext.asyncio import AsyncConnection

from services.weather.domain.levels import Level
from services.weather.domain.observations import Metric
from services.weather.domain.thresholds import (
    CATEGORY_OF,
    LONGEST_SILENCE,
    MOST_ANSWERS,
    MOST_HOURS,
    TEMPERATURES,
    BadThreshold,
    Threshold,
    profile,
    shown,
)
from services.weather.domain.units import UnknownUnit, to_si
from services.weather.store.conditions import ConditionStore
from services.weather.verbs.database import database, known_property, reading
from shared.cli import (
    DryRunOption,
    JsonOption,
    PropertyOption,
    UsageProblem,
    print_json,
    print_table,
    service_app,
    success,
    warning,
)

app = service_app("thresholds", "From which values on we warn, beside the official alerts.")

MOST_SILENT_HOURS: Final = LONGEST_SILENCE // timedelta(hours=1)

_VALUE = re.compile(r"(-?\d+(?:\.\d+)?)\s*([A-Za-z°/]+)")


@app.command("show")
async def show(property_id: PropertyOption = None, as_json: JsonOption = False) -> None:
    r"""Show the thresholds of the portfolio, or those in force at one property.

    \b
    Examples:
      propman weather thresholds show
      propman weather thresholds show --property 0198c1d2-7e1a-7c3f-9b2e-3d4c5b6a7f80 --json
    """
    async with reading() as connection:
        rows = [_row(item) for item in await _in_force(connection, property_id)]
    if as_json:
        print_json(rows)
        return
    columns = list(rows[0])
    print_table(columns, [list(row.values()) for row in rows])


@app.command("set")
async def set_threshold(
    metric: Annotated[
        str, typer.Option("--metric", help="heat_index, wind_chill, air_temperature, wind, gust.")
    ],
    level: Annotated[str, typer.Option("--level", help="advisory or warning.")],
    raise_at: Annotated[str, typer.Option("--raise", help="With its unit: 100F, 38C, 46mph, 20m/s.")],
    clear_at: Annotated[str, typer.Option("--clear", help="On the harmless side of --raise, with its unit.")],
    property_id: PropertyOption = None,
    hours: Annotated[
        float | None, typer.Option("--hours", min=0, max=MOST_HOURS, help="For how long in a row.")
    ] = None,
    raise_count: Annotated[
        int | None, typer.Option("--raise-count", min=1, max=MOST_ANSWERS, help="Answers in a row.")
    ] = None,
    clear_count: Annotated[
        int | None, typer.Option("--clear-count", min=1, max=MOST_ANSWERS, help="Answers in a row.")
    ] = None,
    hold: Annotated[
        float | None,
        typer.Option("--hold-hours", min=0, max=MOST_SILENT_HOURS, help="An alert lasts at least."),
    ] = None,
    cooldown: Annotated[
        float | None, typer.Option("--cooldown-hours", min=0, max=MOST_SILENT_HOURS, help="Then silent for.")
    ] = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    r"""Set a threshold for the portfolio, or with --property for one property.

    \b
    Examples:
      propman weather thresholds set --metric heat_index --level advisory --raise 95F --clear 92F
      propman weather thresholds set --metric gust --level warning --raise 50mph --clear 45mph --property ID
    """
    given = {
        "hours": hours,
        "raise_count": raise_count,
        "clear_count": clear_count,
        "min_hold": None if hold is None else timedelta(hours=hold),
        "cooldown": None if cooldown is None else timedelta(hours=cooldown),
    }
    async with database() as transactions, transactions.command("weather.set_threshold") as tx:
        current = await _in_force(tx.connection, property_id)
        wanted = _wanted(current, metric, level, (raise_at, clear_at), given)
        if not dry_run:
            await ConditionStore(tx.connection).set_threshold(property_id, wanted, tx.at)
    if as_json:
        print_json(_row(wanted) | {"property_id": property_id, "dry_run": dry_run})
    _warn_of_order(current, wanted)
    _tell(wanted, property_id, dry_run=dry_run)


def _tell(wanted: Threshold, property_id: UUID | None, *, dry_run: bool) -> None:
    whose = "this property" if property_id else "the portfolio"
    success(f"{'Dry run: would be set' if dry_run else 'Set'} for {whose}: {_in_words(wanted)}.")


async def _in_force(connection: AsyncConnection, property_id: UUID | None) -> tuple[Threshold, ...]:
    """The thresholds of the portfolio, or with a property's own over them; refuses one nobody knows."""
    if property_id is not None:
        await known_property(connection, property_id)
    found = await ConditionStore(connection).thresholds([property_id] if property_id else [])
    return profile(*([found[None], found[property_id]] if property_id else [found[None]]))


def _wanted(
    current: tuple[Threshold, ...], metric: str, level: str, values: tuple[str, str], given: dict[str, Any]
) -> Threshold:
    try:
        chosen, wanted_level = Metric(metric), Level.of(level)
    except (KeyError, ValueError):
        names = ", ".join(item.value for item in Metric if item is not Metric.STORM)
        raise UsageProblem(
            f"{metric!r} at level {level!r} is not a threshold.",
            remedy=f"Metrics are {names}; levels are advisory and warning.",
        ) from None
    high, low = (_value(chosen, text) for text in values)
    known = next((item for item in current if (item.metric, item.level) == (chosen, wanted_level)), None)
    changes = {name: value for name, value in given.items() if value is not None}
    try:
        if known is not None:
            found = replace(known, raise_at=high, clear_at=low, **changes)
        else:
            found = Threshold(metric=chosen, level=wanted_level, raise_at=high, clear_at=low, **changes)
        found.require_sense()
    except BadThreshold as error:
        raise UsageProblem(f"{error}.") from error
    return found


def _warn_of_order(current: tuple[Threshold, ...], wanted: Threshold) -> None:
    """A warning that is passed before its advisory works, and is hardly what was meant."""
    others = (item for item in current if item.metric is wanted.metric and item.level is not wanted.level)
    for other in others:
        warn, advise = (wanted, other) if wanted.level > other.level else (other, wanted)
        if warn.is_milder_than(advise):
            warning(f"The warning is passed before the advisory: {_in_words(warn)}; {_in_words(advise)}.")


def _value(metric: Metric, text: str) -> float:
    units = ("F", "C") if metric in TEMPERATURES else ("mph", "m/s", "km/h", "kn")
    found = _VALUE.fullmatch(text.strip())
    if found is None or found[2] not in units:
        raise UsageProblem(
            f"{text!r} is no value of {metric.value}.", remedy=f"Give it in {' or '.join(units)}."
        )
    try:
        value = to_si(float(found[1]), found[2])
    except UnknownUnit as error:
        raise UsageProblem(f"{error}.") from error
    return value or 0.0


def _row(item: Threshold) -> dict[str, Any]:
    high, unit = shown(item.metric, item.raise_at)
    return {
        "category": CATEGORY_OF[item.metric].value,
        "level": item.level.word,
        "metric": item.metric.value,
        "raise": high,
        "clear": shown(item.metric, item.clear_at)[0],
        "unit": unit,
        "hours": item.hours,
        "raise_count": item.raise_count,
        "clear_count": item.clear_count,
        "hold_hours": item.min_hold.total_seconds() / 3600,
        "cooldown_hours": item.cooldown.total_seconds() / 3600,
    }


def _in_words(item: Threshold) -> str:
    row = _row(item)
    return f"{row['metric']} {row['level']} at {row['raise']} {row['unit']}, over at {row['clear']}"
