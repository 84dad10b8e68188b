"""The mail sink of one instance, as a server like the others."""

import shutil
import signal
import sys
from pathlib import Path

from propman.dev.ports import LOOPBACK, greeting
from propman.dev.processes import end, spawn, wait_until
from propman.dev.state import State


class Mail:
    """Starts and ends `propman.dev.mail_sink`."""

    name = "mail"

    def __init__(self, state: State) -> None:
        self._state = state
        self._log = state.directory / "logs" / "mail.log"

    @property
    def folder(self) -> Path:
        """Where the messages are kept."""
        return self._state.directory / "mail"

    @property
    def url(self) -> str:
        """Where to send mail."""
        return f"smtp://{LOOPBACK}:{self._state.ports.get(self.name, 0)}"

    def answers(self) -> bool:
        """Say whether it greets as SMTP servers do."""
        return greeting(self._state.ports[self.name]).startswith(b"220")

    def launch(self) -> None:
        """Start it; `await_answer` waits until it serves."""
        port = self._state.choose_port(self.name)
        command = [
            sys.executable,
            "-m",
            "propman.dev.mail_sink",
            "--dir",
            str(self.folder),
            "--port",
            str(port),
        ]
        self._state.record(self.name, spawn(command, self._log))

    def await_answer(self) -> None:
        """Wait until it serves."""
        wait_until(self.answers, self._state.processes[self.name], self._log, "The mail sink", patience=30)

    def stop(self) -> None:
        """End it; every message it accepted is on file."""
        end(self._state.alive(self.name), signal.SIGTERM, patience=5)
        self._state.forget(self.name)

    def kill(self) -> None:
        """End it; there is nothing that it could lose."""
        self.stop()

    def remove(self) -> None:
        """Delete the messages."""
        shutil.rmtree(self.folder, ignore_errors=True)
