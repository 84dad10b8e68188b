"""What was put back already: a note beside a flushed file, which knows the file by its contents.

A broker takes the same message any number of times, so that nobody else could tell. A copy of the file under
another name has no note: its messages are then recognised by their consumers alone.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Note:
    """One import: of what, when it began, and whether it came to its end."""

    sha256: str
    begun_at: str
    finished: bool = False

    @classmethod
    def begin(cls, content: bytes, now: datetime) -> "Note":
        """A note of what is put back from now on."""
        return cls(hashlib.sha256(content).hexdigest(), f"{now:%Y-%m-%d %H:%M} UTC")


def note_of(file: Path) -> Path:
    """Where the note of a file lies."""
    return file.with_name(f"{file.name}.imported")


def noted(file: Path, content: bytes) -> Note | None:
    """The note of an earlier import of just this; None where there is none, or it is of something else."""
    try:
        found = Note(**json.loads(note_of(file).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    return found if found.sha256 == hashlib.sha256(content).hexdigest() else None


def write(file: Path, note: Note) -> None:
    """Keep a note; raises `OSError` where that is not possible."""
    note_of(file).write_text(f"{json.dumps(asdict(note))}\n", encoding="utf-8")
