"""The kinds of error, told apart by type: not now, the world is down, or we are wrong.

A refusal (the rule said no) is not here: a handler catches it by its exact type and says so in a fact.
"""

from collections.abc import Iterator
from enum import Enum
from typing import Final

from sqlalchemy.exc import DBAPIError, PendingRollbackError
from sqlalchemy.exc import TimeoutError as PoolTimeout


class Transient(Exception):
    """Not now: the same message may succeed later. Gateways and handlers raise it."""


class ErrorKind(Enum):
    """What the edge does with a failed message."""

    TRANSIENT = "transient"
    """Quick tries, then delayed redelivery with backoff."""
    OUTAGE = "outage"
    """A server that everything needs is down: pause, probe, burn no attempts."""
    DEFECT = "defect"
    """We, or the message, are wrong: dead letter, with the reason."""


_TRANSIENT_STATES: Final = frozenset({"40001", "40P01", "55P03", "57014", "53300", "53400"})
"""Serialization failure, deadlock, lock timeout, cancelled statement, too many connections, limit."""

_OUTAGE_STATES: Final = frozenset({"57P01", "57P02", "57P03", "25006"})
"""Shut down by an administrator, crash, starting up, and a standby that cannot write."""


_CONNECTING_STATES: Final = frozenset({"28000", "28P01", "3D000", "53300", "55000"})
"""What refuses a connection, where no statement is to blame: who we are, which database, how many
we are, and a database closed to connections."""


_FILE_ERRORS: Final = (FileExistsError, FileNotFoundError, IsADirectoryError, NotADirectoryError)
"""A missing template is no server that is down: nobody would ever mend it by waiting."""


def classify(error: BaseException) -> ErrorKind:
    """Which kind an exception is, by its type and, for PostgreSQL, its SQLSTATE."""
    if isinstance(error, (Transient, TimeoutError, PoolTimeout)):
        return ErrorKind.TRANSIENT
    if isinstance(error, (DBAPIError, PendingRollbackError)):
        return _classify_database(error)
    if isinstance(error, OSError):
        return ErrorKind.DEFECT if isinstance(error, _FILE_ERRORS) else ErrorKind.OUTAGE
    return _classify_driver(error)


def _classify_database(error: DBAPIError | PendingRollbackError) -> ErrorKind:
    if isinstance(error, PendingRollbackError) or error.connection_invalidated:
        return ErrorKind.OUTAGE
    outages = _OUTAGE_STATES if error.statement else _OUTAGE_STATES | _CONNECTING_STATES
    kinds = (_by_state(cause, outages) for cause in _causes(error))
    return next((kind for kind in kinds if kind), ErrorKind.DEFECT)


def _classify_driver(error: BaseException) -> ErrorKind:
    module = type(error).__module__.partition(".")[0]
    if module in {"aiormq", "aio_pika"}:
        return ErrorKind.OUTAGE
    if module == "asyncpg":
        return _by_state(error, _OUTAGE_STATES | _CONNECTING_STATES) or ErrorKind.DEFECT
    return ErrorKind.DEFECT


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause = getattr(error, "orig", None) or error.__cause__
    while cause is not None:
        yield cause
        cause = cause.__cause__


def _by_state(error: BaseException, outages: frozenset[str] = _OUTAGE_STATES) -> ErrorKind | None:
    state = getattr(error, "sqlstate", None) or ""
    if state.startswith("08") or state in outages:
        return ErrorKind.OUTAGE
    if state in _TRANSIENT_STATES:
        return ErrorKind.TRANSIENT
    # An InterfaceError is mostly the caller's: two operations at once on one connection, for example.
    closed = type(error).__name__ == "InterfaceError" and "closed" in str(error)
    return ErrorKind.OUTAGE if closed or isinstance(error, OSError) else None


def describe(error: BaseException, limit: int = 500) -> str:
    """One line about an error, for dead letters and logs: its type and its first line, no bound values."""
    if isinstance(error, DBAPIError) and error.orig is not None:
        text = str(error.orig).strip()
    else:
        text = str(error).strip()
    first = text.splitlines()[0] if text else ""
    return f"{type(error).__name__}: {first}"[:limit]
