"""One private set of servers: PostgreSQL, RabbitMQ and a mail sink that share a state directory."""

import shutil
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from propman.dev.errors import ServersUnavailable
from propman.dev.mail import Mail
from propman.dev.postgres import Postgres
from propman.dev.rabbitmq import Rabbitmq
from propman.dev.state import FILE, State, locked
from propman.dev.urls import GivenServers, ServerStatus, ServerUrls


class _Server(Protocol):
    name: str

    def answers(self) -> bool: ...
    def launch(self) -> None: ...
    def await_answer(self) -> None: ...
    def stop(self) -> None: ...
    def kill(self) -> None: ...
    def remove(self) -> None: ...


class LocalServers:
    """The servers of one state directory; another directory is another, wholly separate set.

    Every operation reads the record anew and holds the directory's lock, so any number of processes may
    use the same instance. Nothing is ended but what the record names by pid and start time.
    """

    def __init__(self, state_dir: Path, given: GivenServers | None = None) -> None:
        self.directory = state_dir.absolute()
        self._given = given or GivenServers()

    def start(self) -> ServerUrls:
        """Start what does not run yet and return when all of it answers."""
        self._given.check()
        with locked(self.directory):
            state = State.load(self.directory)
            if not any(state.alive(name) for name in state.processes):
                state.claim()
            servers = self._servers(state)
            launched: list[_Server] = []
            try:
                # All at once: RabbitMQ's slow start hides the others'.
                for server in servers:
                    if not _serves(state, server):
                        launched.append(server)
                        server.launch()
                for server in launched:
                    server.await_answer()
            except BaseException:
                for server in launched:
                    server.stop()
                raise
            return self._urls(state)

    def stop(self, *, remove: bool = False) -> list[str]:
        """End what this directory's record names, and return the names; optionally delete the data."""
        if not self.directory.exists():
            return []
        with locked(self.directory):
            state = State.load(self.directory)
            ended = [name for name in state.processes if state.alive(name)]
            # Whatever was given this time: a server that we started earlier is still ours to end.
            for server in _all_servers(state):
                if remove:
                    server.kill()  # nothing is worth flushing
                    server.remove()
                else:
                    server.stop()
            if remove:
                shutil.rmtree(self.directory, ignore_errors=True)
            return ended

    def status(self) -> list[ServerStatus]:
        """Describe every server, ours or given."""
        state = State.load(self.directory)
        ours = {server.name for server in self._servers(state)}
        statuses = []
        for server in _all_servers(state):
            mark = state.alive(server.name)
            if server.name not in ours:
                statuses.append(ServerStatus(server.name, "given", None, None))
            elif mark is None:
                statuses.append(ServerStatus(server.name, "stopped", None, state.ports.get(server.name)))
            else:
                word = "running" if server.answers() else "not answering"
                statuses.append(ServerStatus(server.name, word, mark.pid, state.ports[server.name]))
        return statuses

    @property
    def urls(self) -> ServerUrls:
        """Where the servers are, or were when they last ran."""
        return self._urls(State.load(self.directory))

    @property
    def exists(self) -> bool:
        """Say whether this directory has ever held an instance."""
        return (self.directory / FILE).exists()

    @property
    def abandoned(self) -> bool:
        """Say whether the process that started this instance is gone."""
        owner = State.load(self.directory).owner
        return owner is None or not owner.is_alive()

    def kill_postgres(self) -> None:
        """Crash PostgreSQL, for fault tests."""
        with locked(self.directory):
            Postgres(self._own("postgres")).kill()

    def start_postgres(self) -> None:
        """Bring PostgreSQL back on the same port with the same data."""
        self._restart("postgres", Postgres)

    def kill_rabbitmq(self) -> None:
        """Crash RabbitMQ, for fault tests."""
        with locked(self.directory):
            Rabbitmq(self._own("rabbitmq")).kill()

    def start_rabbitmq(self) -> None:
        """Bring RabbitMQ back on the same ports with the same data."""
        self._restart("rabbitmq", Rabbitmq)

    def __enter__(self) -> Self:
        """Start; the addresses are in `urls`."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop, and keep the data."""
        self.stop()

    def _restart(self, name: str, kind: type[Postgres] | type[Rabbitmq]) -> None:
        with locked(self.directory):
            state = self._own(name)
            server = kind(state)
            if not _serves(state, server):
                server.launch()
                server.await_answer()

    def _own(self, name: str) -> State:
        state = State.load(self.directory)
        if name not in {server.name for server in self._servers(state)}:
            raise ServersUnavailable(f"{name} was given by the environment and is not ours to kill or start")
        return state

    def _servers(self, state: State) -> list[_Server]:
        return [server for server in _all_servers(state) if server.name not in self._given.names]

    def _urls(self, state: State) -> ServerUrls:
        rabbitmq, mail = Rabbitmq(state), Mail(state)
        return ServerUrls(
            postgres_url=self._given.postgres_url or Postgres(state).url,
            rabbitmq_url=self._given.rabbitmq_url or rabbitmq.url,
            rabbitmq_management_url=self._given.rabbitmq_management_url or rabbitmq.management_url,
            smtp_url=mail.url,
            mail_dir=mail.folder,
        )


def _all_servers(state: State) -> list[_Server]:
    return [Rabbitmq(state), Postgres(state), Mail(state)]


def _serves(state: State, server: _Server) -> bool:
    """Say whether it runs and answers; one that runs but hangs is ended, to be started anew."""
    if state.alive(server.name) is None:
        return False
    try:
        server.await_answer()
    except ServersUnavailable:
        server.stop()
        return False
    return True
