"""What every service is configured by; each service's own class adds its prefix and its keys."""

from typing import Annotated, Literal

from pydantic import AliasChoices, BeforeValidator, Field, SecretStr
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


PostgresUrl = Annotated[SecretStr, BeforeValidator(_postgres)]
AmqpUrl = Annotated[SecretStr, BeforeValidator(_amqp)]


class ServiceSettings(BaseSettings):
    """The settings that all services have in common."""

    model_config = SettingsConfigDict(extra="ignore", populate_by_name=True)

    database_url: PostgresUrl
    """The service's own database, as its own role."""
    broker_url: AmqpUrl = Field(validation_alias=AliasChoices("broker_url", "PROPMAN_RABBITMQ_URL"))
    http_host: str = Field("127.0.0.1", validation_alias=AliasChoices("http_host", "PROPMAN_HTTP_HOST"))
    """Where health and metrics are served; 0.0.0.0 in a container."""
    http_port: int = Field(default=0, ge=0, le=65_535)
    """0 takes any free port."""
    pool_size: int = Field(default=10, ge=1, le=200)
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", validation_alias=AliasChoices("log_level", "PROPMAN_LOG_LEVEL")
    )
    log_format: Literal["auto", "json", "console"] = Field(
        "auto", validation_alias=AliasChoices("log_format", "PROPMAN_LOG_FORMAT")
    )
