"""A wrong setting in words: which environment variable, and why. Its value is never shown."""

import sys
from typing import Any

from shared.cli.errors import CommandError, UsageProblem

REMEDY = "Correct it in the environment, or in `.local/propman.env`."


def explain_setting(cause: BaseException) -> CommandError | None:
    """Recognise what pydantic-settings raises; other validation errors are not about settings."""
    name = type(cause).__name__
    if name == "SettingsError":  # a value that should have been JSON; the message names the field only
        return UsageProblem(f"Wrong setting: {cause}.", remedy=REMEDY)
    settings = _settings_class(cause) if name == "ValidationError" else None
    if settings is None:
        return None
    problems = cause.errors(include_input=False, include_url=False)  # type: ignore[attr-defined]
    return UsageProblem("; ".join(_problem(settings, problem) for problem in problems) + ".", remedy=REMEDY)


def _problem(settings: type[Any], problem: dict[str, Any]) -> str:
    location = problem["loc"]
    if not location:
        return f"{settings.__name__}: {problem['msg']}"
    variable = _variable(settings, str(location[0]))
    if problem["type"] == "missing":
        return f"{variable} is not set"
    return f"{variable}: {problem['msg'].removeprefix('Value error, ')}"


def _variable(settings: type[Any], location: str) -> str:
    """The variable behind a field: prefix + name, or the last of its aliases, which is whole already."""
    for name, field in settings.model_fields.items():
        aliases = _aliases(field.validation_alias)
        if location in {name, *aliases}:
            return (
                aliases[-1] if aliases else f"{settings.model_config.get('env_prefix', '')}{name}"
            ).upper()
    return location.upper()


def _aliases(alias: Any) -> list[str]:
    choices = getattr(alias, "choices", [alias])
    return [choice for choice in choices if isinstance(choice, str)]


def _settings_class(cause: BaseException) -> type[Any] | None:
    """The class whose making failed: pydantic says its title only, and every service has a `Settings`."""
    library = sys.modules.get("pydantic_settings")
    step = cause.__traceback__
    while library is not None and step is not None:
        for value in step.tb_frame.f_locals.values():
            if isinstance(value, library.BaseSettings):
                return type(value)
        step = step.tb_next
    return None
