"""Open-Meteo: forecasts for everywhere. Its free host is for non-commercial use; data is CC-BY 4.0."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import httpx
from pydantic import SecretStr

from services.weather.domain.open_meteo import VARIABLES
from services.weather.gateways.errors import OurFault
from services.weather.gateways.http import Got, Http

ATTRIBUTION: Final = "Weather data by Open-Meteo.com"


@dataclass(frozen=True, slots=True)
class OpenMeteo:
    """The service. One place at a time: wrong gusts came in answers for several (open-meteo #1804)."""

    http: Http
    base_url: str
    api_key: SecretStr

    async def forecast(self, latitude: str, longitude: str) -> Got:
        """The present and the next day, in SI and Unix time; raises `OurFault` for what it refuses."""
        names = ",".join(VARIABLES)
        query = (
            f"latitude={latitude}&longitude={longitude}&current={names}&hourly={names}&forecast_hours=25"
            "&timeformat=unixtime&wind_speed_unit=ms&temperature_unit=celsius&precipitation_unit=mm"
        )
        key = self.api_key.get_secret_value()
        headers: Mapping[str, str] = {"X-Api-Key": key} if key else {}
        got = await self.http.get(
            f"{self.base_url}/v1/forecast?{query}", headers=headers, pause_of=pause_by_reason
        )
        if got.status >= 400:
            said = got.document.get("reason", "") if isinstance(got.document, Mapping) else ""
            raise OurFault(f"{got.status} {said}".strip())
        return got


def pause_by_reason(response: httpx.Response, now: datetime) -> float | None:
    """How long its limits last, which it says in words: to the next minute, hour or day, in UTC."""
    reason = response.text
    if "Minutely" in reason:
        return 60.0 - now.second
    if "Hourly" in reason:
        return 3600.0 - (now.minute * 60 + now.second)
    if "Daily" in reason:
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
        return (midnight - now).total_seconds()
    return None
