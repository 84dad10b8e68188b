"""Commands that other packages bring, by the entry point group `propman.commands`.

They are found by what their packages declare and imported when one is asked for, so that `propman --help`
runs nothing of theirs. Whatever is wrong with a package is a line that names it, and never stands in the way
of another command.
"""

import importlib
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any, Final

import typer

from shared import cli

GROUP: Final = "propman.commands"
SECTION: Final = "Added by other packages"

_NAME: Final = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


@dataclass(frozen=True)
class Plugin:
    """A command of another package, before it is loaded."""

    name: str
    target: str
    """`module:attribute`, a Typer app or a function."""
    package: str
    summary: str = ""

    def load(self) -> Any:
        """Import it and make its command; raises `CommandError` that names the package, whatever is wrong."""
        try:
            return _command(self)
        except (Exception, SystemExit) as failure:
            reason = f"{type(failure).__name__}: {failure}" if str(failure) else type(failure).__name__
            words = (
                f"`propman {self.name}` is {self.package}'s and cannot be loaded: {' '.join(reason.split())}."
            )
            remedy = f"Repair or uninstall {self.package}; nothing else needs it."
            raise cli.CommandError(words, remedy=remedy) from failure


@dataclass(frozen=True)
class Problem:
    """Something about a package that keeps a command of it from being there."""

    name: str
    """The command it wanted to bring; empty where not even that is known."""
    line: str


@dataclass(frozen=True)
class Plugins:
    """What other packages bring, and what of it is refused."""

    found: tuple[Plugin, ...] = ()
    problems: tuple[Problem, ...] = ()

    def refused(self, name: str) -> Problem | None:
        """Why there is no such command, where a package meant to bring one."""
        return next((item for item in self.problems if item.name == name.replace("_", "-")), None)


def installed(ours: Collection[str]) -> Plugins:
    """Every command of another package that may be used; names of ours are ours.

    Two packages that bring the same name get neither: which of them would run must not depend on what else
    was installed.
    """
    declared: list[Plugin] = []
    problems: list[Problem] = []
    for item in _declared():
        (problems if isinstance(item, Problem) else declared).append(item)  # type: ignore[arg-type]
    packages: dict[str, list[str]] = {}
    for plugin in declared:
        packages.setdefault(plugin.name, []).append(plugin.package)
    found = []
    for plugin in declared:
        line = _refusal(plugin, packages[plugin.name], ours)
        if line is None:
            found.append(plugin)
        else:
            problems.append(Problem(plugin.name, line))
    return Plugins(tuple(found), tuple(dict.fromkeys(problems)))


def _refusal(plugin: Plugin, packages: list[str], ours: Collection[str]) -> str | None:
    if not _NAME.fullmatch(plugin.name):
        return f"{plugin.package} brings a command named {plugin.name!r}, which is no name; it is left out."
    if plugin.name in ours:
        return (
            f"{plugin.package} brings a command {plugin.name!r}, which is Propman's own; theirs is left out."
        )
    if len(packages) > 1:
        both = " and ".join(sorted(packages))
        return (
            f"{both} bring the same command {plugin.name!r}; none is used until one of them is uninstalled."
        )
    return None


def _declared() -> Iterator[Plugin | Problem]:
    """What the packages on the path declare, each read by itself: one that is broken spoils no other."""
    from importlib.metadata import distributions  # noqa: PLC0415 - a quarter of the start-up when at the top

    seen: set[str] = set()
    for package in distributions():
        try:
            text = package.read_text("entry_points.txt") or ""
            if GROUP not in text or package.name in seen:
                continue
            seen.add(package.name)
            said: Any = package.metadata
            summary = " ".join(said.get("Summary", "").split())
            points = [point for point in package.entry_points if point.group == GROUP]
        except Exception as failure:  # noqa: BLE001 - a package we know nothing of, read by a library
            yield Problem("", _unreadable(package, failure))
            continue
        for point in points:
            yield Plugin(point.name.replace("_", "-"), point.value, package.name, summary)


def _unreadable(package: Any, failure: Exception) -> str:
    try:
        name = package.name
    except Exception:  # noqa: BLE001 - as above
        name = "A package"
    return f"{name} declares its commands unreadably ({type(failure).__name__}); it is left out."


def _command(plugin: Plugin) -> Any:
    module, _, attribute = plugin.target.partition(":")
    found: Any = importlib.import_module(module.strip())
    for step in (attribute.partition("[")[0].strip() or "app").split("."):
        found = getattr(found, step)
    if not isinstance(found, typer.Typer):
        if not callable(found):
            raise TypeError(f"{plugin.target} is neither a Typer app nor a function")
        function, found = found, cli.command_app(plugin.name)
        found.command(plugin.name)(function)
    return typer.main.get_command(found)
