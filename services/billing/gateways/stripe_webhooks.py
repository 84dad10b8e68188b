"""What Stripe tells us unasked: whether it was Stripe, and what it means.

The signature is Stripe's scheme `v1`: HMAC-SHA256 over "<timestamp>.<body>" with the endpoint's secret
(docs.stripe.com/webhooks, "Verify manually"). The header may carry several signatures, and we may hold
several secrets, while a secret is being replaced.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from services.billing.domain.autopay import Answer
from services.billing.gateways.stripe import CHARGE_ID, answer_of_intent, moment

TOLERANCE: Final = timedelta(minutes=5)
"""How old, or how far ahead, a signature may be: an old one may have been recorded and replayed."""

_MOST_SIGNATURES: Final = 20


class BadSignature(Exception):
    """Not from Stripe, or too old; why is nobody's business."""


class BadEvent(Exception):
    """Signed by Stripe, and not an event as Stripe describes one."""


@dataclass(frozen=True, slots=True)
class ChargeNews:
    """What became of a charge."""

    charge_id: UUID | None
    """Ours, from the metadata; None for what somebody charged by other means."""
    answer: Answer


@dataclass(frozen=True, slots=True)
class Refunded:
    """How much of a charge has been given back so far, all refunds together."""

    reference: str
    total_cents: int


@dataclass(frozen=True, slots=True)
class Disputed:
    """A bank has taken the money back for its customer."""

    reference: str
    dispute: str
    amount_cents: int
    reason: str


@dataclass(frozen=True, slots=True)
class DisputeWon:
    """The money of a dispute has come back to us."""

    reference: str
    dispute: str
    amount_cents: int
    reason: str


News = ChargeNews | Refunded | Disputed | DisputeWon


@dataclass(frozen=True, slots=True)
class Event:
    """One webhook: its identity, and what it means to us, if anything."""

    event_id: str
    event_type: str
    created_at: datetime
    news: News | None


def verify(
    body: bytes, header: str, secrets: Sequence[str], *, at: datetime, tolerance: timedelta = TOLERANCE
) -> None:
    """Raise `BadSignature` unless one of the secrets signed this body just now."""
    parts = [part.strip().partition("=") for part in header.split(",")[:_MOST_SIGNATURES]]
    stamp = next((value for name, _, value in parts if name == "t"), "")
    given = [value for name, _, value in parts if name == "v1"]
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) < 12):
        raise BadSignature
    expected = [
        hmac.new(secret.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
        for secret in secrets
    ]
    # Every pair is compared, each in constant time, so that how long it takes tells nothing.
    matches = [hmac.compare_digest(mine.encode(), theirs.encode()) for mine in expected for theirs in given]
    if not any(matches) or abs(at.timestamp() - int(stamp)) > tolerance.total_seconds():
        raise BadSignature


def read_event(body: bytes) -> Event:
    """An event whose signature was verified; raises `BadEvent`."""
    try:
        document = json.loads(body)
        thing = document["data"]["object"]
        created_at = moment(document["created"])
        event_id, kind = str(document["id"]), str(document["type"])
        if created_at is None or not isinstance(thing, dict):
            raise BadEvent
        return Event(event_id[:255], kind[:255], created_at, _news(kind, thing))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadEvent from error


def _news(kind: str, thing: Mapping[str, Any]) -> News | None:
    match kind:
        case "payment_intent.succeeded" | "payment_intent.payment_failed" | "payment_intent.processing":
            return ChargeNews(_our_id(thing), answer_of_intent(thing))
        case "payment_intent.canceled":
            return ChargeNews(_our_id(thing), answer_of_intent(thing))
        case "charge.refunded" if thing.get("payment_intent"):
            return Refunded(_id(thing["payment_intent"]), int(thing["amount_refunded"]))
        case (
            "charge.dispute.created"
            | "charge.dispute.funds_withdrawn"
            | "charge.dispute.closed"
            | ("charge.dispute.funds_reinstated")
        ) if thing.get("payment_intent"):
            return _dispute(kind, thing)
        case _:
            return None


def _dispute(kind: str, dispute: Mapping[str, Any]) -> Disputed | DisputeWon | None:
    status = str(dispute.get("status"))
    about = (
        _id(dispute["payment_intent"]),
        str(dispute["id"]),
        int(dispute["amount"]),
        str(dispute.get("reason") or "dispute")[:60],
    )
    if status == "won" or kind == "charge.dispute.funds_reinstated":
        return DisputeWon(*about)
    # An inquiry takes no money; it becomes a dispute, with its money, or ends as `warning_closed`.
    if status.startswith("warning_") and kind != "charge.dispute.funds_withdrawn":
        return None
    return Disputed(*about)


def _our_id(intent: Mapping[str, Any]) -> UUID | None:
    try:
        return UUID(str((intent.get("metadata") or {}).get(CHARGE_ID)))
    except ValueError:
        return None


def _id(value: Any) -> str:
    """An id, or the object it stands for where the endpoint expands it."""
    return str(value["id"] if isinstance(value, dict) else value)
