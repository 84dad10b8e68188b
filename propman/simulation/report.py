"""What a simulated past came to: a row per household, sums, and the ledgers for a comparison."""

import csv
import io
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from propman.databases import transactions_of
from services.billing.domain.statements import Entry, Kind, running
from services.billing.store.statements import Heading, StatementStore
from services.leasing.domain.tenants import Tenant
from services.leasing.store import tenants
from services.notifications.store import reading
from services.rewards.handlers.reading import Standing, standings
from services.rewards.store import LedgerStore
from shared.cli import print_table
from shared.money import format_cents

MANY: Final = 1_000
_MONEY: Final = ("billed_cents", "fee_cents", "paid_cents", "credit_cents", "balance_cents", "reward_cents")
_ID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
COLUMNS: Final = (
    "property",
    "unit",
    "tenants",
    "billed",
    "fees",
    "paid",
    "credits",
    "owed",
    "rewards",
    "streak",
    "messages",
)


@dataclass(frozen=True, slots=True)
class Household:
    """What came of the tenants of one account; amounts are in cents."""

    tenants: str
    property: str
    unit: str
    billed_cents: int
    fee_cents: int
    paid_cents: int
    credit_cents: int
    """What of each payment was more than was owed then, and waited for the next invoices."""
    balance_cents: int
    """What is owed; below nothing it is credit."""
    messages: int
    streak: int = 0
    """Months in a row paid on time; of several tenants the longest."""
    reward_cents: int = 0
    """Earned, and not redeemed yet."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Everything that is shown, and compared, at the end."""

    households: tuple[Household, ...]
    ledger: str
    """All running ledgers as CSV, without any id: the same past has the same, byte for byte."""
    rewards: str
    """All reward ledgers likewise."""
    messages: Mapping[str, int]
    """How many left the house, by tenant and text."""


async def read_outcome() -> Outcome:
    """Read what the services keep of the past."""
    async with transactions_of("leasing") as leasing, leasing.engine.connect() as connection:
        people = await tenants.tenants_after(connection, None, MANY)
    async with transactions_of("notifications") as told, told.engine.connect() as connection:
        sent = await reading.count_sent(connection)
    async with transactions_of("rewards") as rewards, rewards.engine.connect() as connection:
        standing = await standings(connection)
        earned = [(item, await LedgerStore(connection).entries_of(item.id)) for item in people]
    async with transactions_of("billing") as billing, billing.engine.connect() as connection:
        accounts = await _accounts(connection, people)
        ids = list(accounts)
        store = StatementStore(connection)
        entries, charged = await store.entries(ids), await store.totals(ids)
    messages = _messages(people, sent)
    return Outcome(
        tuple(
            _rewarded(_household(item, entries[key], charged[key], sent), item, standing)
            for key, item in accounts.items()
        ),
        _ledgers([(item, entries[key]) for key, item in accounts.items()]),
        _reward_ledgers(earned),
        messages,
    )


@dataclass(frozen=True, slots=True)
class _Account:
    heading: Heading
    tenants: tuple[Tenant, ...]


async def _accounts(connection: AsyncConnection, people: Sequence[Tenant]) -> dict[UUID, _Account]:
    """Every account with its tenants, by property and unit."""
    headings: dict[UUID, Heading] = {}
    holders: defaultdict[UUID, list[Tenant]] = defaultdict(list)
    for tenant in people:
        for heading in await StatementStore(connection).headings(tenant_id=tenant.id):
            headings[heading.account_id] = heading
            holders[heading.account_id].append(tenant)
    ordered = sorted(headings.values(), key=lambda item: (item.property_name or "", item.unit_label))
    return {item.account_id: _Account(item, tuple(holders[item.account_id])) for item in ordered}


def _household(
    account: _Account, entries: Sequence[Entry], charged: Mapping[str, int], sent: Sequence[Mapping[str, Any]]
) -> Household:
    fees = charged.get("fee", 0)
    paid = sum(entry.payment_cents for entry in entries)
    ours = {tenant.id for tenant in account.tenants}
    return Household(
        tenants=", ".join(tenant.name for tenant in account.tenants),
        property=account.heading.property_name or "",
        unit=account.heading.unit_label,
        billed_cents=sum(charged.values()) - fees,
        fee_cents=fees,
        paid_cents=paid,
        credit_cents=credited(entries),
        balance_cents=sum(charged.values()) - paid,
        messages=sum(row["count"] for row in sent if row["tenant_id"] in ours),
    )


def credited(entries: Sequence[Entry]) -> int:
    """What of the payments exceeded what was owed on their days: three rents at once are two as credit."""
    return sum(
        min(row.entry.payment_cents, max(-row.balance_cents, 0))
        for row in running(entries)
        if row.entry.kind is Kind.PAYMENT
    )


def _rewarded(home: Household, account: _Account, standing: Mapping[UUID, Standing]) -> Household:
    found = [standing[tenant.id] for tenant in account.tenants if tenant.id in standing]
    return replace(
        home,
        streak=max((item.streak for item in found), default=0),
        reward_cents=sum(item.balance_cents for item in found),
    )


def _messages(people: Sequence[Tenant], sent: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    names = {tenant.id: tenant.name for tenant in people}
    found = {f"{names[row['tenant_id']]}: {row['template']}": row["count"] for row in sent}
    return dict(sorted(found.items()))


def _ledgers(accounts: Sequence[tuple[_Account, Sequence[Entry]]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["property", "unit", "date", "reference", "what", "charge", "payment", "balance"])
    for account, entries in accounts:
        for row in running(entries):
            entry, place = row.entry, account.heading
            amounts = entry.charge_cents, entry.payment_cents, row.balance_cents
            reference = _ID.sub("…", entry.reference)
            writer.writerow(
                [place.property_name, place.unit_label, entry.on, reference, entry.what, *amounts]
            )
    return out.getvalue()


def _reward_ledgers(ledgers: Sequence[tuple[Tenant, Sequence[Mapping[str, Any]]]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    names = ("posted_on", "kind", "period", "amount_cents", "balance_cents", "shortfall_cents", "cause")
    writer.writerow(["tenant", "rule", *names])
    for tenant, entries in sorted(ledgers, key=lambda item: item[0].name):
        for entry in entries:
            rule = _ID.sub("…", entry["rule"])
            writer.writerow([tenant.name, rule, *(entry[name] for name in names)])
    return out.getvalue()


def print_outcome(found: Outcome) -> None:
    """The table for people, with its sums."""
    rows = [
        [item.property, item.unit, item.tenants, *_amounts(asdict(item)), item.streak, item.messages]
        for item in found.households
    ]
    sums = {name: sum(getattr(item, name) for item in found.households) for name in _MONEY}
    rows.append(["all", "", "", *_amounts(sums), "", sum(item.messages for item in found.households)])
    print_table(COLUMNS, rows)


def _amounts(cents: Mapping[str, Any]) -> list[str]:
    return [format_cents(cents[name], "USD") for name in _MONEY]
