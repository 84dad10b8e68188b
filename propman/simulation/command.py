"""`propman seed-dev-data`: a year of history that the system makes by itself, in minutes."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Annotated, Final

import typer

from propman.catalog import chosen_services, service_names
from propman.dev.home import local_folder
from propman.simulation.calendar import Span
from propman.simulation.clearing import Holding, begin_anew, common_past, holdings, refuse_if_running
from propman.simulation.driving import make_past
from propman.simulation.marker import Past, mark_all
from propman.simulation.report import Outcome, print_outcome, read_outcome
from propman.simulation.stage import stage
from shared.cli import (
    CommandError,
    JsonOption,
    NoInputOption,
    UsageProblem,
    YesOption,
    command_app,
    confirm,
    date_option,
    json_wanted,
    print_json,
    print_table,
    progress,
    say,
    success,
)
from shared.clock import Clock, SharedClock, SystemClock, stopwatch
from shared.logging import configure_logging

app = command_app("seed-dev-data")

MOST_MONTHS: Final = 36
AGAIN: Final = "Say --clear to delete it and begin anew."

NEXT: Final = """
Look at what happened (`propman run` lets it go on from here):
  propman billing invoices list
  propman billing explain lease ID
  propman rewards balance           and why: propman rewards explain --tenant ID --month YYYY-MM
  propman leasing signing-links list
  propman leasing work-orders list
  propman trace OCCURRENCE          an occurrence of: propman scheduler history
  propman monitor"""


@app.command()
async def seed_dev_data(
    *,
    clear: Annotated[bool, typer.Option("--clear", help="Delete what is there first.")] = False,
    no_input: NoInputOption = False,
    yes: YesOption = False,
    months: Annotated[
        int, typer.Option("--months", min=1, max=MOST_MONTHS, help="How many months of history.")
    ] = 12,
    until: Annotated[date | None, date_option("--until", help="The last day; else today.")] = None,
    seed: Annotated[
        int, typer.Option("--seed", min=0, max=2**31 - 1, help="Chooses what is left to chance.")
    ] = 1,
    real: Annotated[
        bool, typer.Option("--yes-delete-real-data", help="With --clear: also what no simulation made.")
    ] = False,
    apart: Annotated[
        list[str] | None, typer.Option("--apart", hidden=True, help="A service in a process of its own.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    r"""Make a year of history: 5 properties, 29 units, 15 tenants, each with their own way to pay.

    The system makes it by itself: all services run here, on a clock that is moved from one moment to the
    next; schedules come due, invoices, fees and reminders follow, tenants pay. No message leaves the house:
    each is written down as sent, and marked as simulated. Same months, day and seed, same ledgers.

    What was interrupted goes on when the same command is given again. Nothing else may run on these databases
    meanwhile.

    \b
    Examples:
      propman seed-dev-data
      propman seed-dev-data --clear --no-input
      propman seed-dev-data --months 3 --until 2026-06-30 --seed 7
    """
    clock = SystemClock()
    span = span_of(months, until, clock)
    wanted = Past(seed, span.starts_on, span.until_on, span.eve)
    names = chosen_services(apart) if apart else []
    found = await holdings()
    refuse_if_running(found)
    refuse_real_data(found, sure=clear and real)
    if clear:
        agreed(found, yes=yes or no_input)
    past = await begin_or_go_on(None if clear else past_to_continue(found, wanted), wanted)
    with log_file().open("a", encoding="utf-8") as stream:
        configure_logging(level="warning", style="json", stream=stream)
        seconds = await run_through(past, clock, stream.name, apart=names)
    show(await read_outcome(), past, seconds)


async def begin_or_go_on(cut_off: Past | None, wanted: Past) -> Past:
    """The past to live through: one that was cut off, or a new one in empty databases."""
    if cut_off is None:
        return await begin(wanted)
    say(f"Going on at {cut_off.reached_at:%Y-%m-%d %H:%M} UTC, where an earlier run was cut off.")
    return cut_off


def span_of(months: int, until: date | None, clock: Clock) -> Span:
    """The days that are asked for; refuses those to come."""
    today = clock.now().date()
    if until is not None and until > today:
        raise UsageProblem(f"{until} is still to come.", remedy="Give --until a day that has been.")
    return Span.of(months, until or today)


def past_to_continue(found: Sequence[Holding], wanted: Past) -> Past | None:
    """The unfinished past to go on with, or None where there is nothing; refuses everything else."""
    if all(item.is_empty and item.past is None for item in found):
        return None
    past = common_past(found)
    if past is None:
        filled = "; ".join(f"{item.service}: {item.text}" for item in found if not item.is_empty)
        raise CommandError(
            f"The databases do not hold one and the same past ({filled or 'nothing'}).", remedy=AGAIN
        )
    if past.finished_at is not None:
        raise CommandError(f"There is a simulated past already, {words(past)}.", remedy=AGAIN)
    if past.made_from != wanted.made_from:
        raise CommandError(
            f"An unfinished past is here, {words(past)}.", remedy=f"Ask for the same to go on. {AGAIN}"
        )
    return past


def words(past: Past) -> str:
    """What a past was made from."""
    return f"{past.starts_on} to {past.until_on} with seed {past.seed}"


def refuse_real_data(found: Sequence[Holding], *, sure: bool) -> None:
    """Nothing that somebody entered is mixed with a past, or deleted by a flag that is typed every day."""
    real = [f"{item.service}: {item.text}" for item in found if item.is_real]
    if real and not sure:
        raise CommandError(
            f"No simulation made what is here ({'; '.join(real)}).",
            remedy="To keep it, give the past servers of its own: `export PROPMAN_HOME=/another/folder`,"
            " `propman dev start`, and this again. If all of it may go: --clear --yes-delete-real-data.",
        )


def agreed(found: Sequence[Holding], *, yes: bool) -> None:
    """Name what goes, and ask."""
    if all(item.is_empty for item in found):
        return
    if not json_wanted():
        print_table(["service", "to be deleted"], [[item.service, item.text] for item in found])
    if not confirm("Delete all of it?", yes=yes):
        say("Nothing is deleted.")
        raise typer.Exit(1)


async def begin(wanted: Past) -> Past:
    """Empty databases, marked before anything is in them."""
    with progress(len(service_names()), "Preparing databases") as bar:
        await begin_anew(bar)
    await mark_all(wanted)
    return wanted


def log_file() -> Path:
    """Where the services' log lines go."""
    local_folder().mkdir(parents=True, exist_ok=True)
    return local_folder() / "seed.log"


