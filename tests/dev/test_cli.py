"""`propman dev`, as somebody at a terminal meets it."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from propman.dev.cli import app
from propman.dev.processes import Mark, mark_of
from propman.dev.state import State

SLEEPER = [sys.executable, "-c", "import time; time.sleep(60)"]


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("PROPMAN_POSTGRES_URL", "PROPMAN_RABBITMQ_URL", "PROPMAN_RABBITMQ_MANAGEMENT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PROPMAN_HOME", str(tmp_path))
    return tmp_path / ".local"


def a_test_instance(folder: Path, owner: Mark | None) -> "subprocess.Popen[bytes]":
    """An instance whose only server is a process that sleeps."""
    process = subprocess.Popen(SLEEPER)
    mark = mark_of(process.pid)
    assert mark is not None
    folder.mkdir(parents=True)
    state = State(folder, owner=owner)
    state.record("mail", mark)
    return process


def test_status_tells_machines_what_runs() -> None:
    shown = CliRunner().invoke(app, ["status", "--json"])

    assert shown.exit_code == 0
    assert {entry["name"]: entry["state"] for entry in json.loads(shown.stdout)} == {
        "postgres": "stopped",
        "rabbitmq": "stopped",
        "mail": "stopped",
    }


def test_servers_named_in_the_environment_are_not_ours_to_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROPMAN_POSTGRES_URL", "postgresql://admin:pw@db.example/postgres")

    shown = CliRunner().invoke(app, ["status", "--json"])

    assert {"name": "postgres", "state": "given", "pid": None, "port": None} in json.loads(shown.stdout)


def test_an_address_where_nobody_answers_is_refused_before_anything_starts(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROPMAN_RABBITMQ_URL", "amqp://guest:secret@127.0.0.1:1/")

    refused = CliRunner().invoke(app, ["start"])

    assert refused.exit_code == 3
    assert "PROPMAN_RABBITMQ_URL names a server that does not answer" in refused.stderr
    assert "secret" not in refused.stderr
    assert not project.exists()


def test_stop_clears_away_what_a_dead_test_run_left(project: Path) -> None:
    left = a_test_instance(project / "test-1", owner=Mark(os.getpid(), "before us"))

    done = CliRunner().invoke(app, ["stop"])

    assert done.exit_code == 0
    assert not (project / "test-1").exists()
    left.wait()


def test_stop_leaves_a_running_test_alone_unless_all_are_meant(project: Path) -> None:
    used = a_test_instance(project / "test-2", owner=mark_of(os.getpid()))

    CliRunner().invoke(app, ["stop"])
    assert used.poll() is None

    CliRunner().invoke(app, ["stop", "--all"])
    assert used.wait() in (0, -signal.SIGTERM)


def test_stopping_nothing_is_said_and_is_no_failure() -> None:
    done = CliRunner().invoke(app, ["stop"])

    assert (done.exit_code, done.stderr.strip()) == (0, "Nothing to stop.")


def test_a_machine_without_servers_gets_one_line_and_exit_code_3(project: Path) -> None:
    code = (
        "import propman.dev.installation as i; i.find_postgres = i.find_rabbitmq = lambda: None;"
        "from shared.cli import main; from propman.dev.cli import app; main(app)"
    )
    environment = {"PROPMAN_HOME": str(project.parent), "PATH": ""}

    done = subprocess.run(
        [sys.executable, "-c", code, "start"], env=environment, capture_output=True, text=True, check=False
    )

    assert done.returncode == 3
    assert done.stderr.count("\n") == 1
    assert "install it, or use Docker" in done.stderr
