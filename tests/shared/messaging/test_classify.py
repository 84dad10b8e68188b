"""Which kind an error is, as PostgreSQL, the network and our own code really raise it."""

import asyncio
from collections.abc import Awaitable, Callable

import aio_pika
import asyncpg
import pytest
import sqlalchemy as sa
from sqlalchemy.exc import PendingRollbackError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.db import create_engine
from shared.identity import new_id
from shared.messaging.errors import ErrorKind, Transient, classify, describe
from shared.messaging.transaction import Transactions
from tests.support.probe_service import EFFECTS, Ground

TRANSIENT, OUTAGE, DEFECT = ErrorKind.TRANSIENT, ErrorKind.OUTAGE, ErrorKind.DEFECT


def wrapped(error: Exception, statement: str | None = "select 1") -> sa.exc.DBAPIError:
    """An error of asyncpg as SQLAlchemy hands it on: in an error of its adapter, in one of its own."""
    adapted = Exception(str(error))
    adapted.__cause__ = error
    return sa.exc.DBAPIError(statement, None, adapted)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (Transient("later"), TRANSIENT),
        (TimeoutError(), TRANSIENT),
        (PoolTimeout(), TRANSIENT),
        (wrapped(asyncpg.DeadlockDetectedError("")), TRANSIENT),
        (wrapped(asyncpg.SerializationError("")), TRANSIENT),
        (wrapped(asyncpg.LockNotAvailableError("")), TRANSIENT),
        (wrapped(asyncpg.QueryCanceledError("")), TRANSIENT),
        (ConnectionRefusedError(111, "refused"), OUTAGE),
        (OSError("no route to host"), OUTAGE),
        (wrapped(asyncpg.AdminShutdownError("")), OUTAGE),
        (wrapped(asyncpg.CrashShutdownError("")), OUTAGE),
        (wrapped(asyncpg.CannotConnectNowError("")), OUTAGE),
        (wrapped(asyncpg.ConnectionDoesNotExistError("")), OUTAGE),
        (wrapped(asyncpg.InterfaceError("connection is closed")), OUTAGE),
        (wrapped(asyncpg.ReadOnlySQLTransactionError("")), OUTAGE),
        (wrapped(asyncpg.TooManyConnectionsError(""), statement=None), OUTAGE),
        (wrapped(asyncpg.InvalidPasswordError(""), statement=None), OUTAGE),
        (wrapped(asyncpg.InvalidCatalogNameError(""), statement=None), OUTAGE),
        (PendingRollbackError("invalid transaction"), OUTAGE),
        (asyncpg.CannotConnectNowError(""), OUTAGE),
        (asyncpg.TooManyConnectionsError(""), OUTAGE),
        (aio_pika.exceptions.AMQPConnectionError("gone"), OUTAGE),
        (aio_pika.exceptions.ChannelClosed("gone"), OUTAGE),
        (aio_pika.exceptions.ChannelInvalidStateError("gone"), OUTAGE),
        (wrapped(asyncpg.UniqueViolationError("")), DEFECT),
        (wrapped(asyncpg.UniqueViolationError(""), statement=None), DEFECT),
        (wrapped(asyncpg.ObjectNotInPrerequisiteStateError("")), DEFECT),
        (wrapped(asyncpg.DataError("")), DEFECT),
        (asyncpg.UniqueViolationError(""), DEFECT),
        (KeyError("lease_id"), DEFECT),
        (wrapped(asyncpg.InterfaceError("another operation is in progress")), DEFECT),
        (FileNotFoundError("invoice.txt"), DEFECT),
        (RuntimeError("bug"), DEFECT),
        (ValueError("bug"), DEFECT),
    ],
    ids=lambda value: value.name if isinstance(value, ErrorKind) else type(value).__name__,
)
def test_an_error_is_of_its_kind(error: Exception, kind: ErrorKind) -> None:
    assert classify(error) is kind


