"""How rewards is configured: environment variables that begin with REWARDS_."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from shared.settings import ServiceSettings


class Settings(ServiceSettings):
    """Rewards' settings; it has none beyond what every service has."""

    model_config = SettingsConfigDict(env_prefix="REWARDS_", extra="ignore", populate_by_name=True)

    http_port: int = Field(default=8105, ge=0, le=65_535)
