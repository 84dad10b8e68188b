"""A RabbitMQ node of our own, with its own name server (epmd); loopback only."""

import base64
import http.client
import os
import shutil
import signal

from propman.dev.installation import RabbitmqPrograms, rabbitmq_programs
from propman.dev.ports import LOOPBACK, greeting
from propman.dev.processes import Mark, command_of, end, mark_of, spawn, wait_until
from propman.dev.state import State

USER = "propman"
AMQP_HEADER = b"AMQP\x00\x00\x09\x01"
METHOD_FRAME = b"\x01"  # how the answer to the header starts: the broker's Connection.Start
FOREIGN_SETTINGS = ("RABBITMQ_", "ERL_", "NOTIFY_SOCKET")
ERLANG = "-kernel inet_dist_use_interface {127,0,0,1} +S 2:2 +SDio 8 +A 16"
CONFIGURATION = """\
listeners.tcp.1 = 127.0.0.1:{amqp}
management.tcp.ip = 127.0.0.1
management.tcp.port = {management}
default_user = {user}
default_pass = {password}
default_user_tags.administrator = true
default_permissions.configure = .*
default_permissions.read = .*
default_permissions.write = .*
vm_memory_high_watermark.relative = 0.3
disk_free_limit.absolute = 50MB
raft.wal_max_size_bytes = 67108864
management.sample_retention_policies.global.minute = 5
management.sample_retention_policies.basic.minute = 5
management.sample_retention_policies.detailed.10 = 5
log.file = false
log.console = true
log.console.level = info
"""


class Rabbitmq:
    """The RabbitMQ of one instance."""

    name = "rabbitmq"

    def __init__(self, state: State) -> None:
        self._state = state
        self._home = state.directory / "rabbitmq"
        self._log = state.directory / "logs" / "rabbitmq.log"

    @property
    def url(self) -> str:
        """Where clients connect, with full rights."""
        return f"amqp://{self._credentials}@{LOOPBACK}:{self._state.ports.get(self.name, 0)}/"

    @property
    def management_url(self) -> str:
        """Where its HTTP API and web pages are."""
        return f"http://{self._credentials}@{LOOPBACK}:{self._state.ports.get('management', 0)}"

    @property
    def _credentials(self) -> str:
        return f"{USER}:{self._state.password(self.name)}"

    def answers(self) -> bool:
        """Say whether both doors are open: a client may publish, and an operator may look."""
        ports = self._state.ports
        return self._management_answers() and greeting(ports[self.name], AMQP_HEADER, 1) == METHOD_FRAME

    def launch(self) -> None:
        """Start it and its name server; `await_answer` waits until it serves."""
        programs = rabbitmq_programs(self._state.directory / "logs" / "installation.log")
        self._home.mkdir(mode=0o700, exist_ok=True)
        if survivor := self._survivor():
            self._state.record(self.name, survivor)
            return
        self._launch_epmd(programs)
        for name in (self.name, "management", "distribution"):
            self._state.choose_port(name)
        self._configure()
        self._state.save()  # before the node exists: it keeps the password it is first started with
        mark = spawn([str(programs.server)], self._log, environment=self._environment(), directory=self._home)
        self._state.record(self.name, mark)

    def await_answer(self) -> None:
        """Wait until it serves."""
        wait_until(self.answers, self._state.processes[self.name], self._log, "RabbitMQ")

    def stop(self) -> None:
        """Let it flush and close, then end its name server."""
        end(self._state.alive(self.name), signal.SIGTERM, patience=45)
        self._state.forget(self.name)
        self._end_epmd()

    def kill(self) -> None:
        """Crash it: nothing is written that was not written already."""
        end(self._state.alive(self.name), signal.SIGKILL)
        self._state.forget(self.name)
        self._end_epmd()

    def remove(self) -> None:
        """Delete the data."""
        shutil.rmtree(self._home, ignore_errors=True)

    def _survivor(self) -> Mark | None:
        """Recognise a running node of this instance that the record does not know."""
        try:
            pid = int((self._home / "pid").read_text())
        except (OSError, ValueError):
            return None
        # The pid may be anybody's by now; Erlang's command line names the home we gave it.
        return mark_of(pid) if f"-home {self._home} " in command_of(pid) else None

    def _launch_epmd(self, programs: RabbitmqPrograms) -> None:
        # An Erlang node starts one itself when it finds none, and leaves it running for ever.
        if self._state.alive("epmd"):
            return
        log = self._state.directory / "logs" / "epmd.log"
        port = self._state.choose_port("epmd")
        command = [str(programs.epmd), "-address", LOOPBACK, "-port", str(port)]
        mark = spawn(command, log, environment=_own_environment())
        self._state.record("epmd", mark)
        # Asked for its names (request 110), it first says its port.
        wait_until(lambda: greeting(port, b"\x00\x01n") != b"", mark, log, "Erlang's epmd", patience=15)

    def _end_epmd(self) -> None:
        end(self._state.alive("epmd"), signal.SIGTERM, patience=5)
        self._state.forget("epmd")

    def _configure(self) -> None:
        ports = self._state.ports
        text = CONFIGURATION.format(
            amqp=ports[self.name],
            management=ports["management"],
            user=USER,
            password=self._state.password(self.name),
        )
        configuration = self._home / "rabbitmq.conf"
        configuration.touch(mode=0o600)
        configuration.write_text(text)
        (self._home / "enabled_plugins").write_text("[rabbitmq_management].\n")
        (self._home / "advanced.config").write_text("[].\n")
        (self._home / "environment.conf").touch()

    def _environment(self) -> dict[str, str]:
        """Everything in our folder: neither this user's nor the system's RabbitMQ is read or touched."""
        ports, home = self._state.ports, self._home
        return _own_environment() | {
            "HOME": str(home),  # where Erlang keeps its cookie
            "ERL_EPMD_PORT": str(ports["epmd"]),
            "ERL_EPMD_ADDRESS": LOOPBACK,
            "RABBITMQ_NODENAME": f"propman-{self._state.identity}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": LOOPBACK,
            "RABBITMQ_NODE_PORT": str(ports[self.name]),
            "RABBITMQ_DIST_PORT": str(ports["distribution"]),
            "RABBITMQ_MNESIA_BASE": str(home / "data"),
            "RABBITMQ_LOG_BASE": str(self._log.parent),
            "RABBITMQ_CONFIG_FILE": str(home / "rabbitmq.conf"),
            "RABBITMQ_CONFIG_FILES": str(home / "conf.d"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(home / "advanced.config"),
            "RABBITMQ_CONF_ENV_FILE": str(home / "environment.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(home / "enabled_plugins"),
            "RABBITMQ_LOG": "-color",
            "RABBITMQ_PID_FILE": str(home / "pid"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": ERLANG,
            # Makes the script become the server instead of waiting for it, so that the pid is the server's.
            "RUNNING_UNDER_SYSTEMD": "true",
        }

    def _management_answers(self) -> bool:
        token = base64.b64encode(self._credentials.encode()).decode()
        connection = http.client.HTTPConnection(LOOPBACK, self._state.ports["management"], timeout=5)
        try:
            connection.request("GET", "/api/overview", headers={"Authorization": f"Basic {token}"})
            return connection.getresponse().status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


def _own_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN_SETTINGS)}
