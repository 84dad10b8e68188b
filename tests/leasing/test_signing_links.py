"""Signing links from the office's side: sent, expired, reminded, sent again, called back; each once."""

import asyncio
from collections.abc import AsyncIterator
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from services.leasing import handlers
from services.leasing.domain.refusals import Invalid, LeaseIsOver
from services.leasing.domain.signing import AlreadyOut, AlreadySigned, LinkState, NotOut, state_at
from services.leasing.links import Links
from services.leasing.store import signing
from shared.contracts.scheduler import SigningLinkExpiryDue
from shared.identity import new_id
from shared.link_keys import is_token
from tests.leasing.signing_desk import (
    KEYS,
    LINKS,
    ROSA,
    SENT_AT,
    WEEK,
    Desk,
    MovableClock,
    a_desk,
    identities,
    token,
)
from tests.support.databases import TestDatabases
from tests.support.messages import deliver, emitted

pytestmark = pytest.mark.servers

DAY = timedelta(days=1)
ISSUED, EXPIRED = "signing_link_issued", "signing_link_expired"
REVOKED, REMINDED = "signing_link_revoked", "signing_reminder_due"


@pytest.fixture
async def desk(databases: TestDatabases) -> AsyncIterator[Desk]:
    """A lease of two tenants, Ann and Ben."""
    clock = MovableClock()
    async with databases.transactions("leasing", clock) as transactions:
        yield await a_desk(transactions, clock, "ann", "ben")


async def test_each_signer_gets_a_link_of_their_own(desk: Desk) -> None:
    held = await desk.send(landlords=[ROSA])

    assert [(item.signer.role, item.link.sent_to) for item in held] == [
        ("tenant", "ann@example.com"),
        ("tenant", "ben@example.com"),
        ("landlord", "rosa@example.com"),
    ]
    assert len({token(item.link) for item in held}) == 3
    assert {item.link.expires_at - item.link.issued_at for item in held} == {WEEK}
    assert identities(await desk.said(ISSUED)) == [item.link.id for item in held]
    assert await desk.standing() == "out"


async def test_a_token_is_kept_as_its_hash_and_said_to_nobody(desk: Desk) -> None:
    held = await desk.send()

    said = str(await emitted(desk.transactions))
    async with desk.transactions.engine.connect() as connection:
        kept = str((await connection.exec_driver_sql("select * from signing_links")).all())
    for item in held:
        assert is_token(token(item.link), item.link.token_hash)
        assert not is_token(token(item.link) + "x", item.link.token_hash)
        assert token(item.link) not in said + kept
    [fact, _] = await desk.said(ISSUED)
    assert KEYS.token_again(fact["ticket"], fact["check"]) == token(held[0].link)


async def test_a_link_ends_at_the_very_instant_and_not_before(desk: Desk) -> None:
    held = await desk.send()
    end = SENT_AT + WEEK

    assert await desk.sweep(end - timedelta(microseconds=1)) == (0, 2)
    assert await desk.sweep(end) == (2, 0)

    assert [fact["expired_at"] for fact in await desk.said(EXPIRED)] == ["2026-03-09T15:00:00Z"] * 2
    assert state_at(held[0].link, end - timedelta(microseconds=1)) == "pending"
    assert state_at(held[0].link, end) == "expired"


async def test_fewer_days_bring_the_end_forward_and_more_bring_nothing_back(desk: Desk) -> None:
    await desk.send()

    assert await desk.sweep(SENT_AT + 2 * DAY, days=3) == (0, 0)
    assert await desk.sweep(SENT_AT + 3 * DAY, days=3) == (2, 0)
    assert await desk.sweep(SENT_AT + 4 * DAY, days=30) == (0, 0)

    assert await desk.states() == ["expired", "expired"]


async def test_more_days_do_not_prolong_a_link_that_has_run_out(desk: Desk) -> None:
    await desk.send()

    assert await desk.sweep(SENT_AT + WEEK, days=30) == (2, 0)


