"""What the functions and commands that Django-Q2 called have become: a trigger, or what to do instead."""

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID

from services.scheduler.triggers import UnknownTrigger, spoken_name, trigger_named

_TRIGGERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "generate_monthly_invoices": "monthly-billing",
        "apply_late_fees": "late-fees",
        "send_payment_reminders": "payment-reminders",
        "check_weather_alerts": "weather-check",
        "expire_signing_links": "signing-link-expiry",
        "cleanup_old_tasks": "cleanup",
        "calculate_rewards": "rewards",
    }
)
_FIELDS: Final[Mapping[str, str]] = MappingProxyType(
    {"month": "period", "property": "property_id", "tenant": "tenant_id"}
)
"""What the commands called a field of a trigger by another name."""

_INSTEAD: Final[Mapping[str, str]] = MappingProxyType(
    {
        "send_notification": "call `propman notifications send-notification` from a cron of your own",
        "seed_dev_data": "call `propman seed-dev-data` when you need it; it is for development",
    }
)


class CannotTranslate(ValueError):
    """There is no counterpart, with what to do instead."""


@dataclass(frozen=True, slots=True)
class Call:
    """A function by its last name, and what it was given."""

    name: str
    args: Sequence[Any] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Order:
    """A trigger with its payload, and what is different about it."""

    trigger: str
    payload: Mapping[str, Any]
    differences: Sequence[str] = ()


def call_of(func: str, args: object, kwargs: object) -> Call:
    """What a schedule of Django-Q2 calls; raises `CannotTranslate` where its arguments cannot be read."""
    name = func.rsplit(".", maxsplit=1)[-1]
    values, named = _literals(args, kwargs)
    if name == "call_command" and values:
        name, *values = (str(values[0]), *values[1:])
        named = {**_options(values), **named}
        values = []
    return Call(name, values, {word.replace("-", "_"): value for word, value in named.items()})


def translated(call: Call) -> Order:
    """The trigger that a call has become; raises `CannotTranslate` with what to do instead."""
    if call.name in _INSTEAD:
        raise CannotTranslate(f"{call.name} needs no trigger: {_INSTEAD[call.name]}")
    if call.name not in _TRIGGERS:
        raise CannotTranslate(
            f"{call.name or 'its function'} is none of Propman's: make it a handler of a trigger of your own"
            " (services/scheduler/README.md, From code), and then `propman scheduler add`"
        )
    if call.args:
        raise CannotTranslate(
            f"{call.name} was given {call.args[0]!r} without a name; nobody knows what it means"
        )
    if call.kwargs.get("dry_run"):
        raise CannotTranslate(
            "it only looked (dry_run): `propman scheduler run-now KEY --dry-run` looks once"
        )
    try:
        contract = trigger_named(_TRIGGERS[call.name])
    except UnknownTrigger as error:
        raise CannotTranslate(f"{call.name}: {error}") from None
    payload = {
        _named(call.name, word): value
        for word, value in call.kwargs.items()
        if value is not None and word != "dry_run"
    }
    for word in ("property_id", "tenant_id"):
        if word in payload:
            payload[word] = _identity(word, payload[word])
    difference = (
        f"{call.name} is the trigger {spoken_name(contract.topic)} now; a new system has a schedule of it"
        " from the start (`propman scheduler list`): archive one of both"
    )
    return Order(contract.topic, payload, [difference])


def _named(command: str, word: str) -> str:
    if command == "cleanup_old_tasks" and word == "days":
        return "older_than_days"
    return _FIELDS.get(word, word)


def _identity(word: str, value: object) -> str:
    try:
        return str(UUID(str(value)))
    except ValueError:
        raise CannotTranslate(
            f"{word} {value!r} is a number of the old database: find its new id, then `propman scheduler add`"
        ) from None


def _literals(args: object, kwargs: object) -> tuple[list[Any], dict[str, Any]]:
    """Django-Q2 keeps arguments as Python; only values are read, nothing is run.

    Typed in the admin they are `1, 'x'` and `days=3`; made from code, `(1, 'x')` and `{'days': 3}`.
    """
    try:
        return _values(str(args or "").strip()), _keywords(str(kwargs or "").strip())
    except (SyntaxError, ValueError):
        text = ", ".join(str(part) for part in (args, kwargs) if part)
        raise CannotTranslate(f"its arguments, {text}, are no plain values") from None


def _values(text: str) -> list[Any]:
    found = ast.literal_eval(text) if text else ()
    return list(found) if isinstance(found, tuple) else [found]


def _keywords(text: str) -> dict[str, Any]:
    if text.startswith("{"):
        found = ast.literal_eval(text)
        if not isinstance(found, dict):
            raise ValueError(text)
        return {str(name): value for name, value in found.items()}
    tree = ast.parse(f"f({text})", mode="eval").body
    if not isinstance(tree, ast.Call) or tree.args or any(word.arg is None for word in tree.keywords):
        raise ValueError(text)
    return {str(word.arg): ast.literal_eval(word.value) for word in tree.keywords}


def _options(words: Sequence[Any]) -> dict[str, Any]:
    """What `call_command` was given as on a command line: `--days=3`, `--days 3`, `--failures-only`."""
    found: dict[str, Any] = {}
    waiting: str | None = None
    for word in map(str, words):
        if word.startswith("--"):
            name, equals, value = word.removeprefix("--").partition("=")
            waiting = None if equals else name
            found[name] = value if equals else True
        elif waiting is not None:
            found[waiting], waiting = word, None
        else:
            raise CannotTranslate(f"call_command was given {word!r}, which belongs to no option")
    return found
