"""Every command that a document names is there, with each option it is shown with."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import click
import pytest
from typer.main import get_command

from propman.main import Unloaded, app
from tests.propman.test_documents import DOCUMENTS, ROOT

COMMAND = re.compile(r"`(propman [^`]+)`|^(?:.*\$\()?(propman [^\n|)`]+)", re.MULTILINE)
VERB = re.compile(r"[a-z][a-z0-9_|-]*")
OF_THE_READER = frozenset({"key-copies", "raise-rents", "raise_rents"})
"""What the guides have their reader write."""
OF_ALL = frozenset({"--help", "--no-color", "--version"})


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_that_is_named_exists_with_its_options(document: Path) -> None:
    typed = [match[1] or match[2] for match in COMMAND.finditer(document.read_text(encoding="utf-8"))]
    words = [re.sub(r"[\[\]]", " ", line).split()[1:] for line in typed]

    wrong = [item for line in words if line and line[0] not in OF_THE_READER for item in wrong_in(line)]

    assert wrong == []


def test_what_is_not_there_is_found() -> None:
    assert list(wrong_in(["billing", "quote", "--terms"])) == ["no billing quote"]
    assert list(wrong_in(["billing", "aging", "--colour", "red"])) == ["billing aging has no --colour"]
    assert list(wrong_in(["billing", "policy", "set|shew"])) == ["no billing policy shew"]


def wrong_in(words: list[str]) -> Iterator[str]:
    """What of a command line is not there; a verb may be several, as `set|show`."""
    path, rest = list[str](), list(words)
    command = at("")
    while hasattr(command, "commands") and rest and VERB.fullmatch(rest[0]):
        verbs = rest.pop(0).split("|")
        lines = [" ".join([*path, verb]) for verb in verbs]
        yield from (f"no {line}" for line in lines if at(line) is None)
        command, path = at(lines[0]), [*path, verbs[0]]
    if command is not None and not hasattr(command, "commands"):
        known = OF_ALL.union(*((*item.opts, *item.secondary_opts) for item in command.params))
        options = [option for word in rest for option in re.findall(r"(?:^|\|)(--[a-z-]+)", word)]
        yield from (f"{' '.join(path)} has no {option}" for option in options if option not in known)


@cache
def at(line: str) -> Any:
    """The command of a line; None where there is none."""
    if not line:
        return get_command(app)
    before, _, verb = line.rpartition(" ")
    parent = at(before)
    found = parent.get_command(click.Context(parent, info_name="propman"), verb)
    return found.load() if isinstance(found, Unloaded) else found
