"""Rewards as it hears of Elm Street in New York: facts of billing, days that pass, commands."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any

import sqlalchemy as sa

from services.rewards.handlers import router
from services.rewards.handlers.policies import NewPolicy, set_policy
from services.rewards.handlers.reading import Standing, standings
from services.rewards.schema import entries, metadata
from shared.contracts.base import Message
from shared.contracts.billing import (
    InvoiceCreated,
    InvoiceVoided,
    LateFeeApplied,
    LateFeeWaived,
    PaymentRecorded,
    PaymentReversed,
    RentStandingChanged,
)
from shared.contracts.leasing import LeaseActivated, PropertyRegistered, TenantRegistered
from shared.contracts.rewards import CalculateRewards
from shared.contracts.scheduler import RewardsDue, TriggerStarted
from shared.identity import derived_id
from shared.messaging.transaction import Transactions
from tests.support.commands import Ran, run_propman
from tests.support.messages import count_rows, deliver, deliver_batch, emitted, outbox

SALLY = derived_id("tenant", "Sally")
ELM = derived_id("property", "Elm Street")
LEASE = derived_id("lease", "1A")
EVERY_THREE = {"streaks": [{"months": 3, "amount_cents": 3_000}]}


def noon(day: str | date) -> datetime:
    """Noon in New York on a day."""
    on = day if isinstance(day, date) else date.fromisoformat(day)
    return datetime.combine(on, time(17), tzinfo=UTC)


def a_property(**changes: Any) -> PropertyRegistered:
    """Elm Street."""
    values = {"property_id": ELM, "version": 1, "name": "Elm Street", "address": "1 Elm Street"}
    return PropertyRegistered(**values | {"time_zone": "America/New_York"} | changes)


def a_lease(**changes: Any) -> LeaseActivated:
    """Sally's lease of 1A."""
    values: dict[str, Any] = {
        "lease_id": LEASE,
        "version": 1,
        "property_id": ELM,
        "unit_id": derived_id("unit", "1A"),
        "unit_label": "1A",
        "tenant_ids": (SALLY,),
        "time_zone": "America/New_York",
        "rent_cents": 100_000,
        "starts_on": date(2026, 1, 1),
    }
    return LeaseActivated(**values | changes)


def sally(**changes: Any) -> TenantRegistered:
    """Who rents 1A."""
    values: dict[str, Any] = {"tenant_id": SALLY, "version": 1, "name": "Streak Sally"}
    return TenantRegistered(**values | {"email": "sally@example.com", "phone": "+13125550142"} | changes)


def about(period: str, **changes: Any) -> dict[str, Any]:
    """What every fact about an invoice of a month says."""
    values: dict[str, Any] = {
        "invoice_id": derived_id("invoice", period),
        "number": f"INV-{period}",
        "lease_id": LEASE,
        "account_id": LEASE,
        "property_id": ELM,
        "tenant_ids": (SALLY,),
        "period": period,
        "due_on": date.fromisoformat(f"{period}-01"),
        "currency": "USD",
    }
    return values | changes


def issued(period: str, **changes: Any) -> InvoiceCreated:
    """1,000.00 of rent due on the first of a month."""
    values = {"unit_id": derived_id("unit", "1A"), "issued_on": date.fromisoformat(f"{period}-01")}
    cents = {"total_cents": 100_000, "rent_cents": 100_000}
    starts = {"period_starts_on": date.fromisoformat(f"{period}-01")}
    return InvoiceCreated(**about(period) | values | cents | starts | changes)


def covered(period: str, on: str | None = None, revision: int = 1) -> RentStandingChanged:
    """The rent of a month is covered, on the due date unless another day is given."""
    day = date.fromisoformat(on or f"{period}-01")
    return RentStandingChanged(
        **about(period), balance_cents=0, rent_cents=100_000, covered_on=day, revision=revision
    )


def reopened(period: str, revision: int = 2) -> RentStandingChanged:
    """The rent of a month is open again."""
    return RentStandingChanged(
        **about(period), balance_cents=100_000, rent_cents=100_000, covered_on=None, revision=revision
    )


def voided(period: str, on: str) -> InvoiceVoided:
    """The invoice of a month never counted."""
    return InvoiceVoided(**about(period), balance_cents=0, reason="wrong", voided_on=date.fromisoformat(on))


def paid(on: str, cents: int = 100_000, **changes: Any) -> PaymentRecorded:
    """Money that came in."""
    values: dict[str, Any] = {
        "payment_id": derived_id("payment", on, cents),
        "reference": f"bank {on}",
        "invoice_id": LEASE,
        "invoice_number": "",
        "lease_id": LEASE,
        "property_id": ELM,
        "tenant_ids": (SALLY,),
        "currency": "USD",
        "amount_cents": cents,
        "balance_cents": 0,
        "received_on": date.fromisoformat(on),
        "account_id": LEASE,
    }
    return PaymentRecorded(**values | changes)


