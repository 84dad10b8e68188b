"""What people do on a day, through the same functions as their commands."""

from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final, Protocol
from uuid import UUID

from propman.demo.agreements import agree
from propman.demo.portfolio import load_portfolio
from propman.simulation.calendar import Span
from propman.simulation.habits import Bill, Pay
from propman.simulation.stage import Stage
from propman.simulation.tenants import Events, habits
from services.billing.domain.periods import period_of
from services.billing.domain.waiving import WaiverRefused
from services.billing.gateways.simulated import GOOD_CARD
from services.billing.handlers.autopay import AlreadyEnrolled, Method, enrol
from services.billing.handlers.payments import NewPayment, record_payment
from services.billing.handlers.reversals import NewReversal, reverse_payment
from services.billing.handlers.waivers import waive_fee
from services.billing.store import InvoiceStore, LeaseStore
from services.billing.store.invoices import Invoice
from services.leasing.domain.leases import Lease
from services.leasing.domain.refusals import LeaseIsRenewed
from services.leasing.domain.renewals import Renewal
from services.leasing.handlers import renew_lease
from services.leasing.store import leases, tenants
from services.rewards.handlers.policies import NewPolicy, set_policy

MANY: Final = 1_000
BY: Final = "propman seed-dev-data"

REWARDS: Final[Mapping[str, Any]] = {
    "streaks": [
        {"months": 3, "amount_cents": 2_500, "pays": "every_time"},
        {"months": 12, "amount_cents": 10_000, "pays": "once"},
    ],
    "prepayments": [{"ahead_cents": 200_000, "amount_cents": 1_000, "pays": "every_time"}],
    "redemption": "off_ledger",
    "auto_apply": False,
}
REWARDED_IN_RENT: Final = "Bayview Terrace"


class Actor(Protocol):
    """Somebody, or something, that takes part in the simulation."""

    async def prepare(self, stage: Stage) -> None:
        """Do what is to be done before the first day; what is done already stays as it is."""

    async def act(self, stage: Stage, on: date) -> None:
        """Do what is to be done on a day; done again on the same day it changes nothing."""


@dataclass(frozen=True, slots=True)
class Landlord:
    """Lets the units and agrees on policies; renews a lease, waives a fee, hears that a payment bounced."""

    span: Span

    async def prepare(self, stage: Stage) -> None:
        """The portfolio, and what was agreed about billing."""
        await load_portfolio(stage.transactions["leasing"], self.span)
        await stage.settle()
        await agree(stage.transactions["billing"], since=self.span.starts_on)
        await self._promise_rewards(stage)

    async def act(self, stage: Stage, on: date) -> None:
        """What is due on a day of the few things that happen once."""
        events, month = Events.of(self.span), period_of(on)
        if events.renewal > 1 and on == self.span.first_of(events.renewal) - timedelta(days=10):
            await self._renew(stage, "dana_reyes", self.span.first_of(events.renewal))
        if month == self.span.month(events.bounce):
            await self._bounce(stage, "luis_ortega", month, on)
        if month == self.span.month(events.waiver):
            await self._waive(stage, "mina_park", month, on)

    async def _promise_rewards(self, stage: Stage) -> None:
        """For everybody, paid out beside the ledger; at one property it goes against the rent by itself."""
        places = await LeaseStore(stage.databases["billing"]).property_names()
        own = next(identity for identity, name in places.items() if name == REWARDED_IN_RENT)
        for property_id, document in ((None, REWARDS), (own, {"redemption": "rent", "auto_apply": True})):
            new = NewPolicy(
                document=document, by=BY, property_id=property_id, effective_on=self.span.starts_on
            )
            async with stage.transactions["rewards"].command("seed.rewards") as tx:
                await set_policy(tx, new)

    async def _renew(self, stage: Stage, who: str, starts_on: date) -> None:
        lease = await lease_of(stage, who)
        renewal = Renewal(starts_on=starts_on, rent_cents=lease.rent_cents + 4_000)
        with suppress(LeaseIsRenewed):
            async with stage.transactions["leasing"].command("seed.renew") as tx:
                await renew_lease(tx, lease.id, renewal)

    async def _bounce(self, stage: Stage, who: str, period: str, on: date) -> None:
        """Four days after it was due, the bank takes the payment back."""
        for invoice in await _invoices(stage, who, period):
            if on == invoice.due_on + timedelta(days=4):
                reference = f"{who}-{invoice.number}-{invoice.due_on:%m%d}"
                new = NewReversal(
                    payment=reference,
                    reference=f"{reference}-R01",
                    kind="returned",
                    reason="R01 insufficient funds",
                    recorded_by=BY,
                )
                async with stage.transactions["billing"].command("seed.bounce") as tx:
                    await reverse_payment(tx, new)

    async def _waive(self, stage: Stage, who: str, period: str, on: date) -> None:
        """Ten days after it was due, the fee is let go: it was the first time."""
        for invoice in await _invoices(stage, who, period):
            if on == invoice.due_on + timedelta(days=10):
                with suppress(WaiverRefused):  # let go already
                    async with stage.transactions["billing"].command("seed.waive") as tx:
                        await waive_fee(tx, invoice.number, amount_cents=None, by=BY, reason="the first time")


