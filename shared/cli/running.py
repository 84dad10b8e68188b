"""The one way to run a command's body: its failures become one line and an exit code, never a traceback."""

import logging
import os
import sys
import traceback
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn, TypeVar

from shared.cli import output
from shared.cli.errors import INTERRUPTED, READER_GONE, CommandError
from shared.cli.failures import explain
from shared.cli.readers import reader_went_away
from shared.cli.usage_errors import explain_usage

T = TypeVar("T")


def run_async(body: Coroutine[Any, Any, T]) -> T:
    """Run an async command body on uvloop where there is one.

    What services log at their work is not a command's output: left to itself it would stand between the data.
    """
    import asyncio  # noqa: PLC0415 - only commands that do something pay for it

    from shared.logging import only_errors  # noqa: PLC0415

    with readable_failures(), only_errors():
        try:
            import uvloop  # noqa: PLC0415
        except ImportError:
            return asyncio.run(body)
        return uvloop.run(body)


@contextmanager
def readable_failures(typed: Callable[[], str] = str) -> Iterator[None]:
    """Turn whatever goes wrong inside into a line on stderr and the exit code for it.

    `typed` says which command it is that was mistyped, such as `propman billing`, where the failure does not.
    """
    if not _debugging():
        # Drivers also log what they raise; Python would print that beside our line.
        logging.lastResort = logging.NullHandler()
    try:
        yield
        sys.stdout.flush()  # here, where a reader who went away is noticed, and not as the interpreter ends
    except KeyboardInterrupt:
        _interrupted()
    except Exception as failure:  # the last stop before the person at the terminal
        if reader_went_away(failure):
            raise SystemExit(READER_GONE) from None
        if (problem := explain_usage(failure, typed())) is not None:
            _end(problem)
        if _library(failure) in {"typer", "click"}:
            if type(failure).__name__ == "Abort":  # Ctrl+C or Ctrl+D where something was asked
                _interrupted()
            raise  # help, an exit: how the library ends a command
        _report(failure)


def _library(failure: BaseException) -> str:
    return type(failure).__module__.partition(".")[0]


def _interrupted() -> NoReturn:
    # A terminal has shown ^C on the line it is in.
    output.warning("\nInterrupted." if sys.stderr.isatty() else "Interrupted.")
    raise SystemExit(INTERRUPTED) from None


def _report(failure: Exception) -> NoReturn:
    if _debugging():
        traceback.print_exception(failure)
    _end(failure if isinstance(failure, CommandError) else explain(failure), failure)


def _end(problem: CommandError, cause: Exception | None = None) -> NoReturn:
    output.error(problem.message, remedy=problem.remedy)
    raise SystemExit(problem.exit_code) from cause


def _debugging() -> bool:
    return os.environ.get("PROPMAN_DEBUG", "") not in {"", "0"}
