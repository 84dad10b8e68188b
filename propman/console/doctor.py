"""`propman doctor`: one check after the other, each finding with what to do about it."""

import asyncio
import importlib
import pkgutil
import platform
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any, Final, Literal

import httpx
import sqlalchemy as sa
import tzdata

import shared.contracts
from propman.broker import queue_depths, queues_in_words
from propman.catalog import all_queues, all_subscriptions, app_module, service_names
from propman.console.management import management
from propman.console.observing import observe
from propman.databases import transactions_of
from propman.db import SchemaStatus, status_in
from propman.settings import SystemSettings
from shared.cli import (
    CommandError,
    JsonOption,
    command_app,
    counted,
    print_json,
    print_table,
    success,
    warning,
)
from shared.cli.failures import explain
from shared.clock import SystemClock
from shared.contracts.base import message_types
from shared.messaging.naming import EVENTS

app = command_app("doctor")

Level = Literal["ok", "warning", "error"]

SKEW_SECONDS: Final = 2.0
"""A clock that differs more from the database's makes due times and ages wrong."""

OF_NOBODY: Final = (
    "Delete these queues on the broker; they are of an old version, or of a `seed-dev-data` that was cut off."
)

NOW: Final = "now"
"""The check that looks at everything at once, as `propman info` does."""

OLD_DAYS: Final = 400
"""Time zone rules older than this have missed at least one round of changes (IANA, several a year)."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found, and what to do about it."""

    check: str
    level: Level
    found: str
    remedy: str = ""


@app.command()
async def doctor(as_json: JsonOption = False) -> None:
    r"""Check settings, databases, migrations, clocks, time zone rules, broker, queues and what waits.

    Exit 1 where something is broken, be it a server that does not answer. A warning alone is 0: it deserves a
    look, and everything works.

    \b
    Examples:
      propman doctor
      propman doctor --json
    """
    findings = once([found for check in CHECKS for found in await _guarded(check)])
    if as_json:
        print_json(findings)
    else:
        rows = [[item.level, item.check, item.found, item.remedy] for item in findings]
        print_table(["", "check", "found", "what to do"], rows)
    conclude(findings)


def once(findings: Sequence[Finding]) -> list[Finding]:
    """Each failure once: what a check of its own has said is left out of what is seen at a glance."""
    said = [item.found.rstrip(".") for item in findings if item.level == "error" and item.check != NOW]
    return [item for item in findings if item.check != NOW or not any(words in item.found for words in said)]


def conclude(findings: Sequence[Finding]) -> None:
    """Say how it stands; raises `CommandError` where something is broken."""
    errors = sum(item.level == "error" for item in findings)
    warnings = sum(item.level == "warning" for item in findings)
    beside = f"; beside, {counted(warnings, 'warning')}" if warnings else ""
    if errors:
        raise CommandError(f"{counted(errors, 'finding')} {'needs' if errors == 1 else 'need'} you{beside}.")
    if warnings:
        warning(f"{counted(warnings, 'warning')}; nothing is broken.")
    else:
        success("Nothing needs you.")


Check = Callable[[], Awaitable[list[Finding]]]


async def _guarded(check: Check) -> list[Finding]:
    try:
        async with asyncio.timeout(20):
            return await check()
    except Exception as error:  # noqa: BLE001 - a check that cannot be made is itself a finding
        problem = explain(error)
        return [Finding(check.__name__.strip("_"), "error", problem.message, problem.remedy or "")]


async def _settings() -> list[Finding]:
    return [found for name in service_names() for found in await _settings_of(name)]


async def _settings_of(name: str) -> list[Finding]:
    try:
        settings = app_module(name).Settings()
    except Exception as error:  # noqa: BLE001 - as above
        problem = explain(error)
        return [
            Finding(f"settings of {name}", "error", problem.message, problem.remedy or "See `.env.example`.")
        ]
    return [
        Finding(f"settings of {name}", "warning", words, "Set it in the environment.")
        for words in settings.advice
    ] or [Finding(f"settings of {name}", "ok", "complete")]


async def _databases() -> list[Finding]:
    found: list[Finding] = []
    for name in service_names():
        try:
            async with (
                asyncio.timeout(8),
                transactions_of(name) as transactions,
                transactions.engine.connect() as connection,
            ):
                schema = await status_in(connection, name)
                there = await connection.scalar(sa.select(sa.func.clock_timestamp()))
            found += [_migrations(schema), _skew(name, there)]
        except Exception as error:  # noqa: BLE001 - as above
            problem = explain(error)
            found.append(Finding(f"database of {name}", "error", problem.message, problem.remedy or ""))
    return found


def _migrations(found: SchemaStatus) -> Finding:
    level: Level = "ok" if found.state == "current" else "error"
    return Finding(f"migrations of {found.service}", level, found.in_words, found.remedy)


def _skew(name: str, there: datetime | None) -> Finding:
    seconds = abs((SystemClock().now() - there).total_seconds()) if there else 0.0
    check = f"clock against {name}'s database"
    if seconds <= SKEW_SECONDS:
        return Finding(check, "ok", f"{seconds:.1f} s apart")
    return Finding(check, "error", f"{seconds:.1f} s apart", "Have both machines keep time by NTP (chrony).")


async def _time_zones() -> list[Finding]:
    released = datetime.strptime(version("tzdata").split(".post")[0], "%Y.%m").replace(tzinfo=UTC)
    words = f"tzdata {tzdata.IANA_VERSION}, from the package; the system's copy is not read"
    old = (SystemClock().now() - released).days > OLD_DAYS
    if old:
        return [Finding("time zone rules", "warning", words, "Upgrade the package tzdata.")]
    return [Finding("time zone rules", "ok", words), Finding("python", "ok", platform.python_version())]


