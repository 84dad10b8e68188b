"""The providers, made from settings: what the service and its command line both ask with."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from services.weather.asking import Asker
from services.weather.gateways.hosts import Host
from services.weather.gateways.http import Http
from services.weather.gateways.nws import Nws
from services.weather.gateways.open_meteo import OpenMeteo
from services.weather.settings import Settings
from shared.clock import Clock, stopwatch


def make_asker(settings: Settings, clock: Clock, client: httpx.AsyncClient) -> Asker:
    """The providers that are configured, over one client."""
    open_meteo_host = httpx.URL(settings.open_meteo_url).netloc.decode() if settings.open_meteo_url else ""

    def new_host(name: str) -> Host:
        # Open-Meteo counts requests that are open at the same time; the free host allows one.
        at_once = 1 if name == open_meteo_host else settings.concurrency
        return Host(name, stopwatch, asyncio.sleep, per_second=settings.requests_per_second, at_once=at_once)

    http = Http(client, clock, new_host, asyncio.sleep)
    open_meteo = (
        OpenMeteo(http, settings.open_meteo_url, settings.open_meteo_api_key)
        if settings.open_meteo_url
        else None
    )
    return Asker(Nws(http, settings.nws_url, settings.contact), open_meteo, clock.now)


def make_client(settings: Settings) -> httpx.AsyncClient:
    """A client with the timeouts that were set; it follows redirects of `/points` to fewer decimals."""
    timeout = httpx.Timeout(settings.read_timeout, connect=settings.connect_timeout)
    limits = httpx.Limits(max_connections=settings.concurrency * 2)
    return httpx.AsyncClient(timeout=timeout, limits=limits, follow_redirects=True)


@asynccontextmanager
async def open_asker(settings: Settings, clock: Clock) -> AsyncIterator[Asker]:
    """The providers for one command."""
    async with make_client(settings) as client:
        yield make_asker(settings, clock, client)
