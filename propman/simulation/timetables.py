"""The schedules while a past is simulated: what is due each hour, or in each zone, is due once a day for all.

A year of what a new installation is seeded with would be tens of thousands of runs, and each of them looks at
all that is due: one a day comes to the same ledgers. And one run at a time: where several bill at once, each
in its zone, nobody could say which invoice gets which number. At the end every schedule is what it was.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from propman.simulation.calendar import EARLY, NOON, Span
from propman.simulation.marker import keep_timetables, kept_timetables
from services.scheduler.controlling import Change, edit
from services.scheduler.domain.schedules import Schedule
from services.scheduler.store import ScheduleStore
from shared.clock import Clock
from shared.messaging.transaction import Transactions

LEFT_OUT: Final = ("weather-alerts", "weather-conditions", "cleanup")
"""Nobody can be asked about the weather of a past that never was, which is made to be looked at, and so not
cleaned up. These begin where it ends."""

DAILY: Final[Mapping[str, Any]] = {
    "kind": "cron",
    "expr": f"{NOON.minute} {NOON.hour} * * *",
    "timezone": "UTC",
}


async def simplify(transactions: Transactions, span: Span, now: Clock) -> None:
    """Every schedule is due from now on, at the moments of the simulation; some not before its end."""
    async with transactions.command("seed.schedules") as tx:
        running = [item for item in await ScheduleStore(tx.connection).schedules() if item.state == "active"]
        lived = {item.key: item.spec for item in running if item.key not in LEFT_OUT}
        await keep_timetables(tx.connection, lived)
        for schedule in running:
            if schedule.key in lived:
                await edit(tx, schedule, Change(spec=_simplified(schedule, span)))
            else:
                await edit(tx, schedule, Change(rules=replace(schedule.rules, start_at=now.now())))


async def restore(transactions: Transactions) -> None:
    """Every schedule is what it was, and due from this moment on."""
    async with transactions.command("seed.schedules") as tx:
        store = ScheduleStore(tx.connection)
        for key, spec in (await kept_timetables(tx.connection)).items():
            schedule = await store.schedule(key, lock=True)
            if schedule is not None and schedule.spec != spec:
                await edit(tx, schedule, Change(spec=spec))


def _simplified(schedule: Schedule, span: Span) -> dict[str, Any]:
    """Once a day; what is due once a month stays so, at night, and may not begin after the simulation."""
    if schedule.spec.get("kind") != "monthly":
        return dict(DAILY)
    first = min(str(schedule.spec.get("start_month", span.months[0])), span.months[0])
    return {**schedule.spec, "start_month": first, "time": f"{EARLY:%H:%M}", "timezone": "UTC"}
