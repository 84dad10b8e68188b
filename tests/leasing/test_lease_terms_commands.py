"""Rent changes, charges, renewals and rolling over: what is stored, what others hear, what a refusal leaves."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import pytest

from services.leasing import handlers
from services.leasing.domain.charges import Charge
from services.leasing.domain.leases import Lease
from services.leasing.domain.refusals import (
    Invalid,
    LeaseIsOver,
    LeaseIsRenewed,
    LeasesOverlap,
    Refusal,
    Unknown,
)
from services.leasing.domain.renewals import Renewal
from services.leasing.domain.terms import RentChange
from services.leasing.schema import leases
from services.leasing.store.leases import lease_by_id
from shared.identity import new_id
from shared.messaging.transaction import Transactions, Tx
from tests.leasing.orders import PET, PET_SAID, a_lease, a_tenant, a_unit, do, terms
from tests.support.messages import count_rows, emitted

pytestmark = pytest.mark.servers

SEPTEMBER = RentChange(effective_on=date(2026, 9, 1), rent_cents=130_000)
KEY = Charge(
    code="key",
    description="Key",
    amount_cents=2_500,
    frequency="once",
    starts_on=date(2026, 3, 9),
)
ALL_TERMS: dict[str, Any] = {
    "end": "2026-12-31",
    "rent_changes": (SEPTEMBER,),
    "free_periods": ("2026-02", "2026-12"),
    "charges": (PET, KEY),
    "rolls_over": True,
}


async def stored(transactions: Transactions, lease: Lease) -> Lease | None:
    async with transactions.engine.connect() as connection:
        return await lease_by_id(connection, lease.id)


async def last_fact(transactions: Transactions) -> tuple[str, dict[str, Any]]:
    topic, fact = (await emitted(transactions))[-1]
    return topic.split(".")[1], fact


class Later:
    """A clock that stands in 2028."""

    def now(self) -> datetime:
        return datetime(2028, 1, 1, tzinfo=UTC)


async def test_all_terms_are_stored_and_announced_as_they_were_agreed(transactions: Transactions) -> None:
    lease = await a_lease(transactions, terms(**ALL_TERMS))

    assert await stored(transactions, lease) == lease
    _, fact = await last_fact(transactions)
    assert fact["rent_changes"] == [{"effective_on": "2026-09-01", "rent_cents": 130_000}]
    assert (fact["free_periods"], fact["rolls_over"]) == (["2026-02", "2026-12"], True)
    assert fact["charges"] == [
        PET_SAID,
        {
            "code": "key",
            "description": "Key",
            "amount_cents": 2_500,
            "frequency": "once",
            "starts_on": "2026-03-09",
            "ends_on": None,
        },
    ]


async def test_a_weekly_lease_says_so(transactions: Transactions) -> None:
    lease = await a_lease(transactions, terms(frequency="weekly"))

    assert await stored(transactions, lease) == lease
    assert (await last_fact(transactions))[1]["frequency"] == "weekly"


async def test_a_scheduled_rent_is_announced_beside_the_rent_of_the_start(transactions: Transactions) -> None:
    lease = await a_lease(transactions)

    changed = await do(transactions, handlers.change_lease, lease.id, scheduled=[SEPTEMBER])

    assert await stored(transactions, lease) == changed
    topic, fact = await last_fact(transactions)
    assert (topic, fact["version"], fact["rent_cents"]) == ("lease_changed", 2, 125_000)
    assert fact["rent_changes"] == [{"effective_on": "2026-09-01", "rent_cents": 130_000}]


async def test_a_charge_is_added_and_ended_and_stays_explainable(transactions: Transactions) -> None:
    lease = await a_lease(transactions)

    await do(transactions, handlers.add_charge, lease.id, PET)
    ended = await do(transactions, handlers.remove_charge, lease.id, "pet_rent", date(2026, 6, 30))

    assert await stored(transactions, lease) == ended
    topic, fact = await last_fact(transactions)
    assert (topic, fact["version"]) == ("lease_changed", 3)
    assert fact["charges"] == [PET_SAID | {"ends_on": "2026-06-30"}]


async def test_charges_that_are_added_at_the_same_time_are_all_kept(transactions: Transactions) -> None:
    lease = await a_lease(transactions)
    codes = ["a", "b", "c", "d", "e"]

    await asyncio.gather(
        *(
            do(
                transactions,
                handlers.add_charge,
                lease.id,
                Charge(code=code, description=code, amount_cents=1),
            )
            for code in codes
        )
    )

    _, fact = await last_fact(transactions)
    assert (fact["version"], sorted(charge["code"] for charge in fact["charges"])) == (6, codes)


async def test_the_same_charge_at_the_same_time_is_added_once(transactions: Transactions) -> None:
    lease = await a_lease(transactions)

    outcomes = await asyncio.gather(
        *(do(transactions, handlers.add_charge, lease.id, PET) for _ in range(2)), return_exceptions=True
    )

    assert [type(outcome) for outcome in outcomes].count(Invalid) == 1
    assert (await last_fact(transactions))[1]["charges"] == [PET_SAID]


async def test_a_renewal_follows_directly_and_the_old_lease_gets_its_end(transactions: Transactions) -> None:
    old = await a_lease(transactions, terms(**ALL_TERMS))
    renewal = Renewal(starts_on=date(2026, 11, 1), ends_on=date(2027, 10, 31))

    new = await do(transactions, handlers.renew_lease, old.id, renewal)

    (before, closed), (after, opened) = (await emitted(transactions))[-2:]
    assert (before, after) == ("leasing.lease_changed.v1", "leasing.lease_activated.v1")
    assert (closed["lease_id"], closed["version"], closed["ends_on"]) == (str(old.id), 2, "2026-10-31")
    assert (closed["rolls_over"], closed["free_periods"]) == (False, ["2026-02"])
    assert (opened["starts_on"], opened["tenant_ids"]) == ("2026-11-01", closed["tenant_ids"])
    assert (opened["renewal_of"], opened["account_id"]) == (str(old.id), closed["account_id"])
    assert closed["account_id"] == str(old.id)
    assert await stored(transactions, new) == new


async def test_a_chain_of_renewals_keeps_the_account_of_its_first_lease(transactions: Transactions) -> None:
    first = await a_lease(transactions, terms(end="2026-12-31"))

    second = await do(
        transactions, handlers.renew_lease, first.id, Renewal(ends_on=date(2027, 12, 31), rent_cents=1)
    )
    third = await do(transactions, handlers.renew_lease, second.id, Renewal())

    assert (third.starts_on, third.renewal_of, third.account) == (date(2028, 1, 1), second.id, first.id)
    topics = [topic.split(".")[1] for topic, _ in await emitted(transactions)]
    assert topics[-3:] == ["lease_activated"] * 3  # the old ones end where they did


async def test_a_lease_is_renewed_once_also_when_two_do_it_at_the_same_time(
    transactions: Transactions,
) -> None:
    lease = await a_lease(transactions, terms(end="2026-12-31"))
    renewals = [do(transactions, handlers.renew_lease, lease.id, Renewal()) for _ in range(2)]

    outcomes = await asyncio.gather(*renewals, return_exceptions=True)

    assert [type(outcome) for outcome in outcomes].count(LeaseIsRenewed) == 1
    assert await count_rows(transactions, leases) == 2


@pytest.mark.parametrize(
    "command",
    [
        lambda tx, identity: handlers.end_lease(tx, identity, date(2026, 11, 30)),
        lambda tx, identity: handlers.change_lease(tx, identity, ends_on=date(2026, 11, 30)),
    ],
)
async def test_a_renewed_lease_is_not_shortened_away_from_its_renewal(
    transactions: Transactions, command: Callable[..., Awaitable[object]]
) -> None:
    lease = await a_lease(transactions, terms(end="2026-12-31"))
    await do(transactions, handlers.renew_lease, lease.id, Renewal())
    before = await emitted(transactions)

    with pytest.raises(LeaseIsRenewed, match="is renewed from 2027-01-01"):
        await do(transactions, command, lease.id)

    assert (await stored(transactions, lease), await emitted(transactions)) == (lease, before)
    await do(transactions, handlers.end_lease, lease.id, date(2026, 12, 31))


async def test_one_rent_change_of_a_day_is_kept_when_two_are_agreed_at_once(
    transactions: Transactions,
) -> None:
    lease = await a_lease(transactions)
    both = [
        do(
            transactions,
            handlers.change_lease,
            lease.id,
            scheduled=[RentChange(effective_on=day, rent_cents=cents)],
        )
        for day, cents in ((SEPTEMBER.effective_on, 1), (SEPTEMBER.effective_on, 2))
    ]

    outcomes = await asyncio.gather(*both, return_exceptions=True)

    assert [type(outcome) for outcome in outcomes].count(Invalid) == 1
    assert len((await last_fact(transactions))[1]["rent_changes"]) == 1


async def test_a_renewal_does_not_take_the_unit_from_the_next_tenants(transactions: Transactions) -> None:
    lease = await a_lease(transactions, terms(end="2026-12-31"))
    luis = await a_tenant(transactions, "luis")
    await do(transactions, handlers.sign_lease, lease.unit_id, [luis.id], terms("2027-06-01"))
    before = len(await emitted(transactions))

    with pytest.raises(LeasesOverlap):
        await do(transactions, handlers.renew_lease, lease.id, Renewal(ends_on=date(2027, 6, 1)))

    assert len(await emitted(transactions)) == before
    assert await do(transactions, handlers.renew_lease, lease.id, Renewal(ends_on=date(2027, 5, 31)))


async def test_whether_a_lease_rolled_over_is_judged_by_the_day_it_is(transactions: Transactions) -> None:
    lease = await a_lease(transactions, terms(**ALL_TERMS))
    later = Transactions(transactions.engine, Later())

    with pytest.raises(Invalid, match="from month to month since 2026-12-31"):
        await do(later, handlers.renew_lease, lease.id, Renewal())
    with pytest.raises(Invalid, match="then is too late"):
        await do(later, handlers.change_lease, lease.id, rolls_over=False)

    assert await stored(transactions, lease) == lease


async def test_a_lease_that_rolls_over_keeps_its_unit_until_it_is_ended(transactions: Transactions) -> None:
    lease = await a_lease(transactions, terms(**ALL_TERMS))
    luis = await a_tenant(transactions, "luis")
    next_one = (handlers.sign_lease, lease.unit_id, [luis.id], terms("2027-04-01"))

    with pytest.raises(LeasesOverlap, match="to 2026-12-31 and then from month to month, until it is ended"):
        await do(transactions, *next_one)
    await do(transactions, handlers.end_lease, lease.id, date(2027, 3, 31))
    await do(transactions, *next_one)

    over = (await emitted(transactions))[-2][1]
    assert (over["ends_on"], over["rolls_over"]) == ("2027-03-31", False)


async def test_a_lease_does_not_come_to_roll_over_into_the_next_one(transactions: Transactions) -> None:
    lease = await a_lease(transactions, terms(end="2026-12-31"))
    await do(transactions, handlers.renew_lease, lease.id, Renewal())

    with pytest.raises(LeasesOverlap):
        await do(transactions, handlers.change_lease, lease.id, rolls_over=True)


REFUSED: list[tuple[Callable[..., Awaitable[object]], tuple[object, ...], dict[str, Any], type[Refusal]]] = [
    (handlers.change_lease, (), {"scheduled": [SEPTEMBER]}, Invalid),
    (handlers.change_lease, (), {"taken_back": [date(2026, 8, 1)]}, Invalid),
    (handlers.change_lease, (), {"free_periods": ("2025-12",)}, Invalid),
    (handlers.change_lease, (), {"charges": (PET, PET)}, Invalid),
    (
        handlers.change_lease,
        (),
        {"scheduled": [RentChange(effective_on=date(2025, 1, 1), rent_cents=1)]},
        Invalid,
    ),
    (handlers.add_charge, (PET,), {}, Invalid),
    (handlers.remove_charge, ("parking", date(2026, 6, 30)), {}, Invalid),
    (handlers.renew_lease, (Renewal(starts_on=date(2026, 1, 1)),), {}, Invalid),
    (handlers.renew_lease, (Renewal(rent_cents=0),), {}, Invalid),
    (handlers.end_lease, (date(2025, 12, 31),), {}, Invalid),
]


@pytest.mark.parametrize(("command", "args", "options", "refusal"), REFUSED)
async def test_what_is_refused_leaves_the_lease_as_it_was(
    transactions: Transactions,
    command: Callable[..., Awaitable[object]],
    args: tuple[object, ...],
    options: dict[str, Any],
    refusal: type[Refusal],
) -> None:
    lease = await a_lease(transactions, terms(**ALL_TERMS))
    before = await emitted(transactions)

    with pytest.raises(refusal):
        await do(transactions, command, lease.id, *args, **options)

    assert await stored(transactions, lease) == lease
    assert (await emitted(transactions), await count_rows(transactions, leases)) == (before, 1)


COMMANDS = [
    lambda tx, identity: handlers.change_lease(tx, identity, scheduled=[SEPTEMBER]),
    lambda tx, identity: handlers.add_charge(tx, identity, KEY),
    lambda tx, identity: handlers.remove_charge(tx, identity, "pet_rent", date(2026, 4, 1)),
    lambda tx, identity: handlers.renew_lease(
        tx, identity, Renewal(starts_on=date(2026, 5, 1), ends_on=date(2027, 4, 30))
    ),
]


def and_then_the_connection_is_lost(command: Callable[..., Awaitable[object]]) -> Callable[..., Any]:
    async def fail(tx: Tx, identity: UUID) -> None:
        await command(tx, identity)
        raise ConnectionError

    return fail


@pytest.mark.parametrize("command", COMMANDS)
async def test_what_fails_on_the_way_leaves_nothing_behind(
    transactions: Transactions, command: Callable[..., Awaitable[object]]
) -> None:
    lease = await a_lease(transactions, terms(charges=(PET,)))
    before = await emitted(transactions)

    with pytest.raises(ConnectionError):
        await do(transactions, and_then_the_connection_is_lost(command), lease.id)

    assert await stored(transactions, lease) == lease
    assert (await emitted(transactions), await count_rows(transactions, leases)) == (before, 1)


@pytest.mark.parametrize(
    "command",
    [*COMMANDS, lambda tx, identity: handlers.end_lease(tx, identity, date(2026, 5, 31))],
)
async def test_two_people_who_decide_the_same_at_once_decide_it_once(
    transactions: Transactions, command: Callable[..., Awaitable[object]]
) -> None:
    lease = await a_lease(transactions, terms(charges=(PET,)))

    outcomes = await asyncio.gather(
        *(do(transactions, command, lease.id) for _ in range(2)), return_exceptions=True
    )

    assert sum(isinstance(outcome, Refusal) for outcome in outcomes) == 1
    facts = [fact for _, fact in await emitted(transactions) if fact.get("lease_id") == str(lease.id)]
    assert [fact["version"] for fact in facts] == [1, 2]


@pytest.mark.parametrize("command", COMMANDS)
async def test_an_unknown_lease_and_an_ended_one_are_refused(
    transactions: Transactions, command: Callable[..., Awaitable[object]]
) -> None:
    lease = await a_lease(transactions, terms(charges=(PET,)))
    await do(transactions, handlers.end_lease, lease.id, date(2026, 6, 30))

    with pytest.raises(Unknown):
        await do(transactions, command, new_id())
    with pytest.raises(LeaseIsOver):
        await do(transactions, command, lease.id)


async def test_two_tenants_of_one_unit_are_on_one_lease(transactions: Transactions) -> None:
    unit, ann, luis = (
        await a_unit(transactions),
        await a_tenant(transactions),
        await a_tenant(transactions, "luis"),
    )

    lease = await do(transactions, handlers.sign_lease, unit.id, [ann.id, luis.id], terms(end="2026-12-31"))
    renewed = await do(transactions, handlers.renew_lease, lease.id, Renewal())

    assert renewed.tenant_ids == (ann.id, luis.id)
    assert await stored(transactions, renewed) == renewed
