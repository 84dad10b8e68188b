"""The addresses we hand out: to end a kind of mail, to read an inbox, to report what became of a text."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from services.notifications.domain import tokens
from services.notifications.domain.tokens import BadToken

_UNSUBSCRIBE: Final = "unsubscribe"
_INBOX: Final = "inbox"
_REPORT: Final = "report"


@dataclass(frozen=True, slots=True)
class Ending:
    """What a link ends: one kind of mail to one address."""

    address: str
    category: str
    tenant_id: UUID | None


@dataclass(frozen=True, slots=True)
class Links:
    """Made with one key, under one public address; what a link of ours says cannot be altered."""

    key: bytes = field(repr=False)
    public_url: str

    def unsubscribe(self, address: str, category: str, tenant_id: UUID | None) -> str:
        """Where one POST ends a category for an address; it does not run out, as mails lie for years."""
        said = {"a": address, "c": category} | ({"t": str(tenant_id)} if tenant_id else {})
        return f"{self.public_url}/u/{tokens.sign(self.key, _UNSUBSCRIBE, said)}"

    def ending(self, token: str, at: datetime) -> Ending:
        """What such a link ends; raises `BadToken`."""
        said = tokens.read(self.key, _UNSUBSCRIBE, token, at)
        return Ending(said["a"], said["c"], UUID(said["t"]) if "t" in said else None)

    def inbox_token(self, tenant_id: UUID, expires_at: datetime) -> str:
        """What opens one tenant's inbox until then."""
        return tokens.sign(self.key, _INBOX, {"t": str(tenant_id)}, expires_at)

    def reader(self, token: str, at: datetime) -> UUID:
        """Whose inbox a token opens; raises `BadToken`."""
        said = tokens.read(self.key, _INBOX, token, at)
        try:
            return UUID(said["t"])
        except (KeyError, ValueError) as error:
            raise BadToken("the token names nobody") from error

    def report(self, delivery_id: UUID) -> str:
        """Where a provider reports what became of a delivery."""
        return f"{self.public_url}{self.report_path(delivery_id)}"

    def report_path(self, delivery_id: UUID) -> str:
        """The same without the host."""
        return f"/hooks/twilio/status/{delivery_id}/{tokens.mac(self.key, _REPORT, delivery_id)}"

    def is_report(self, delivery_id: UUID, proof: str) -> bool:
        """Whether that address was ours."""
        return tokens.is_mac(self.key, _REPORT, delivery_id, proof)
