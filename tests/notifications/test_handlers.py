"""What each message does: recorded once, in any order, with a fixed number of statements."""

import asyncio
from datetime import date
from operator import attrgetter
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from services.notifications.domain.notices import Notice, dedup_key
from services.notifications.handlers import keep_contacts, router, tell
from services.notifications.schema import contacts, properties
from services.notifications.store import people
from shared.contracts.leasing import LeaseEnded, PropertyChanged, PropertyRegistered
from shared.identity import new_id
from shared.messaging.envelope import Received
from shared.messaging.transaction import Transactions
from tests.notifications.office import Office, a_changed_tenant, a_payment, a_tenant, an_invoice
from tests.support.builders import a_lease
from tests.support.messages import deliver, deliver_batch

pytestmark = pytest.mark.servers


async def test_an_invoice_becomes_one_email_and_one_message_in_the_app_for_each_tenant(
    office: Office,
) -> None:
    ann, bob = a_tenant(email="ann@example.com"), a_tenant(email="bob@example.com")
    await office.hear(ann, bob)

    await office.hear_batch(an_invoice(ann.tenant_id, bob.tenant_id))

    assert {(row["tenant_id"], row["address"], row["state"]) for row in await office.emails()} == {
        (ann.tenant_id, "ann@example.com", "queued"),
        (bob.tenant_id, "bob@example.com", "queued"),
    }
    assert [row["state"] for row in await office.shown()] == ["delivered", "delivered"]
    assert len(await office.told()) == 2


async def test_a_payment_becomes_a_receipt(office: Office) -> None:
    ann = a_tenant()
    await office.hear(ann, a_payment(ann.tenant_id, amount_cents=12_345))

    [told] = await office.told()
    assert (told["template"], told["context"]["amount_cents"]) == ("receipt", 12_345)
    assert (await office.email())["state"] == "queued"


async def test_what_is_told_belongs_to_the_story_of_its_message(office: Office) -> None:
    message_id, correlation_id = new_id(), new_id()

    await deliver(
        office.transactions, router, a_payment(new_id()), message_id=message_id, correlation_id=correlation_id
    )

    [told] = await office.told()
    assert (told["source_message_id"], told["correlation_id"]) == (message_id, correlation_id)


async def test_the_same_message_twice_tells_once(office: Office) -> None:
    message_id, payment = new_id(), a_payment(new_id())
    outcomes = [await deliver(office.transactions, router, payment, message_id=message_id) for _ in range(2)]

    assert outcomes == ["done", "repeat"]
    assert len(await office.told()) == 1


async def test_the_same_invoice_under_another_message_id_tells_once(office: Office) -> None:
    invoice = an_invoice(new_id())

    await office.hear_batch(invoice)
    await office.hear_batch(invoice, invoice)
    await office.hear(invoice)

    assert len(await office.told()) == 1
    assert len(await office.emails()) == 1


async def test_two_batches_with_the_same_invoices_in_opposite_orders_do_not_deadlock(office: Office) -> None:
    ann = a_tenant()
    await office.hear(ann)
    first, second = sorted((a_notice(ann.tenant_id) for _ in range(2)), key=attrgetter("dedup_key"))

    async with office.transactions.command("one") as one_tx:
        await tell(one_tx, [first])
        other = asyncio.create_task(told_in_a_transaction(office, [second, first]))
        await asyncio.sleep(0.2)
        await tell(one_tx, [second])

    assert await other == 0
    assert len(await office.emails()) == 2


async def test_an_invoice_before_its_tenants_contact_waits_and_is_queued_when_that_arrives(
    office: Office,
) -> None:
    ann = a_tenant()
    await office.hear_batch(an_invoice(ann.tenant_id))
    waiting = await office.email()

    await office.hear(ann)

    queued = await office.email()
    assert (waiting["state"], waiting["address"], waiting["next_attempt_at"]) == (
        "awaiting_contact",
        None,
        None,
    )
    assert (queued["state"], queued["address"]) == ("queued", "ann@example.com")
    assert queued["expires_at"] > queued["next_attempt_at"]


async def test_a_contact_that_comes_while_its_invoice_is_being_written_queues_it(office: Office) -> None:
    ann = a_tenant()

    async with office.transactions.command("writing") as tx:
        await tell(tx, [a_notice(ann.tenant_id)])
        contact = asyncio.create_task(deliver(office.transactions, router, ann))
        await asyncio.sleep(0.2)
        waited = not contact.done()

    assert await contact == "done"
    assert waited
    assert (await office.email())["state"] == "queued"


async def test_an_invoice_that_comes_while_its_contact_is_being_written_is_queued(office: Office) -> None:
    ann = a_tenant()

    async with office.transactions.command("writing") as tx:
        await keep_contacts([Received(ann, tx.cause)], tx)
        invoice = asyncio.create_task(deliver_batch(office.transactions, router, [an_invoice(ann.tenant_id)]))
        await asyncio.sleep(0.2)

    assert await invoice
    assert (await office.email())["state"] == "queued"


async def test_a_waiting_email_of_a_tenant_without_address_is_skipped_and_the_app_still_shows_it(
    office: Office,
) -> None:
    ann = a_tenant(email=None)
    await office.hear(an_invoice(ann.tenant_id), ann)

    email = await office.email()
    assert (email["state"], email["reason"]) == ("skipped", "no_address")
    assert [row["state"] for row in await office.shown()] == ["delivered"]


