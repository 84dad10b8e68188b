"""How leasing is configured: environment variables that begin with LEASING_."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from shared.settings import ServiceSettings


class Settings(ServiceSettings):
    """Leasing's settings; it has none beyond what every service has."""

    model_config = SettingsConfigDict(env_prefix="LEASING_", extra="ignore", populate_by_name=True)

    http_port: int = Field(default=8101, ge=0, le=65_535)