@dataclass(frozen=True, slots=True)
class Tenants:
    """Pay, each as they do."""

    span: Span
    seed: int

    async def prepare(self, stage: Stage) -> None:
        """One of them lets her card be charged."""
        lease = await lease_of(stage, "auto_alice")
        method = Method("simulated", "cus_auto_alice", GOOD_CARD)
        with suppress(AlreadyEnrolled):
            async with stage.transactions["billing"].command("seed.enrol") as tx:
                await enrol(tx, lease.id, method, self.span.starts_on)

    async def act(self, stage: Stage, on: date) -> None:
        """Everybody in the same order, each from what they owe by then."""
        owed = await _bills(stage)
        for who, habit in habits(self.span, self.seed).items():
            for pay in list(habit.pays(who, owed.get(who, ()), on, self.span)):
                await _send(stage, pay)
                owed = await _bills(stage)


async def _send(stage: Stage, pay: Pay) -> None:
    new = NewPayment(
        reference=pay.reference,
        invoice=pay.invoice,
        amount_cents=pay.amount_cents,
        method=pay.method,
        recorded_by=BY,
    )
    async with stage.transactions["billing"].command("seed.pay") as tx:
        await record_payment(tx, new)


async def names(stage: Stage) -> dict[UUID, str]:
    """Every tenant's short name: what is before the @ of their address."""
    found = await tenants.tenants_after(stage.databases["leasing"], None, MANY)
    return {tenant.id: (tenant.email or "").partition("@")[0] for tenant in found}


async def lease_of(stage: Stage, who: str, *, newest: bool = False) -> Lease:
    """The first lease of a tenant, by their short name, or the one that began last."""
    tenant = next(identity for identity, name in (await names(stage)).items() if name == who)
    found = await leases.list_leases(stage.databases["leasing"], MANY, tenant_id=tenant)
    return found[-1 if newest else 0].lease


async def _invoices(stage: Stage, who: str, period: str) -> list[Invoice]:
    known = await names(stage)
    store = InvoiceStore(stage.databases["billing"])
    found = await store.search(period=period, property_id=None, state=None, limit=MANY)
    return [item for item in found if who in {known.get(tenant) for tenant in item.tenant_ids}]


async def _bills(stage: Stage) -> dict[str, list[Bill]]:
    """What is open, by tenant, oldest first."""
    known = await names(stage)
    store = InvoiceStore(stage.databases["billing"])
    owed: defaultdict[str, list[Bill]] = defaultdict(list)
    for item in reversed(await store.search(period=None, property_id=None, state="open", limit=MANY)):
        bill = Bill(item.number, item.period, item.due_on, item.total_cents, item.balance_cents)
        for tenant in item.tenant_ids:
            owed[known[tenant]].append(bill)
    return owed
