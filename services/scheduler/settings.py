"""How the scheduler is configured: environment variables that begin with SCHEDULER_."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from shared.settings import ServiceSettings


class Settings(ServiceSettings):
    """The scheduler's settings; it has none beyond what every service has."""

    model_config = SettingsConfigDict(env_prefix="SCHEDULER_", extra="ignore", populate_by_name=True)

    http_port: int = Field(default=8106, ge=0, le=65_535)
