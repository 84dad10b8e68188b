"""From what is wrong with a schedule to the operators' mailbox: once when it begins, once when it is over."""

import re
import shlex
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
import sqlalchemy as sa

import services.scheduler as scheduling_pages
from services.notifications.handlers import router
from services.notifications.rendering import Templates
from services.notifications.schema import contacts, deliveries, notifications
from services.notifications.store import groups
from services.notifications.texting import rendered_row
from services.scheduler.domain.services import QueueState
from services.scheduler.handlers import router as scheduling
from services.scheduler.watching import Watchdog
from shared.clock import SystemClock
from shared.contracts.base import Message
from shared.contracts.scheduler import AlertRaised, AlertResolved, ServiceReported
from shared.messaging.transaction import Transactions
from tests.notifications.test_cli import Shell
from tests.scheduler.driver import Scheduler, SetClock
from tests.support.commands import run_propman
from tests.support.databases import TestDatabases
from tests.support.messages import deliver, emitted

pytestmark = pytest.mark.servers


@pytest.fixture
async def scheduler(databases: TestDatabases) -> AsyncIterator[Scheduler]:
    clock = SetClock()
    async with databases.transactions("scheduler", clock) as transactions:
        yield Scheduler(transactions, clock)


@pytest.fixture
async def desk(databases: TestDatabases) -> AsyncIterator[Transactions]:
    """Notifications, with a group of operators who subscribed to alerts."""
    async with databases.transactions("notifications") as transactions:
        async with transactions.engine.begin() as connection:
            group = await groups.add_group(connection, "Operators", transactions.clock.now())
            assert group is not None
            for name, locale in (("Ana", "en"), ("Beatriz", "es")):
                person = await groups.add_contact(
                    connection,
                    transactions.clock.now(),
                    name=name,
                    email=f"{name.lower()}@example.com",
                    locale=locale,
                )
                await groups.add_member(connection, group, person)
            for event in ("alert_raised", "alert_resolved"):
                await groups.subscribe(connection, group, event, ["email"])
        yield transactions


async def look_and_tell(scheduler: Scheduler, desk: Transactions) -> None:
    """A look, and everything that was ever said goes to notifications again, as a relay might send it."""

    async def nothing_waits(_names: object) -> dict[str, QueueState]:
        return {}

    await Watchdog(scheduler.transactions, nothing_waits).look_once()
    kinds: Sequence[type[Message]] = (AlertRaised, AlertResolved)
    for topic, said in await emitted(scheduler.transactions):
        for kind in kinds:
            if topic == kind.topic:
                await deliver(desk, router, kind.model_validate(said))


async def mails(desk: Transactions) -> list[tuple[str, str]]:
    """Address and subject of what the operators are sent, in the order of the alphabet."""
    return sorted((address, subject) for address, subject, _ in await texts(desk))


async def texts(desk: Transactions) -> list[tuple[str, str, str]]:
    """Address, subject and text of what the operators are sent."""
    query = (
        sa.select(
            deliveries.c.address,
            notifications.c.template,
            notifications.c.context,
            contacts.c.locale,
            contacts.c.name.label("tenant_name"),
            sa.literal("").label("property_name"),
            sa.null().label("home"),
            sa.null().label("zone"),
        )
        .join(notifications, notifications.c.id == deliveries.c.notification_id)
        .join(contacts, contacts.c.tenant_id == deliveries.c.tenant_id)
        .where(deliveries.c.channel == "email")
    )
    async with desk.engine.connect() as connection:
        rows = [row._asdict() for row in await connection.execute(query)]
    templates = Templates()
    drawn = [(row["address"], rendered_row(templates, row, desk.clock.now())) for row in rows]
    return [(address, one.subject, one.text) for address, one in drawn]


async def test_operators_are_mailed_once_when_it_begins_and_once_when_it_is_over(
    scheduler: Scheduler, desk: Transactions
) -> None:
    await scheduler.add(cron="0 9 * * *")
    scheduler.clock.advance(days=2)
    for _ in range(2):
        await look_and_tell(scheduler, desk)
    assert await mails(desk) == [
        ("ana@example.com", "Something is wrong: scheduler, announces nothing"),
        ("beatriz@example.com", "Algo va mal: scheduler, no anuncia nada"),
    ]

    await alive(scheduler)
    await scheduler.round()
    await relayed(scheduler)
    for _ in range(2):
        await look_and_tell(scheduler, desk)

    assert await mails(desk) == [
        ("ana@example.com", "Resolved: scheduler, announces nothing"),
        ("ana@example.com", "Something is wrong: scheduler, announces nothing"),
        ("beatriz@example.com", "Algo va mal: scheduler, no anuncia nada"),
        ("beatriz@example.com", "Resuelto: scheduler, no anuncia nada"),
    ]


async def alive(scheduler: Scheduler) -> None:
    """A scheduler's process says that it runs."""
    statement = sa.text(
        "insert into instances values (gen_random_uuid(), 'scheduler', 'h', 1, '1', 1, 'running',"
        " :at, :at, 1, 1, 1, 0, 1, 0, 0, 0)"
    )
    async with scheduler.transactions.engine.begin() as connection:
        await connection.execute(statement, {"at": SystemClock().now()})


async def relayed(scheduler: Scheduler) -> None:
    """The triggers are published; what alerts said stays to be said again."""
    async with scheduler.transactions.engine.begin() as connection:
        await connection.execute(sa.text("delete from outbox where topic not like '%alert%'"))
        await connection.execute(
            sa.text("update outbox set occurred_at = :at"), {"at": scheduler.clock.now()}
        )


async def test_operators_are_mailed_of_the_dead_letters_of_another_service(
    scheduler: Scheduler, desk: Transactions
) -> None:
    await alive(scheduler)
    for service, dead_letters in (("scheduler", 0), ("billing", 2)):
        said = ServiceReported(
            service=service, said_at=SystemClock().now(), processes=1, dead_letters=dead_letters
        )
        await deliver(scheduler.transactions, scheduling, said)
    await look_and_tell(scheduler, desk)

    assert await mails(desk) == [
        ("ana@example.com", "Something is wrong: billing, messages could not be handled"),
        ("beatriz@example.com", "Algo va mal: billing, hay mensajes que no se pudieron tratar"),
    ]

    alert, *_ = [said for topic, said in await emitted(scheduler.transactions) if topic == AlertRaised.topic]
    [(_, _, text)] = [mail for mail in await texts(desk) if mail[0] == "ana@example.com"]
    assert f"Since: {scheduler.clock.now():%Y-%m-%d %H:%M} UTC" in text
    assert f"To see to it: propman scheduler alerts acknowledge {alert['alert_id']}" in text


async def test_the_recipe_for_being_mailed_works_as_it_is_typed(databases: TestDatabases) -> None:
    recipe = (Path(scheduling_pages.__file__).parent / "README.md").read_text(encoding="utf-8")
    lines = re.findall(r"^(?:(person)=\$\()?propman (notifications .*?)\)?$", recipe, re.MULTILINE)
    environment = Shell(await databases.url("notifications")).environment
    async with databases.transactions("notifications"):
        said: dict[str, str] = {}
        for kept, words in lines:
            typed = shlex.split(words.replace("$person", said.get("person", "")))
            ran = await run_propman(*typed, environment=environment)
            assert ran.code == 0, (typed, ran.err)
            if kept:
                said[kept] = ran.out.strip()
        ran = await run_propman("notifications", "groups", "members", "Operators", environment=environment)

    assert len(lines) == 5
    assert "On call" in ran.out
