"""Requests to sign, their signers and links in the database.

Whoever changes a request, or what hangs on it, locks its row first and its links after: signing, sending
again and calling back wait for each other. The sweep locks links only, and leaves those that somebody holds.
"""

from collections.abc import Collection, Sequence
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.leasing.domain.signing import Evidence, Held, Link, LinkState, Reason, Request, Signer
from services.leasing.schema import (
    leases,
    properties,
    signature_requests,
    signers,
    signing_links,
    units,
)

_LINK: Final = signing_links.c
_REQUEST: Final = signature_requests.c
_PENDING: Final = _LINK.state == "pending"

_REQUESTS: Final = sa.select(
    signature_requests,
    units.c.property_id,
    units.c.label.label("unit_label"),
    properties.c.time_zone,
).select_from(signature_requests.join(leases).join(units, leases.c.unit_id == units.c.id).join(properties))


def _prefixed(table: sa.Table, prefix: str) -> list[sa.Label[Any]]:
    return [column.label(f"{prefix}_{column.name}") for column in table.c]


_HELD: Final = sa.select(
    *_prefixed(signing_links, "link"),
    *_prefixed(signers, "signer"),
    *_prefixed(signature_requests, "request"),
    units.c.property_id.label("request_property_id"),
    units.c.label.label("request_unit_label"),
    properties.c.time_zone.label("request_time_zone"),
).select_from(
    signing_links.join(signers, signers.c.id == _LINK.signer_id)
    .join(signature_requests, _REQUEST.id == signers.c.request_id)
    .join(leases, leases.c.id == _REQUEST.lease_id)
    .join(units, leases.c.unit_id == units.c.id)
    .join(properties, properties.c.id == units.c.property_id)
)


async def add_request(connection: AsyncConnection, request: Request, signing: Sequence[Signer]) -> None:
    """Insert a request with its signers."""
    row = {name: getattr(request, name) for name in signature_requests.c.keys()}  # noqa: SIM118 - columns, not a dict
    await connection.execute(sa.insert(signature_requests).values(row))
    if signing:
        await connection.execute(sa.insert(signers), [_plain(item, signers) for item in signing])


async def add_links(connection: AsyncConnection, links: Sequence[Link]) -> None:
    """Insert links; a signer who has a pending one gets no second (`uq_signing_links_pending`)."""
    if links:
        rows = [_plain(item, signing_links) | {"remind_at": list(item.remind_at)} for item in links]
        await connection.execute(sa.insert(signing_links), rows)


async def requests_of(connection: AsyncConnection, lease_id: UUID) -> list[Request]:
    """Each time a lease was sent, in order."""
    query = _REQUESTS.where(_REQUEST.lease_id == lease_id).order_by(_REQUEST.sent_at, _REQUEST.id)
    return [_request(row) for row in (await connection.execute(query)).mappings()]


async def lock_open_requests(connection: AsyncConnection, lease_ids: Collection[UUID]) -> list[Request]:
    """The requests of these leases that are out, ours until the transaction ends."""
    query = _REQUESTS.where(
        _REQUEST.lease_id == sa.any_(sa.bindparam("ids", type_=sa.ARRAY(sa.Uuid))), _REQUEST.state == "out"
    )
    locked = query.order_by(_REQUEST.id).with_for_update(of=signature_requests)
    rows = await connection.execute(locked, {"ids": list(lease_ids)})
    return [_request(row) for row in rows.mappings()]


async def lock_request(connection: AsyncConnection, identity: UUID) -> None:
    """Let one transaction at a time decide about a request."""
    query = sa.select(_REQUEST.id).where(_REQUEST.id == identity)
    await connection.execute(query.with_for_update())


async def close_request(
    connection: AsyncConnection,
    identity: UUID,
    state: str,
    at: datetime,
    *,
    reason: Reason | None = None,
    signed_on: date | None = None,
) -> bool:
    """End a request that is out; False where somebody has, so that it ends once."""
    done = await connection.execute(
        sa.update(signature_requests)
        .where(_REQUEST.id == identity, _REQUEST.state == "out")
        .values(state=state, reason=reason, closed_at=at, signed_on=signed_on)
    )
    return done.rowcount == 1


