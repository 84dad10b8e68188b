"""A signature: given once, in time, to what was read; the last one executes the lease, exactly once."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from services.leasing import handlers
from services.leasing.domain.refusals import Invalid, Unknown
from services.leasing.domain.signing import Evidence, Held, LinkIsClosed, ReadSomethingElse
from shared.identity import new_id
from tests.leasing.signing_desk import ROSA, SENT_AT, WEEK, Desk, MovableClock, a_desk
from tests.support.databases import TestDatabases

pytestmark = pytest.mark.servers

SIGNED, USED, WANTED = "lease_signed", "signing_link_used", "signing_link_wanted"


@pytest.fixture
async def desk(databases: TestDatabases) -> AsyncIterator[Desk]:
    """A lease of two tenants, Ann and Ben."""
    clock = MovableClock()
    async with databases.transactions("leasing", clock) as transactions:
        yield await a_desk(transactions, clock, "ann", "ben")


async def at_once(desk: Desk, *held: Held) -> list[Any]:
    """Whoever holds these signs at the same moment; what each is told."""
    results = await asyncio.gather(*(desk.sign(item) for item in held), return_exceptions=True)
    return sorted(
        (result if isinstance(result, bool) else type(result).__name__ for result in results), key=str
    )


async def test_the_last_signature_executes_the_lease_and_names_who_signed(desk: Desk) -> None:
    ann, ben, rosa = await desk.send(landlords=[ROSA])

    results = [await desk.sign(held) for held in (rosa, ann, ben)]

    assert results == [False, False, True]
    [fact] = await desk.said(SIGNED)
    assert (fact["method"], fact["signed_on"]) == ("electronic", "2026-03-02")
    assert fact["content_hash"] == ann.request.content_hash
    assert [(signer["role"], signer["email"]) for signer in fact["signers"]] == [
        ("tenant", None),
        ("tenant", None),
        ("landlord", "rosa@example.com"),
    ]
    assert (await desk.standing(), len(await desk.said(USED))) == ("signed", 3)


async def test_what_was_typed_and_from_where_is_kept_as_evidence(desk: Desk) -> None:
    ann, _ = await desk.send()

    await desk.sign(ann, name="  Ann Lee ", ip="198.51.100.7", user_agent="Browser\n" + "x" * 400)

    [signer] = [held.signer for held in await desk.held() if held.signer.signed_at]
    assert (signer.signed_name, signer.signed_at, signer.ip) == ("Ann Lee", SENT_AT, "198.51.100.7")
    assert signer.user_agent is not None
    assert (signer.user_agent[:9], len(signer.user_agent)) == ("Browser?x", 300)


async def test_submitted_twice_at_once_it_is_one_signature(desk: Desk) -> None:
    ann, _ = await desk.send()

    assert await at_once(desk, ann, ann, ann) == [False, "LinkIsClosed", "LinkIsClosed"]
    assert len(await desk.said(USED)) == 1


async def test_the_last_two_at_once_execute_the_lease_once(desk: Desk) -> None:
    ann, ben, rosa = await desk.send(landlords=[ROSA])
    await desk.sign(rosa)

    assert await at_once(desk, ann, ben) == [False, True]
    assert len(await desk.said(SIGNED)) == 1


async def test_opened_before_and_submitted_at_the_end_it_is_too_late(desk: Desk) -> None:
    ann, ben = await desk.send()

    with pytest.raises(LinkIsClosed, match="expired"):
        await desk.sign(ann, at=SENT_AT + WEEK)
    assert not await desk.sign(ben, at=SENT_AT + WEEK - timedelta(microseconds=1))
    assert await desk.states() == ["pending", "signed"]


async def test_when_one_link_ran_out_the_others_still_sign(desk: Desk) -> None:
    ann, _ = await desk.send()
    desk.clock.at = SENT_AT + timedelta(days=5)
    await desk.resend(signer_id=ann.signer.id)
    await desk.sweep(SENT_AT + WEEK)

    assert await desk.sign((await desk.pending())[0]) is False
    assert await desk.states() == ["replaced", "signed", "expired"]
    assert await desk.standing() == "out"


async def test_terms_that_were_not_read_are_not_signed(desk: Desk) -> None:
    ann, _ = await desk.send()

    with pytest.raises(ReadSomethingElse):
        await desk.sign(ann, content_hash="0" * 64)
    assert await desk.states() == ["pending", "pending"]


async def test_a_change_at_the_moment_of_the_signature_never_leaves_the_new_terms_signed(desk: Desk) -> None:
    ann, ben = await desk.send()
    await desk.sign(ann)

    signed, _ = await asyncio.gather(
        desk.sign(ben),
        desk.do(handlers.change_lease, desk.lease.id, rent_cents=130_000),
        return_exceptions=True,
    )

    desk.lease = await desk.do(handlers.change_lease, desk.lease.id)
    assert desk.lease.rent_cents == 130_000
    assert await desk.standing() == ("changed_since" if signed is True else "unsigned")


async def test_a_blank_name_signs_nothing(desk: Desk) -> None:
    ann, _ = await desk.send()

    with pytest.raises(Invalid, match="name"):
        await desk.sign(ann, name="  ")
    with pytest.raises(Unknown):
        await desk.do(handlers.give_signature, new_id(), Evidence("Ann", ann.request.content_hash))
    assert await desk.said(USED) == []


async def test_two_signers_with_one_address_have_a_link_each(desk: Desk) -> None:
    held = await desk.send(landlords=[("Ann's mother", "ann@example.com"), ("Her aunt", "ann@example.com")])

    assert [item.link.sent_to for item in held].count("ann@example.com") == 3
    assert [await desk.sign(item) for item in held] == [False, False, False, True]


async def test_one_person_in_two_roles_signs_in_each(desk: Desk) -> None:
    ann, ben, landlord = await desk.send(landlords=[("ann", "ann@example.com")])

    assert [await desk.sign(item) for item in (ann, ben, landlord)] == [False, False, True]
    assert [(item.signer.name, item.signer.role) for item in (ann, landlord)] == [
        ("ann", "tenant"),
        ("ann", "landlord"),
    ]


async def test_the_office_is_asked_for_another_link_once_a_day(desk: Desk) -> None:
    ann, _ = await desk.send()
    desk.clock.at = SENT_AT + WEEK

    first = await asyncio.gather(*(desk.do(handlers.ask_for_link, ann.link.id) for _ in range(4)))
    desk.clock.at += timedelta(days=1)
    later = [await desk.do(handlers.ask_for_link, ann.link.id) for _ in range(2)]

    assert (sorted(first), later) == ([False, False, False, True], [True, False])
    assert [fact["state"] for fact in await desk.said(WANTED)] == ["expired", "expired"]


async def test_who_can_sign_or_has_signed_needs_no_other_link(desk: Desk) -> None:
    ann, ben = await desk.send()
    await desk.sign(ann)

    for held in (ann, ben):
        with pytest.raises(LinkIsClosed):
            await desk.do(handlers.ask_for_link, held.link.id)
    assert await desk.said(WANTED) == []
