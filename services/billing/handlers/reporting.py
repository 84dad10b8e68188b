"""Reports: read from the books in a few statements for each thousand accounts."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from services.billing.domain.aging import Aged, Household, aged
from services.billing.domain.allocation import Standing
from services.billing.domain.leases import LeaseTerms
from services.billing.domain.past_ledgers import ledger_on
from services.billing.domain.periods import first_day, last_day, period_of
from services.billing.domain.rent_roll import RollLine, agreed, billed_in, unbilled
from services.billing.store import LeaseStore, LedgerStore
from services.billing.store.leases import Window
from services.billing.store.reports import IssuedPeriod, ReportStore
from shared.clock import local_date

CHUNK: Final = 1_000
"""How many accounts are replayed at once."""


@dataclass(frozen=True, slots=True)
class Debt:
    """An invoice as it stood."""

    due_on: date
    standing: Standing


async def aging(
    connection: AsyncConnection, as_of: datetime, *, on: date | None = None, property_id: UUID | None = None
) -> list[Aged]:
    """Who owes how much since when: now, or at the end of a day, by property and unit.

    Now is the day it is at each property. Who owes nothing is not there.
    """
    store = ReportStore(connection)
    households = await store.households(property_id)
    if on is None:
        found = await store.open_now()
        rows = [_aged_today(item, as_of, found.get(item.account_id, [])) for item in households.values()]
    else:
        past = await _debts_on(connection, list(households), on)
        rows = [
            aged(item, on, [(debt.due_on, debt.standing.balance_cents) for debt in past[key].values()])
            for key, item in households.items()
        ]
    return [row for row in rows if row.total_cents]


def _aged_today(household: Household, as_of: datetime, debts: Sequence[tuple[date, int]]) -> Aged:
    return aged(household, local_date(as_of, household.time_zone), debts)


async def _debts_on(
    connection: AsyncConnection, account_ids: Sequence[UUID], on: date
) -> dict[UUID, dict[UUID, Debt]]:
    """By account and invoice: how the invoices that were there stood at the end of a day."""
    found: dict[UUID, dict[UUID, Debt]] = {}
    for chunk in _chunks(account_ids):
        voided_on = await ReportStore(connection).voided_on(chunk)
        for ledger in await LedgerStore(connection).load(chunk):
            standings = ledger_on(ledger, on, voided_on).standings
            found[ledger.account_id] = {
                key: Debt(ledger.invoices[key].due_on, standing) for key, standing in standings.items()
            }
    return {key: found.get(key, {}) for key in account_ids}


def _chunks(ids: Sequence[UUID]) -> Iterator[Sequence[UUID]]:
    for start in range(0, len(ids), CHUNK):
        yield ids[start : start + CHUNK]


async def rent_roll(
    connection: AsyncConnection,
    as_of: datetime,
    *,
    month: str | None = None,
    property_id: UUID | None = None,
) -> list[RollLine]:
    """Each lease in force in a month: agreed, billed, paid, open, and what is not billed.

    Without a month, the one it is at each property, as it stands there today; a month of the past as it
    stood at its end, one to come as it stands now.
    """
    store = LeaseStore(connection)
    days = {name: _month_and_day(local_date(as_of, name), month) for name in await store.time_zones()}
    windows = [Window(name, first_day(label), last_day(label)) for name, (label, _) in days.items()]
    found = await store.in_force(windows, property_id) if windows else []
    lines: list[RollLine] = []
    for ids in _chunks([item.lease_id for item in found]):
        terms = await store.terms(ids)
        lines += await _roll(connection, [terms[lease_id] for lease_id in ids], days)
    return sorted(lines, key=lambda line: (str(line.terms.property_id), line.terms.unit_label))


def _month_and_day(today: date, month: str | None) -> tuple[str, date]:
    label = month or period_of(today)
    return label, min(today, last_day(label))


async def _roll(
    connection: AsyncConnection, leases: Sequence[LeaseTerms], days: Mapping[str, tuple[str, date]]
) -> list[RollLine]:
    periods = await ReportStore(connection).periods([item.lease_id for item in leases])
    standings: dict[date, dict[UUID, Debt]] = {}
    for on in {on for _, on in days.values()}:
        accounts = {item.account_id for item in leases if days[item.time_zone][1] == on}
        debts = await _debts_on(connection, list(accounts), on)
        standings[on] = {key: debt for found in debts.values() for key, debt in found.items()}
    lines = []
    for item in leases:
        month, on = days[item.time_zone]
        lines.append(_line(item, month, on, periods.get(item.lease_id, []), standings[on]))
    return lines


def _line(
    terms: LeaseTerms, month: str, on: date, periods: Sequence[IssuedPeriod], debts: Mapping[UUID, Debt]
) -> RollLine:
    rent_cents, charge_cents = agreed(terms, on)
    there = [item for item in periods if item.invoice_id in debts]
    issued = [(item.starts_on, item.ends_on) for item in there if item.is_rent]
    sums = [(item.starts_on, debts[item.invoice_id].standing) for item in there]
    billed_cents, paid_cents = billed_in(
        month, [(starts_on, max(found.total_cents, 0), found.paid_cents) for starts_on, found in sums]
    )
    missing = unbilled(terms, month, on, issued)
    return RollLine(terms, on, rent_cents, charge_cents, billed_cents, paid_cents, missing)
