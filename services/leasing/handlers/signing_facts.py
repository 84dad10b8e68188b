"""What leasing says of signing: links without their tokens, and leases that are signed."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, TypeVar
from uuid import UUID

from services.leasing.domain.signing import Held, Link, Request, Signer
from shared.clock import local_date
from shared.contracts.leasing import (
    LeaseSigned,
    LeaseSigner,
    SignerFact,
    SigningFact,
    SigningLinkIssued,
    SigningReminderDue,
)
from shared.link_keys import check_of

S = TypeVar("S", bound=SigningFact)
T = TypeVar("T", bound=SignerFact)


def about(contract: type[S], held: Held, **more: Any) -> S:
    """A fact about a link, with nothing personal in it."""
    return contract.model_validate(_about(held) | more)


def to_signer(contract: type[T], held: Held, **more: Any) -> T:
    """A fact that its signer is to hear."""
    return contract.model_validate(_about(held) | _signer(held) | more)


def issued(held: Held, replaced: UUID | None) -> SigningLinkIssued:
    """A link as it is issued."""
    return to_signer(
        SigningLinkIssued, held, number=held.link.number, replaces=replaced, **_way_in(held.link)
    )


def reminder(held: Held) -> SigningReminderDue:
    """A link whose signer is reminded."""
    return to_signer(SigningReminderDue, held, reminder=held.link.reminders, **_way_in(held.link))


def signed(
    request: Request, tenant_ids: Sequence[UUID], signers: Sequence[Signer], at: datetime, on: date | None
) -> LeaseSigned:
    """A lease that all have signed: on paper on a day, or here and now."""
    return LeaseSigned(
        lease_id=request.lease_id,
        request_id=request.id,
        property_id=request.property_id,
        unit_label=request.unit_label,
        time_zone=request.time_zone,
        tenant_ids=tuple(tenant_ids),
        method="electronic" if on is None else "paper",
        content_hash=request.content_hash,
        signers=tuple(_one(signer) for signer in signers if signer.signed_at is not None),
        signed_at=at,
        signed_on=on or local_date(at, request.time_zone),
    )


def _one(signer: Signer) -> LeaseSigner:
    known = signer.tenant_id is not None
    return LeaseSigner(
        signer_id=signer.id,
        role=signer.role,
        tenant_id=signer.tenant_id,
        name=None if known else signer.name,
        email=None if known else signer.email,
        locale=signer.locale,
        signed_at=signer.signed_at,
    )


def _about(held: Held) -> dict[str, Any]:
    return {
        "link_id": held.link.id,
        "signer_id": held.signer.id,
        "request_id": held.request.id,
        "lease_id": held.request.lease_id,
        "property_id": held.request.property_id,
        "unit_label": held.request.unit_label,
        "time_zone": held.request.time_zone,
        "role": held.signer.role,
        "tenant_id": held.signer.tenant_id,
    }


def _signer(held: Held) -> dict[str, Any]:
    return {
        "name": held.signer.name,
        "email": held.link.sent_to,
        "locale": held.signer.locale,
        "expires_at": held.link.expires_at,
    }


def _way_in(link: Link) -> dict[str, Any]:
    return {
        "url": link.url,
        "ticket": link.ticket,
        "check": check_of(link.token_hash),
        "issued_at": link.issued_at,
    }
