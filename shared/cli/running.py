"""The one way to run a command's body: its failures become one line and an exit code, never a traceback."""

import logging
import os
import traceback
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn, TypeVar

from shared.cli import output
from shared.cli.errors import INTERRUPTED, CommandError
from shared.cli.failures import explain

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
def readable_failures() -> Iterator[None]:
    """Turn whatever goes wrong inside into a line on stderr and the exit code for it."""
    if not _debugging():
        # Drivers also log what they raise; Python would print that beside our line.
        logging.lastResort = logging.NullHandler()
    try:
        yield
    except KeyboardInterrupt:
        output.warning("Interrupted.")
        raise SystemExit(INTERRUPTED) from None
    except BrokenPipeError:
        raise  # the reader of our output went away (`| head`); Typer ends quietly
    except Exception as failure:  # the last stop before the person at the terminal
        if _is_typers_own(failure):
            raise
        _report(failure)


def _is_typers_own(failure: BaseException) -> bool:
    """Usage errors, exits and aborts are how Typer ends a command; it prints them itself."""
    return type(failure).__module__.split(".")[0] in {"typer", "click"}


def _report(failure: Exception) -> NoReturn:
    if _debugging():
        traceback.print_exception(failure)
    problem = failure if isinstance(failure, CommandError) else explain(failure)
    output.error(problem.message, remedy=problem.remedy)
    raise SystemExit(problem.exit_code) from failure


def _debugging() -> bool:
    return os.environ.get("PROPMAN_DEBUG", "") not in {"", "0"}
