"""Processes that outlive us: start them, recognise them later, end them and nobody else.

A process is known by its pid and its start time together, because a pid alone is given again.
"""

import os
import pwd
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from propman.dev.errors import ServersUnavailable

PROC = Path("/proc")
ON_LINUX = PROC.joinpath("self/stat").exists()


@dataclass(frozen=True)
class Mark:
    """What tells one process from every other, also after a reboot."""

    pid: int
    started: str

    def is_alive(self) -> bool:
        """True while exactly this process runs; a zombie has ended."""
        started, is_zombie = _look_at(self.pid)
        if started != self.started:
            return False
        if is_zombie:
            _reap(self.pid)
        return not is_zombie


def mark_of(pid: int) -> Mark | None:
    """Recognise a running process for later; None when there is none."""
    started, is_zombie = _look_at(pid)
    return Mark(pid, started) if started and not is_zombie else None


def command_of(pid: int) -> str:
    """Return the command line of a process, or nothing when it has ended."""
    if not ON_LINUX:
        return _ps("-o", "command=", "-p", str(pid))
    try:
        return (PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def spawn(
    command: Sequence[str | Path],
    log: Path,
    *,
    environment: Mapping[str, str] | None = None,
    directory: Path | None = None,
    user: pwd.struct_passwd | None = None,
) -> Mark:
    """Start a server in a session of its own, so that a Ctrl-C meant for us does not reach it."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        process = subprocess.Popen(  # noqa: S603 - the servers' own programs
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(environment) if environment is not None else None,
            cwd=directory,
            start_new_session=True,
            user=user.pw_uid if user else None,
            group=user.pw_gid if user else None,
            extra_groups=[] if user else None,
        )
    mark = mark_of(process.pid)
    # It is meant to outlive this object; Popen would warn about that when it is collected.
    process.returncode = 0
    if mark is None:
        raise ServersUnavailable(f"{command[0]} ended at once; see {log}")
    return mark


def end(mark: Mark | None, how: signal.Signals, *, patience: float = 30.0) -> None:
    """Ask a process to end, and kill it with all it started when it does not within `patience` seconds."""
    if mark is None or not mark.is_alive():
        return
    family = _family(mark)
    _send(mark, how)
    deadline = time.monotonic() + (0 if how is signal.SIGKILL else patience)
    while mark.is_alive() and time.monotonic() < deadline:
        time.sleep(0.02)
    for member in family:
        _send(member, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while any(member.is_alive() for member in family) and time.monotonic() < deadline:
        time.sleep(0.02)


def wait_until(
    ready: Callable[[], bool], mark: Mark, log: Path, name: str, *, patience: float = 90.0
) -> None:
    """Wait for a server to answer; say why, from its log, when it ends or stays silent."""
    deadline = time.monotonic() + patience
    while not ready():
        if not mark.is_alive():
            raise ServersUnavailable(f"{name} ended while starting: {last_line(log)} (see {log})")
        if time.monotonic() > deadline:
            raise ServersUnavailable(f"{name} did not answer within {patience:.0f} seconds; see {log}")
        time.sleep(0.05)


def last_line(log: Path) -> str:
    """Return the last line of a log that says something."""
    with suppress(OSError):
        lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
        return lines[-1] if lines else "it said nothing"
    return "it left no log"


def _family(mark: Mark) -> list[Mark]:
    children: dict[int, list[int]] = {}
    for pid, parent in _parents().items():
        children.setdefault(parent, []).append(pid)
    pids = [mark.pid]
    for pid in pids:
        pids.extend(children.get(pid, []))
    return [mark, *(found for found in map(mark_of, pids[1:]) if found)]


def _send(mark: Mark, how: signal.Signals) -> None:
    if mark.is_alive():
        with suppress(ProcessLookupError):
            os.kill(mark.pid, how)


def _reap(pid: int) -> None:
    # Only does something when it is our child; init collects those of a `propman dev` that has ended.
    with suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def _look_at(pid: int) -> tuple[str, bool]:
    """Tell when a process started (nothing: there is none), and whether it is a zombie."""
    if not ON_LINUX:
        state, _, started = _ps("-o", "stat=,lstart=", "-p", str(pid)).partition(" ")
        return started.strip(), state.startswith("Z")
    fields = _stat_of(pid)
    if not fields:
        return "", False
    # Ticks since boot repeat after a reboot, so the boot is part of the name.
    boot = (PROC / "sys/kernel/random/boot_id").read_text()[:8]
    return f"{boot}-{fields[19]}", fields[0] in ("Z", "X")


def _parents() -> dict[int, int]:
    if not ON_LINUX:
        pairs = (line.split() for line in _ps("-axo", "pid=,ppid=").splitlines())
        return {int(pid): int(parent) for pid, parent in pairs}
    pids = (int(entry.name) for entry in PROC.iterdir() if entry.name.isdigit())
    return {pid: int(fields[1]) for pid in pids if (fields := _stat_of(pid))}


def _stat_of(pid: int) -> list[str]:
    # The name in parentheses may itself hold spaces and parentheses; what follows the last one is regular.
    try:
        return (PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return []


def _ps(*arguments: str) -> str:
    answer = subprocess.run(["ps", *arguments], capture_output=True, text=True, check=False)  # noqa: S603, S607
    return answer.stdout.strip()
