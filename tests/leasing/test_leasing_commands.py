"""What each command does, and what others hear of it."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import date
from uuid import UUID

import pytest

from services.leasing import handlers
from services.leasing.domain.refusals import (
    Invalid,
    LeaseIsOver,
    LeasesOverlap,
    Refusal,
    Taken,
    Unknown,
)
from services.leasing.domain.tenants import TenantDetails
from services.leasing.schema import leases, properties, tenants, units
from shared.identity import new_id
from shared.messaging.transaction import Transactions
from tests.leasing.orders import PET, PET_SAID, a_lease, a_property, a_tenant, a_unit, do, terms
from tests.support.messages import count_rows, emitted

pytestmark = pytest.mark.servers


async def test_a_registered_property_is_announced_with_its_whole_state(transactions: Transactions) -> None:
    found = await a_property(transactions)

    ((topic, fact),) = await emitted(transactions)
    assert topic == "leasing.property_registered.v1"
    assert (fact["property_id"], fact["version"]) == (str(found.id), 1)
    assert (fact["name"], fact["time_zone"], fact["currency"]) == ("Maple Court", "America/New_York", "USD")
    assert (fact["latitude"], fact["longitude"]) == (42.5, -73.5)


async def test_a_property_name_is_taken_in_any_spelling_and_the_refusal_leaves_nothing(
    transactions: Transactions,
) -> None:
    await a_property(transactions)

    with pytest.raises(Taken):
        await a_property(transactions, "MAPLE  court")

    assert await count_rows(transactions, properties) == 1
    assert len(await emitted(transactions)) == 1


async def test_a_new_time_zone_reaches_the_leases_that_carry_it(transactions: Transactions) -> None:
    lease = await a_lease(transactions)

    await do(transactions, handlers.change_property, lease.property_id, time_zone="America/Chicago")

    (changed, place), (also_changed, fact) = (await emitted(transactions))[-2:]
    assert (changed, place["version"], place["time_zone"]) == (
        "leasing.property_changed.v1",
        2,
        "America/Chicago",
    )
    assert (also_changed, fact["version"], fact["time_zone"]) == (
        "leasing.lease_changed.v1",
        2,
        "America/Chicago",
    )


async def test_a_new_address_is_no_news_to_the_leases(transactions: Transactions) -> None:
    lease = await a_lease(transactions)
    before = len(await emitted(transactions))

    await do(transactions, handlers.change_property, lease.property_id, address="1 Main Street")

    assert [topic for topic, _ in (await emitted(transactions))[before:]] == ["leasing.property_changed.v1"]


async def test_a_unit_is_known_by_its_label_within_its_property(transactions: Transactions) -> None:
    unit = await a_unit(transactions)
    other = await a_property(transactions, "Oak House")

    with pytest.raises(Taken):
        await do(transactions, handlers.add_unit, unit.property_id, "1a")
    await do(transactions, handlers.add_unit, other.id, "1A")

    assert await count_rows(transactions, units) == 2


async def test_a_changed_contact_is_announced_as_version_2(transactions: Transactions) -> None:
    tenant = await a_tenant(transactions)

    await do(transactions, handlers.change_tenant, tenant.id, phone="+1 518 555 0100", channel="sms")

    assert [(topic, fact["version"]) for topic, fact in await emitted(transactions)] == [
        ("leasing.tenant_registered.v1", 1),
        ("leasing.tenant_contact_changed.v1", 2),
    ]
    fact = (await emitted(transactions))[-1][1]
    assert (fact["tenant_id"], fact["email"], fact["phone"], fact["channel"]) == (
        str(tenant.id),
        "ann@example.com",
        "+1 518 555 0100",
        "sms",
    )


async def test_changing_a_contact_to_what_it_is_says_nothing(transactions: Transactions) -> None:
    tenant = await a_tenant(transactions)

    same = await do(transactions, handlers.change_tenant, tenant.id, name="ann")

    assert same.version == 1
    assert len(await emitted(transactions)) == 1


async def test_two_tenants_cannot_share_an_email_address(transactions: Transactions) -> None:
    await a_tenant(transactions)
    luis = await a_tenant(transactions, "luis")

    with pytest.raises(Taken):
        await do(transactions, handlers.change_tenant, luis.id, email="ANN@example.com")

    assert len(await emitted(transactions)) == 2


async def test_tenants_without_an_email_address_do_not_collide(transactions: Transactions) -> None:
    for name in ("Ann", "Luis"):
        await do(transactions, handlers.register_tenant, TenantDetails(name=name, channel="in_app"))

    assert await count_rows(transactions, tenants) == 2


async def test_a_signed_lease_is_announced_with_all_that_billing_needs(transactions: Transactions) -> None:
    unit = await a_unit(transactions)
    ann, luis = await a_tenant(transactions), await a_tenant(transactions, "luis")

    signed = terms(end="2026-12-31", due_day=5, charges=(PET,))
    lease = await do(transactions, handlers.sign_lease, unit.id, [luis.id, ann.id], signed)

    topic, fact = (await emitted(transactions))[-1]
    assert topic == "leasing.lease_activated.v1"
    assert fact == {
        "lease_id": str(lease.id),
        "version": 1,
        "property_id": str(unit.property_id),
        "unit_id": str(unit.id),
        "unit_label": "1A",
        "tenant_ids": [str(luis.id), str(ann.id)],
        "time_zone": "America/New_York",
        "currency": "USD",
        "rent_cents": 125_000,
        "charges": [PET_SAID],
        "starts_on": "2026-01-01",
        "ends_on": "2026-12-31",
        "due_day": 5,
        "frequency": "monthly",
        "rent_changes": [],
        "free_periods": [],
        "rolls_over": False,
        "renewal_of": None,
        "account_id": str(lease.id),
    }


@pytest.mark.parametrize(
    ("start", "end"), [("2026-12-31", None), ("2025-01-01", "2026-01-01"), ("2026-03-01", "2026-04-01")]
)
async def test_a_lease_that_shares_a_day_with_another_of_its_unit_is_refused(
    transactions: Transactions, start: str, end: str | None
) -> None:
    lease = await a_lease(transactions, terms(end="2026-12-31"))
    before = len(await emitted(transactions))

    with pytest.raises(LeasesOverlap, match="1A is let from 2026-01-01 to 2026-12-31"):
        await do(transactions, handlers.sign_lease, lease.unit_id, lease.tenant_ids, terms(start, end))

    assert await count_rows(transactions, leases) == 1
    assert len(await emitted(transactions)) == before


async def test_the_next_lease_may_start_the_day_after(transactions: Transactions) -> None:
    lease = await a_lease(transactions, terms(end="2026-12-31"))

    await do(transactions, handlers.sign_lease, lease.unit_id, lease.tenant_ids, terms("2027-01-01"))

    assert await count_rows(transactions, leases) == 2


async def test_who_signs_for_a_unit_waits_for_who_is_signing_and_is_then_refused(
    transactions: Transactions,
) -> None:
    unit, tenant = await a_unit(transactions), await a_tenant(transactions)

    async with transactions.command("test") as tx:
        await handlers.sign_lease(tx, unit.id, [tenant.id], terms())
        second = asyncio.create_task(
            do(transactions, handlers.sign_lease, unit.id, [tenant.id], terms("2026-02-01"))
        )
        waited = await asyncio.wait([second], timeout=0.5)

    assert waited == (set(), {second})
    with pytest.raises(LeasesOverlap):
        await second
    assert await count_rows(transactions, leases) == 1


@pytest.mark.parametrize("missing", ["unit", "tenant"])
async def test_a_lease_needs_a_unit_and_tenants_that_exist(transactions: Transactions, missing: str) -> None:
    ids = {"unit": (await a_unit(transactions)).id, "tenant": (await a_tenant(transactions)).id}
    ids[missing] = new_id()

    with pytest.raises(Unknown, match=missing):
        await do(transactions, handlers.sign_lease, ids["unit"], [ids["tenant"]], terms())


@pytest.mark.parametrize("times", [0, 2])
async def test_a_lease_has_each_of_its_tenants_once_and_at_least_one(
    transactions: Transactions, times: int
) -> None:
    unit, tenant = await a_unit(transactions), await a_tenant(transactions)

    with pytest.raises(Invalid):
        await do(transactions, handlers.sign_lease, unit.id, [tenant.id] * times, terms())


async def test_new_terms_are_announced_whole_and_stored(transactions: Transactions) -> None:
    lease = await a_lease(transactions, terms(charges=(PET,)))

    await do(transactions, handlers.change_lease, lease.id, rent_cents=130_000)
    await do(transactions, handlers.change_lease, lease.id, due_day=3)

    topic, fact = (await emitted(transactions))[-1]
    assert topic == "leasing.lease_changed.v1"
    assert (fact["version"], fact["rent_cents"], fact["due_day"]) == (3, 130_000, 3)
    assert fact["charges"] == [PET_SAID]


async def test_a_lease_is_not_prolonged_into_the_next_one(transactions: Transactions) -> None:
    lease = await a_lease(transactions, terms(end="2026-12-31"))
    await do(transactions, handlers.sign_lease, lease.unit_id, lease.tenant_ids, terms("2027-02-01"))

    with pytest.raises(LeasesOverlap):
        await do(transactions, handlers.change_lease, lease.id, ends_on=date(2027, 2, 1))
    await do(transactions, handlers.change_lease, lease.id, ends_on=date(2027, 1, 31))


async def test_an_ended_lease_says_its_last_day_and_frees_its_unit(transactions: Transactions) -> None:
    lease = await a_lease(transactions)

    await do(transactions, handlers.end_lease, lease.id, date(2026, 6, 30))

    topic, fact = (await emitted(transactions))[-1]
    assert (topic, fact["version"], fact["ends_on"]) == ("leasing.lease_ended.v1", 2, "2026-06-30")
    await do(transactions, handlers.sign_lease, lease.unit_id, lease.tenant_ids, terms("2026-07-01"))


async def test_an_ended_lease_stays_as_it_is(transactions: Transactions) -> None:
    lease = await a_lease(transactions)
    await do(transactions, handlers.end_lease, lease.id, date(2026, 6, 30))

    with pytest.raises(LeaseIsOver):
        await do(transactions, handlers.end_lease, lease.id, date(2026, 5, 31))
    with pytest.raises(LeaseIsOver):
        await do(transactions, handlers.change_lease, lease.id, rent_cents=1)


@pytest.mark.parametrize("on", [date(2025, 12, 31), date(2027, 1, 1)])
async def test_a_lease_ends_within_its_agreed_dates(transactions: Transactions, on: date) -> None:
    lease = await a_lease(transactions, terms(end="2026-12-31"))

    with pytest.raises(Invalid):
        await do(transactions, handlers.end_lease, lease.id, on)


@pytest.mark.parametrize(
    "command",
    [
        lambda tx, identity: handlers.change_property(tx, identity, name="x"),
        lambda tx, identity: handlers.change_tenant(tx, identity, name="x"),
        lambda tx, identity: handlers.change_lease(tx, identity, due_day=2),
        lambda tx, identity: handlers.end_lease(tx, identity, date(2026, 1, 1)),
        lambda tx, identity: handlers.add_unit(tx, identity, "1A"),
    ],
)
async def test_an_unknown_id_is_refused_by_name(
    transactions: Transactions, command: Callable[..., Awaitable[object]]
) -> None:
    identity: UUID = new_id()

    with pytest.raises(Refusal, match=str(identity)):
        await do(transactions, command, identity)

    assert await emitted(transactions) == []


async def test_changes_to_one_tenant_at_the_same_time_get_different_versions(
    transactions: Transactions,
) -> None:
    tenant = await a_tenant(transactions)

    await asyncio.gather(
        *(do(transactions, handlers.change_tenant, tenant.id, name=f"Ann {number}") for number in range(5))
    )

    assert [fact["version"] for _, fact in await emitted(transactions)] == [1, 2, 3, 4, 5, 6]