async def test_sweeps_at_once_and_again_say_one_end_per_signer(desk: Desk) -> None:
    held = await desk.send(landlords=[ROSA])
    desk.clock.at = SENT_AT + WEEK

    await asyncio.gather(*(desk.sweep(desk.clock.at) for _ in range(6)))
    await desk.sweep(desk.clock.at + DAY)

    assert sorted(identities(await desk.said(EXPIRED))) == sorted(item.link.id for item in held)


async def test_a_dry_run_counts_what_the_real_one_does_and_writes_nothing(desk: Desk) -> None:
    await desk.send()
    before = await emitted(desk.transactions)

    async with desk.transactions.engine.connect() as connection:
        reminded = await handlers.look_at_links(connection, SENT_AT + 5 * DAY)
        over = await handlers.look_at_links(connection, SENT_AT + WEEK)

    assert [len(found) for found in (reminded.expired, reminded.reminded)] == [0, 2]
    assert [len(found) for found in (over.expired, over.reminded)] == [2, 0]
    assert (await emitted(desk.transactions), await desk.states()) == (before, ["pending"] * 2)


@pytest.mark.parametrize(("dry_run", "expired"), [(False, 2), (True, 0)])
async def test_the_hourly_trigger_is_answered_with_what_was_done(
    desk: Desk, dry_run: bool, expired: int
) -> None:
    await desk.send()
    due = SigningLinkExpiryDue(
        occurrence_id=new_id(), schedule_key="signing-link-expiry", as_of=SENT_AT + WEEK, dry_run=dry_run
    )

    for _ in range(2):
        assert await deliver(desk.transactions, handlers.router, due, message_id=due.occurrence_id) in {
            "done",
            "repeat",
        }

    said = [body for topic, body in await emitted(desk.transactions) if "trigger_outcome" in topic]
    assert [(body["state"], body["counts"]) for body in said] == [
        ("succeeded", {"expired": 2, "reminded": 0})
    ]
    assert len(await desk.said(EXPIRED)) == expired


async def test_signers_are_reminded_before_the_end_each_time_once(desk: Desk) -> None:
    await desk.send()

    counts = [
        (await desk.sweep(SENT_AT + WEEK - timedelta(hours=hours)))[1] for hours in (73, 72, 71, 24, 23)
    ]

    assert counts == [0, 2, 0, 2, 0]
    assert [fact["reminder"] for fact in await desk.said(REMINDED)] == [1, 1, 2, 2]


async def test_reminders_that_were_missed_are_one(desk: Desk) -> None:
    await desk.send()

    assert await desk.sweep(SENT_AT + WEEK - timedelta(hours=2)) == (0, 2)
    assert await desk.sweep(SENT_AT + WEEK - timedelta(hours=1)) == (0, 0)


async def test_two_sweeps_at_once_remind_once(desk: Desk) -> None:
    held = await desk.send()
    desk.clock.at = SENT_AT + 5 * DAY

    await asyncio.gather(*(desk.sweep(desk.clock.at) for _ in range(4)))

    assert sorted(identities(await desk.said(REMINDED))) == sorted(item.link.id for item in held)


async def test_a_link_for_hours_has_no_reminder_before_itself(desk: Desk) -> None:
    held = await desk.send(valid_for=timedelta(hours=30))

    assert [item.link.remind_at for item in held] == [(SENT_AT + timedelta(hours=6),)] * 2


async def test_another_default_is_for_links_that_are_sent_from_then_on(desk: Desk) -> None:
    held = await desk.send()
    links = Links(url=LINKS.url, keys=KEYS, valid_for=2 * DAY, remind_before=[timedelta(hours=1)])

    again = await desk.resend(links=links, signer_id=held[1].signer.id)

    assert [(item.link.expires_at, item.link.remind_at) for item in await desk.pending()] == [
        (SENT_AT + WEEK, (SENT_AT + 4 * DAY, SENT_AT + 6 * DAY)),
        (SENT_AT + 2 * DAY, again[0].remind_at),
    ]


