"""How leasing is configured: environment variables that begin with LEASING_."""

from collections.abc import Collection
from typing import Annotated, Final, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, model_validator
from pydantic_settings import NoDecode, SettingsConfigDict
from typing_extensions import override

from shared.link_keys import VARIABLE, LinkKeySetting
from shared.settings import ServiceSettings

_THIS_MACHINE: Final = frozenset({"127.0.0.1", "localhost", "::1"})


def _web(url: str | None) -> str | None:
    if not url:
        return None
    if not url.startswith(("https://", "http://")):
        raise ValueError("must begin with https://")
    return url.rstrip("/")


def _numbers(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


class Settings(ServiceSettings):
    """Where signers find us, and how long their links are good."""

    model_config = SettingsConfigDict(env_prefix="LEASING_", extra="ignore", populate_by_name=True)

    http_port: int = Field(default=8101, ge=0, le=65_535)
    public_url: Annotated[str | None, AfterValidator(_web)] = None
    """Where the world reaches this service's HTTP port, through whatever proxy: https://leases.example.com."""
    link_key: LinkKeySetting = Field(default=(), validation_alias=VARIABLE)
    """What signing links are made with; notifications, which writes the mails, has the same."""
    signing_days: int = Field(default=7, ge=1, le=365)
    """How long a signing link is good, unless it is said when it is sent."""
    signing_reminder_hours: Annotated[
        tuple[Annotated[int, Field(ge=1, le=8_760)], ...], NoDecode, BeforeValidator(_numbers)
    ] = (72, 24)
    """How long before a link runs out its signer is reminded, by commas; empty for never."""

    @override
    def advice_on(self, port: int) -> tuple[str, ...]:
        """Where links would lead to another program of this machine."""
        wrong = self.wrong_door([port])
        return (wrong,) if wrong else ()

    def wrong_door(self, ports: Collection[int]) -> str | None:
        """Why links lead to another program, where leasing answers on these ports of this machine; else None.

        Only for addresses of this machine without TLS: before any other stands a proxy, on a port of its own.
        """
        url = urlsplit(self.public_url or "")
        if (
            url.scheme != "http"
            or url.hostname not in _THIS_MACHINE
            or not ports
            or (url.port or 80) in ports
        ):
            return None
        port = min(ports)
        return (
            f"LEASING_PUBLIC_URL is {self.public_url}, and leasing answers on port {port}: signing links lead"
            " to whatever has that address."
            f" Set LEASING_PUBLIC_URL=http://{url.hostname}:{port}, or free the port and start again."
        )

    @model_validator(mode="after")
    def _belongs_together(self) -> Self:
        """Half of it would be found out by the first tenant who cannot sign."""
        if self.public_url and not self.link_key:
            raise ValueError(f"LEASING_PUBLIC_URL needs {VARIABLE}: its links are made with it")
        return self
