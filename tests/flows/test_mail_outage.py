"""A mail server that is down for twenty seconds: everything is delivered, nothing is buried."""

import asyncio
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from propman.dev import ServerUrls
from tests.support.system import a_system, load

INVOICES = 40


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def mail_sink(folder: Path, port: int) -> Iterator[None]:
    """A mail server on this port, for as long as the block lasts."""
    command = [sys.executable, "-m", "propman.dev.mail_sink", "--dir", str(folder), "--port", str(port)]
    sink = subprocess.Popen(command)
    try:
        yield
    finally:
        sink.terminate()
        sink.wait()


async def test_mail_that_could_not_be_sent_for_20_seconds_is_delivered_without_a_dead_letter(
    servers: ServerUrls, tmp_path: Path
) -> None:
    port, mails = free_port(), tmp_path / "mails"
    mails.mkdir()
    async with a_system(servers, tmp_path) as system:
        system.environment["NOTIFICATIONS_SMTP_URL"] = f"smtp://127.0.0.1:{port}"
        system.start("leasing", "billing", "notifications", "scheduler")
        await load(system, tmp_path, INVOICES)
        await system.command("trigger", "monthly-billing", "--month", "2026-12", "--wait")

        await asyncio.sleep(20)  # nobody listens on that port
        assert await system.number("notifications", "select max(attempt_count) from deliveries") == 0
        with mail_sink(mails, port):
            await system.quiet(seconds=60)

        sent = "select count(*) from deliveries where channel = 'email' and state = 'sent'"
        assert await system.number("notifications", sent) == INVOICES
        for service in ("leasing", "billing", "notifications", "scheduler"):
            assert await system.number(service, "select count(*) from dead_letters") == 0
    assert len(list(mails.glob("*.eml"))) == INVOICES
