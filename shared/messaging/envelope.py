"""The envelope around a message: CloudEvents 1.0 attributes in AMQP properties and headers.

The official AMQP binding is for AMQP 1.0; this is ours for 0.9.1: `message_id`, `type`, `timestamp`
and `correlation_id` are the native properties, `ce-source` and `ce-subject` are headers.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Generic, TypeVar
from uuid import UUID

from pydantic import ValidationError

from shared.contracts.base import Message

M = TypeVar("M", bound=Message)
M_co = TypeVar("M_co", bound=Message, covariant=True)

CONTENT_TYPE: Final = "application/json"
ATTEMPT_HEADER: Final = "x-attempt"
FIRST_FAILED_HEADER: Final = "x-first-failed-at"
REPLAYED_HEADER: Final = "x-replayed"
MOST_ATTEMPTS: Final = 1_000


class Unreadable(Exception):
    """A message that cannot be understood, with the reason; it goes to the dead letters."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """What travels around the payload."""

    message_id: UUID
    topic: str
    correlation_id: UUID
    """The id of the message (a trigger, mostly) that all of this began with."""
    causation_id: UUID | None = None
    subject: str = ""
    traceparent: str | None = None
    attempt: int = 1
    """How many times this message has been tried, this time included."""
    first_failed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message as the broker delivered it, whatever library took it off the wire."""

    body: bytes
    message_id: str | None
    topic: str | None
    correlation_id: str | None
    headers: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Received(Generic[M_co]):
    """A message together with its envelope, as a batch handler gets it."""

    body: M_co
    envelope: Envelope


def read_envelope(delivery: Delivery) -> Envelope:
    """The envelope of a delivery; raises `Unreadable` when it has no usable message id."""
    try:
        identity = UUID(delivery.message_id or "")
    except ValueError as error:
        reason = f"message_id {delivery.message_id!r} is not a UUID"
        raise Unreadable(reason) from error
    headers = delivery.headers
    return Envelope(
        message_id=identity,
        topic=delivery.topic or "",
        correlation_id=_uuid_or_none(delivery.correlation_id) or identity,
        causation_id=_uuid_or_none(headers.get("causation_id")),
        subject=str(headers.get("ce-subject", "")),
        traceparent=headers.get("traceparent"),
        attempt=_positive(headers.get(ATTEMPT_HEADER)),
        first_failed_at=_moment(headers.get(FIRST_FAILED_HEADER)),
    )


def read_body(contract: type[M], body: bytes) -> M:
    """The payload as its contract; raises `Unreadable` naming each field that is wrong, never its value."""
    try:
        return contract.model_validate_json(body)
    except ValidationError as error:
        reasons = "; ".join(
            f"{'.'.join(str(part) for part in item['loc']) or 'body'}: {item['msg']}"
            for item in error.errors(include_input=False, include_url=False)
        )
        message = f"not a {contract.topic}: {reasons}"
        raise Unreadable(message) from error


def _uuid_or_none(text: Any) -> UUID | None:
    try:
        return UUID(str(text)) if text else None
    except ValueError:
        return None


def _positive(value: Any) -> int:
    return min(value, MOST_ATTEMPTS) if isinstance(value, int) and value > 0 else 1


def _moment(text: Any) -> datetime | None:
    try:
        return datetime.fromisoformat(str(text)).astimezone(UTC) if text else None
    except (ValueError, OverflowError):
        return None
