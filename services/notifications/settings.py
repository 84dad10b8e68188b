"""How notifications is configured: environment variables that begin with NOTIFICATIONS_."""

from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr
from pydantic_settings import SettingsConfigDict

from services.notifications.domain.attempts import Doubt
from services.notifications.domain.contacts import is_address
from services.notifications.gateways.smtp_url import parse_smtp_url
from shared.settings import ServiceSettings


def _smtp(url: SecretStr) -> SecretStr:
    parse_smtp_url(url.get_secret_value())
    return url


def _address(text: str) -> str:
    if not is_address(text):
        raise ValueError("is not an e-mail address, such as no-reply@example.com")
    return text


class Settings(ServiceSettings):
    """Where mail goes out, under whose name, and what to do when it is unclear whether it did."""

    model_config = SettingsConfigDict(env_prefix="NOTIFICATIONS_", extra="ignore", populate_by_name=True)

    http_port: int = Field(default=8103, ge=0, le=65_535)
    smtp_url: Annotated[SecretStr, AfterValidator(_smtp)]
    """smtp://[user:password@]host[:port][?starttls=auto|required|off], or smtps://…"""
    sender_address: Annotated[str, AfterValidator(_address)] = "no-reply@propman.localhost"
    sender_name: str = Field(default="Propman", pattern=r"^[^\x00-\x1f\x7f]*$")
    after_crash: Doubt = Doubt.RESEND
    """A process died while it was sending: resend under the same Message-ID, or hold for a person."""
    after_drop: Doubt = Doubt.HOLD
    """The server went away after it had the whole message and before it answered."""
    concurrency: int = Field(default=4, ge=1, le=50)
    """How many connections to the mail server."""
    lease_seconds: float = Field(default=30.0, ge=2.0, le=600.0)
    """How long a claim holds; a process that died is noticed after that.

    Each part of sending one e-mail (connecting, the conversation) may take a quarter of it.
    """
