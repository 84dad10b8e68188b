"""What went wrong, in words: a library's exception becomes a `CommandError` that says what to do next.

Exceptions are recognised by the names of their classes and by the modules they passed through, because
importing every driver to ask `isinstance` would cost each command half a second.
"""

import re
from collections.abc import Iterator

from shared.cli.errors import CommandError, Unreachable, UsageProblem
from shared.cli.setting_errors import explain_setting

MIGRATE = "Run `propman db migrate`."
INIT = "Run `propman db init`, then `propman db migrate`."
START = "Start the local servers with `propman dev start`, or correct {setting}."

# The library an exception passed through tells which server was meant, and which setting names it.
SERVERS = {
    "asyncpg": ("The database", "the service's *_DATABASE_URL (administration: PROPMAN_POSTGRES_URL)"),
    "aio_pika": ("The message broker", "PROPMAN_RABBITMQ_URL"),
    "aiormq": ("The message broker", "PROPMAN_RABBITMQ_URL"),
    "httpx": ("The HTTP server", "its address in the settings"),
    "aiosmtplib": ("The mail server", "its address in the settings"),
}
NOT_LET_IN = (
    Unreachable,
    "The database does not let us in",
    f"On new servers run `propman db init && propman db migrate` first; else check {SERVERS['asyncpg'][1]}.",
)
REFUSALS: dict[str, tuple[type[CommandError], str, str]] = {
    "UndefinedTableError": (CommandError, "The schema is not there", MIGRATE),
    "UndefinedColumnError": (CommandError, "The schema is out of date", MIGRATE),
    "InsufficientPrivilegeError": (CommandError, "The database said no", INIT),
    "InvalidCatalogNameError": (Unreachable, "There is no such database", INIT),
    "InvalidPasswordError": NOT_LET_IN,
    "InvalidAuthorizationSpecificationError": NOT_LET_IN,
}
UNREACHABLE_NAMES = {
    "AMQPConnectionError",
    "ConnectError",
    "ConnectTimeout",
    "ConnectionDoesNotExistError",
    "CannotConnectNowError",
    "TooManyConnectionsError",
    "SMTPConnectError",
    "gaierror",
}
REASONS = {
    "refused": "connection refused",
    "connect call failed": "connection refused",
    "timed out": "timed out",
}
_PASSWORD = re.compile(r"(://[^:/@\s]*):[^@\s]*@")
_ADDRESS = re.compile(r"\('([^']+)', (\d+)|@?([\w.-]+):(\d{2,5})\b|(/[\w./-]*\.s\.PGSQL\.\d+)")


def explain(failure: BaseException) -> CommandError:
    """Find the innermost cause we can say something useful about."""
    found = list(causes(failure))
    for recognise in (_command_error, explain_setting, _database_refusal, _connection, _file):
        for cause in found:
            if (problem := recognise(cause)) is not None:
                return problem
    return _unexpected(failure)


def causes(failure: BaseException) -> Iterator[BaseException]:
    """The failure and everything behind it: driver errors arrive wrapped, once or twice, and in groups."""
    seen: set[int] = set()
    waiting: list[BaseException | None] = [failure]
    while waiting:
        cause = waiting.pop(0)
        if not isinstance(cause, BaseException) or id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        hidden = None if cause.__suppress_context__ else cause.__context__
        waiting += [getattr(cause, "orig", None), cause.__cause__, hidden]
        waiting += getattr(cause, "exceptions", ())


def _command_error(cause: BaseException) -> CommandError | None:
    return cause if isinstance(cause, CommandError) else None


def _database_refusal(cause: BaseException) -> CommandError | None:
    """PostgreSQL answered, and said no: asyncpg names its exceptions after the SQLSTATE."""
    for name in _class_names(cause):
        if name in REFUSALS and _library(type(cause).__module__) == "asyncpg":
            problem, words, remedy = REFUSALS[name]
            return problem(f"{words}: {_one_line(cause)}.", remedy=remedy)
    return None


def _connection(cause: BaseException) -> CommandError | None:
    names = _class_names(cause)
    by_kind = isinstance(cause, ConnectionError | TimeoutError) or bool(names & UNREACHABLE_NAMES)
    if not by_kind and not _is_connect(cause):
        return None
    server, setting = next(
        (SERVERS[library] for library in _libraries_passed(cause) if library in SERVERS),
        ("A server", "its address in the settings"),
    )
    at = _address(str(cause))
    message = f"{server} cannot be reached{at and f' at {at}'} ({_reason(cause)})."
    return Unreachable(message, remedy=START.format(setting=setting))


def _is_connect(cause: BaseException) -> bool:
    """Asyncio joins the failures of several addresses into a bare OSError without a number."""
    text = str(cause)
    return isinstance(cause, OSError) and (
        "Connect call failed" in text or text.startswith("Multiple exceptions")
    )


def _reason(cause: BaseException) -> str:
    text = str(cause).lower()
    by_text = next((reason for sign, reason in REASONS.items() if sign in text), None)
    if by_text or not isinstance(cause, OSError):
        return by_text or _one_line(cause) or type(cause).__name__
    return (
        "timed out" if isinstance(cause, TimeoutError) else cause.strerror or _one_line(cause) or "no answer"
    )


def _file(cause: BaseException) -> CommandError | None:
    if isinstance(cause, OSError) and cause.filename is not None:
        return UsageProblem(
            f"{cause.filename}: {cause.strerror}.", remedy="Check the path and its permissions."
        )
    return None


def _unexpected(failure: BaseException) -> CommandError:
    text = _one_line(failure)
    return CommandError(
        f"Unexpected {type(failure).__name__}{text and f': {text}'}",
        remedy="This is a defect. Run it again with PROPMAN_DEBUG=1 to see where, and report it.",
    )


def _class_names(cause: BaseException) -> set[str]:
    return {cls.__name__ for cls in type(cause).__mro__}


def _libraries_passed(cause: BaseException) -> Iterator[str]:
    """The exception's own library, then those of the frames it came through, innermost first."""
    frames = []
    step = cause.__traceback__
    while step is not None:
        frames.append(str(step.tb_frame.f_globals.get("__name__", "")))
        step = step.tb_next
    yield from (_library(name) for name in [type(cause).__module__, *reversed(frames)])


def _library(module: str) -> str:
    return module.partition(".")[0]


def _address(text: str) -> str:
    found = _ADDRESS.search(text)
    if found is None:
        return ""
    host, port, other_host, other_port, socket = found.groups()
    return socket or f"{host or other_host}:{port or other_port}"


def _one_line(cause: BaseException) -> str:
    """The first line of what the library said, with any password in a URL blanked."""
    lines = _PASSWORD.sub(r"\1:***@", str(cause)).strip().splitlines()
    return lines[0].rstrip(".") if lines else ""