async def test_sent_again_the_old_link_is_dead_and_clock_and_reminders_begin_anew(desk: Desk) -> None:
    old = await desk.send()
    await desk.sweep(SENT_AT + 5 * DAY)

    await desk.resend()

    fresh = await desk.pending()
    assert await desk.states() == ["replaced", "pending", "replaced", "pending"]
    assert {item.link.expires_at for item in fresh} == {SENT_AT + 5 * DAY + WEEK}
    assert {(item.link.number, item.link.reminders) for item in fresh} == {(2, 0)}
    assert [fact["replaces"] for fact in (await desk.said(ISSUED))[2:]] == [str(item.link.id) for item in old]
    assert not is_token(token(old[0].link), fresh[0].link.token_hash)


async def test_a_link_that_ran_out_is_sent_again_and_the_others_go_on(desk: Desk) -> None:
    ann, ben = await desk.send()
    await desk.sign(ann)
    await desk.sweep(SENT_AT + WEEK)

    await desk.resend(signer_id=ben.signer.id)

    assert await desk.states() == ["signed", "expired", "pending"]
    assert await desk.sign((await desk.pending())[0])


async def test_who_signed_gets_no_other_link(desk: Desk) -> None:
    ann, _ = await desk.send()
    await desk.sign(ann)

    with pytest.raises(AlreadySigned, match="ann"):
        await desk.resend(signer_id=ann.signer.id)
    assert [link.signer_id for link in await desk.resend()] != [ann.signer.id]
    assert await desk.states() == ["signed", "replaced", "pending"]


async def test_a_lease_is_out_for_signature_once_at_a_time(desk: Desk) -> None:
    results = await asyncio.gather(*(desk.send() for _ in range(4)), return_exceptions=True)

    assert sorted(type(result).__name__ for result in results) == ["AlreadyOut"] * 3 + ["list"]
    assert len(await desk.held()) == 2
    with pytest.raises(AlreadyOut):
        await desk.send()


async def test_a_lease_called_back_can_be_sent_anew(desk: Desk) -> None:
    await desk.send()

    await desk.do(handlers.revoke_links, desk.lease.id)

    assert await desk.states() == ["revoked: office"] * 2
    assert (await desk.standing(), len(await desk.said(REVOKED))) == ("unsigned", 2)
    with pytest.raises(NotOut):
        await desk.resend()
    assert len(await desk.send()) == 2


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda desk: (handlers.change_lease, desk.lease.id, {"rent_cents": 130_000}), "lease_changed"),
        (lambda desk: (handlers.end_lease, desk.lease.id, date(2026, 6, 30), {}), "lease_ended"),
        (
            lambda desk: (handlers.change_property, desk.lease.property_id, {"address": "1 Elm"}),
            "lease_changed",
        ),
        (lambda desk: (handlers.change_tenant, desk.tenants[0].id, {"name": "Anna"}), "lease_changed"),
    ],
    ids=["rent", "end", "address of the property", "name of a tenant"],
)
async def test_a_lease_that_changes_after_the_first_signature_voids_every_link(
    desk: Desk, change: Any, reason: str
) -> None:
    ann, _ = await desk.send()
    await desk.sign(ann)
    command, *args, changes = change(desk)

    await desk.do(command, *args, **changes)

    assert await desk.states() == ["signed", f"revoked: {reason}"]
    assert [fact["reason"] for fact in await desk.said(REVOKED)] == [reason]


@pytest.mark.parametrize(
    ("command", "changes"),
    [
        (handlers.change_property, {"time_zone": "America/Chicago", "latitude": 41.0}),
        (handlers.change_tenant, {"phone": "+1 212 555 0199"}),
    ],
)
async def test_what_is_not_agreed_upon_voids_nothing(
    desk: Desk, command: Any, changes: dict[str, Any]
) -> None:
    await desk.send()
    about = desk.lease.property_id if command is handlers.change_property else desk.tenants[0].id

    await desk.do(command, about, **changes)

    assert await desk.states() == ["pending"] * 2


async def test_a_link_to_an_address_that_was_corrected_is_dead(desk: Desk) -> None:
    await desk.send()

    await desk.do(handlers.change_tenant, desk.tenants[0].id, email="ann.lee@example.com")

    assert await desk.states() == ["revoked: address_changed", "pending"]
    await desk.resend(signer_id=(await desk.held())[0].signer.id)
    assert [item.link.sent_to for item in await desk.pending()] == ["ann.lee@example.com", "ben@example.com"]


