"""From the templates to the files of a service."""

import re
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from propman.new_service.names import ServiceName

TEMPLATES: Final = Path(__file__).parent / "templates"
ENDING: Final = ".tmpl"
METRICS: Final = Path("deploy/prometheus/prometheus.yml")
FIRST_PORT: Final = 8107
"""The first one that none of the six services has."""

_PORT: Final = re.compile(r"http_port: int = Field\(default=(\d+)")
_ASKED: Final = re.compile(r"^(?P<indent> +)- \{names: \[\w+\], type: A, port: \d+[^}]*\}\n", re.MULTILINE)


class CannotWrite(Exception):
    """Something keeps the files from being written, with the reason and what to do about it."""

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(reason)
        self.remedy = remedy


@dataclass(frozen=True)
class NewFile:
    """One file to be, with its path in the project."""

    path: Path
    text: str


def project_root(package: Path) -> Path:
    """The folder of the project's sources; raises `CannotWrite` where Propman is installed without them."""
    root = package.parent
    if not all((root / name).exists() for name in ("pyproject.toml", "services", "tests", "docs")):
        raise CannotWrite(
            f"Propman runs from {root}, which has no sources and tests to add a service to",
            "Run it in a clone of the project, with its .venv.",
        )
    return root


def free_port(root: Path) -> int:
    """A port for health and metrics that no service has by default."""
    settings = (root / "services").glob("*/settings.py")
    taken = {int(port) for file in settings for port in _PORT.findall(file.read_text(encoding="utf-8"))}
    return next(port for port in range(FIRST_PORT, FIRST_PORT + 1_000) if port not in taken)


def new_files(name: ServiceName, port: int) -> list[NewFile]:
    """Every file of the service, in the order of their paths."""
    words = {
        "@name@": name.folder,
        "@command@": name.command,
        "@Words@": name.words,
        "@NAME@": name.prefix,
        "@port@": str(port),
    }
    templates = sorted(TEMPLATES.rglob(f"*{ENDING}"))
    return [
        NewFile(
            Path(_filled(str(file.relative_to(TEMPLATES)).removesuffix(ENDING), words)),
            _filled(file.read_text(encoding="utf-8"), words),
        )
        for file in templates
    ]


def described_in(name: ServiceName) -> Path:
    """Where it stands what the service says and hears: the one file that is made by running the service."""
    return Path("docs/asyncapi") / f"{name.folder}.json"


def refuse_overwriting(root: Path, paths: Iterable[Path]) -> None:
    """Raise `CannotWrite` where one of these files is there already."""
    there = [str(path) for path in paths if (root / path).exists()]
    if there:
        raise CannotWrite(
            f"{', '.join(there)}: there already, and nothing was written",
            "Move it away, or choose another name.",
        )


def write(root: Path, files: Iterable[NewFile]) -> None:
    """Write files that are all new; raises `CannotWrite` before the first where one is there."""
    listed = list(files)
    refuse_overwriting(root, [file.path for file in listed])
    for file in listed:
        target = root / file.path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(file.text, encoding="utf-8")


def tidy(root: Path, files: Iterable[NewFile]) -> bool:
    """Sort imports and wrap lines, which depend on the name's letters; False where ruff is not installed."""
    code = [str(file.path) for file in files if file.path.suffix == ".py"]
    return all(
        _run(root, "-m", "ruff", *words, "--quiet", *code).returncode == 0
        for words in (("check", "--select", "I", "--fix"), ("format",))
    )


def with_metrics(root: Path, name: ServiceName, port: int) -> NewFile:
    """Prometheus' settings with a line for the service, beside those of the others. Raises `CannotWrite`."""
    file = root / METRICS
    text = file.read_text(encoding="utf-8") if file.exists() else ""
    others = list(_ASKED.finditer(text))
    if not others:
        raise CannotWrite(
            f"{METRICS} has no line of a service that another could stand under",
            f"Restore it: `git checkout {METRICS}`.",
        )
    last = others[-1]
    line = f"{last['indent']}- {{names: [{name.folder}], type: A, port: {port}, refresh_interval: 10s}}\n"
    return NewFile(METRICS, text[: last.end()] + line + text[last.end() :])


def replace(root: Path, file: NewFile) -> None:
    """Write a file that is there already anew."""
    (root / file.path).write_text(file.text, encoding="utf-8")


def document(root: Path, name: ServiceName) -> NewFile:
    """What the service says and hears, as `make docs` writes it. Raises `CannotWrite`."""
    printed = _run(root, "-m", "propman", name.folder, "asyncapi")
    if printed.returncode != 0:
        raise CannotWrite(
            f"The service is written, and does not run: {_last_line(printed.stderr)}",
            f"See `propman {name.command} asyncapi`, and mend it or delete what `git status` lists.",
        )
    return NewFile(described_in(name), printed.stdout)


def _run(root: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, *words]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)  # noqa: S603 - our own words


def _last_line(text: str) -> str:
    return next(reversed(text.strip().splitlines()), "it said nothing")


def _filled(text: str, words: dict[str, str]) -> str:
    for mark, word in words.items():
        text = text.replace(mark, word)
    return text
