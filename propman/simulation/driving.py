"""Making a past: from one moment to the next, and on from where an earlier run was cut off."""

from collections.abc import Callable

from propman.simulation.calendar import Span, moments
from propman.simulation.marker import KEEPER, Past, note_moment
from propman.simulation.office import Mending, Signatures
from propman.simulation.people import Actor, Landlord, Tenants
from propman.simulation.stage import Stage
from propman.simulation.timetables import restore, simplify
from shared.clock import Clock


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
        await _prepare(stage, everybody, span, now)
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
    await restore(stage.transactions["scheduler"])
    await stage.settle()
    await stage.watch.end()
    await note_moment(stage.databases[KEEPER], last, last=True)


def actors(span: Span, seed: int) -> tuple[Actor, ...]:
    """Everybody, in the order in which they act on a day."""
    return Landlord(span), Signatures(span), Mending(span), Tenants(span, seed)


async def _prepare(stage: Stage, everybody: tuple[Actor, ...], span: Span, now: Clock) -> None:
    await simplify(stage.transactions["scheduler"], span, now)
    for actor in everybody:
        await actor.prepare(stage)
        await stage.settle()
