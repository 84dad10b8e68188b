"""A policy as a file to fill in: every field with its meaning and its default, ready to be uncommented."""

import json
from collections.abc import Iterator
from itertools import groupby
from typing import Any

from services.billing.domain.policies import DEFAULT_POLICY, document_of
from services.billing.domain.policy_fields import POLICY_FIELDS
from services.billing.domain.policy_words import read_assignments

WIDTH = 100


def template() -> str:
    """TOML that sets nothing until somebody takes the "#" off a line."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield "# A billing policy. Take the # off the lines that you want to set."
    yield "# What is left out is as in the layer above: lease < property < portfolio < default."
    defaults = document_of(DEFAULT_POLICY)
    for topic, fields in groupby(POLICY_FIELDS, key=lambda item: item.topic):
        yield f"\n# --- {topic} ---"
        for item in fields:
            yield ""
            yield from _wrapped(item.meaning)
            default = defaults[item.name]
            example = read_assignments([f"{item.name}={item.example}"])[item.name]
            shown = "nothing" if default in (None, []) else toml(default)
            yield f"# Default: {shown}"
            yield f"#{item.name} = {toml(example if default in (None, []) else default)}"


def toml(value: Any) -> str:
    """A JSON value in TOML's spelling; nothing of ours is null inside a list or table."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{name} = {toml(item)}" for name, item in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return json.dumps(value)


def _wrapped(text: str) -> Iterator[str]:
    line = "#"
    for word in text.split():
        if len(line) + len(word) >= WIDTH:
            yield line
            line = "#"
        line += f" {word}"
    yield line
