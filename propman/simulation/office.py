"""The office's other work: leases are signed, and things are mended."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import date, time, timedelta
from typing import Final

from propman.simulation.calendar import Span
from propman.simulation.people import BY, MANY, lease_of, names
from propman.simulation.stage import LINK_KEY, Stage
from services.leasing.domain.leases import Lease
from services.leasing.domain.refusals import LeaseIsOver, NotPossible
from services.leasing.domain.signing import AlreadyOut, AlreadySigned, Evidence, LinkIsClosed, NotOut
from services.leasing.domain.work_orders import (
    Assignee,
    Category,
    Decision,
    Priority,
    WorkOrder,
    WorkOrderDetails,
)
from services.leasing.handlers import (
    Report,
    assign_work_order,
    cancel_work_order,
    complete_work_order,
    open_work_order,
    schedule_work_order,
)
from services.leasing.handlers.signatures import give_signature
from services.leasing.handlers.signing import record_paper, resend_links, send_for_signature
from services.leasing.links import Links
from services.leasing.store import leases, signing
from shared.link_keys import LinkKeys
from shared.messaging.transaction import Tx

LINKS: Final = Links(url="https://leases.example.com/sign", keys=LinkKeys([LINK_KEY.encode()]))
"""They lead nowhere, and are made with a key that anybody can read here: what they open is signed already."""

SIGNING: Final = {"newbie_nick": (14, 6, 5), "dana_reyes": (8, None, 7)}
"""Days before the lease begins: it is sent, sent again because the link ran out, signed."""


@dataclass(frozen=True, slots=True)
class Signatures:
    """Leases of before were signed on paper, those that begin in the span are signed by a link."""

    span: Span

    async def prepare(self, stage: Stage) -> None:
        """What was signed on paper."""
        found = await leases.list_leases(stage.databases["leasing"], MANY)
        for lease in (item.lease for item in found if item.lease.starts_on <= self.span.starts_on):
            with suppress(AlreadySigned, LeaseIsOver):
                async with stage.transactions["leasing"].command("seed.paper") as tx:
                    await record_paper(tx, lease.id, lease.starts_on)

    async def act(self, stage: Stage, on: date) -> None:
        """What is due on a day before a lease begins."""
        for who, (sent, again, signed) in SIGNING.items():
            lease = await lease_of(stage, who, newest=True)
            if lease.starts_on <= self.span.starts_on:
                continue
            days = (lease.starts_on - on).days
            if days == sent:
                await self._send(stage, lease)
            elif days == again:
                await self._send_again(stage, lease, on)
            elif days == signed:
                await self._sign(stage, lease)

    async def _send(self, stage: Stage, lease: Lease) -> None:
        with suppress(AlreadyOut, AlreadySigned):
            async with stage.transactions["leasing"].command("seed.send") as tx:
                await send_for_signature(tx, lease.id, LINKS)

    async def _send_again(self, stage: Stage, lease: Lease, on: date) -> None:
        held = await signing.held_of_lease(stage.databases["leasing"], lease.id)
        if any(item.link.issued_at.date() == on for item in held):
            return
        with suppress(NotOut):
            async with stage.transactions["leasing"].command("seed.resend") as tx:
                await resend_links(tx, lease.id, LINKS)

    async def _sign(self, stage: Stage, lease: Lease) -> None:
        for held in await signing.held_of_lease(stage.databases["leasing"], lease.id):
            read = Evidence(name=held.signer.name, content_hash=held.request.content_hash)
            with suppress(LinkIsClosed):
                async with stage.transactions["leasing"].command("seed.sign") as tx:
                    await give_signature(tx, held.link.id, read)


@dataclass(frozen=True, slots=True)
class Job:
    """Something to be mended: when it was reported, and how many days later what was done about it."""

    reference: str
    who: str
    title: str
    category: Category
    priority: Priority
    day: int
    """Of the span, from its beginning; below nothing from its end."""
    assigned: int | None = None
    scheduled: int | None = None
    completed: int | None = None
    cancelled: int | None = None

    def reported_on(self, span: Span) -> date:
        """The day somebody said it."""
        anchor = span.starts_on if self.day >= 0 else span.until_on
        return max(anchor + timedelta(days=self.day), span.starts_on)


JOBS: Final = (
    Job("seed-1", "perfect_payer", "Kitchen tap drips", "plumbing", "normal", 8, 1, 2, 4),
    Job(
        "seed-2", "walter_weekly", "No heating since last night", "heating_cooling", "emergency", 12, 0, 0, 1
    ),
    Job("seed-3", "mina_park", "Paint peels in the hallway", "other", "low", 15, cancelled=3),
    Job("seed-4", "ruth_okafor", "Window does not close", "other", "high", -5, 1, 2),
    Job("seed-5", "streak_sally", "Dishwasher leaks", "appliance", "normal", -4, 2),
    Job("seed-6", "chronic_charlie", "Lamp in the stairwell is dark", "electrical", "low", -2),
)
"""At the end there is one of every state."""

JANITOR: Final = Assignee("Harbor Maintenance", "jobs@harbor.example.com")
HOURS: Final = (time(9), time(11))


@dataclass(frozen=True, slots=True)
class Mending:
    """Tenants report what is broken, and the office has it mended."""

    span: Span

    async def prepare(self, stage: Stage) -> None:
        """Nothing is broken yet."""

    async def act(self, stage: Stage, on: date) -> None:
        """What is due of each job on a day."""
        for job in JOBS:
            days = (on - job.reported_on(self.span)).days
            if days >= 0 and days in {0, job.assigned, job.scheduled, job.completed, job.cancelled}:
                await self._work_on(stage, job, days, on)

    async def _work_on(self, stage: Stage, job: Job, days: int, on: date) -> None:
        known = {name: identity for identity, name in (await names(stage)).items()}
        lease = await lease_of(stage, job.who)
        details = WorkOrderDetails(title=job.title, category=job.category, priority=job.priority)
        report = Report(
            details=details, unit_id=lease.unit_id, reported_by=known[job.who], reference=job.reference
        )
        with suppress(NotPossible):  # done before this day was simulated again
            async with stage.transactions["leasing"].command("seed.mend") as tx:
                order = (await open_work_order(tx, report, Decision(BY))).order
            await stage.settle()  # who hears of both at once may hear of the later one only
            async with stage.transactions["leasing"].command("seed.mend") as tx:
                await _go_on(tx, job, order, days, on)


async def _go_on(tx: Tx, job: Job, order: WorkOrder, days: int, on: date) -> None:
    if days == job.assigned:
        await assign_work_order(tx, order.id, JANITOR, Decision(BY))
    if days == job.scheduled:
        await schedule_work_order(tx, order.id, on + timedelta(days=1), HOURS, Decision(BY))
    if days == job.completed:
        await complete_work_order(tx, order.id, Decision(BY))
    if days == job.cancelled:
        await cancel_work_order(tx, order.id, Decision(BY, "it is painted anyway this summer"))
