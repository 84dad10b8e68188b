"""Opening rewards' database for a command, and the sentences that several commands share."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from services.rewards.domain.facts import Today
from services.rewards.domain.ledgers import NotEnough, NothingGranted
from services.rewards.handlers.by_hand import DecisionRefused
from services.rewards.handlers.redeeming import ReferenceUsed, TenantUnknown
from services.rewards.settings import Settings
from services.rewards.store import CopyStore
from shared.cli import CommandError, UsageProblem
from shared.hosting import open_transactions
from shared.messaging.transaction import Transactions

UNNAMED: Final = "(not announced)"
"""A tenant whose name rewards has not heard: `propman leasing republish` says it again."""


@asynccontextmanager
async def opened() -> AsyncIterator[Transactions]:
    """Rewards' database, for a command that writes."""
    async with open_transactions(Settings(), "rewards") as transactions:  # from the environment
        yield transactions


@asynccontextmanager
async def reading() -> AsyncIterator[tuple[AsyncConnection, Today]]:
    """A connection to look at things with, and what day it is at each property."""
    async with opened() as transactions, transactions.engine.connect() as connection:
        yield connection, await CopyStore(connection).today(transactions.clock.now())


@contextmanager
def refusals_in_words(verb: str) -> Iterator[None]:
    """What a rule refuses, as one line that says what to do next; `verb` is what was typed."""
    try:
        yield
    except TenantUnknown as unknown:
        raise UsageProblem(
            f"Rewards knows {unknown}.", remedy="See `propman leasing leases list`."
        ) from unknown
    except NothingGranted as missing:
        raise CommandError(
            f"Nothing is revoked: {missing}.", remedy="See `propman rewards ledger --tenant`."
        ) from missing
    except NotEnough as refusal:
        raise CommandError(
            f"Refused: {refusal}.", remedy="See `propman rewards balance` for what there is."
        ) from refusal
    except ReferenceUsed as refusal:
        raise CommandError(f"Refused: {refusal}.", remedy="Give another --reference.") from refusal
    except DecisionRefused as refusal:
        remedy = f"See `propman rewards {verb} --help`."
        raise UsageProblem(f"Refused: {refusal}.", remedy=remedy) from refusal


async def refuse_unknown_tenant(connection: AsyncConnection, tenant_id: UUID | None) -> None:
    """Raise `UsageProblem` for a tenant of whom rewards has heard nothing at all."""
    if tenant_id is not None and not await CopyStore(connection).knows(tenant_id):
        raise UsageProblem(
            f"Rewards knows no tenant {tenant_id}.", remedy="See `propman leasing tenants list`."
        )


async def refuse_unknown_property(connection: AsyncConnection, property_id: UUID | None) -> None:
    """Raise `UsageProblem` for a property that rewards has not heard of."""
    if property_id is not None and property_id not in await CopyStore(connection).properties():
        raise UsageProblem(
            f"Rewards knows no property {property_id}.", remedy="See `propman leasing properties list`."
        )
