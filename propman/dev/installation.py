"""Find PostgreSQL and RabbitMQ on this machine, or install Debian's packages where we may."""

import fcntl
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from propman.dev.errors import ServersUnavailable

OLDEST_POSTGRES = (15,)
OLDEST_RABBITMQ = (3, 10)
Programs = TypeVar("Programs")
HOMEBREW = (Path("/opt/homebrew/opt"), Path("/usr/local/opt"))

# The temporary policy-rc.d keeps Debian from starting system-wide services that nobody asked for; the
# createcluster.d entry keeps it from creating a cluster. Both go again, and only if we brought them.
INSTALL = """
set -e
export DEBIAN_FRONTEND=noninteractive
policy=/usr/sbin/policy-rc.d
cluster=/etc/postgresql-common/createcluster.d/propman.conf
brought=
trap 'for file in $brought; do rm -f "$file"; done' EXIT
trap 'exit 130' INT TERM HUP
if [ ! -e "$policy" ]; then
    brought="$brought $policy"
    printf '#!/bin/sh\\nexit 101\\n' > "$policy"
    chmod 755 "$policy"
fi
if [ ! -e "$cluster" ]; then
    brought="$brought $cluster"
    mkdir -p "$(dirname "$cluster")"
    echo 'create_main_cluster = false' > "$cluster"
fi
for attempt in 1 2 3 4 5; do
    if apt-get -q update; then break; fi
    sleep 3
done
apt-get -q -y --no-install-recommends -o DPkg::Lock::Timeout=300 install "$@"
"""


@dataclass(frozen=True)
class PostgresPrograms:
    """The folder with `initdb`, `postgres` and `pg_isready`."""

    folder: Path


@dataclass(frozen=True)
class RabbitmqPrograms:
    """RabbitMQ's start script (never Debian's wrapper, which changes the user) and Erlang's name server."""

    server: Path
    epmd: Path


def postgres_programs(log: Path) -> PostgresPrograms:
    """Return PostgreSQL's programs, installing them if need be."""
    return _found_or_installed(find_postgres, "PostgreSQL 15 or newer", "postgresql", log)


def rabbitmq_programs(log: Path) -> RabbitmqPrograms:
    """Return RabbitMQ's programs, installing them if need be."""
    return _found_or_installed(find_rabbitmq, "RabbitMQ 3.10 or newer", "rabbitmq-server", log)


def find_postgres() -> PostgresPrograms | None:
    """Look where distributions, Homebrew and people put PostgreSQL; the newest one wins."""
    found: dict[tuple[int, ...], Path] = {}
    for folder in _postgres_folders():
        if all((folder / program).exists() for program in ("initdb", "postgres", "pg_isready")):
            version = _version(_output(folder / "postgres", "--version"))
            if version >= OLDEST_POSTGRES:
                found.setdefault(version, folder)
    return PostgresPrograms(found[max(found)]) if found else None


def find_rabbitmq() -> RabbitmqPrograms | None:
    """Look where distributions, Homebrew and people put RabbitMQ."""
    epmd = _find_epmd()
    for script in _rabbitmq_scripts():
        # The plugin's own folder names the version; asking the program would start an Erlang machine.
        plugins = script.resolve().parent.parent / "plugins"
        versions = [_version(entry.name) for entry in plugins.glob("rabbit-[0-9]*")]
        if epmd and versions and max(versions) >= OLDEST_RABBITMQ:
            return RabbitmqPrograms(script, epmd)
    return None


def will_install(given: Collection[str] = ()) -> bool:
    """Say whether a start would install packages first, which takes long enough to be announced."""
    wanted = {"postgres": find_postgres, "rabbitmq": find_rabbitmq}
    missing = any(find() is None for name, find in wanted.items() if name not in given)
    return missing and _way_to_root() is not None


def _postgres_folders() -> Iterator[Path]:
    if config := shutil.which("pg_config"):
        yield Path(_output(Path(config), "--bindir").strip())
    yield from Path("/usr/lib/postgresql").glob("*/bin")
    yield from Path("/usr").glob("pgsql-*/bin")
    for cellar in HOMEBREW:
        yield from cellar.glob("postgresql@*/bin")
    if program := shutil.which("postgres"):
        yield Path(program).resolve().parent


def _rabbitmq_scripts() -> Iterator[Path]:
    candidates = [
        Path("/usr/lib/rabbitmq/bin/rabbitmq-server"),
        *Path("/usr/lib/rabbitmq/lib").glob("*/sbin/rabbitmq-server"),
        *(cellar / "rabbitmq/sbin/rabbitmq-server" for cellar in HOMEBREW),
    ]
    if program := shutil.which("rabbitmq-server"):
        candidates.append(Path(program))
    yield from (path for path in candidates if path.exists())


def _find_epmd() -> Path | None:
    candidates = [Path(program)] if (program := shutil.which("epmd")) else []
    candidates += Path("/usr/lib/erlang").glob("erts-*/bin/epmd")
    for cellar in HOMEBREW:
        candidates += cellar.glob("erlang*/lib/erlang/erts-*/bin/epmd")
    return next((path for path in candidates if path.exists()), None)


def _found_or_installed(find: Callable[[], Programs | None], what: str, package: str, log: Path) -> Programs:
    programs = find()
    if programs is None and (become_root := _way_to_root()) is not None:
        _install(package, become_root, find, log)
        programs = find()
    if programs is None:
        raise ServersUnavailable(f"{what} is not installed: install it, or use Docker (docker compose up)")
    return programs


def _way_to_root() -> list[str] | None:
    if not shutil.which("apt-get"):
        return None
    if os.geteuid() == 0:
        return []
    if shutil.which("sudo") and _output(Path("sudo"), "-n", "sh", "-c", "echo yes").strip() == "yes":
        return ["sudo", "-n"]
    return None


def _install(package: str, become_root: list[str], find: Callable[[], object | None], log: Path) -> None:
    log.parent.mkdir(parents=True, exist_ok=True)
    lock = Path(tempfile.gettempdir()) / f"propman-install-{os.geteuid()}.lock"
    with lock.open("w") as held, log.open("ab") as output:
        fcntl.flock(held, fcntl.LOCK_EX)
        if find() is not None:  # another process installed it while we waited
            return
        command = [*become_root, "sh", "-c", INSTALL, "install", package]
        done = subprocess.run(  # noqa: S603 - the script above, word for word
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, check=False
        )
    if done.returncode:
        raise ServersUnavailable(f"installing {package} failed; see {log}, or use Docker (docker compose up)")


def _version(text: str) -> tuple[int, ...]:
    match = re.search(r"(\d+)(?:\.(\d+))?", text)
    return tuple(int(part) for part in match.groups(default="0")) if match else (0,)


def _output(program: Path, *arguments: str) -> str:
    try:
        command = [str(program), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout  # noqa: S603
    except OSError:
        return ""