async def signers_of(connection: AsyncConnection, request_id: UUID) -> list[Signer]:
    """Everybody who is to sign, in order."""
    query = sa.select(signers).where(signers.c.request_id == request_id).order_by(signers.c.position)
    return [Signer(**row) for row in (await connection.execute(query)).mappings()]


async def change_signer(connection: AsyncConnection, identity: UUID, **values: Any) -> None:
    """Reach a signer differently from now on."""
    await connection.execute(sa.update(signers).where(signers.c.id == identity).values(**values))


async def open_leases_of_tenant(connection: AsyncConnection, tenant_id: UUID) -> set[UUID]:
    """The leases that are out for signature and that a tenant is to sign."""
    query = (
        sa.select(_REQUEST.lease_id)
        .join(signers, signers.c.request_id == _REQUEST.id)
        .where(_REQUEST.state == "out", signers.c.tenant_id == tenant_id)
    )
    return set(await connection.scalars(query))


async def open_leases_of_property(connection: AsyncConnection, property_id: UUID) -> set[UUID]:
    """The leases of a property that are out for signature."""
    query = (
        sa.select(_REQUEST.lease_id)
        .join(leases, leases.c.id == _REQUEST.lease_id)
        .join(units, units.c.id == leases.c.unit_id)
        .where(_REQUEST.state == "out", units.c.property_id == property_id)
    )
    return set(await connection.scalars(query))


async def held_by(connection: AsyncConnection, link_ids: Collection[UUID]) -> list[Held]:
    """What these links open, in the order of their ids."""
    query = _HELD.where(_LINK.id == sa.any_(sa.bindparam("ids", type_=sa.ARRAY(sa.Uuid)))).order_by(_LINK.id)
    return [_held(row) for row in (await connection.execute(query, {"ids": list(link_ids)})).mappings()]


async def held_of_lease(connection: AsyncConnection, lease_id: UUID) -> list[Held]:
    """Every link that a lease was ever sent by, by request, signer and number."""
    query = _HELD.where(_REQUEST.lease_id == lease_id).order_by(
        _REQUEST.sent_at, signers.c.position, _LINK.number
    )
    return [_held(row) for row in (await connection.execute(query)).mappings()]


async def newest_links(
    connection: AsyncConnection, limit: int, *, state: LinkState | None, at: datetime
) -> list[Held]:
    """The last link of each signer of what is out or ended last, those that run out first in front."""
    later = signing_links.alias("later")
    has_later = sa.exists().where(later.c.signer_id == _LINK.signer_id, later.c.number > _LINK.number)
    query = _HELD.where(~has_later)
    if state == "expired":
        query = query.where(sa.or_(_LINK.state == state, _PENDING & (_LINK.expires_at <= at)))
    elif state == "pending":
        query = query.where(_PENDING, _LINK.expires_at > at)
    elif state is not None:
        query = query.where(_LINK.state == state)
    query = query.order_by(_LINK.closed_at.is_not(None), _LINK.expires_at, _LINK.id).limit(limit)
    return [_held(row) for row in (await connection.execute(query)).mappings()]


async def close_links(
    connection: AsyncConnection,
    state: LinkState,
    at: datetime,
    *,
    signer_ids: Collection[UUID],
    reason: Reason | None = None,
) -> list[Held]:
    """Let the pending links of these signers open nothing any more; returns those that did until now."""
    closed = await connection.scalars(
        sa.update(signing_links)
        .where(_PENDING, _LINK.signer_id.in_(sorted(signer_ids)))
        .values(state=state, reason=reason, closed_at=at, next_reminder_at=None)
        .returning(_LINK.id)
    )
    return await held_by(connection, closed.all())


def _is_over(at: datetime, issued_by: datetime | None) -> sa.ColumnElement[bool]:
    over = _LINK.expires_at <= at
    return over if issued_by is None else sa.or_(over, _LINK.issued_at <= issued_by)


