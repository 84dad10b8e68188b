"""What signers hear: here is your link, it runs out soon, it has run out, and everybody has signed.

A mail goes to the address its link was issued for, whatever address the contact has here at that moment: what
opens a lease must not reach a mailbox that leasing has just taken off the list.
"""

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from services.notifications.addresses import mailbox
from services.notifications.domain.deliveries import Channel
from services.notifications.domain.kinds import kind_of
from services.notifications.domain.notices import News, Notice, dedup_key
from services.notifications.domain.truth import untrue
from services.notifications.handlers.billing import event_of
from services.notifications.handlers.telling import tell
from services.notifications.store import premises
from shared.contracts.base import Fact
from shared.contracts.leasing import (
    LeaseSigned,
    SignerFact,
    SigningLinkExpired,
    SigningLinkIssued,
    SigningLinkRevoked,
    SigningLinkUsed,
    SigningLinkWanted,
    SigningReminderDue,
)
from shared.identity import derived_id
from shared.messaging.router import Router
from shared.messaging.transaction import Tx

router = Router("notifications")

BY_MAIL: Final = (Channel.EMAIL, Channel.IN_APP)
"""A link is in the mail alone: a carrier would keep it, and the app says that it was sent."""
_FOR_THE_OFFICE: Final = frozenset({"lease_id", "property_id", "unit_label", "role", "reason", "state"})


@router.on(SigningLinkIssued)
async def send_link(fact: SigningLinkIssued, tx: Tx) -> None:
    """Send a signer their link, unless it is dead by now; an older one that still waits is not sent."""
    if fact.replaces is not None:
        await premises.note(tx.connection, [fact.replaces], "replaced", fact.issued_at)
    notice = await _to_signer(tx, "signing_link", fact, fact.link_id, expires_at=fact.expires_at)
    await tell(tx, [notice], [_news(fact, fact.link_id, tx)])


@router.on(SigningReminderDue)
async def remind_signer(fact: SigningReminderDue, tx: Tx) -> None:
    """Remind a signer of a link that runs out soon, with the link."""
    subject = derived_id(fact.link_id, fact.reminder)
    notice = await _to_signer(tx, "signing_reminder", fact, subject, expires_at=fact.expires_at)
    await tell(tx, [notice], [_news(fact, subject, tx)])


@router.on(SigningLinkExpired)
async def tell_of_expiry(fact: SigningLinkExpired, tx: Tx) -> None:
    """Tell a signer that their link has run out, and how they get another."""
    await premises.note(tx.connection, [fact.link_id], "expired", fact.expired_at)
    notice = await _to_signer(tx, "signing_expired", fact, fact.link_id)
    await tell(tx, [notice], [_news(fact, fact.link_id, tx)])


@router.on(SigningLinkRevoked)
async def drop_what_is_revoked(fact: SigningLinkRevoked, tx: Tx) -> None:
    """Send no link that opens nothing any more."""
    await _over(fact.link_id, "revoked", fact.revoked_at, fact, tx)


@router.on(SigningLinkUsed)
async def drop_what_is_signed(fact: SigningLinkUsed, tx: Tx) -> None:
    """Remind nobody who has signed."""
    await _over(fact.link_id, "signed", fact.signed_at, fact, tx)


@router.on(SigningLinkWanted)
async def tell_office_of_wish(fact: SigningLinkWanted, tx: Tx) -> None:
    """Let the office know that somebody waits for another link."""
    await tell(tx, [], [_news(fact, derived_id(fact.link_id, fact.wanted_at.isoformat()), tx)])


@router.on(LeaseSigned)
async def tell_of_signed_lease(fact: LeaseSigned, tx: Tx) -> None:
    """Tell everybody who signed, and all tenants, that the lease is signed by all."""
    await tell(tx, list(_of_signed(fact, tx)), [_news(fact, fact.request_id, tx)])


def _of_signed(fact: LeaseSigned, tx: Tx) -> Iterator[Notice]:
    said = fact.model_dump(mode="json", exclude={"tenant_ids", "signers"})
    subject, place = fact.request_id, fact.property_id
    for tenant_id in fact.tenant_ids:
        yield _notice(tx, "lease_signed", subject, said, property_id=place, tenant_id=tenant_id)
    for signer in fact.signers:
        if signer.email is not None:
            own, address = said | {"name": signer.name, "locale": signer.locale}, mailbox(signer.email)
            yield _notice(tx, "lease_signed", subject, own, property_id=place, address=address)


async def _to_signer(
    tx: Tx, template: str, fact: SignerFact, subject: UUID, *, expires_at: datetime | None = None
) -> Notice:
    standing = await premises.standing(tx.connection, [fact.link_id])
    said = fact.model_dump(mode="json", exclude={"email"})
    return _notice(
        tx,
        template,
        subject,
        said,
        property_id=fact.property_id,
        tenant_id=fact.tenant_id,
        address=mailbox(fact.email),
        channels=BY_MAIL if fact.tenant_id else (Channel.EMAIL,),
        expires_at=expires_at,
        untrue=untrue(template, said, standing, None),
    )


def _notice(tx: Tx, template: str, subject: UUID, said: dict[str, Any], **more: Any) -> Notice:
    recipient = more.get("tenant_id") or more["address"]
    return Notice(
        category=kind_of(template).category,
        template=template,
        dedup_key=dedup_key(template, subject, recipient),
        source_message_id=tx.cause.message_id,
        correlation_id=tx.cause.correlation_id,
        context=json.dumps(said),
        **more,
    )


async def _over(link_id: UUID, state: str, at: datetime, fact: Fact, tx: Tx) -> None:
    await premises.note(tx.connection, [link_id], state, at)
    await tell(tx, [], [_news(fact, link_id, tx)])


def _news(fact: Any, subject: UUID, tx: Tx) -> News:
    """What the office may want to hear: which lease, never how a link is opened."""
    event = event_of(type(fact))
    said = fact.model_dump(mode="json", include=_FOR_THE_OFFICE) | {"event": event}
    cause = tx.cause
    return News(event, subject, cause.message_id, cause.correlation_id, json.dumps(said), fact.property_id)