async def test_the_address_of_a_landlord_is_corrected_when_it_is_sent_again(desk: Desk) -> None:
    rosa = (await desk.send(landlords=[ROSA]))[-1]

    await desk.resend(signer_id=rosa.signer.id, email="rosa.diaz@example.com")

    assert (await desk.pending())[-1].link.sent_to == "rosa.diaz@example.com"
    with pytest.raises(Invalid, match="tenants change"):
        await desk.resend(signer_id=(await desk.pending())[0].signer.id, email="other@example.com")


async def test_signed_on_paper_the_links_that_are_out_are_dead(desk: Desk) -> None:
    await desk.send()

    await desk.do(handlers.record_paper, desk.lease.id, on=date(2026, 3, 1))

    assert await desk.states() == ["revoked: signed_on_paper"] * 2
    [fact] = await desk.said("lease_signed")
    assert (fact["method"], fact["signed_on"], fact["signers"]) == ("paper", "2026-03-01", [])
    assert await desk.standing() == "paper"
    with pytest.raises(AlreadySigned):
        await desk.do(handlers.record_paper, desk.lease.id, on=date(2026, 3, 1))
    with pytest.raises(AlreadySigned):
        await desk.send(landlords=[ROSA])


async def test_paper_needs_no_links_and_no_day_to_come(desk: Desk) -> None:
    with pytest.raises(Invalid, match="to come"):
        await desk.do(handlers.record_paper, desk.lease.id, on=date(2026, 3, 3))

    await desk.do(handlers.record_paper, desk.lease.id, on=date(2026, 3, 2))

    assert (await desk.standing(), await desk.held()) == ("paper", [])


async def test_who_has_no_address_and_what_has_ended_is_not_sent(desk: Desk) -> None:
    await desk.do(handlers.change_tenant, desk.tenants[1].id, email="", channel="in_app")

    with pytest.raises(Invalid, match="ben"):
        await desk.send()
    await desk.do(handlers.end_lease, desk.lease.id, date(2026, 6, 30))
    with pytest.raises(LeaseIsOver):
        await desk.send()


async def test_what_changed_since_it_was_signed_is_signed_anew(desk: Desk) -> None:
    for held in await desk.send():
        await desk.sign(held)
    assert await desk.standing() == "signed"

    desk.lease = await desk.do(handlers.change_lease, desk.lease.id, rent_cents=130_000)

    assert await desk.standing() == "changed_since"
    assert len(await desk.send()) == 2


async def test_a_lease_that_is_sent_anew_asks_the_landlord_of_before(desk: Desk) -> None:
    rosa = (await desk.send(landlords=[ROSA]))[-1]
    await desk.resend(signer_id=rosa.signer.id, email="rosa.diaz@example.com")
    await desk.do(handlers.change_lease, desk.lease.id, rent_cents=130_000)

    *_, again = await desk.send()
    await desk.do(handlers.revoke_links, desk.lease.id)

    assert (again.signer.role, again.signer.name) == ("landlord", "Rosa Diaz")
    assert again.link.sent_to == "rosa.diaz@example.com"
    assert [held.signer.role for held in await desk.send(landlords=[])] == ["tenant", "tenant"]
    await desk.do(handlers.revoke_links, desk.lease.id)
    assert [held.signer.role for held in await desk.send()] == ["tenant", "tenant"]


async def test_the_office_sees_the_newest_link_of_each_signer_by_state(desk: Desk) -> None:
    ann, _ = await desk.send()
    await desk.sign(ann)
    await desk.resend()

    wanted: tuple[tuple[LinkState, datetime], ...] = (
        ("signed", SENT_AT),
        ("pending", SENT_AT),
        ("expired", SENT_AT + WEEK),
    )

    async with desk.transactions.engine.connect() as connection:
        found = {
            state: [
                (item.signer.name, item.link.number)
                for item in await signing.newest_links(connection, 10, state=state, at=at)
            ]
            for state, at in wanted
        }

    assert found == {"signed": [("ann", 1)], "pending": [("ben", 2)], "expired": [("ben", 2)]}
