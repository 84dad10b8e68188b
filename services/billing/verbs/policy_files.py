"""Policies from files, and what is wrong with them in words."""

import json
import tomllib
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

from shared.cli import CommandError, UsageProblem, error
from shared.documents import BadDocument


def read_policy_file(path: Path) -> dict[str, Any]:
    """The document in a TOML or JSON file; a date of TOML becomes text, as JSON has it."""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as problem:
        raise UsageProblem(f"{path} is not UTF-8 text.") from problem
    try:
        found = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except ValueError as problem:
        kind = "JSON" if path.suffix == ".json" else "TOML"
        raise UsageProblem(
            f"{path} is not {kind}: {problem}.", remedy="See `propman billing policy template`."
        ) from problem
    if not isinstance(found, dict):
        raise UsageProblem(f"{path} is not one policy.", remedy="See `propman billing policy template`.")
    return {name: _plain(value) for name, value in found.items()}


def refuse(problem: BadDocument, *, source: str, kind: type[CommandError] = CommandError) -> CommandError:
    """Every mistake on a line of its own, and how to go on."""
    for mistake in problem.mistakes:
        error(f"{mistake.path}: {mistake.reason}")
    return kind(
        f"{_count(problem.mistakes)} in {source}; nothing was set.",
        remedy="See `propman billing policy template`.",
    )


def _count(mistakes: Sequence[object]) -> str:
    return "1 mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"


def _plain(value: Any) -> Any:
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return value
