"""What somebody typed wrong, in one line: the command-line library says it in four, and in words of its own.

Its exceptions are recognised by the names of their classes, because it may bring its own copy of the parser.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from shared.cli.errors import UsageProblem

LONGEST: Final = 60
"""Characters of a wrong value that are repeated; more would hide what is said of it."""

_EXTRA: Final = re.compile(r"Got unexpected extra argument(?:s|\(s\))? \((.+)\)$", re.DOTALL)
_NO_COMMAND: Final = re.compile(
    r"No such command (?P<name>.+?)\.(?P<suggestion> Did you mean .+)?$", re.DOTALL
)
_VALUES: Final = re.compile(r"requires (an argument|(?P<number>\d+) arguments)")

_WORDS: Final = {
    "int_parsing": "{value!r} is not a whole number",
    "int_from_float": "{value!r} is not a whole number",
    "int_type": "{value!r} is not a whole number",
    "int_parsing_size": "{value} is too large a number",
    "float_parsing": "{value!r} is not a number",
    "float_type": "{value!r} is not a number",
    "finite_number": "{value!r} is not a number",
    "decimal_parsing": "{value!r} is not a number",
    "bool_parsing": "{value!r} is neither yes nor no",
    "greater_than_equal": "{value} is too small; give {ge} or more",
    "greater_than": "{value} is too small; give more than {gt}",
    "less_than_equal": "{value} is too large; give {le} or less",
    "less_than": "{value} is too large; give less than {lt}",
}
"""What pydantic found wrong with a value, by its type of error."""


def explain_usage(failure: BaseException, command: str = "") -> UsageProblem | None:
    """A usage error of the library as ours; None for anything else, such as an exit or a help text.

    `command` is what was typed, for a failure that does not know it: `propman billing`. Where neither does,
    whoever called us may.
    """
    names = {cls.__name__ for cls in type(failure).__mro__}
    if "UsageError" not in names or "NoArgsIsHelpError" in names:
        return None
    context = getattr(failure, "ctx", None)
    path = context.command_path if context is not None else command
    return UsageProblem(_sentence(_words(failure, names)), remedy=f"See `{path} --help`.") if path else None


def _words(failure: Any, names: set[str]) -> str:
    if "NoSuchOption" in names:
        suggested = " or ".join(failure.possibilities or ())
        return f"There is no option {failure.option_name}." + (
            f" Did you mean {suggested}?" if suggested else ""
        )
    if "BadOptionUsage" in names:
        return _bad_option(failure)
    if "MissingParameter" in names:
        return f"{_named(failure) or 'An argument'} is missing{_choices(failure)}"
    if "BadParameter" in names:
        name = _named(failure)
        return f"{name}: {_bad_value(failure)}" if name else _bad_value(failure)
    return _other(str(failure.message))


def _bad_option(failure: Any) -> str:
    needed = _VALUES.search(failure.message)
    if needed is None:
        return f"{failure.option_name} takes no value"
    number = needed["number"]
    return f"{failure.option_name} needs {f'{number} values' if number else 'a value'}"


def _named(failure: Any) -> str:
    """The option as it is typed, or the argument as `--help` calls it."""
    hint = getattr(failure, "param_hint", None)
    if hint:
        return hint if isinstance(hint, str) else " / ".join(hint)
    param = getattr(failure, "param", None)
    if param is None:
        return ""
    if param.param_type_name == "option":
        return str(max(param.opts, key=len))
    return re.sub(r"[\[\]….]", "", param.metavar or str(param.name).upper())


def _choices(failure: Any) -> str:
    """The values there are, where there are few: the library knows them, each on a line of its own."""
    said = failure.param.get_missing_message(failure.ctx) if failure.param is not None else None
    listed = " ".join(str(said or "").split())
    return f": c{listed[1:]}" if listed.startswith("Choose from") else ""


def _bad_value(failure: Any) -> str:
    found = getattr(failure.__cause__, "errors", None)
    errors = found() if callable(found) else None
    return _innermost(errors[0]) if errors else str(failure.message)


def _innermost(error: Mapping[str, Any]) -> str:
    """Of a list of values the library says the wrong one's error inside another."""
    context = error.get("ctx") or {}
    inner = getattr(context.get("error"), "errors", None)
    if callable(inner) and (errors := inner()):
        return _innermost(errors[0])
    if error["type"] == "value_error":
        return str(error["msg"]).removeprefix("Value error, ")
    value = _short(error["input"])
    words = _WORDS.get(error["type"])
    return words.format(value=value, **context) if words else f"{value!r} cannot be taken ({error['msg']})"


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _other(message: str) -> str:
    if extra := _EXTRA.match(message):
        return f"More was said than it takes: {extra[1]}"
    if unknown := _NO_COMMAND.match(message):
        suggestion = (unknown["suggestion"] or "").replace("', '", "' or '")
        return f"There is no command {unknown['name']}.{suggestion}"
    return message


def _sentence(words: str) -> str:
    """On one line, whatever was typed; what moves a terminal's cursor shows as what it is."""
    line = "".join(char if char.isprintable() else repr(char)[1:-1] for char in " ".join(words.split()))
    return line if line.endswith((".", "?", "!")) else f"{line}."
