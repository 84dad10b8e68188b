"""The settings that `propman dev` wrote down, put where every command finds them: the environment.

The file is `.local/propman.env` in `$PROPMAN_HOME`, or in the nearest folder upwards that has one.
What the caller's environment says already wins, so that a single command can be pointed elsewhere.
"""

import os
from collections.abc import MutableMapping
from pathlib import Path

ENVIRONMENT_FILE = Path(".local") / "propman.env"


def load_environment(
    environ: MutableMapping[str, str] | None = None, *, start: Path | None = None
) -> Path | None:
    """Add the file's settings to `environ` where they are missing; say which file it was."""
    environ = os.environ if environ is None else environ
    path = find_environment_file(environ.get("PROPMAN_HOME"), start or Path.cwd())
    if path is not None:
        for key, value in parse_environment(path.read_text(encoding="utf-8")).items():
            environ.setdefault(key, value)
    return path


def find_environment_file(home: str | None, start: Path) -> Path | None:
    """A named home is the only place looked at; without one, walk up from `start`."""
    folders = [Path(home)] if home else [start, *start.parents]
    return next((file for folder in folders if (file := folder / ENVIRONMENT_FILE).is_file()), None)


def parse_environment(text: str) -> dict[str, str]:
    """Read KEY=VALUE lines. No shell expansion: a password may hold a dollar sign."""
    settings = {}
    for line in text.splitlines():
        entry = line.strip().removeprefix("export ")
        key, equals, value = entry.partition("=")
        if equals and key.strip() and not entry.startswith("#"):
            settings[key.strip()] = _unquoted(value.strip())
    return settings


def _unquoted(value: str) -> str:
    quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "'\""
    return value[1:-1] if quoted else value
