"""A service that is written by `propman new-service` passes, as it is, everything that ours have to pass."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from propman.dev import ServerUrls
from propman.new_service.names import BadName, service_name
from propman.new_service.writing import (
    FIRST_PORT,
    TEMPLATES,
    CannotWrite,
    described_in,
    free_port,
    new_files,
    refuse_overwriting,
    write,
)
from tests.support.commands import run_propman

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs/guides/add-a-service.md").read_text(encoding="utf-8")
COPIED = (
    *("propman", "services", "shared", "tests", "tools", "docs", "deploy"),
    *("pyproject.toml", "README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "LICENSE"),
)
NEW = ("services/key_copies", "tests/key_copies", "shared/contracts/key_copies.py")


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project as it is here, in a folder of its own; with what mypy remembers of it, which saves a minute."""
    root = tmp_path_factory.mktemp("project")
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, root / name)
    if (ROOT / ".mypy_cache").is_dir():
        shutil.copytree(ROOT / ".mypy_cache", root / ".mypy_cache")
    return root


def run(root: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A Python program in the copy, which imports the copy."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    settings = kept | {"PYTHONPATH": str(root), "PROPMAN_HOME": str(root)} | environment
    command = [sys.executable, *words]
    return subprocess.run(command, cwd=root, env=settings, capture_output=True, text=True, check=False)


def must(root: Path, *words: str, **environment: str) -> str:
    ended = run(root, *words, **environment)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def typed() -> list[list[str]]:
    """The commands of the guide's first step."""
    [block] = re.findall(r"## 1\..*?```console\n(.*?)```", GUIDE, re.DOTALL)
    return [line.split()[1:] for line in block.splitlines()]


def times(root: Path) -> dict[str, int]:
    """When each file of the project was last written."""
    found = (path for name in COPIED for path in [root / name, *(root / name).rglob("*")])
    made = (path for path in found if path.is_file() and "__pycache__" not in path.parts)
    return {str(path.relative_to(root)): path.stat().st_mtime_ns for path in made}


def changed_since(before: dict[str, int], root: Path) -> set[str]:
    """The files that are new or written anew."""
    return {path for path, moment in times(root).items() if before.get(path) != moment}


@pytest.mark.servers
def test_a_new_service_passes_every_check_and_its_own_tests_at_once(copy: Path, servers: ServerUrls) -> None:
    dry, wet = typed()
    planned = must(copy, "-m", "propman", *dry).splitlines()
    assert not (copy / "services/key_copies").exists()
    before = times(copy)

    written = must(copy, "-m", "propman", *wet).splitlines()

    assert written == planned
    assert sorted(written) == sorted(changed_since(before, copy))
    must(copy, "-m", "ruff", "check", "--no-cache", *NEW)
    must(copy, "-m", "ruff", "format", "--no-cache", "--check", *NEW)
    must(
        copy, "-c", "import sys; from importlinter.cli import lint_imports_command as main; sys.exit(main())"
    )
    for name in NEW[:2]:
        shutil.copytree(copy / name, copy / "alone" / name)
    must(copy, "tools/budgets.py", "alone")
    must(copy, "-m", "mypy", *NEW)
    assert (
        must(copy, "-m", "propman", "key_copies", "asyncapi")
        == (copy / "docs/asyncapi/key_copies.json").read_text()
    )
    given = {"PROPMAN_POSTGRES_URL": servers.postgres_url, "PROPMAN_RABBITMQ_URL": servers.rabbitmq_url}
    tests = ("tests/key_copies", "tests/contracts/test_contracts.py", "tests/propman/test_observability.py")
    chosen = ("-k", "key_copies or topics or has_its_contract", "-p", "no:cacheprovider", "-q")
    report = must(copy, "-m", "pytest", *tests, *chosen, **given)
    [passed] = re.findall(r"(\d+) passed", report)
    assert int(passed) > 30, report


def test_a_service_is_written_over_nothing(tmp_path: Path) -> None:
    files = new_files(service_name("key-copies", (), ()), FIRST_PORT)
    write(tmp_path, files[3:4])
    (tmp_path / files[3].path).write_text("mine", encoding="utf-8")

    with pytest.raises(CannotWrite, match=f"{files[3].path}: there already, and nothing was written"):
        write(tmp_path, files)

    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [tmp_path / files[3].path]
    assert (tmp_path / files[3].path).read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("billing", "There is a service 'billing' already"),
        ("Keys", "is no name"),
        ("2nd-floor", "is no name"),
        ("keys--copies", "is no name"),
        ("../keys", "is no name"),
        ("key.copies", "is no name"),
        ("", "is no name"),
        ("k" * 31, "is no name"),
        ("import", "is a word of Python"),
        ("match", "is a word of Python"),
        ("doctor", "means something else here"),
        ("dead_letters", "means something else here"),
        ("contracts", "means something else here"),
    ],
)
async def test_a_name_that_cannot_be_is_refused_with_its_reason(name: str, reason: str) -> None:
    ran = await run_propman("new-service", name, environment={})

    assert (ran.code, ran.out) == (2, "")
    [line] = ran.err.splitlines()
    assert reason in line
    assert "another" in line


def test_nothing_is_written_where_a_description_of_the_service_is_there(tmp_path: Path) -> None:
    described = described_in(service_name("key-copies", (), ()))
    (tmp_path / described).parent.mkdir(parents=True)
    (tmp_path / described).write_text("{}", encoding="utf-8")

    with pytest.raises(CannotWrite, match="there already, and nothing was written") as refused:
        refuse_overwriting(tmp_path, [described])

    assert "another name" in refused.value.remedy


def test_dashes_and_underscores_are_one_name() -> None:
    one, other = service_name("key-copies", (), ()), service_name("key_copies", (), ())

    assert one == other
    assert (one.command, one.words, one.prefix) == ("key-copies", "Key copies", "KEY_COPIES")
    with pytest.raises(BadName):
        service_name("key-copies", ["key_copies"], ())


async def test_a_dry_run_lists_what_would_be_written(tmp_path: Path) -> None:
    ran = await run_propman("new-service", "key-copies", "--dry-run", "--json", environment={})

    assert (ran.json["service"], ran.json["changed"]) == ("key_copies", ["deploy/prometheus/prometheus.yml"])
    assert {"services/key_copies/handlers.py", "docs/asyncapi/key_copies.json"} <= set(ran.json["files"])
    assert not any((ROOT / file).exists() for file in ran.json["files"])


def test_each_service_gets_a_port_of_its_own(tmp_path: Path) -> None:
    name = service_name("key-copies", (), ())
    first = free_port(tmp_path)
    [settings] = [file for file in new_files(name, first) if file.path.name == "settings.py"]
    (tmp_path / settings.path).parent.mkdir(parents=True)
    (tmp_path / settings.path).write_text(settings.text, encoding="utf-8")

    assert (first, free_port(tmp_path)) == (FIRST_PORT, FIRST_PORT + 1)


def test_no_mark_of_a_template_is_left_and_every_json_is_one() -> None:
    files = new_files(service_name("key-copies", (), ()), FIRST_PORT)

    assert len(files) == len(list(TEMPLATES.rglob("*.tmpl")))
    assert [file.path for file in files if re.search(r"@\w+@", f"{file.path}{file.text}")] == []
    for file in files:
        assert file.path.suffix != ".json" or json.loads(file.text)
