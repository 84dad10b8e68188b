"""What a billing run would do: which periods of leases have no invoice yet, and why others are left out.

The schedule, the command line and every replay plan through these functions, so that a dry run shows what
the real run does at that instant.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import groupby
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from services.billing.domain.due_periods import (
    LONGEST_LEAD_DAYS,
    LONGEST_PERIOD_DAYS,
    periods_due,
    periods_of_month,
    standing,
)
from services.billing.domain.periods import BillingPeriod, first_day, last_day, period_of
from services.billing.domain.policy_book import Place, PolicyBook
from services.billing.handlers.runs import CHUNK, chosen_zones
from services.billing.store import BilledStore, LeaseStore, PolicyStore
from services.billing.store.leases import Billable, Window
from shared.clock import UnknownZone, local_date

_AHEAD: Final = timedelta(days=LONGEST_LEAD_DAYS + LONGEST_PERIOD_DAYS)


@dataclass(frozen=True, slots=True)
class Request:
    """What somebody, or the schedule, asks to have billed."""

    as_of: datetime
    period: str | None = None
    """A month, past or future; without it the month it is at each property, and what its lead brings."""
    property_id: UUID | None = None
    by_hand: bool = True
    """A person asks. The schedule passes over what a policy keeps from it, and what a person voided."""
    only_zone: str | None = None
    """Only leases whose business dates are in this zone."""


@dataclass(frozen=True, slots=True)
class Key:
    """What an invoice is asked for by: a lease, and the day a period of it begins."""

    lease_id: UUID
    starts_on: date


@dataclass(frozen=True, slots=True)
class Wanted:
    """One period of one lease that has no invoice."""

    lease_id: UUID
    property_id: UUID
    period: BillingPeriod

    @property
    def days(self) -> tuple[UUID, date, date]:
        """The lease, and the first and last day of the period."""
        return self.lease_id, self.period.starts_on, self.period.ends_on

    @property
    def key(self) -> Key:
        """What it is issued by."""
        return Key(self.lease_id, self.period.starts_on)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run is about."""

    to_bill: tuple[Wanted, ...] = ()
    billed: int = 0
    """Periods that have their invoice already."""
    held_back: int = 0
    """What the schedule leaves to a person."""
    problems: tuple[str, ...] = ()

    @property
    def examined(self) -> int:
        """All periods that were looked at."""
        return len(self.to_bill) + self.billed + self.held_back + len(self.problems)


async def plan_invoices(connection: AsyncConnection, request: Request) -> Plan:
    """The periods to bill, and what is known of the others; reads only."""
    store = LeaseStore(connection)
    days, problems = _local_days(await store.time_zones(), request.as_of)
    # A zone that nobody knows has no run of its own: whichever run comes by reports it.
    days = {name: days[name] for name in chosen_zones(days, request.only_zone)}
    windows = [_window(name, today, request.period) for name, today in days.items()]
    found = await store.in_force(windows, request.property_id) if windows else []
    book = await PolicyStore(connection).book({lease.lease_id: lease.property_id for lease in found})
    wanted, held_back = _wanted(found, days, book, request)
    plan = await _without_billed(connection, wanted, request)
    return Plan(plan.to_bill, plan.billed, plan.held_back + held_back, (*problems, *plan.problems))


def chunked(wanted: Sequence[Wanted]) -> list[list[Wanted]]:
    """The work in pieces of up to `CHUNK`; the periods of a lease stay together, in order of time."""
    chunks: list[list[Wanted]] = []
    for _, periods in groupby(wanted, key=lambda item: item.lease_id):
        together = list(periods)
        if not chunks or len(chunks[-1]) + len(together) > CHUNK:
            chunks.append([])
        chunks[-1] += together
    return chunks


def _local_days(zones: Iterable[str], as_of: datetime) -> tuple[dict[str, date], list[str]]:
    """What day it is in each zone; a zone that nobody knows stops no other."""
    days: dict[str, date] = {}
    problems: list[str] = []
    for name in zones:
        try:
            days[name] = local_date(as_of, name)
        except UnknownZone as problem:
            problems.append(f"leases in that zone: {problem}")
    return days, problems


def _window(time_zone: str, today: date, month: str | None) -> Window:
    if month is None:
        return Window(time_zone, first_day(period_of(today)), today + _AHEAD)
    return Window(time_zone, first_day(month), last_day(month) + timedelta(days=LONGEST_PERIOD_DAYS))


def _wanted(
    leases: Sequence[Billable], days: Mapping[str, date], book: PolicyBook, request: Request
) -> tuple[list[Wanted], int]:
    wanted: list[Wanted] = []
    held_back = 0
    for lease in leases:
        today = days[lease.time_zone]
        policy = book.policy(Place(lease.property_id, lease.lease_id), today)
        if request.period is None:
            periods = periods_due(lease.tenure, today, policy.lead_days)
        else:
            periods = periods_of_month(lease.tenure, request.period)
        if policy.auto_generate or request.by_hand:
            wanted += [Wanted(lease.lease_id, lease.property_id, period) for period in periods]
        else:
            held_back += len(periods)
    return wanted, held_back


async def _without_billed(connection: AsyncConnection, wanted: Sequence[Wanted], request: Request) -> Plan:
    store = BilledStore(connection)
    issued = await store.near(item.days for item in wanted)
    found = {item.key: standing(item.period, issued.get(item.lease_id, ())) for item in wanted}
    free = [item for item in wanted if found[item.key] == "free"]
    voided = {} if request.by_hand else await store.voided(item.days for item in free)
    to_bill = tuple(item for item in free if item.days[1:] not in voided.get(item.lease_id, ()))
    return Plan(
        to_bill,
        billed=sum(1 for item in wanted if found[item.key] == "billed"),
        held_back=len(free) - len(to_bill),
        problems=tuple(
            overlapping(item, issued[item.lease_id]) for item in wanted if found[item.key] == "overlapped"
        ),
    )


def overlapping(item: Wanted, issued: Mapping[tuple[date, date], str]) -> str:
    """Why a period is not billed that shares days with one that is."""
    period = item.period
    names = [
        number
        for (starts_on, ends_on), number in sorted(issued.items())
        if starts_on <= period.ends_on and period.starts_on <= ends_on
    ]
    return (
        f"lease {item.lease_id}: {period.text} shares days with {', '.join(names)},"
        " which was issued under other terms; void that first"
    )
