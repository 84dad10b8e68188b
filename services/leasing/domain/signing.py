"""Signing: who is asked to sign a lease, by which link, until when, and what has become of that."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final, Literal
from uuid import UUID

from services.leasing.domain.checks import line_of_text
from services.leasing.domain.refusals import Invalid, Refusal, Wrong

Role = Literal["tenant", "landlord"]
LinkState = Literal["pending", "signed", "expired", "replaced", "revoked"]
RequestState = Literal["out", "signed", "paper", "revoked"]
Reason = Literal["lease_changed", "lease_ended", "signed_on_paper", "address_changed", "office"]

DEFAULT_VALIDITY: Final = timedelta(days=7)
DEFAULT_REMINDERS: Final = (timedelta(days=3), timedelta(days=1))
LONGEST_VALIDITY: Final = timedelta(days=365)
ASKING_AGAIN: Final = timedelta(days=1)
"""Who asks for another link is heard once in this time; pressing a button is free."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A lease as it was sent for signature, once."""

    id: UUID
    lease_id: UUID
    state: RequestState
    reason: Reason | None = None
    document: str
    """The terms as they were sent, canonically written; `content_hash` is of these very letters."""
    content_hash: str
    sent_at: datetime
    closed_at: datetime | None = None
    signed_on: date | None = None
    property_id: UUID
    unit_label: str
    time_zone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """Somebody who is to sign, in one role; one person in two roles signs twice."""

    id: UUID
    request_id: UUID
    position: int
    role: Role
    tenant_id: UUID | None = None
    name: str
    email: str
    locale: str = "en"
    signed_at: datetime | None = None
    signed_name: str | None = None
    ip: str | None = None
    user_agent: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One link of one signer; sending it again makes another."""

    id: UUID
    signer_id: UUID
    number: int
    sent_to: str
    url: str
    ticket: str
    token_hash: bytes
    issued_at: datetime
    expires_at: datetime
    state: LinkState = "pending"
    reason: Reason | None = None
    closed_at: datetime | None = None
    remind_at: tuple[datetime, ...] = ()
    """All its reminders, as they were agreed when it was issued: a new default is for new links."""
    next_reminder_at: datetime | None = None
    reminders: int = 0
    asked_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Held:
    """What somebody holds who has a link: the link, who they are, and what they were asked to sign."""

    link: Link
    signer: Signer
    request: Request


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is kept of a signature: what was read, what was typed, and from where."""

    name: str
    content_hash: str
    ip: str | None = None
    user_agent: str | None = None


class LinkIsClosed(Refusal):
    """A link that was used, ran out, or was called back signs nothing."""

    def __init__(self, state: LinkState) -> None:
        super().__init__(f"The link is {state}")
        self.state = state


class ReadSomethingElse(Refusal):
    """What was read is not what would be signed."""


class AlreadyOut(Refusal):
    """A lease is out for signature once at a time."""


class AlreadySigned(Refusal):
    """What is signed is not signed again, and its signers get no links."""


class NotOut(Refusal):
    """Nobody was asked to sign, or nobody still is."""


def state_at(link: Link, at: datetime) -> LinkState:
    """What a link is at a moment: it is over at the very instant it expires, swept or not."""
    return "expired" if link.state == "pending" and link.expires_at <= at else link.state


def may_ask(held: Held, at: datetime) -> bool:
    """Whether another link could be of use: this one is dead, and nobody signed for its signer on paper."""
    dead = state_at(held.link, at) in {"expired", "replaced", "revoked"}
    return dead and held.signer.signed_at is None and held.request.state in {"out", "revoked"}


def reminders_of(
    issued_at: datetime, expires_at: datetime, before: Iterable[timedelta]
) -> tuple[datetime, ...]:
    """The instants to remind at, in order; one that would come before the link itself is none."""
    planned = {expires_at - early for early in before}
    return tuple(sorted(instant for instant in planned if issued_at < instant < expires_at))


def checked_validity(valid_for: timedelta) -> timedelta:
    """How long a link is good for, or `Invalid`."""
    if not timedelta(hours=1) <= valid_for <= LONGEST_VALIDITY:
        raise Invalid([Wrong("valid_days", f"is not between 1 and {LONGEST_VALIDITY.days}")])
    return valid_for


def checked_evidence(evidence: Evidence) -> Evidence:
    """A signature as it is kept, or `Invalid` where no name was typed."""
    try:
        name = line_of_text(evidence.name)
    except ValueError as reason:
        raise Invalid([Wrong("name", str(reason))]) from None
    ip, agent = evidence.ip, evidence.user_agent
    return Evidence(
        name, evidence.content_hash, ip[:45] if ip else None, _printable(agent)[:300] if agent else None
    )


def last_signed(requests: Sequence[Request]) -> Request | None:
    """The last time all signed, here or on paper."""
    return next((item for item in reversed(requests) if item.state in {"signed", "paper"}), None)


def refuse_second_request(requests: Sequence[Request], signed_hash: str) -> None:
    """Raise `AlreadyOut` or `AlreadySigned`; terms that changed since may be sent and signed anew.

    `signed_hash` is what the lease would be today, to those who signed it last.
    """
    if requests and requests[-1].state == "out":
        since = requests[-1].sent_at
        raise AlreadyOut(f"The lease is out for signature since {since:%Y-%m-%d}: resend or revoke its links")
    done = last_signed(requests)
    if done is not None and done.content_hash == signed_hash:
        raise AlreadySigned("The lease is signed as it stands")


def standing_of(requests: Sequence[Request], signed_hash: str) -> str:
    """Where a lease stands: unsigned, out, signed, paper, or changed since it was signed."""
    done = last_signed(requests)
    if requests and requests[-1].state == "out":
        return "out"
    if done is None:
        return "unsigned"
    return str(done.state) if done.content_hash == signed_hash else "changed_since"


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text)
