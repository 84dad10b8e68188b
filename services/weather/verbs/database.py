"""What every command of weather opens first."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from services.weather.settings import Settings
from services.weather.store.places import PlaceStore, Property
from shared.cli import UsageProblem
from shared.hosting import open_transactions
from shared.messaging.transaction import Transactions


def weather_settings() -> Settings:
    """Weather's settings, from the environment."""
    return Settings()


@asynccontextmanager
async def database() -> AsyncIterator[Transactions]:
    """Weather's database, for one command."""
    async with open_transactions(weather_settings(), "weather") as transactions:
        yield transactions


@asynccontextmanager
async def reading() -> AsyncIterator[AsyncConnection]:
    """A connection to look at things with."""
    async with database() as transactions, transactions.engine.connect() as connection:
        yield connection


async def known_property(connection: AsyncConnection, property_id: UUID) -> Property:
    """A property weather has heard of; raises `UsageProblem`."""
    found = await PlaceStore(connection).property(property_id)
    if found is None:
        raise UsageProblem(
            f"Weather knows no property {property_id}.", remedy="See `propman leasing properties list`."
        )
    return found
