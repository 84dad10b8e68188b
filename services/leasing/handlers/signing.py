"""Leases are sent for signature, sent again, called back, and recorded as signed on paper."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from services.leasing.domain.leases import Lease
from services.leasing.domain.refusals import Invalid, LeaseIsOver, Unknown, Wrong
from services.leasing.domain.signed_content import content_hash, document_of
from services.leasing.domain.signing import (
    AlreadySigned,
    Held,
    Link,
    NotOut,
    Reason,
    Request,
    Signer,
    last_signed,
    refuse_second_request,
    standing_of,
)
from services.leasing.domain.tenants import Tenant, checked_address
from services.leasing.handlers import signing_facts as facts
from services.leasing.links import Links
from services.leasing.store import leases, locks, properties, signing, tenants
from shared.clock import local_date
from shared.contracts.leasing import SigningLinkRevoked
from shared.identity import new_id
from shared.messaging.transaction import Tx

Landlord = tuple[str, str]
"""The name and the e-mail address of who signs for the landlord."""


async def send_for_signature(
    tx: Tx,
    lease_id: UUID,
    links: Links,
    *,
    landlords: Sequence[Landlord] | None = None,
    valid_for: timedelta | None = None,
) -> Request:
    """Ask each tenant, and who signs for the landlord, to sign a lease as it stands; each gets a link.

    Without `landlords` they are those of the last time it was sent, so that nobody is lost where a lease is
    sent anew; an empty list is nobody.
    Raises `Unknown`, `LeaseIsOver`, `AlreadyOut`, `AlreadySigned` or `Invalid`.
    """
    lease = await _held_lease(tx, lease_id)
    if lease.state == "ended":
        raise LeaseIsOver(f"Lease {lease.id} has ended: nobody signs it any more")
    people = await _tenants_of(tx.connection, lease)
    earlier = await _refuse_second_request(tx.connection, lease)
    if landlords is None:
        landlords = await _former_landlords(tx.connection, earlier)
    others = [_landlord(*landlord) for landlord in landlords]
    request = _request(tx, lease, await _document(tx.connection, lease, people, [name for name, _ in others]))
    signers = list(_signers(request, people, others))
    await signing.add_request(tx.connection, request, signers)
    await _issue(tx, [Held(links.issue(item, 1, tx.at, valid_for), item, request) for item in signers])
    return request


async def resend_links(
    tx: Tx,
    lease_id: UUID,
    links: Links,
    *,
    signer_id: UUID | None = None,
    email: str | None = None,
    valid_for: timedelta | None = None,
) -> list[Link]:
    """Give those who have not signed another link, with a new clock; the old one is dead at once.

    `email` corrects the address of one signer who is no tenant. Raises `NotOut`, `AlreadySigned`, `Unknown`
    or `Invalid`.
    """
    request = await _open_request(tx, lease_id)
    wanted = _unsigned(await signing.signers_of(tx.connection, request.id), signer_id)
    if email is not None:
        wanted = [await _corrected(tx, wanted, email)]
    for signer in wanted:
        if not signer.email:
            raise Invalid([Wrong("email", f"of {signer.name} is missing: links go by e-mail")])
    numbers = {
        held.signer.id: held.link.number for held in await signing.held_of_lease(tx.connection, lease_id)
    }
    ids = [signer.id for signer in wanted]
    dead = await signing.close_links(tx.connection, "replaced", tx.at, signer_ids=ids)
    fresh = [
        Held(links.issue(signer, numbers.get(signer.id, 0) + 1, tx.at, valid_for), signer, request)
        for signer in wanted
    ]
    await _issue(tx, fresh, {held.signer.id: held.link.id for held in dead})
    return [held.link for held in fresh]


async def revoke_links(tx: Tx, lease_id: UUID, reason: Reason = "office") -> Request:
    """Call a lease back from signature: its links open nothing any more. Raises `NotOut`."""
    request = await _open_request(tx, lease_id)
    await _call_back(tx, request, "revoked", reason)
    return request


async def record_paper(tx: Tx, lease_id: UUID, on: date) -> Request:
    """Note that everybody signed on paper on a day; links that are out are dead.

    Raises `Unknown`, `AlreadySigned`, or `Invalid` for a day to come.
    """
    lease = await _held_lease(tx, lease_id)
    if on > local_date(tx.at, lease.time_zone):
        raise Invalid([Wrong("on", f"{on} is a day to come")])
    out = await signing.lock_open_requests(tx.connection, [lease_id])
    if out:
        await _call_back(tx, out[0], "paper", "signed_on_paper", on=on)
        request = replace(out[0], state="paper", closed_at=tx.at, signed_on=on)
    else:
        await _refuse_second_request(tx.connection, lease)
        people = await _tenants_of(tx.connection, lease, by_mail=False)
        document = await _document(tx.connection, lease, people, [])
        request = replace(_request(tx, lease, document), state="paper", closed_at=tx.at, signed_on=on)
        await signing.add_request(tx.connection, request, [])
    tx.emit(facts.signed(request, lease.tenant_ids, [], tx.at, on))
    return request


async def review_signatures(tx: Tx, lease_ids: Collection[UUID]) -> None:
    """Call back what is out for signature and no longer says what its lease does.

    Whoever changes a lease, or what it takes from its property and tenants, asks for this at the end.
    """
    if not lease_ids:
        return
    for request in await signing.lock_open_requests(tx.connection, lease_ids):
        lease = await leases.lease_by_id(tx.connection, request.lease_id)
        assert lease is not None  # noqa: S101 - leases are never deleted
        if lease.state == "ended":
            await _call_back(tx, request, "revoked", "lease_ended")
        elif await _hash_today(tx.connection, lease, request) != request.content_hash:
            await _call_back(tx, request, "revoked", "lease_changed")


async def follow_tenant(tx: Tx, before: Tenant, after: Tenant) -> None:
    """Let what is out for signature follow a tenant whose name or address was corrected.

    A link that went to an address that is not theirs is dead at once; the office sends another.
    """
    if (before.name, before.email, before.locale) == (after.name, after.email, after.locale):
        return
    affected = await signing.open_leases_of_tenant(tx.connection, after.id)
    for request in await signing.lock_open_requests(tx.connection, affected):
        for signer in await signing.signers_of(tx.connection, request.id):
            if signer.tenant_id == after.id and signer.signed_at is None:
                await _follow(tx, signer, after)
    await review_signatures(tx, affected)


async def signature_of(connection: AsyncConnection, lease: Lease) -> tuple[str, list[Request]]:
    """Where a lease stands (unsigned, out, signed, paper, changed_since), and each time it was sent."""
    found = await signing.requests_of(connection, lease.id)
    return standing_of(found, await _signed_hash(connection, lease, found)), found


async def _follow(tx: Tx, signer: Signer, tenant: Tenant) -> None:
    if signer.email != (tenant.email or ""):
        closed = await signing.close_links(
            tx.connection, "revoked", tx.at, signer_ids=[signer.id], reason="address_changed"
        )
        _say_revoked(tx, closed, "address_changed")
    await signing.change_signer(
        tx.connection, signer.id, name=tenant.name, email=tenant.email or "", locale=tenant.locale
    )


async def _issue(tx: Tx, held: Sequence[Held], replaced: dict[UUID, UUID] | None = None) -> None:
    await signing.add_links(tx.connection, [item.link for item in held])
    tx.emit(*(facts.issued(item, (replaced or {}).get(item.signer.id)) for item in held))


async def _call_back(tx: Tx, request: Request, state: str, reason: Reason, *, on: date | None = None) -> None:
    await signing.close_request(tx.connection, request.id, state, tx.at, reason=reason, signed_on=on)
    signers = await signing.signers_of(tx.connection, request.id)
    closed = await signing.close_links(
        tx.connection, "revoked", tx.at, signer_ids=[signer.id for signer in signers], reason=reason
    )
    _say_revoked(tx, closed, reason)


def _say_revoked(tx: Tx, closed: Iterable[Held], reason: Reason) -> None:
    tx.emit(*(facts.about(SigningLinkRevoked, held, reason=reason, revoked_at=tx.at) for held in closed))


async def _held_lease(tx: Tx, lease_id: UUID) -> Lease:
    """A lease that nobody changes meanwhile."""
    await locks.share_portfolio(tx.connection)
    found = await leases.lease_by_id(tx.connection, lease_id)
    if found is None:
        raise Unknown("lease", lease_id)
    await properties.hold_unit(tx.connection, found.unit_id)
    return await leases.lease_by_id(tx.connection, lease_id) or found


async def _open_request(tx: Tx, lease_id: UUID) -> Request:
    await _held_lease(tx, lease_id)
    found = await signing.lock_open_requests(tx.connection, [lease_id])
    if not found:
        raise await _not_out(tx, lease_id)
    return found[0]


_SEND: Final = "Send it with `propman leasing signing-links send`"


async def _not_out(tx: Tx, lease_id: UUID) -> NotOut:
    """Why there is no link to send again or to call back, and what to do."""
    newest = max(
        await signing.requests_of(tx.connection, lease_id), key=lambda item: item.sent_at, default=None
    )
    if newest is None:
        why, then = "", _SEND
    elif newest.state == "signed":
        why, then = ": everybody has signed", "To have it signed anew, change it and send it again"
    else:
        why = ": it was signed on paper" if newest.state == "paper" else ": it was called back"
        then = _SEND
    return NotOut(f"Lease {lease_id} is not out for signature{why}. {then}")


async def _tenants_of(connection: AsyncConnection, lease: Lease, *, by_mail: bool = True) -> list[Tenant]:
    found = await tenants.tenants_by_id(connection, lease.tenant_ids)
    people = [found[identity] for identity in lease.tenant_ids]
    wrong = [
        Wrong("email", f"of {person.name} is missing: links go by e-mail")
        for person in people
        if not person.email
    ]
    if by_mail and wrong:
        raise Invalid(wrong)
    return people


async def _refuse_second_request(connection: AsyncConnection, lease: Lease) -> list[Request]:
    """Gives the earlier ones, where another may follow."""
    earlier = await signing.requests_of(connection, lease.id)
    refuse_second_request(earlier, await _signed_hash(connection, lease, earlier))
    return earlier


async def _former_landlords(connection: AsyncConnection, earlier: Sequence[Request]) -> list[Landlord]:
    """Who was asked to sign as landlord the last time, at the address known last; paper asks nobody."""
    for request in reversed(earlier):
        if asked := await signing.signers_of(connection, request.id):
            return [(signer.name, signer.email) for signer in asked if signer.role == "landlord"]
    return []


async def _signed_hash(connection: AsyncConnection, lease: Lease, requests: Sequence[Request]) -> str:
    done = last_signed(requests)
    return await _hash_today(connection, lease, done) if done else ""


async def _document(
    connection: AsyncConnection, lease: Lease, people: Sequence[Tenant], landlords: Sequence[str]
) -> str:
    place = await properties.property_by_id(connection, lease.property_id)
    assert place is not None  # noqa: S101 - the unit of a lease is one of a property
    return document_of(lease, place, [person.name for person in people], landlords)


async def _hash_today(connection: AsyncConnection, lease: Lease, request: Request) -> str:
    """What the lease would be sent as now, to the same landlords."""
    people = await _tenants_of(connection, lease, by_mail=False)
    signers = await signing.signers_of(connection, request.id)
    landlords = [signer.name for signer in signers if signer.role == "landlord"]
    return content_hash(await _document(connection, lease, people, landlords))


def _request(tx: Tx, lease: Lease, document: str) -> Request:
    return Request(
        id=new_id(),
        lease_id=lease.id,
        state="out",
        document=document,
        content_hash=content_hash(document),
        sent_at=tx.at,
        property_id=lease.property_id,
        unit_label=lease.unit_label,
        time_zone=lease.time_zone,
    )


def _signers(request: Request, people: Sequence[Tenant], landlords: Sequence[Landlord]) -> Iterable[Signer]:
    for position, person in enumerate(people):
        yield Signer(
            id=new_id(),
            request_id=request.id,
            position=position,
            role="tenant",
            tenant_id=person.id,
            name=person.name,
            email=person.email or "",
            locale=person.locale,
        )
    for position, (name, email) in enumerate(landlords, start=len(people)):
        yield Signer(
            id=new_id(), request_id=request.id, position=position, role="landlord", name=name, email=email
        )


def _landlord(name: str, email: str) -> Landlord:
    return checked_address(name, email)


def _unsigned(signers: Sequence[Signer], signer_id: UUID | None) -> list[Signer]:
    chosen = [signer for signer in signers if signer_id in {None, signer.id}]
    if not chosen:
        raise Unknown("signer", signer_id) if signer_id else NotOut("Nobody was asked to sign")
    unsigned = [signer for signer in chosen if signer.signed_at is None]
    if not unsigned:
        raise AlreadySigned(f"{chosen[0].name} has signed: who signed gets no other link")
    return unsigned


async def _corrected(tx: Tx, wanted: Sequence[Signer], email: str) -> Signer:
    if len(wanted) != 1:
        raise Invalid([Wrong("email", "is of one signer: say which one with --signer")])
    signer = wanted[0]
    if signer.tenant_id is not None:
        raise Invalid([Wrong("email", f"of {signer.name} is their tenant's: propman leasing tenants change")])
    _, address = checked_address(signer.name, email)
    await signing.change_signer(tx.connection, signer.id, email=address)
    return replace(signer, email=address)
