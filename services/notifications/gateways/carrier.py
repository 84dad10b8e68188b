"""What every way out has in common: it takes one parcel at a time and says what came of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from typing_extensions import override

from services.notifications.domain.attempts import Outcome, Result

NOT_SET_UP = "channel_not_set_up"

SIMULATED = "simulated"
"""Why nothing was really sent."""


class CarrierDown(Exception):
    """The other side cannot be reached or does not want us, for a reason that is a stable word."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Parcel:
    """One message to one address, in every form a carrier may need."""

    delivery_id: UUID
    address: str
    subject: str
    text: str
    html: str
    sms: str
    written_at: datetime
    at: datetime
    expires_at: datetime
    unsubscribe: str | None = None
    """Where one click ends this kind of mail (RFC 8058)."""
    secret: str | None = field(default=None, repr=False)
    """What a webhook is signed with."""
    payload: Mapping[str, Any] = field(default_factory=dict)
    """The same for machines."""


class Carrier(Protocol):
    """Something that sends one parcel at a time."""

    async def connect(self) -> None:
        """Be ready to send; raises `CarrierDown`."""

    async def send(self, parcel: Parcel) -> Outcome:
        """Send one parcel; never raises for what the other side can do."""

    async def close(self) -> None:
        """Let go of the connection."""


class NotSetUp(Carrier):
    """A channel without a provider: refuses at once, so that the message goes another way."""

    @override
    async def connect(self) -> None:
        return

    @override
    async def send(self, parcel: Parcel) -> Outcome:
        return Outcome(Result.REFUSED, NOT_SET_UP)

    @override
    async def close(self) -> None:
        return


class History(Carrier):
    """For a simulated past, in which nobody is written to: everything arrives, and nothing leaves."""

    @override
    async def connect(self) -> None:
        return

    @override
    async def send(self, parcel: Parcel) -> Outcome:
        return Outcome(Result.ACCEPTED, SIMULATED, "nothing was sent", queue_id=SIMULATED)

    @override
    async def close(self) -> None:
        return


class Console(Carrier):
    """Prints what it is given: for development, and only where it is switched on."""

    @override
    async def connect(self) -> None:
        return

    @override
    async def send(self, parcel: Parcel) -> Outcome:
        print(f"--- {parcel.delivery_id}\nSubject: {parcel.subject}\n\n{parcel.text.strip()}\n---")  # noqa: T201 - its purpose
        return Outcome(Result.ACCEPTED, "printed")

    @override
    async def close(self) -> None:
        return