def bounced(payment: PaymentRecorded, known_on: str, cents: int | None = None) -> PaymentReversed:
    """A payment is gone again."""
    return PaymentReversed(
        payment_id=payment.payment_id,
        reversal_id=derived_id("reversal", payment.payment_id),
        account_id=LEASE,
        lease_id=LEASE,
        property_id=ELM,
        tenant_ids=(SALLY,),
        currency="USD",
        reversal="returned",
        amount_cents=cents or payment.amount_cents,
        known_on=date.fromisoformat(known_on),
        nsf_fee_cents=2_500,
    )


def fee(period: str, cents: int = 5_000, **changes: Any) -> LateFeeApplied:
    """A late fee on the seventh."""
    return LateFeeApplied(**_fee(period, cents) | changes)


def waived(period: str, cents: int = 5_000) -> LateFeeWaived:
    """It is waived."""
    identity = {"fee_id": derived_id("waiver", period)}
    return LateFeeWaived(**_fee(period, cents) | identity, reason="first time")


def _fee(period: str, cents: int) -> dict[str, Any]:
    return about(period) | {
        "balance_cents": 0,
        "fee_id": derived_id("fee", period),
        "fee_kind": "late_fee",
        "amount_cents": cents,
        "rule": "flat.1",
        "formula": "50.00",
        "on": date.fromisoformat(f"{period}-07"),
        "total_fee_cents": cents,
    }


@dataclass
class Desk:
    """Rewards' database, and what is said to it."""

    transactions: Transactions
    environment: dict[str, str]
    evaluations: int = 0

    async def open(self) -> "Desk":
        """Elm Street and Sally's lease, under a policy of thirty for every three months."""
        await self.hear(a_property(), a_lease())
        await self.agree(EVERY_THREE)
        return self

    async def hear(self, *facts: Message) -> None:
        """Facts arrive: those of one kind in one batch, as a busy queue delivers them."""
        by_kind: dict[type[Message], list[Message]] = {}
        for fact in facts:
            by_kind.setdefault(type(fact), []).append(fact)
        for same in by_kind.values():
            if len(same) > 1:
                await deliver_batch(self.transactions, router, same)
            else:
                await deliver(self.transactions, router, same[0])

    async def agree(self, document: dict[str, Any], **fields: Any) -> None:
        """A policy is set, from the beginning unless something else is said."""
        new: dict[str, Any] = {"effective_on": date(2020, 1, 1), "by": "Olga"} | fields
        async with self.transactions.command("test") as tx:
            await set_policy(tx, NewPolicy(document=document, **new))

    async def evaluate(self, on: str = "2027-06-01", **fields: Any) -> list[tuple[str, dict[str, Any]]]:
        """The nightly trigger comes, and its chunks are worked off; what was said of it."""
        before = len(await emitted(self.transactions))
        self.evaluations += 1
        await self.hear(
            RewardsDue(
                occurrence_id=derived_id("occurrence", self.evaluations),
                schedule_key="rewards",
                as_of=noon(on),
                **fields,
            )
        )
        for topic, body in (await emitted(self.transactions))[before:]:
            if topic == CalculateRewards.topic:
                await self.hear(CalculateRewards.model_validate(body))
        said = (await emitted(self.transactions))[before:]
        own = {CalculateRewards.topic, TriggerStarted.topic}
        return [(topic, body) for topic, body in said if topic not in own]

    async def ledger(self) -> list[tuple[str, str, int, int]]:
        """Kind, month, amount and balance of each entry of Sally's ledger."""
        columns = entries.c.kind, entries.c.period, entries.c.amount_cents, entries.c.balance_cents
        query = sa.select(*columns).where(entries.c.tenant_id == SALLY).order_by(entries.c.sequence)
        async with self.transactions.engine.connect() as connection:
            return [tuple(row) for row in await connection.execute(query)]

    async def standing(self) -> Standing:
        """How Sally stands."""
        async with self.transactions.engine.connect() as connection:
            return (await standings(connection, [SALLY])).get(SALLY, Standing())

    async def rows(self) -> dict[str, int]:
        """How many rows every table has."""
        tables = [*metadata.sorted_tables, outbox]
        return {table.name: await count_rows(self.transactions, table) for table in tables}

    async def do(self, *words: str) -> Ran:
        """A command, in this process."""
        return await run_propman("rewards", *words, environment=self.environment)

    async def json(self, *words: str) -> Any:
        """What a command prints for machines."""
        done = await self.do(*words, "--json")
        assert done.code == 0, done.err
        return done.json


def months(first: int, last: int, year: int = 2026) -> Sequence[str]:
    """Periods of a year, both inclusive."""
    return [f"{year}-{number:02}" for number in range(first, last + 1)]


def on_time(periods: Sequence[str]) -> list[Message]:
    """Rent that was billed, paid and covered on the due date."""
    return [fact for period in periods for fact in (issued(period), paid(f"{period}-01"), covered(period))]
