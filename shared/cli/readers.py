"""Whether anybody still reads what a command writes: `propman … | head -1` does not, after a line."""

import os
import select
import sys
from typing import Any

from shared.cli.failures import causes


def reader_went_away(failure: BaseException) -> bool:
    """Whether that is why it failed; then what is left to write goes nowhere, and no more is said of it.

    A server that closed its connection raises the same error, so the streams themselves are asked.
    """
    if not any(isinstance(cause, BrokenPipeError) for cause in causes(failure)):
        return False
    closed = [stream for stream in (sys.stdout, sys.stderr) if _is_closed(stream)]
    for stream in closed:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
    return bool(closed)


def _is_closed(stream: Any) -> bool:
    try:
        descriptor = stream.fileno()
    except (AttributeError, OSError, ValueError):  # a test's stream, or none at all
        return False
    poll = select.poll()
    poll.register(descriptor, 0)
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))
