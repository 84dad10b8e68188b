"""The Typer app every service and every system-wide command is made of, so that all behave alike."""

import functools
import inspect
import os
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import typer
from typer.core import TyperCommand, TyperGroup
from typing_extensions import override

from shared.cli import output
from shared.cli.environment import load_environment
from shared.cli.running import readable_failures, run_async

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")

NO_COLOR = "--no-color"
SETTINGS: dict[str, Any] = {
    "add_completion": False,  # the root command alone has completion
    "rich_markup_mode": None,  # plain help: quick, greppable, the same in a pipe
    "pretty_exceptions_enable": False,  # readable_failures has the last word
    "context_settings": {"help_option_names": ["-h", "--help"]},
}


def _without_no_color(args: list[str]) -> list[str]:
    """Accept --no-color anywhere; the environment carries it on, also to processes we start."""
    end = args.index("--") if "--" in args else len(args)
    if NO_COLOR in args[:end]:
        os.environ["NO_COLOR"] = "1"
    return [arg for arg in args[:end] if arg != NO_COLOR] + args[end:]


def _path(ctx: Any, *more: str | None) -> str:
    """A command as it is typed: `propman billing invoices`."""
    return " ".join(filter(None, [ctx.command_path if ctx else None, *more]))


class _Readable:
    """What was mistyped is one line, whoever made the command that it was typed for."""

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """Read the arguments."""
        with readable_failures(lambda: _path(parent, info_name)):
            return super().make_context(info_name, args, parent, **extra)  # type: ignore[misc]


class Command(_Readable, TyperCommand):
    """A command whose failures are readable and whose output knows who asked."""

    @override
    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Take out what every command understands."""
        return super().parse_args(ctx, _without_no_color(args))

    @override
    def invoke(self, ctx: Any) -> Any:
        """Run the body; `--json` is known to everything it calls without being passed along."""
        machine = any(ctx.params.get(param.name) for param in self.params if "--json" in param.opts)
        with output.audience(machine=machine), readable_failures(lambda: _path(ctx)):
            return super().invoke(ctx)


class Group(_Readable, TyperGroup):
    """Commands of one subject; the underscore spellings of the old system are accepted unseen."""

    @override
    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Take out what every command understands."""
        return super().parse_args(ctx, _without_no_color(args))

    @override
    def invoke(self, ctx: Any) -> Any:
        """Find the command and run it, also one that a package made in its own way."""
        with readable_failures(lambda: _path(ctx, ctx.invoked_subcommand)):
            return super().invoke(ctx)

    @override
    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """`generate_monthly_invoices` finds `generate-monthly-invoices`."""
        return super().get_command(ctx, cmd_name) or super().get_command(ctx, cmd_name.replace("_", "-"))


class App(typer.Typer):
    """A Typer app whose command functions may be async."""

    @override
    def command(self, name: str | None = None, **settings: Any) -> Callable[[F], F]:
        """Register a function, sync or async; the function itself stays as it was, for tests."""

        def decorate(function: F) -> F:
            register = super(App, self).command(name, **{"cls": Command, "help": _help(function), **settings})
            register(_runnable(function))
            return function

        return decorate

    def group(self, name: str, help: str) -> "App":  # noqa: A002 - Typer's own word
        """Add a noun with verbs of its own: `invoices = app.group("invoices", "…")`."""
        nested = service_app(name, help)
        self.add_typer(nested, name=name)
        return nested


def _help(function: Callable[..., Any]) -> str | None:
    """The docstring; a written-out backslash-b means Typer's mark for lines to be left as they are."""
    text = inspect.getdoc(function)
    return text.replace("\\b\n", "\b\n") if text else None


def _runnable(function: Callable[..., Any]) -> Callable[..., Any]:
    if not inspect.iscoroutinefunction(function):
        return function

    @functools.wraps(function)
    def run(**arguments: Any) -> Any:
        return run_async(function(**arguments))

    return run


def service_app(name: str, help: str) -> App:  # noqa: A002 - Typer's own word
    """A group of commands; without a verb it prints what it can do."""
    app = App(name=name, help=help, cls=Group, no_args_is_help=True, **SETTINGS)
    app.callback()(_nothing)  # a callback keeps a group with a single command a group
    return app


def command_app(name: str) -> App:
    """A single command with no verbs under it, such as `propman run`."""
    return App(name=name, cls=Group, **SETTINGS)


def _nothing() -> None:
    pass


def main(app: typer.Typer, *, prog_name: str | None = None) -> None:
    """Run one app by itself: the body of `python -m services.billing`."""
    with readable_failures():
        load_environment()
        app(prog_name=prog_name)


def run_program(body: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run somebody's own few lines as a command of ours runs: the body of `python month_end.py`.

    With the settings that every command reads, and failures in one line with our exit codes.
    """
    with readable_failures():
        load_environment()
        return run_async(body())
