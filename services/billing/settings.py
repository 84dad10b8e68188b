"""How billing is configured: environment variables that begin with BILLING_."""

from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic_settings import NoDecode, SettingsConfigDict

from services.billing.gateways.stripe import BASE_URL
from shared.settings import ServiceSettings

_LOCAL: Final = {"127.0.0.1", "localhost", "::1"}


def _none_if_blank(value: object) -> object:
    """Compose passes on a variable that is not set as an empty one."""
    return None if isinstance(value, str) and not value.strip() else value


def _secret_key(key: SecretStr) -> SecretStr:
    if not key.get_secret_value().startswith(("sk_", "rk_")):
        raise ValueError("must be a secret or restricted key of Stripe, which begin with sk_ and rk_")
    return key


def _in_parts(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _private(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOCAL):
        raise ValueError("must begin with https://, or a secret key would travel in the clear")
    return url.rstrip("/")


class Settings(ServiceSettings):
    """Which payment gateways there are, beside what every service has."""

    model_config = SettingsConfigDict(env_prefix="BILLING_", extra="ignore", populate_by_name=True)

    http_port: int = Field(default=8102, ge=0, le=65_535)
    stripe_secret_key: Annotated[
        Annotated[SecretStr, AfterValidator(_secret_key)] | None, BeforeValidator(_none_if_blank)
    ] = None
    """Without it nothing is charged through Stripe."""
    stripe_webhook_secrets: Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(_in_parts)] = ()
    """Signing secrets of the endpoint, by commas: both of them while one is being replaced."""
    stripe_url: Annotated[str, AfterValidator(_private)] = BASE_URL
    autopay_simulated: bool = False
    """Whether there is a gateway `simulated`, which moves no money. For demonstrations."""
    autopay_workers: int = Field(default=4, ge=1, le=50)
    """How many charges one process asks for at once."""