async def expired(connection: AsyncConnection, at: datetime, issued_by: datetime | None) -> list[Held]:
    """The pending links that have run out, or were issued by then; reads only."""
    query = _HELD.where(_PENDING, _is_over(at, issued_by)).order_by(_LINK.id)
    return [_held(row) for row in (await connection.execute(query)).mappings()]


async def claim_expired(connection: AsyncConnection, at: datetime, issued_by: datetime | None) -> list[Held]:
    """The same, and they are expired from now on: of two sweeps at once, one has each link."""
    free = (
        sa.select(_LINK.id)
        .where(_PENDING, _is_over(at, issued_by))
        .with_for_update(skip_locked=True)
        .cte("free")
    )
    claimed = await connection.scalars(
        sa.update(signing_links)
        .where(_LINK.id.in_(sa.select(free.c.id)), _PENDING)
        .values(state="expired", closed_at=at, next_reminder_at=None)
        .returning(_LINK.id)
    )
    return await held_by(connection, claimed.all())


def _is_to_be_reminded(at: datetime) -> sa.ColumnElement[bool]:
    return sa.and_(_PENDING, _LINK.next_reminder_at <= at, _LINK.expires_at > at)


async def to_be_reminded(connection: AsyncConnection, at: datetime) -> list[Held]:
    """The pending links whose next reminder has come; reads only."""
    query = _HELD.where(_is_to_be_reminded(at)).order_by(_LINK.id)
    return [_held(row) for row in (await connection.execute(query)).mappings()]


async def claim_reminders(connection: AsyncConnection, at: datetime) -> list[Held]:
    """The same, counted as reminded; however many instants were missed, they are one reminder."""
    free = sa.select(_LINK.id).where(_is_to_be_reminded(at)).with_for_update(skip_locked=True).cte("free")
    instants = sa.func.unnest(_LINK.remind_at).column_valued("instant")
    following = sa.select(sa.func.min(instants)).where(instants > at).scalar_subquery()
    claimed = await connection.scalars(
        sa.update(signing_links)
        .where(_LINK.id.in_(sa.select(free.c.id)), _is_to_be_reminded(at))
        .values(reminders=_LINK.reminders + 1, next_reminder_at=following)
        .returning(_LINK.id)
    )
    return await held_by(connection, claimed.all())


async def use_link(connection: AsyncConnection, identity: UUID, at: datetime) -> bool:
    """Let a link be the one its signer signed by; False where it is not open at that moment."""
    used = await connection.execute(
        sa.update(signing_links)
        .where(_LINK.id == identity, _PENDING, _LINK.expires_at > at)
        .values(state="signed", closed_at=at, next_reminder_at=None)
    )
    return used.rowcount == 1


async def record_signature(
    connection: AsyncConnection, signer_id: UUID, evidence: Evidence, at: datetime
) -> None:
    """Keep a signature with its evidence."""
    await change_signer(
        connection,
        signer_id,
        signed_at=at,
        signed_name=evidence.name,
        ip=evidence.ip,
        user_agent=evidence.user_agent,
    )


async def note_asking(connection: AsyncConnection, identity: UUID, at: datetime, since: datetime) -> bool:
    """Note that somebody asked for another link; False where they have since then."""
    noted = await connection.execute(
        sa.update(signing_links)
        .where(_LINK.id == identity, sa.or_(_LINK.asked_at.is_(None), _LINK.asked_at <= since))
        .values(asked_at=at)
    )
    return noted.rowcount == 1


def _plain(item: Signer | Link, table: sa.Table) -> dict[str, Any]:
    return {column.name: getattr(item, column.name) for column in table.c}


def _request(row: sa.RowMapping) -> Request:
    return Request(**row)


def _held(row: sa.RowMapping) -> Held:
    def part(prefix: str) -> dict[str, Any]:
        return {
            name.removeprefix(f"{prefix}_"): value
            for name, value in row.items()
            if name.startswith(f"{prefix}_")
        }

    link = part("link")
    link["remind_at"] = tuple(link["remind_at"])
    return Held(Link(**link), Signer(**part("signer")), Request(**part("request")))
