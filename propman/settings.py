"""Where the servers are, as whoever administers the whole system knows them."""

from pydantic import SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.settings import AmqpUrl, PostgresUrl


class SystemSettings(BaseSettings):
    """Settings of the commands that span services; each is read only where it is needed."""

    model_config = SettingsConfigDict(env_prefix="PROPMAN_", extra="ignore")

    rabbitmq_url: AmqpUrl
    rabbitmq_management_url: SecretStr | None = None


class AdministrationSettings(BaseSettings):
    """What only `propman db` needs: a role that may create databases and roles."""

    model_config = SettingsConfigDict(env_prefix="PROPMAN_", extra="ignore")

    postgres_url: PostgresUrl
