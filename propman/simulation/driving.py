"""Making a past: from one moment to the next, and on from where an earlier run was cut off."""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from propman.simulation.calendar import Span, moments
from propman.simulation.marker import KEEPER, Past, note_moment
from propman.simulation.people import BY, Actor, actors
from propman.simulation.stage import Stage
from services.scheduler.controlling import Change, edit, pause, resume
from services.scheduler.store import SchedulerStore
from shared.clock import Clock
from shared.messaging.transaction import Transactions

LEFT_OUT: Final = {
    "weather-alerts": "a simulated past has no weather",
    "weather-conditions": "a simulated past has no weather",
    "cleanup": "a simulated past is made to be looked at",
}
"""Schedules that are paused meanwhile, and why."""


async def make_past(
    stage: Stage, past: Past, *, now: Clock, advance: Callable[[], None] = lambda: None
) -> None:
    """Bring a simulated past to its end; `advance` is told of each day.

    Each step can be done again: what was cut off in the middle of a moment is done from its beginning.
    """
    span = Span(past.starts_on, past.until_on)
    everybody = actors(span, past.seed)
    await stage.move_to(past.reached_at)
    if past.reached_at == span.eve:
        await _prepare(stage, everybody)
    last = past.reached_at
    for moment in moments(span, after=past.reached_at, now=now.now()):
        last = moment.at
        await note_moment(stage.databases[KEEPER], moment.at)
        await stage.move_to(moment.at)
        if moment.people_act:
            for actor in everybody:
                await actor.act(stage, moment.on)
                await stage.settle()
            advance()
    await _resume_schedules(stage.transactions["scheduler"], now)
    await note_moment(stage.databases[KEEPER], last, last=True)


async def _prepare(stage: Stage, everybody: tuple[Actor, ...]) -> None:
    await _begin_schedules(stage.transactions["scheduler"])
    for actor in everybody:
        await actor.prepare(stage)
        await stage.settle()


async def _begin_schedules(transactions: Transactions) -> None:
    """Every schedule is next due after this moment, and not where the machine's clock is."""
    async with transactions.command("seed.schedules") as tx:
        for schedule in await SchedulerStore(tx.connection).schedules():
            if schedule.state == "active":
                begun = await edit(tx, schedule, Change())
                if schedule.key in LEFT_OUT:
                    await pause(tx, begun, by=BY, reason=LEFT_OUT[schedule.key], until=None)


async def _resume_schedules(transactions: Transactions, now: Clock) -> None:
    """What was paused runs again, from now on."""
    async with replace(transactions, clock=now).command("seed.schedules") as tx:
        for schedule in await SchedulerStore(tx.connection).schedules():
            if schedule.key in LEFT_OUT and schedule.paused_by == BY:
                await resume(tx, schedule)
