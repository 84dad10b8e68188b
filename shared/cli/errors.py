"""What a command raises to stop with one readable line and the right exit code."""

DONE = 0
PROBLEM = 1
USAGE = 2
UNREACHABLE = 3
INTERRUPTED = 130
READER_GONE = 141
"""Whoever read the output went away, as `head` does: what a shell reports of SIGPIPE (128 + 13)."""


class CommandError(Exception):
    """The command cannot go on; `remedy` says what the person can do next."""

    default_exit_code = PROBLEM

    def __init__(self, message: str, *, remedy: str | None = None, exit_code: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.exit_code = self.default_exit_code if exit_code is None else exit_code


class UsageProblem(CommandError):
    """What was asked, or a setting, makes no sense; also a name, an id or a file that is not there."""

    default_exit_code = USAGE


class Unreachable(CommandError):
    """A server this command needs does not answer, or does not let us in."""

    default_exit_code = UNREACHABLE
