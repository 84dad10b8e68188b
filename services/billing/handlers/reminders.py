"""Reminders: planned, split so that all invoices of a tenant are together, decided again under the lock.

The command line calls the same functions; a dry run decides without the lock, and keeps nothing.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from services.billing.domain.lawful_policies import profile_of
from services.billing.domain.policies import BillingPolicy
from services.billing.domain.policy_book import Place, PolicyBook
from services.billing.domain.policy_dates import first_fee_on
from services.billing.domain.reminder_groups import MessageKey, households, in_chunks
from services.billing.domain.reminders import Decision, Remindable, decide, upcoming
from services.billing.handlers.runs import CHUNK, Planned, Worked, fan_out, finish_chunk
from services.billing.handlers.settling import lock_accounts
from services.billing.jurisdictions import profiles
from services.billing.store import AutopayStore, FeeStore, PolicyStore, ReminderStore
from services.billing.store.reminders import DueReminder, ReminderInvoice
from shared.clock import local_date, zone
from shared.contracts.billing import InvoiceToJudge, PaymentReminderDue, ReminderItem, SendReminders
from shared.contracts.scheduler import PaymentRemindersDue
from shared.db import plan_for_values
from shared.documents import BadDocument
from shared.messaging.errors import Transient
from shared.messaging.router import Router
from shared.messaging.transaction import Tx

router = Router("billing")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to be done about one invoice's reminders."""

    invoice: ReminderInvoice
    on: date
    decision: Decision
    next_on: date | None
    charge_on: date | None = None
    first_fee_on: date | None = None


@dataclass(slots=True)
class Reminded:
    """What came of one chunk."""

    verdicts: list[Verdict] = field(default_factory=list)
    messages: list[PaymentReminderDue] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def said(self) -> list[Verdict]:
        """Invoices that somebody is reminded of."""
        return [item for item in self.verdicts if item.decision.say is not None]


@router.on(PaymentRemindersDue)
async def request_reminders(due: PaymentRemindersDue, tx: Tx) -> None:
    """Split what is due for a look into chunks: replicas share it, and a crash resumes where it stood."""
    stages = stages_asked_for(due.days_before, due.days_after)
    found = await plan_reminders(
        tx.connection,
        due.as_of,
        property_id=due.property_id,
        stages=stages,
        by_hour=_keeps_hours(due),
        only_zone=due.only_zone,
    )
    orders = [
        SendReminders(
            run_id=due.occurrence_id,
            chunk=number,
            as_of=due.as_of,
            stages=stages,
            invoices=tuple(InvoiceToJudge(invoice_id=item.invoice_id, on=item.on) for item in chunk),
        )
        for number, chunk in enumerate(in_chunks(found, CHUNK))
    ]
    await fan_out(tx, due, Planned(orders, len(found)), _remind)


@router.on(SendReminders, prefetch=2)
async def send_reminders(command: SendReminders, tx: Tx) -> None:
    """Decide one chunk; the chunk that completes the run reports its outcome, once."""
    await finish_chunk(tx, command.run_id, await _remind(command, tx))


async def _remind(command: SendReminders, tx: Tx) -> Worked:
    wanted = {item.invoice_id: item.on for item in command.invoices}
    done = await remind_chunk(tx, wanted, stages=command.stages)
    return Worked(len(done.said), len(wanted) - len(done.said) - len(done.problems), done.problems)


def stages_asked_for(days_before: int | None, days_after: int | None) -> tuple[int, ...] | None:
    """The stages that a person asks for instead of each policy's; None where they do not."""
    asked = [-days_before] if days_before is not None else []
    asked += [days_after] if days_after is not None else []
    return tuple(sorted(set(asked))) or None


async def plan_reminders(
    connection: AsyncConnection,
    as_of: datetime,
    *,
    property_id: UUID | None,
    stages: Sequence[int] | None = None,
    by_hour: bool = False,
    only_zone: str | None = None,
) -> list[DueReminder]:
    """The invoices to look at, each at the date it is at its property.

    `by_hour`: only from the hour of the property's day that its policy says. `only_zone`: only where a
    property is in that zone. Whoever shares a tenant with one that is due thereby is looked at with it, so
    that the tenant gets one message.
    """
    await plan_for_values(connection)
    today = {name: local_date(as_of, name) for name in await FeeStore(connection).time_zones()}
    before = None if stages is None else max(0, -min(stages))
    found = await ReminderStore(connection).due(today, property_id, days_before=before)
    if not found or not (by_hour or only_zone):
        return found
    book = await PolicyStore(connection).book({item.lease_id: item.property_id for item in found})
    hours = {name: as_of.astimezone(zone(name)).hour for name in today}

    def has_come(item: DueReminder) -> bool:
        if only_zone not in {None, item.time_zone}:
            return False
        policy = book.policy(Place(item.property_id, item.lease_id), item.on)
        return not by_hour or hours[item.time_zone] >= policy.reminder_hour

    return [item for household in households(found) if any(map(has_come, household)) for item in household]


async def remind_chunk(
    tx: Tx, wanted: Mapping[UUID, date], *, stages: Sequence[int] | None = None
) -> Reminded:
    """Decide these invoices under their accounts' lock, keep what was decided, and say it."""
    await plan_for_values(tx.connection)
    await lock_accounts(tx, set((await FeeStore(tx.connection).accounts_of(wanted)).values()))
    done = await decide_chunk(tx.connection, wanted, stages=stages)
    store = ReminderStore(tx.connection)
    keys = {key for item in done.said for key in _keys(item.invoice, item.on)}
    if await store.claim(keys) != keys:
        raise Transient("another run has told one of these tenants at this very moment")
    await store.keep([(item.invoice, item.on, item.decision.stages) for item in done.verdicts], tx.at)
    await store.mark({item.invoice.invoice_id: item.next_on for item in done.verdicts})
    tx.emit(*done.messages)
    return done