async def test_an_address_that_is_none_is_skipped_with_that_reason(office: Office) -> None:
    await office.queue_email(email="ann@example.com, bob@example.com")

    email = await office.email()
    assert (email["state"], email["reason"], email["address"]) == ("skipped", "bad_address", None)


@pytest.mark.parametrize("order", [(1, 2, 3), (3, 2, 1), (2, 3, 1)])
async def test_the_newest_contact_wins_in_whatever_order_they_come(
    office: Office, order: tuple[int, ...]
) -> None:
    tenant_id = new_id()
    for version in order:
        await office.hear(a_changed_tenant(tenant_id, version=version, email=f"v{version}@example.com"))

    assert await one(office.transactions, sa.select(contacts.c.email)) == "v3@example.com"


async def test_a_changed_address_leaves_what_was_queued_under_the_old_one(office: Office) -> None:
    ann = await office.queue_email(email="old@example.com")

    await office.hear(a_changed_tenant(ann.tenant_id, version=2, email="new@example.com"))

    assert (await office.email())["address"] == "old@example.com"


async def test_an_older_property_does_not_replace_a_newer_one(office: Office) -> None:
    known: dict[str, Any] = {"property_id": new_id(), "address": "1 Oak St", "time_zone": "America/Denver"}

    await office.hear(PropertyChanged(version=2, name="Oak House", **known))
    await office.hear(PropertyRegistered(version=1, name="The Oak", **known))

    assert await one(office.transactions, sa.select(properties.c.name)) == "Oak House"


@pytest.mark.parametrize("known", [True, False])
async def test_a_batch_takes_the_same_number_of_statements_however_large_it_is(
    office: Office, known: bool
) -> None:
    tenants = [a_tenant() for _ in range(201)]
    if known:
        await office.hear(*tenants)
    invoices = [an_invoice(tenant.tenant_id) for tenant in tenants]

    of_two = await statements_of(office, invoices[:2])
    of_many = await statements_of(office, invoices[2:])

    assert len(of_two) == len(of_many)
    assert len(of_many) <= 6
    assert len(await office.emails()) == 201


async def statements_of(office: Office, invoices: list[Any]) -> list[str]:
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        seen.append(statement)

    engine = office.transactions.engine.sync_engine
    sa.event.listen(engine, "before_cursor_execute", note)
    try:
        await office.hear_batch(*invoices)
    finally:
        sa.event.remove(engine, "before_cursor_execute", note)
    return seen


async def one(transactions: Transactions, query: sa.Select[Any]) -> Any:
    async with transactions.engine.connect() as connection:
        return (await connection.execute(query)).scalar_one()


def a_notice(tenant_id: UUID) -> Notice:
    source = new_id()
    return Notice(
        category="billing",
        template="invoice",
        dedup_key=dedup_key("invoice", source, "somebody"),
        source_message_id=source,
        correlation_id=source,
        context="{}",
        tenant_id=tenant_id,
    )


async def told_in_a_transaction(office: Office, wanted: list[Notice]) -> int:
    async with office.transactions.command("other") as tx:
        return await tell(tx, wanted)


async def test_a_batch_of_contacts_queues_just_those_somebody_waits_for(office: Office) -> None:
    waiting, other = a_tenant(), a_tenant(email="bob@example.com")
    await office.hear(an_invoice(waiting.tenant_id))
    newer = a_tenant(waiting.tenant_id, version=2, email="new@example.com")

    assert await deliver_batch(office.transactions, router, [newer, waiting, other])

    email = await office.email()
    assert (email["state"], email["address"]) == ("queued", "new@example.com")


async def test_the_tenants_of_a_property_are_those_of_the_day_it_is_there(office: Office) -> None:
    ann, place = a_tenant(), new_id()
    starts_on = date(2026, 12, 1)
    await office.hear(ann, a_lease(property_id=place, tenant_ids=(ann.tenant_id,), starts_on=starts_on))

    async with office.transactions.engine.connect() as connection:
        before = await people.contacts_at(connection, {place: date(2026, 11, 30)})
        from_then = await people.contacts_at(connection, {place: starts_on})

    assert before == []
    assert [contact.tenant_id for contact in from_then] == [ann.tenant_id]


async def test_who_stays_on_from_month_to_month_is_a_tenant_until_the_lease_is_ended(office: Office) -> None:
    ann, place = a_tenant(), new_id()
    ends_on, later = date(2026, 12, 31), date(2027, 3, 1)
    lease = a_lease(property_id=place, tenant_ids=(ann.tenant_id,), ends_on=ends_on, rolls_over=True)
    await office.hear(ann, lease)

    async with office.transactions.engine.connect() as connection:
        staying = await people.contacts_at(connection, {place: later})
    await office.hear(LeaseEnded.model_validate(lease.model_dump() | {"rolls_over": False, "version": 2}))
    async with office.transactions.engine.connect() as connection:
        gone = await people.contacts_at(connection, {place: later})

    assert [contact.tenant_id for contact in staying] == [ann.tenant_id]
    assert gone == []
