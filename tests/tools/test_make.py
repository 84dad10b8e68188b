"""The first minute in a fresh clone: what make offers, and what it says when Python is missing."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A project folder without .venv."""
    (tmp_path / "tools").mkdir()
    for name in ("Makefile", "tools/make-venv", "requirements-dev.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


MAKE_VARIABLES = {"MAKELEVEL", "MAKEFLAGS", "MFLAGS"}


def make(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    # Under `make test` this make would be a sub-make, which says which directory it enters.
    environment = {name: value for name, value in os.environ.items() if name not in MAKE_VARIABLES}
    command = ["make", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def a_python(folder: Path, *, version_is_fine: bool, has_venv: bool) -> Path:
    """Something that answers the two questions asked of an interpreter, and can do nothing else."""
    answers = {"version_info": version_is_fine, "ensurepip": has_venv}
    lines = [f'case "$2" in *{word}*) exit {int(not fine)};; esac' for word, fine in answers.items()]
    python = folder / "python"
    python.write_text("\n".join(["#!/bin/sh", *lines, "exit 9"]), encoding="utf-8")
    python.chmod(0o755)
    return python


def test_bare_make_lists_what_it_can_do_and_does_nothing(clone: Path) -> None:
    ended = make(clone)

    listed = {line.split()[1] for line in ended.stdout.splitlines()}
    assert listed >= {"demo", "test", "test-fast", "lint", "check", "run", "stop", "lock", "clean", "bench"}
    assert not (clone / ".venv").exists()


def test_a_python_without_venv_is_told_what_to_install_in_one_line(clone: Path) -> None:
    python = a_python(clone, version_is_fine=True, has_venv=False)

    ended = subprocess.run(
        [clone / "tools" / "make-venv"],
        env={"PYTHON": str(python), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.returncode == 1
    assert ended.stderr == "Python has no venv module. On Debian or Ubuntu: apt-get install python3-venv\n"


def test_an_old_python_is_refused_in_one_line(clone: Path) -> None:
    python = a_python(clone, version_is_fine=False, has_venv=True)

    ended = make(clone, "test", f"PYTHON={python}")

    assert ended.returncode == 2
    assert ended.stderr.splitlines()[0].startswith("Python 3.11 or newer is needed")


def test_stop_in_a_fresh_clone_has_nothing_to_do(clone: Path) -> None:
    ended = make(clone, "stop")

    assert (ended.returncode, ended.stdout) == (0, "Nothing was started here.\n")
    assert not (clone / ".venv").exists()


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_lock_files_hold_hashes_and_no_addresses(lock: str) -> None:
    lines = (ROOT / lock).read_text(encoding="utf-8").splitlines()
    pinned = [line for line in lines if "==" in line]

    assert pinned
    assert all(line.endswith("\\") for line in pinned)  # a hash follows
    assert not [line for line in lines if "://" in line or line.startswith("--")]


def test_both_locks_pin_the_same_versions() -> None:
    runtime, dev = (
        dict(
            line.split(" ")[0].split("==") for line in (ROOT / lock).read_text().splitlines() if "==" in line
        )
        for lock in ("requirements.lock", "requirements-dev.lock")
    )

    assert runtime.items() <= dev.items()