async def decide_chunk(
    connection: AsyncConnection, wanted: Mapping[UUID, date], *, stages: Sequence[int] | None = None
) -> Reminded:
    """What reminding of these invoices comes to now. Reads, and writes nothing."""
    await plan_for_values(connection)
    found = await ReminderStore(connection).load(wanted)
    policies = PolicyStore(connection)
    known = _Known(
        book=await policies.book({item.lease_id: item.property_id for item in found}),
        terms=await policies.snapshots(item.terms_id for item in found),
        charges=await AutopayStore(connection).expected(wanted),
        told=await ReminderStore(connection).told(
            key for item in found for key in _keys(item, wanted[item.invoice_id])
        ),
        stages=stages,
    )
    done = Reminded()
    for invoice in found:
        try:
            done.verdicts.append(known.verdict(invoice, wanted[invoice.invoice_id]))
        except BadDocument as problem:  # a profile that is not there any more
            done.problems.append(f"{invoice.number}: {problem}")
    done.messages = list(_messages(done.said))
    return done


@dataclass(frozen=True, slots=True)
class _Known:
    """What a chunk is decided by, beside the invoices themselves."""

    book: PolicyBook
    terms: Mapping[UUID, BillingPolicy]
    charges: Mapping[UUID, date]
    told: Collection[MessageKey]
    stages: Sequence[int] | None

    def verdict(self, invoice: ReminderInvoice, on: date) -> Verdict:
        """Reminders follow the policy of the day; the fee they announce, the terms of the invoice."""
        place = Place(invoice.property_id, invoice.lease_id)
        agreed = self.book.policy(place, on).reminder_stages
        facts = facts_of(invoice, self.charges.get(invoice.invoice_id))
        told_today = any(key in self.told for key in _keys(invoice, on))
        decision = decide(facts, agreed if self.stages is None else self.stages, on, told_today=told_today)
        return Verdict(
            invoice,
            on,
            decision,
            next_on=self._next_on(facts, decision, agreed, place, on),
            charge_on=facts.charge_on,
            first_fee_on=self._first_fee_on(invoice),
        )

    def _next_on(
        self, facts: Remindable, decision: Decision, agreed: Sequence[int], place: Place, on: date
    ) -> date | None:
        """When to look again: by the policy's own stages, and when it changes."""
        if facts.closed is not None:
            return None
        days = [decision.next_on, self.book.next_change(place, on)]
        if self.stages is not None:
            days.append(upcoming(facts, decision, agreed, on))
        return min((day for day in days if day is not None), default=None)

    def _first_fee_on(self, invoice: ReminderInvoice) -> date | None:
        terms = self.terms[invoice.terms_id]
        period = (invoice.period_starts_on, invoice.period_ends_on)
        profile = profile_of(terms, profiles())
        payable_on = max(invoice.due_on, invoice.issued_on)
        return first_fee_on(terms, payable_on, profile, holds=invoice.holds, period=period)


def facts_of(invoice: ReminderInvoice, charge_on: date | None) -> Remindable:
    """An invoice as the rules see it."""
    return Remindable(
        issued_on=invoice.issued_on,
        due_on=invoice.due_on,
        open_cents=invoice.balance_cents,
        state=invoice.state,
        decided=invoice.decided,
        holds=invoice.holds,
        charge_on=charge_on,
    )


def _keys(invoice: ReminderInvoice, on: date) -> Iterable[MessageKey]:
    return (MessageKey(tenant, on, invoice.currency) for tenant in invoice.tenant_ids)


def _messages(said: Sequence[Verdict]) -> Iterable[PaymentReminderDue]:
    """One for each tenant, day and currency, with everything that is due for them."""
    of_tenants: dict[MessageKey, list[Verdict]] = {}
    for verdict in sorted(said, key=lambda item: (item.invoice.due_on, item.invoice.number)):
        for key in _keys(verdict.invoice, verdict.on):
            of_tenants.setdefault(key, []).append(verdict)
    return (_message(key, of_tenants[key]) for key in of_tenants)


def _message(key: MessageKey, verdicts: Sequence[Verdict]) -> PaymentReminderDue:
    charged = [item.charge_on for item in verdicts if item.charge_on is not None]
    return PaymentReminderDue(
        reminder_id=key.reminder_id,
        tenant_id=key.tenant_id,
        property_id=verdicts[0].invoice.property_id,
        currency=key.currency,
        as_of_on=key.on,
        items=tuple(_item(verdict) for verdict in verdicts),
        total_cents=sum(verdict.invoice.balance_cents for verdict in verdicts),
        autopay=len(charged) == len(verdicts),
        charge_on=min(charged, default=None),
    )


def _item(verdict: Verdict) -> ReminderItem:
    invoice = verdict.invoice
    if verdict.decision.say is None:
        raise ValueError(f"nothing is to be said about {invoice.number}")
    return ReminderItem(
        invoice_id=invoice.invoice_id,
        number=invoice.number,
        period=invoice.period,
        due_on=invoice.due_on,
        stage=verdict.decision.say,
        balance_cents=invoice.balance_cents,
        first_fee_on=verdict.first_fee_on,
        fee_cents=max(invoice.fee_cents - invoice.fees_paid_cents, 0),
        charge_on=verdict.charge_on,
    )


def _keeps_hours(due: PaymentRemindersDue) -> bool:
    """The schedule comes at a decent hour; a person decides for themselves."""
    return due.origin in {"schedule", "catch_up"}
