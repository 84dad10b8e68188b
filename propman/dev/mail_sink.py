"""An SMTP server that delivers nothing: it keeps every message as a file, for people and tests to read.

Started as ``python -m propman.dev.mail_sink --dir DIR --port PORT``; SIGTERM ends it.
"""

import argparse
import asyncio
import os
import re
import signal
from itertools import count
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session

from propman.dev.ports import LOOPBACK
from shared.clock import Clock, SystemClock

LARGEST_MESSAGE = 33_554_432


class MailFolder:
    """Keeps one file per recipient of every accepted message."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock
        self._numbers = count(1)

    # aiosmtpd chose the name and the arguments.
    async def handle_DATA(  # noqa: N802
        self,
        server: SMTP,  # noqa: ARG002
        session: Session,  # noqa: ARG002
        envelope: Envelope,
    ) -> str:
        """Accept a message once it is on file."""
        content = envelope.original_content or b""
        for recipient in envelope.rcpt_tos:
            self.keep(recipient, content)
        return "250 OK: kept, not delivered"

    def keep(self, recipient: str, content: bytes) -> Path:
        """Write one message; a reader sees all of it or nothing, and no other file is ever replaced."""
        draft = self._folder / f".draft-{os.getpid()}"
        draft.write_bytes(f"X-Envelope-To: {_one_line(recipient)}\r\n".encode() + content)
        while True:
            instant = f"{self._clock.now():%Y%m%dT%H%M%S.%fZ}"
            path = self._folder / f"{instant}-{next(self._numbers)}-{_file_name(recipient)}.eml"
            try:
                path.hardlink_to(draft)  # unlike a rename, it refuses a name that is taken
            except FileExistsError:
                continue
            draft.unlink()
            return path


def _one_line(recipient: str) -> str:
    return re.sub(r"[\x00-\x1f\x7f]", "", recipient)


def _file_name(recipient: str) -> str:
    return re.sub(r"[^A-Za-z0-9@._+-]", "_", recipient).lstrip(".")[:100] or "nobody"


async def serve(folder: Path, port: int) -> None:
    """Keep messages until SIGTERM or Ctrl-C."""
    loop = asyncio.get_running_loop()
    keeper = MailFolder(folder, SystemClock())

    def conversation() -> SMTP:
        return SMTP(
            keeper, data_size_limit=LARGEST_MESSAGE, enable_SMTPUTF8=True, hostname="localhost", loop=loop
        )

    ended = asyncio.Event()
    for reason in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(reason, ended.set)
    server = await loop.create_server(conversation, LOOPBACK, port)
    await ended.wait()
    server.close()


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(description="Keep every mail as a file, deliver none.")
    parser.add_argument("--dir", type=Path, required=True, help="the folder for the messages")
    parser.add_argument("--port", type=int, required=True, help="the port on 127.0.0.1")
    arguments = parser.parse_args()
    arguments.dir.mkdir(parents=True, exist_ok=True)
    asyncio.run(serve(arguments.dir, arguments.port))


if __name__ == "__main__":
    main()
