"""What every service is configured by; each service's own class adds its prefix and its keys."""

from importlib.util import find_spec
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


def _postgres(value: object) -> object:
    text = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
    if not text.startswith(("postgresql://", "postgres://")):
        message = "must begin with postgresql:// (the URL of the service's own database)"
        raise ValueError(message)
    return value


def _amqp(value: object) -> object:
    text = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
    if not text.startswith(("amqp://", "amqps://")):
        message = "must begin with amqp:// or amqps://"
        raise ValueError(message)
    return value


def _collector(value: str | None) -> str | None:
    if not value:
        return None
    if not value.startswith(("http://", "https://")):
        message = "must begin with http:// or https://, such as http://collector:4318/v1/traces"
        raise ValueError(message)
    if find_spec("opentelemetry") is None:
        message = "needs OpenTelemetry: pip install 'propman[otel]', or leave it unset"
        raise ValueError(message)
    return value


def _in_small_letters(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


PostgresUrl = Annotated[SecretStr, BeforeValidator(_postgres)]
AmqpUrl = Annotated[SecretStr, BeforeValidator(_amqp)]


class ServiceSettings(BaseSettings):
    """The settings that all services have in common."""

    model_config = SettingsConfigDict(extra="ignore", populate_by_name=True)

    database_url: PostgresUrl
    """The service's own database, as its own role."""
    broker_url: AmqpUrl = Field(validation_alias="PROPMAN_RABBITMQ_URL")
    http_host: str = Field("127.0.0.1", validation_alias="PROPMAN_HTTP_HOST")
    """Where health and metrics are served; 0.0.0.0 in a container."""
    http_port: int = Field(default=0, ge=0, le=65_535)
    """0 takes any free port."""
    otlp_url: Annotated[str | None, AfterValidator(_collector)] = Field(
        None, validation_alias="PROPMAN_OTLP_URL"
    )
    """Where OpenTelemetry's spans go, by OTLP over HTTP; nowhere without it."""
    pool_size: int = Field(default=10, ge=1, le=200)
    log_level: Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(_in_small_letters)] = (
        Field("info", validation_alias="PROPMAN_LOG_LEVEL")
    )
    log_format: Annotated[Literal["auto", "json", "console"], BeforeValidator(_in_small_letters)] = Field(
        "auto", validation_alias="PROPMAN_LOG_FORMAT"
    )

    @property
    def advice(self) -> tuple[str, ...]:
        """What works and yet should be set otherwise: said at the start, and by `propman doctor`."""
        return ()

    def advice_on(self, port: int) -> tuple[str, ...]:  # noqa: ARG002 - for those who have something to say
        """The same, once it is known on which port the service answers."""
        return ()
