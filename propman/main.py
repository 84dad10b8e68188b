"""The root command. It knows where every command lives and loads just the one that was asked for.

Services are found by their folder, commands that span services by the table below, and other people's
commands by their entry points (`propman.plugins`); so `propman --help` imports none of them.
"""

import ast
import importlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand
from typing_extensions import override

import propman
import services
from propman import plugins
from propman.plugins import Plugin, Plugins
from shared import cli
from shared.cli.app import SETTINGS, Group

SYSTEM_COMMANDS = {
    "demo": ("propman.demo.command:app", "Watch months go by, and one being billed, up to the e-mails."),
    "seed-dev-data": (
        "propman.simulation.command:app",
        "Make a year of history, lived through in minutes.",
    ),
    "run": ("propman.run:app", "Run services in this process: all of them, or those you name."),
    "trigger": ("propman.trigger:app", "Say that a time has come, for example from cron."),
    "info": ("propman.console.info:info_app", "The state of the whole system, and what is wrong."),
    "monitor": ("propman.console.monitor:app", "The same, live, in this terminal."),
    "memory": ("propman.console.info:memory_app", "What every process uses, and the servers."),
    "doctor": ("propman.console.doctor:app", "Look for what is wrong, and say what to do."),
    "flush": ("propman.console.queues:flush_app", "Empty one queue, after keeping what was in it."),
    "queue": ("propman.console.queues:queue_app", "Put back what was flushed."),
    "trace": ("propman.trace:app", "Follow one trigger through all the services."),
    "dead-letters": (
        "propman.dead_letters:app",
        "Messages that could not be handled: look, replay, discard.",
    ),
    "outbox": ("propman.outbox:app", "Messages that are waiting to be published."),
    "db": ("propman.db:app", "Create the services' databases, migrate them, show their state."),
    "broker": ("propman.broker:app", "Declare the exchange and the queues of the whole system."),
    "dev": ("propman.dev.cli:app", "Local PostgreSQL and RabbitMQ, private to this folder."),
    "new-service": ("propman.new_service.command:app", "Write a new service that works, to begin from."),
}


@dataclass(frozen=True)
class Place:
    """Where a command lives, and what is said of it before it is loaded."""

    section: str
    target: str
    summary: str


def places() -> dict[str, Place]:
    """Every command of ours, by name."""
    return dict([*_system_places(), *_service_places()])


def _service_places() -> Iterator[tuple[str, Place]]:
    for folder in sorted(entry for root in services.__path__ for entry in Path(root).glob("[!_.]*/")):
        if (folder / "cli.py").is_file() or (folder / "cli" / "__init__.py").is_file():
            summary = _first_sentence(folder / "__init__.py")
            name = folder.name.replace("_", "-")
            yield name, Place("Services", f"services.{folder.name}.cli:app", summary)


def _system_places() -> Iterator[tuple[str, Place]]:
    for name, (target, summary) in SYSTEM_COMMANDS.items():
        if _exists(target):
            yield name, Place("The whole system", target, summary)


def _exists(target: str) -> bool:
    """Look for the file: asking the import system would import the packages above it."""
    relative = Path(*target.partition(":")[0].split(".")[1:])
    candidates = (relative.with_suffix(".py"), relative / "__init__.py")
    return any((Path(root) / candidate).is_file() for root in propman.__path__ for candidate in candidates)


def _first_sentence(file: Path) -> str:
    """A package's docstring, read without running the package."""
    docstring = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) if file.is_file() else None
    return (docstring or "").partition("\n")[0]


class Unloaded(TyperCommand):
    """Stands for a command in help and suggestions until it is asked for."""

    def __init__(self, name: str, place: Place) -> None:
        super().__init__(name, help=place.summary)
        self.place = place

    def load(self) -> Any:
        """Import the command's module and make its command."""
        module, _, attribute = self.place.target.partition(":")
        return typer.main.get_command(getattr(importlib.import_module(module), attribute))


class Foreign(Unloaded):
    """The same for a command of another package."""

    def __init__(self, plugin: Plugin) -> None:
        words = (
            f"{plugin.summary.rstrip('.')}. From {plugin.package}."
            if plugin.summary
            else f"From {plugin.package}."
        )
        super().__init__(plugin.name, Place(plugins.SECTION, plugin.target, words))
        self.plugin = plugin

    @override
    def load(self) -> Any:
        """Import it; what goes wrong names the package."""
        return self.plugin.load()


class Root(Group):
    """The top of the command tree: everything is listed, one thing is loaded."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands.update({name: Unloaded(name, place) for name, place in places().items()})
        self.plugins: Plugins = plugins.installed(self.commands)
        self.commands.update({item.name: Foreign(item) for item in self.plugins.found})

    @override
    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The real command in the place of what stood for it; a word where a package wanted this name."""
        if args and (problem := self.plugins.refused(args[0])):
            cli.warning(problem.line)
        name, command, rest = super().resolve_command(ctx, args)
        return name, command.load() if isinstance(command, Unloaded) else command, rest

    @override
    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """List the commands under what they belong to, and say what is wrong with other packages."""
        for problem in self.plugins.problems:
            cli.warning(problem.line)
        sections: dict[str, list[tuple[str, str]]] = {}
        for section in ("Services", "The whole system"):
            sections[section] = []
        for name, command in self.commands.items():
            if isinstance(command, Unloaded):
                sections.setdefault(command.place.section, []).append((name, command.place.summary))
        for section, rows in sections.items():
            if rows:
                with formatter.section(section):
                    formatter.write_dl(rows)


app = typer.Typer(name="propman", cls=Root, no_args_is_help=True, **{**SETTINGS, "add_completion": True})


def _print_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version  # noqa: PLC0415 - slow, and rarely asked

        typer.echo(f"propman {version('propman')} (Python {sys.version.partition(' ')[0]})")
        raise typer.Exit


@app.callback(epilog="Every command takes --help and --no-color, and most take --json.")
def propman_command(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """The back office of a landlord, as services that share nothing but events."""


def main() -> None:
    """Entry point of the console script."""
    cli.main(app, prog_name="propman")


if __name__ == "__main__":
    main()
