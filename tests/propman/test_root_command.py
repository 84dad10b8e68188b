"""The root command finds commands where they live and loads only the one that was asked for."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

import propman
import services
from propman import main as root
from propman.main import Root
from shared.cli.app import SETTINGS

CLI = """
from shared.cli import say, service_app
app = service_app({name!r}, "Whatever.")
@app.command()
def feed_animals() -> None:
    "Feed them."
    say("fed")
"""
HEAVY = (
    "sqlalchemy",
    "faststream",
    "pydantic",
    "pydantic_settings",
    "rich",
    "asyncpg",
    "aio_pika",
    "alembic",
    "httpx",
)


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Folders of services and of system-wide commands, in place of the real ones."""
    before = set(sys.modules)
    (tmp_path / "services").mkdir()
    (tmp_path / "propman").mkdir()
    monkeypatch.setattr(services, "__path__", [str(tmp_path / "services")])
    monkeypatch.setattr(propman, "__path__", [str(tmp_path / "propman")])
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def a_service(tree: Path, name: str, docstring: str = "Keeps the animals.", cli: str = CLI) -> None:
    folder = tree / "services" / name
    folder.mkdir()
    (folder / "__init__.py").write_text(f'"""{docstring}"""\n', encoding="utf-8")
    (folder / "cli.py").write_text(cli.format(name=name), encoding="utf-8")


def run(*arguments: str) -> tuple[int, str]:
    app = typer.Typer(cls=Root, no_args_is_help=True, **SETTINGS)
    app.callback()(root.propman_command)
    result = CliRunner().invoke(app, list(arguments))
    return result.exit_code, result.output


def test_a_service_becomes_a_command_by_its_folder_alone(tree: Path) -> None:
    a_service(tree, "zoo_one")

    assert "zoo-one  Keeps the animals." in run("--help")[1]
    assert run("zoo-one", "feed-animals") == (0, "fed\n")


def test_many_commands_may_live_in_a_folder_of_their_own(tree: Path) -> None:
    a_service(tree, "zoo_five")
    (tree / "services" / "zoo_five" / "cli").mkdir()
    (tree / "services" / "zoo_five" / "cli.py").rename(tree / "services" / "zoo_five" / "cli" / "__init__.py")

    assert run("zoo-five", "feed-animals") == (0, "fed\n")


def test_the_old_underscore_spellings_work_at_every_level(tree: Path) -> None:
    a_service(tree, "zoo_two")

    assert run("zoo_two", "feed_animals") == (0, "fed\n")


def test_a_folder_without_commands_is_not_listed(tree: Path) -> None:
    (tree / "services" / "silent").mkdir()

    assert "silent" not in run("--help")[1]


def test_help_loads_no_command_at_all(tree: Path) -> None:
    a_service(tree, "zoo_three", cli="raise RuntimeError('{name} was loaded')")

    assert run("--help")[0] == 0


def test_a_service_without_a_docstring_is_listed_all_the_same(tree: Path) -> None:
    a_service(tree, "zoo_four", docstring="")

    assert "zoo-four" in run("--help")[1]


def test_only_system_commands_that_exist_are_listed(tree: Path) -> None:
    assert "outbox" not in run("--help")[1]

    (tree / "propman" / "outbox.py").write_text("", encoding="utf-8")
    (tree / "propman" / "dev").mkdir()
    (tree / "propman" / "dev" / "cli.py").write_text("", encoding="utf-8")

    shown = run("--help")[1]
    assert "outbox" in shown
    assert "dev" in shown
    assert "dead-letters" not in shown


def test_a_misspelt_command_is_a_usage_error_with_a_suggestion(tree: Path) -> None:
    a_service(tree, "billing")

    exit_code, shown = run("biling")

    assert exit_code == 2
    assert "Did you mean 'billing'?" in shown


def test_the_version_is_printed() -> None:
    exit_code, shown = run("--version")

    assert exit_code == 0
    assert shown.startswith("propman 0.")


def test_help_imports_nothing_heavy() -> None:
    program = (
        "import sys; from propman import main\n"
        "sys.argv = ['propman', '--help']\n"
        "try: main.main()\n"
        f"finally: print('loaded:', [m for m in {HEAVY!r} if m in sys.modules])"
    )

    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert "Usage: propman" in ended.stdout
    assert ended.stdout.splitlines()[-1] == "loaded: []"


def test_settings_are_loaded_from_the_file_that_dev_wrote(tmp_path: Path) -> None:
    (tmp_path / ".local").mkdir()
    (tmp_path / ".local" / "propman.env").write_text("NO_SUCH_SETTING=from-file\n", encoding="utf-8")
    program = (
        "import os, sys; from propman import main\n"
        "sys.argv = ['propman', '--version']\n"
        "try: main.main()\n"
        "finally: print(os.environ['NO_SUCH_SETTING'])"
    )

    ended = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        env={"PATH": "", "PYTHONPATH": str(Path(root.__file__).parents[1])},
    )

    assert ended.stdout.splitlines()[-1] == "from-file"
