"""How notifications is configured: environment variables that begin with NOTIFICATIONS_."""

from typing import Annotated, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict

from services.notifications.domain.attempts import Doubt
from services.notifications.domain.contacts import is_address
from services.notifications.gateways.smtp_url import parse_smtp_url
from shared.link_keys import VARIABLE, LinkKeySetting
from shared.settings import ServiceSettings

SHORTEST_KEY = 32


def _smtp(url: SecretStr) -> SecretStr:
    parse_smtp_url(url.get_secret_value())
    return url


def _address(text: str) -> str:
    if not is_address(text):
        raise ValueError("is not an e-mail address, such as no-reply@example.com")
    return text


def _web(url: str | None) -> str | None:
    if not url:
        return None
    if not url.startswith(("https://", "http://")):
        raise ValueError("must begin with https://")
    return url.rstrip("/")


def _key(key: SecretStr | None) -> SecretStr | None:
    if key is None or not key.get_secret_value():
        return None
    if len(key.get_secret_value()) < SHORTEST_KEY:
        raise ValueError(f"must have at least {SHORTEST_KEY} characters: `openssl rand -hex 32`")
    return key


class Settings(ServiceSettings):
    """Where messages go out, under whose name, and what to do when it is unclear whether they did."""

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
    public_url: Annotated[str | None, AfterValidator(_web)] = None
    """Where the world reaches this service's HTTP port, through whatever proxy: https://notify.example.com."""
    signing_key: Annotated[SecretStr | None, AfterValidator(_key)] = None
    """What links and tokens are signed with; the same on every replica, and never changed lightly."""
    link_key: LinkKeySetting = Field(default=(), validation_alias=VARIABLE)
    """What signing links are made with; leasing, which issues them, has the same."""
    twilio_account_sid: str = ""
    """With it text messages are sent; without it they are refused at once, and go by e-mail."""
    twilio_auth_token: SecretStr = SecretStr("")
    """Checks who calls our hooks and, without an API key, also says who we are."""
    twilio_api_key: str = ""
    twilio_api_secret: SecretStr = SecretStr("")
    twilio_from: str = ""
    """A number in E.164, or a messaging service (MG…)."""
    twilio_url: Annotated[str | None, AfterValidator(_web)] = None
    """Another place than Twilio's own API, such as a test server."""
    console: bool = False
    """Print what is sent by the channel `console`, for development."""

    @model_validator(mode="after")
    def _belongs_together(self) -> Self:
        """A deployment that lacks half of something ends at the start, not at the first storm."""
        if self.public_url and self.signing_key is None:
            raise ValueError("NOTIFICATIONS_PUBLIC_URL needs NOTIFICATIONS_SIGNING_KEY: its links are signed")
        if not self.twilio_account_sid:
            return self
        if not self.twilio_auth_token.get_secret_value() or not self.twilio_from:
            raise ValueError(
                "NOTIFICATIONS_TWILIO_ACCOUNT_SID needs NOTIFICATIONS_TWILIO_AUTH_TOKEN"
                " and NOTIFICATIONS_TWILIO_FROM"
            )
        if bool(self.twilio_api_key) != bool(self.twilio_api_secret.get_secret_value()):
            raise ValueError("NOTIFICATIONS_TWILIO_API_KEY and _API_SECRET belong together")
        return self

    @property
    def key(self) -> bytes | None:
        """The signing key as it is used."""
        return self.signing_key.get_secret_value().encode() if self.signing_key else None
