"""How weather is configured: environment variables that begin with WEATHER_."""

from typing import Annotated, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, SecretStr, field_validator, model_validator
from pydantic_settings import NoDecode, SettingsConfigDict
from typing_extensions import override

from shared.settings import ServiceSettings

NO_CONTACT: Final = "propman.localhost"
FREE_OPEN_METEO: Final = "https://api.open-meteo.com"


def _words(value: object) -> object:
    return (
        tuple(word.strip().upper() for word in value.split(",") if word.strip())
        if isinstance(value, str)
        else value
    )


class Settings(ServiceSettings):
    """Weather's settings."""

    model_config = SettingsConfigDict(env_prefix="WEATHER_", extra="ignore", populate_by_name=True)

    http_port: int = Field(default=8104, ge=0, le=65_535)
    contact: str = NO_CONTACT
    """An e-mail address or a page of whoever runs this: each request to api.weather.gov carries it."""
    nws_url: str = "https://api.weather.gov"
    open_meteo_url: str = ""
    """Empty: places outside the United States are not watched.

    The free host, api.open-meteo.com, is for non-commercial use only; a landlord needs
    customer-api.open-meteo.com with a key, or a server of their own.
    """
    open_meteo_api_key: SecretStr = SecretStr("")
    open_meteo_non_commercial: bool = False
    """Says that the use is non-commercial; without it the free host is refused."""
    requests_per_second: float = Field(default=2.0, gt=0, le=50)
    """To one host, from this process."""
    connect_timeout: float = Field(default=5.0, gt=0, le=60)
    read_timeout: float = Field(default=20.0, gt=0, le=120)
    concurrency: int = Field(default=4, ge=1, le=32)
    """Places asked about at once."""
    also_warn_of: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_words)] = ()
    """VTEC phenomena to warn of beside the usual ones, such as FW for fire weather."""
    conditions: Literal["on", "off"] = "on"
    """off: official alerts only, no thresholds of our own."""

    @property
    @override
    def advice(self) -> tuple[str, ...]:
        """Who asks api.weather.gov without saying who they are may be blocked by its operators."""
        if self.contact != NO_CONTACT or urlsplit(self.nws_url).hostname != "api.weather.gov":
            return ()
        return ("WEATHER_CONTACT is not set: api.weather.gov wants an address of yours, or may block you.",)

    @field_validator("nws_url", "open_meteo_url")
    @classmethod
    def _is_http(cls, value: str) -> str:
        if value and not value.startswith(("https://", "http://")):
            message = "must begin with https:// or http://"
            raise ValueError(message)
        return value.rstrip("/")

    @model_validator(mode="after")
    def _keeps_to_the_terms(self) -> Self:
        if self.open_meteo_url == FREE_OPEN_METEO and not self.open_meteo_non_commercial:
            message = (
                "api.open-meteo.com is for non-commercial use only, and collecting rent is commercial:"
                " use https://customer-api.open-meteo.com with WEATHER_OPEN_METEO_API_KEY"
            )
            raise ValueError(message)
        return self
