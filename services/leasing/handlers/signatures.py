"""A signer signs, or asks for another link."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from services.leasing.domain.refusals import Unknown
from services.leasing.domain.signing import (
    ASKING_AGAIN,
    Evidence,
    Held,
    LinkIsClosed,
    ReadSomethingElse,
    checked_evidence,
    may_ask,
    state_at,
)
from services.leasing.handlers import signing_facts as facts
from services.leasing.store import leases, signing
from shared.contracts.leasing import SigningLinkUsed, SigningLinkWanted
from shared.messaging.transaction import Tx


async def give_signature(tx: Tx, link_id: UUID, given: Evidence) -> bool:
    """Sign by a link, once; returns whether that was the last signature, which executes the lease.

    Who has the link has shown its token. Signers of one lease take turns, so that exactly one is the last.
    Raises `Unknown`, `LinkIsClosed`, `ReadSomethingElse` or `Invalid`.
    """
    evidence = checked_evidence(given)
    await signing.lock_request(tx.connection, (await _held(tx.connection, link_id)).request.id)
    held = await _held(tx.connection, link_id)  # again: somebody may have decided while we waited
    if evidence.content_hash != held.request.content_hash:
        raise ReadSomethingElse("The terms are not those that were read")
    if not await signing.use_link(tx.connection, link_id, tx.at):
        raise LinkIsClosed(state_at(held.link, tx.at))
    await signing.record_signature(tx.connection, held.signer.id, evidence, tx.at)
    tx.emit(facts.about(SigningLinkUsed, held, signed_at=tx.at))
    return await _execute_if_last(tx, held)


async def ask_for_link(tx: Tx, link_id: UUID) -> bool:
    """Tell the office that a signer wants another link; False where they were told within a day.

    Raises `Unknown`, or `LinkIsClosed` for a link that is open or was used: nobody needs another.
    """
    held = await _held(tx.connection, link_id)
    state = state_at(held.link, tx.at)
    if not may_ask(held, tx.at):
        raise LinkIsClosed(state)
    if not await signing.note_asking(tx.connection, link_id, tx.at, tx.at - ASKING_AGAIN):
        return False
    tx.emit(facts.about(SigningLinkWanted, held, state=state, wanted_at=tx.at))
    return True


async def _held(connection: AsyncConnection, link_id: UUID) -> Held:
    found = await signing.held_by(connection, [link_id])
    if not found:
        raise Unknown("signing link", link_id)
    return found[0]


async def _execute_if_last(tx: Tx, held: Held) -> bool:
    signers = await signing.signers_of(tx.connection, held.request.id)
    if any(signer.signed_at is None for signer in signers):
        return False
    if not await signing.close_request(tx.connection, held.request.id, "signed", tx.at):
        return False
    lease = await leases.lease_by_id(tx.connection, held.request.lease_id)
    tx.emit(facts.signed(held.request, lease.tenant_ids if lease else (), signers, tx.at, None))
    return True
