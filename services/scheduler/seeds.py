"""The schedules from the start as they are put today, and the way there for those that were put earlier.

A migration changes no schedule of a database that has announced anything: it may not know where its
properties are. So a person does, who is shown first what will be different.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from services.scheduler.controlling import Change, add, edit
from services.scheduler.definitions import new_schedule
from services.scheduler.domain.rules import Rules
from services.scheduler.domain.schedules import PROPERTY_ZONE, Schedule
from services.scheduler.triggers import trigger_named
from shared.contracts.scheduler import MonthlyBillingDue
from shared.messaging.transaction import Tx

Spec = Mapping[str, Any]

_DAY: Final = timedelta(days=1)
_WITHOUT_RULES: Final = Rules(overlap="allow", run_timeout=None)
"""What held before schedules had rules."""


@dataclass(frozen=True, slots=True)
class Seed:
    """How a schedule is put in a new database, and how it was put in older ones."""

    key: str
    spec: Spec
    rules: Rules
    former: Sequence[tuple[Spec, Rules]] = ()


def _cron(expression: str, zone: str = PROPERTY_ZONE) -> Spec:
    return {"kind": "cron", "expr": expression, "timezone": zone}


def _hourly(minute: int) -> tuple[tuple[Spec, Rules], ...]:
    return ((_cron(f"{minute} * * * *", "UTC"), _WITHOUT_RULES),)


_MONTHLY: Final[Spec] = {
    "kind": "monthly",
    "start_month": "2026-01",
    "every_months": 1,
    "day": 1,
    "time": "00:00",
    "timezone": PROPERTY_ZONE,
}
_WEEK: Final = Rules(catch_up_window=7 * _DAY)
_LONG: Final = Rules(run_timeout=timedelta(hours=6))

SEEDS: Final = (
    Seed("monthly-billing", _MONTHLY, Rules(catch_up="all"), _hourly(5)),
    Seed("late-fees", _cron("0 9 * * *"), _WEEK, _hourly(15)),
    Seed("autopay", _cron("0 8 * * *"), _WEEK, _hourly(20)),
    Seed("payment-reminders", _cron("0 * * * *"), Rules(catch_up_window=_DAY), _hourly(25)),
    Seed("rewards", _cron("15 2 * * *"), _LONG, ((_cron("15 10 * * *", "UTC"), _LONG),)),
)
DAILY_BILLING: Final = Seed("daily-billing", _cron("5 0,12,23 * * *"), _WEEK)
"""Comes with monthly billing at each property: it bills what the month's first could not know."""


def outdated(schedules: Sequence[Schedule]) -> list[tuple[Schedule, Seed]]:
    """The schedules that are exactly as an older version put them; nobody has edited or paused them."""
    known = {seed.key: seed for seed in SEEDS}
    return [
        (item, known[item.key])
        for item in schedules
        if item.key in known
        and (item.spec_version, item.state, item.payload) == (1, "active", {})
        and (item.spec, item.rules) in known[item.key].former
    ]


def edited_seeds(schedules: Sequence[Schedule]) -> list[str]:
    """The keys of those that are neither as they are put today nor as they were: they are somebody's own."""
    known = {seed.key: seed for seed in SEEDS}
    old = {item.key for item, _ in outdated(schedules)}
    return [
        item.key
        for item in schedules
        if item.key in known and item.key not in old and item.spec != known[item.key].spec
    ]


async def adopt(tx: Tx, schedule: Schedule, seed: Seed) -> Schedule:
    """Give a schedule the times and rules of today, from now on; lock it before."""
    return await edit(tx, schedule, Change(spec=seed.spec, rules=seed.rules))


async def add_daily_billing(tx: Tx) -> Schedule | None:
    """Add what goes with monthly billing at each property; None where there is one of its key."""
    daily = new_schedule(
        DAILY_BILLING.key,
        trigger=trigger_named(MonthlyBillingDue.topic).topic,
        spec=DAILY_BILLING.spec,
        rules=DAILY_BILLING.rules,
        now=tx.at,
    )
    return await add(tx, daily)
