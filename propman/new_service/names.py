"""What a new service may be called."""

import keyword
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

LONGEST: Final = 30
"""Queues, databases and test files carry the name."""

_NAME: Final = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_TAKEN_FOLDERS: Final = frozenset(
    {
        "base",
        "cleaning",
        "contracts",
        "dev",
        "faults",
        "flows",
        "propman",
        "services",
        "shared",
        "support",
        "tools",
    }
)
"""Names under `tests/` and `shared/contracts/` that are no service's."""


class BadName(ValueError):
    """A name that no service can have, with the reason and what to do about it."""

    def __init__(self, reason: str, remedy: str = "Choose another, such as key-copies.") -> None:
        super().__init__(reason)
        self.remedy = remedy


@dataclass(frozen=True)
class ServiceName:
    """One name in the spellings that code needs."""

    folder: str
    """`key_copies`: the package, the database, the messages' owner."""

    @property
    def command(self) -> str:
        """`key-copies`, as it is typed."""
        return self.folder.replace("_", "-")

    @property
    def words(self) -> str:
        """`Key copies`, as a sentence begins."""
        return self.folder.replace("_", " ").capitalize()

    @property
    def prefix(self) -> str:
        """`KEY_COPIES`, of its environment variables."""
        return self.folder.upper()


def service_name(text: str, services: Collection[str], commands: Collection[str]) -> ServiceName:
    """The name of a service that can be; raises `BadName`."""
    name = ServiceName(text.strip().replace("-", "_"))
    if not _NAME.fullmatch(name.folder) or len(name.folder) > LONGEST:
        form = f"small letters, digits and dashes, beginning with a letter, {LONGEST} of them at most"
        raise BadName(f"{text!r} is no name: {form}")
    if keyword.iskeyword(name.folder) or keyword.issoftkeyword(name.folder):
        raise BadName(f"{text!r} is a word of Python")
    if name.folder in services:
        raise BadName(
            f"There is a service {text!r} already",
            f"See `propman {name.command} --help`, or choose another name.",
        )
    if name.command in commands or name.folder in _TAKEN_FOLDERS:
        raise BadName(f"{text!r} means something else here already")
    return name