async def run_through(past: Past, clock: Clock, log: str, *, apart: Sequence[str] = ()) -> float:
    """Make a past, or the rest of one; returns the seconds it took."""
    started = stopwatch()
    time = local_folder() / "simulated.clock"
    span = Span(past.starts_on, past.until_on)
    done = max((past.reached_at.date() - past.starts_on).days, 0)
    with progress(span.days, "Simulating days") as bar:
        bar.advance(done)
        simulated = SharedClock.create(time, past.reached_at)
        try:
            async with stage(simulated, time, Path(log), apart) as on_stage:
                await make_past(on_stage, past, now=clock, advance=bar.advance)
        except asyncio.CancelledError:
            say("Cut off. The same command, without --clear, goes on from here.")
            raise
        finally:
            simulated.close()
            time.unlink(missing_ok=True)
    return stopwatch() - started


def show(found: Outcome, past: Past, seconds: float) -> None:
    """The end: what came of everybody."""
    if json_wanted():
        print_json(
            {
                "from": past.starts_on,
                "until": past.until_on,
                "seed": past.seed,
                "seconds": round(seconds, 1),
                "households": [asdict(item) for item in found.households],
                "messages": dict(found.messages),
                "ledger": found.ledger,
                "rewards_ledger": found.rewards,
            }
        )
        return
    success(f"{words(past)}: made in {seconds:.0f} s.".capitalize())
    print_outcome(found)
    say(NEXT)


__all__ = ["app"]
