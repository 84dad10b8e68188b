"""What one instance remembers between commands: its ports, passwords and processes."""

import fcntl
import hashlib
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from propman.dev.ports import free_port, is_free
from propman.dev.processes import Mark, mark_of

FILE = "state.json"


@dataclass
class State:
    """The record of one state directory, kept in a file that only its owner reads."""

    directory: Path
    ports: dict[str, int] = field(default_factory=dict)
    passwords: dict[str, str] = field(default_factory=dict)
    processes: dict[str, Mark] = field(default_factory=dict)
    owner: Mark | None = None

    @classmethod
    def load(cls, directory: Path) -> "State":
        """Read what is recorded; an instance that never started has an empty record."""
        try:
            record = json.loads((directory / FILE).read_text())
        except FileNotFoundError:
            return cls(directory)
        return cls(
            directory,
            ports=record["ports"],
            passwords=record["passwords"],
            processes={name: Mark(**mark) for name, mark in record["processes"].items()},
            owner=Mark(**record["owner"]) if record["owner"] else None,
        )

    @property
    def identity(self) -> str:
        """A short name of this state directory, unlike that of any other."""
        return hashlib.sha256(os.fsencode(self.directory)).hexdigest()[:12]

    def save(self) -> None:
        """Replace the record in one step, so that no reader sees half of it."""
        record = {
            "ports": self.ports,
            "passwords": self.passwords,
            "processes": {name: asdict(mark) for name, mark in self.processes.items()},
            "owner": asdict(self.owner) if self.owner else None,
        }
        write_private(self.directory / FILE, json.dumps(record, indent=2) + "\n")

    def claim(self) -> None:
        """Record who starts this instance, so that it can be cleared away when its owner is gone."""
        self.owner = mark_of(os.getpid())

    def password(self, name: str) -> str:
        """Return the password of that name, inventing it the first time."""
        return self.passwords.setdefault(name, secrets.token_urlsafe(18))

    def choose_port(self, name: str) -> int:
        """Return the port used last time if it is free, else another; for a server about to start."""
        port = self.ports.get(name)
        if port is None or not is_free(port):
            self.ports[name] = port = free_port(taken=self.ports.values())
        return port

    def alive(self, name: str) -> Mark | None:
        """Return the recorded process if it still runs."""
        mark = self.processes.get(name)
        return mark if mark is not None and mark.is_alive() else None

    def record(self, name: str, mark: Mark) -> None:
        """Remember a process at once: were we killed now, it could still be found and ended."""
        self.processes[name] = mark
        self.save()

    def forget(self, name: str) -> None:
        """Drop a process that has ended."""
        if self.processes.pop(name, None):
            self.save()


def write_private(path: Path, text: str) -> None:
    """Write a file that holds passwords: in one step, and never readable by others."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    draft.replace(path)


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Let one command at a time change an instance; the others wait."""
    path = directory / "lock"
    while True:
        directory.mkdir(parents=True, exist_ok=True)
        try:
            file = path.open("w")
        except FileNotFoundError:
            continue
        with file:
            fcntl.flock(file, fcntl.LOCK_EX)
            # Who held the lock before us may have removed the whole directory, this file included.
            if _same_file(file.fileno(), path):
                yield
                return


def _same_file(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
