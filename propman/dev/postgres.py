"""A PostgreSQL cluster of our own: loopback only, durable, never run as root."""

import os
import pwd
import shutil
import signal
import stat
import subprocess
import time
from functools import cached_property
from pathlib import Path
from typing import TypedDict

from propman.dev.errors import ServersUnavailable
from propman.dev.installation import PostgresPrograms, postgres_programs
from propman.dev.ports import LOOPBACK, is_free
from propman.dev.processes import Mark, command_of, end, last_line, mark_of, spawn, wait_until
from propman.dev.state import State

ADMIN = "propman_admin"
UNPRIVILEGED = ("postgres", "nobody", "daemon")
REACHABLE_BY_ALL = Path("/var/tmp")  # noqa: S108 - kept over a reboot, unlike /tmp; ownership is checked
STILL_IN_USE = "shared memory block"


class Postgres:
    """The PostgreSQL of one instance."""

    name = "postgres"

    def __init__(self, state: State) -> None:
        self._state = state
        self._log = state.directory / "logs" / "postgres.log"
        self._home = state.directory / "postgres"
        self._user = _unprivileged_user()

    @cached_property
    def _programs(self) -> PostgresPrograms:
        return postgres_programs(self._state.directory / "logs" / "installation.log")

    @property
    def url(self) -> str:
        """The administrator's address."""
        password = self._state.password(self.name)
        return f"postgresql://{ADMIN}:{password}@{LOOPBACK}:{self._state.ports.get(self.name, 0)}/postgres"

    def answers(self) -> bool:
        """Say whether it accepts connections."""
        port = str(self._state.ports.get(self.name, 0))
        command = [str(self._programs.folder / "pg_isready"), "-q", "-h", LOOPBACK, "-p", port, "-t", "3"]
        return subprocess.run(command, check=False).returncode == 0  # noqa: S603 - PostgreSQL's own

    def launch(self) -> None:
        """Start it, creating the cluster the first time; `await_answer` waits until it serves."""
        self._place()
        data = self._home / "data"
        if data.exists() and self.name not in self._state.passwords:
            known = self._state.directory
            raise ServersUnavailable(f"the password of the data in {known} is lost: delete that folder")
        if survivor := self._postmaster_in(data):
            self._state.ports[self.name] = int((data / "postmaster.pid").read_text().splitlines()[3])
            self._state.record(self.name, survivor)
            return
        if not data.exists():
            self._create_cluster(data)
        (data / "postmaster.pid").unlink(missing_ok=True)  # nobody's: _postmaster_in has just looked
        self._spawn(data)

    def await_answer(self) -> None:
        """Wait until it serves, also while backends of a killed predecessor are still going away."""
        deadline = time.monotonic() + 15
        while True:
            mark = self._state.processes[self.name]
            try:
                wait_until(self.answers, mark, self._log, "PostgreSQL")
            except ServersUnavailable:
                if mark.is_alive() or not self._predecessor_lingers() or time.monotonic() > deadline:
                    raise
                time.sleep(0.3)
                self.launch()
            else:
                return

    def stop(self) -> None:
        """Shut it down quickly but cleanly: sessions are ended, data is checkpointed."""
        end(self._state.alive(self.name), signal.SIGINT, patience=60)
        self._state.forget(self.name)

    def kill(self) -> None:
        """Crash it: nothing is written that was not written already."""
        end(self._state.alive(self.name), signal.SIGKILL)
        self._state.forget(self.name)

    def remove(self) -> None:
        """Delete the data, wherever it was put."""
        shutil.rmtree(self._home.resolve(), ignore_errors=True)

    def _place(self) -> None:
        """Give the data a folder that the server's user can reach, and that only this user can read."""
        self._home.parent.mkdir(parents=True, exist_ok=True)
        if self._user is None:
            self._home.mkdir(mode=0o700, exist_ok=True)
            return
        if not self._home.exists() and not _reaches(self._user, self._home.parent):
            self._home.unlink(missing_ok=True)  # a link to nowhere, left by a cleaned /var/tmp
            elsewhere = REACHABLE_BY_ALL / f"propman-{self._state.identity}"
            self._clear_away(elsewhere)
            elsewhere.mkdir(mode=0o700)
            self._home.symlink_to(elsewhere)
        self._home.mkdir(mode=0o700, exist_ok=True)
        os.chown(self._home, self._user.pw_uid, self._user.pw_gid)

    def _clear_away(self, orphan: Path) -> None:
        """Remove what an earlier state directory of the same path left outside itself."""
        try:
            found = orphan.lstat()
        except FileNotFoundError:
            return
        ours = (0, self._user.pw_uid if self._user else 0)
        if not stat.S_ISDIR(found.st_mode) or found.st_uid not in ours:
            raise ServersUnavailable(f"{orphan} belongs to somebody else: remove it, or set PROPMAN_HOME")
        end(self._postmaster_in(orphan / "data"), signal.SIGINT)
        shutil.rmtree(orphan)

    def _postmaster_in(self, data: Path) -> Mark | None:
        """Recognise a running server of this cluster that the record does not know."""
        try:
            pid = int((data / "postmaster.pid").read_text().split()[0])
        except (OSError, IndexError, ValueError):
            return None
        # The pid may be anybody's by now; our command line names the data folder.
        return mark_of(pid) if str(data.resolve()) in command_of(pid) else None

    def _create_cluster(self, data: Path) -> None:
        password, unfinished = self._home / "password", self._home / "unfinished"
        password.touch(mode=0o600)
        password.write_text(self._state.password(self.name))
        self._state.save()  # before the cluster exists: it is worth nothing without its password
        if self._user:
            os.chown(password, self._user.pw_uid, self._user.pw_gid)
        try:
            # C.UTF-8 folds letters beyond ASCII; C is there where that locale is not.
            if not any(self._initdb(unfinished, password, locale) for locale in ("C.UTF-8", "C")):
                raise ServersUnavailable(f"initdb failed: {last_line(self._log)} (see {self._log})")
            unfinished.rename(data)  # whoever finds `data` finds all of it
        finally:
            password.unlink()

    def _initdb(self, folder: Path, password: Path, locale: str) -> bool:
        shutil.rmtree(folder, ignore_errors=True)
        place = ["-D", str(folder.resolve()), f"--pwfile={password.resolve()}"]
        kind = ["-U", ADMIN, "--encoding=UTF8", f"--locale={locale}", "--auth=scram-sha-256", "--no-sync"]
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("ab") as output:
            done = subprocess.run(  # noqa: S603 - PostgreSQL's own
                [str(self._programs.folder / "initdb"), *place, *kind],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self._home,
                check=False,
                **_identity(self._user),
            )
        return done.returncode == 0

    def _spawn(self, data: Path) -> None:
        settings = {
            "listen_addresses": LOOPBACK,
            "port": self._state.choose_port(self.name),
            # A socket's path may have 107 bytes only; that of a clone is often longer.
            "unix_socket_directories": "",
            "max_connections": 200,
            "fsync": "on",  # the faults tests kill it and count what was promised
            "timezone": "UTC",
            "log_timezone": "UTC",
        }
        words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        command = [str(self._programs.folder / "postgres"), "-D", str(data.resolve()), *words]
        mark = spawn(command, self._log, directory=self._home, user=self._user)
        self._state.record(self.name, mark)

    def _predecessor_lingers(self) -> bool:
        told = self._log.read_text(errors="replace")[-1000:]
        return STILL_IN_USE in told or not is_free(self._state.ports[self.name])


def _unprivileged_user() -> pwd.struct_passwd | None:
    """The user to run as when we are root, which PostgreSQL refuses."""
    if os.geteuid() != 0:
        return None
    by_name = {entry.pw_name: entry for entry in pwd.getpwall()}
    for name in UNPRIVILEGED:
        if name in by_name:
            return by_name[name]
    raise ServersUnavailable("PostgreSQL cannot run as root and there is no user 'postgres' or 'nobody'")


def _reaches(user: pwd.struct_passwd, folder: Path) -> bool:
    # Asked of the system itself: access lists and mounts have a say too, not only the mode bits.
    command = ["test", "-x", str(folder)]
    asked = subprocess.run(command, cwd="/", check=False, **_identity(user))  # noqa: S603 - a path of ours
    return asked.returncode == 0


class _Identity(TypedDict, total=False):
    user: int
    group: int
    extra_groups: list[int]


def _identity(user: pwd.struct_passwd | None) -> _Identity:
    return _Identity(user=user.pw_uid, group=user.pw_gid, extra_groups=[]) if user else _Identity()