async def deadlock(one: AsyncConnection, other: AsyncConnection) -> None:
    lock = sa.text("select pg_advisory_xact_lock(:key)")
    await one.execute(lock, {"key": 1})
    await other.execute(lock, {"key": 2})
    crossed = one.execute(lock, {"key": 2}), other.execute(lock, {"key": 1})
    for result in await asyncio.gather(*crossed, return_exceptions=True):
        if isinstance(result, BaseException):
            raise result


async def serialization_failure(one: AsyncConnection, other: AsyncConnection) -> None:
    await one.execute(sa.text("insert into probe.effects (item_id, number) values (gen_random_uuid(), 1)"))
    await one.commit()
    await other.execute(sa.text("set transaction isolation level repeatable read"))
    await other.execute(sa.text("select * from probe.effects"))
    await one.execute(sa.text("update probe.effects set number = 2"))
    await one.commit()
    await other.execute(sa.text("update probe.effects set number = 3"))


async def lock_timeout(one: AsyncConnection, other: AsyncConnection) -> None:
    await one.execute(sa.text("lock table probe.effects"))
    await other.execute(sa.text("set local lock_timeout = '10ms'"))
    await other.execute(sa.text("lock table probe.effects"))


async def backend_ended(one: AsyncConnection, other: AsyncConnection) -> None:
    pid = await one.scalar(sa.select(sa.func.pg_backend_pid()))
    await other.execute(sa.text("select pg_terminate_backend(:pid)"), {"pid": pid})
    await asyncio.sleep(0.05)
    await one.execute(sa.select(1))


async def unique_violation(one: AsyncConnection, _: AsyncConnection) -> None:
    await one.execute(sa.text("create temp table once (id int primary key)"))
    await one.execute(sa.text("insert into once values (1), (1)"))


async def missing_table(one: AsyncConnection, _: AsyncConnection) -> None:
    await one.execute(sa.text("select * from nowhere"))


async def wrong_type(one: AsyncConnection, _: AsyncConnection) -> None:
    await one.execute(EFFECTS.insert().values(item_id=new_id(), number="seven"))


async def too_large(one: AsyncConnection, _: AsyncConnection) -> None:
    await one.execute(EFFECTS.insert().values(item_id=new_id(), number=2**40))


Scene = Callable[[AsyncConnection, AsyncConnection], Awaitable[None]]


@pytest.mark.servers
@pytest.mark.parametrize(
    ("scene", "kind"),
    [
        (deadlock, TRANSIENT),
        (serialization_failure, TRANSIENT),
        (lock_timeout, TRANSIENT),
        (backend_ended, OUTAGE),
        (unique_violation, DEFECT),
        (missing_table, DEFECT),
        (wrong_type, DEFECT),
        (too_large, DEFECT),
    ],
)
async def test_what_postgresql_really_raises_is_of_its_kind(
    ground: Ground, scene: Scene, kind: ErrorKind
) -> None:
    engine = ground.transactions.engine
    async with engine.connect() as one, engine.connect() as other:
        with pytest.raises(Exception, match=r".") as caught:
            await scene(one, other)
        assert classify(caught.value) is kind


@pytest.mark.servers
@pytest.mark.parametrize("changes", [{"port": 1}, {"password": "wrong"}, {"database": "nowhere"}], ids=str)
async def test_a_connection_that_is_refused_is_an_outage(ground: Ground, changes: dict[str, object]) -> None:
    url = sa.make_url(ground.database_url).set(**changes)  # type: ignore[arg-type] # one of them at a time
    engine = create_engine(url.render_as_string(hide_password=False), application="refused")
    transactions = Transactions(engine, ground.transactions.clock)

    with pytest.raises(Exception, match=r".") as caught:
        async with transactions.command("test"):
            pass

    assert classify(caught.value) is OUTAGE


def test_a_description_is_one_line_without_bound_values() -> None:
    error = sa.exc.DBAPIError(
        "insert into tenants values ($1)",
        {"email": "ada@example.com"},
        Exception("duplicate key\nDETAIL: ada"),
    )

    assert describe(error) == "DBAPIError: duplicate key"
    assert len(describe(ValueError("x" * 9_000))) == 500