async def _broker() -> list[Finding]:
    depths = await queue_depths(SystemSettings().rabbitmq_url.get_secret_value())
    deaf = [row["queue"] for row in depths if row["kind"] == "messages" and not row["consumers"]]
    there = {row["queue"] for row in depths}
    missing = [name for name in all_queues() if name not in there]
    found = [Finding("broker", "ok", f"{queues_in_words()} are there" if not missing else "answers")]
    if missing:
        words = f"not there, of {queues_in_words()}: {_some(missing)}"
        found.append(Finding("queues", "error", words, "Run `propman broker init`."))
    if deaf:
        words = f"nobody takes from {_some(deaf)}"
        found.append(Finding("consumers", "warning", words, "Start `propman run`."))
    return found


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


async def _unheard() -> list[Finding]:
    """Triggers and commands that no service subscribes to: the relay would keep them for ever."""
    for module in pkgutil.iter_modules(shared.contracts.__path__, "shared.contracts."):
        importlib.import_module(module.name)
    heard = {item.topic for item in all_subscriptions()}
    deaf = sorted(item.topic for item in message_types() if item.must_be_heard and item.topic not in heard)
    ours = [topic for topic in deaf if topic.split(".")[0] in {"scheduler", *service_names()}]
    if not ours:
        return [Finding("triggers and commands", "ok", "the code of a service takes each of them")]
    return [
        Finding(
            "triggers and commands",
            "error",
            f"no service takes {topic}",
            "Install the service that handles it.",
        )
        for topic in ours
    ]


async def _bindings() -> list[Finding]:
    try:
        async with management(SystemSettings()) as api:
            bound = {
                (row["destination"], row["routing_key"])
                for row in await api.bindings()
                if row["source"] == EVENTS
            }
    except httpx.HTTPError:
        return [
            Finding(
                "bindings",
                "warning",
                "not looked at: the broker's management API does not answer",
                "Start it, or correct PROPMAN_RABBITMQ_MANAGEMENT_URL.",
            )
        ]
    missing = [item.queue for item in all_subscriptions() if (item.queue, item.topic) not in bound]
    wanted = {item.topic for item in all_subscriptions()}
    strange = sorted(f"{key} by {queue}" for queue, key in bound if key not in wanted)
    found: list[Finding] = []
    if missing:
        words = f"{counted(len(missing), 'queue')} without a binding, so without messages: {_some(missing)}"
        found.append(Finding("bindings", "error", words, "Run `propman broker init`."))
    if strange:
        words = f"bound, and wanted by no service: {_some(strange)}"
        found.append(Finding("bindings", "warning", words, OF_NOBODY))
    return found or [Finding("bindings", "ok", f"{len(bound)}, one for each queue for messages")]


async def _waiting() -> list[Finding]:
    seen = await observe()
    return [Finding(NOW, "error", words, remedy_of(words)) for words in seen.problems] or [
        Finding(NOW, "ok", "nothing waits too long, nothing is dead")
    ]


DEAD: Final = "`propman dead-letters list`, repair the cause, then replay."

REMEDIES: Final = {
    "dead letter": DEAD,
    "could not be handled": DEAD,
    "cannot be reached": "`propman dev status`, then `propman dev start`; elsewhere correct its address.",
    "does not answer in time": "Is that server overloaded? Look again, and at its log.",
    "schema is out of date": "Run `propman db migrate`.",
    "no queue takes it": "Run `propman broker init`.",
    "nobody takes it from": "Start the service it waits for: `propman run`.",
    "announces nothing": "Start it: `propman run scheduler`.",
    " UTC); ": "Does what it waits for run? `propman scheduler history KEY`, `propman dead-letters list`.",
    "disagrees with its database": "Have both machines keep time by NTP (chrony).",
    "failed": "`propman scheduler history KEY` says what failed; a run that succeeds resolves it.",
    "has no outcome": "Does what it waits for run? `propman trace OCCURRENCE`, `propman dead-letters list`.",
    "was not announced": "Is the scheduler running? `propman scheduler show KEY`.",
    "held back": "`propman scheduler show KEY` has the error; `propman scheduler edit KEY` repairs it.",
    "has not succeeded": "`propman scheduler history KEY`; `propman scheduler resume KEY`.",
    "did nothing": "`propman scheduler history KEY`; `propman billing explain lease` and its kind say why.",
    "next run that its definition": "`propman scheduler edit KEY` with the same times counts it anew.",
    "no process": "Start it: `propman run`.",
    "went silent": "Look at that machine; another replica does its work meanwhile.",
    "no queue wants": "`propman outbox list`, then `propman broker init`.",
    "outbox waits": "Is the service running, and the broker? `propman outbox list`.",
    "takes from it": "Start the service that owns the queue.",
    "schedule": "`propman scheduler history KEY` and `propman scheduler show KEY`.",
    "alarm": "Give the broker memory or disk; publishing waits until then.",
    "different versions": "Finish the roll-out.",
}


def remedy_of(words: str) -> str:
    """What to do about a problem that `info` has found."""
    return next((remedy for key, remedy in REMEDIES.items() if key in words), "")


CHECKS: Final[tuple[Any, ...]] = (_settings, _databases, _time_zones, _broker, _unheard, _bindings, _waiting)
