"""`python -m benchmarks.mail`: how many e-mails a second leave one process, and whether two share the work.

Real PostgreSQL, real `propman run notifications` processes, and a mail sink on this machine that only counts:
what is measured is claiming, deciding, rendering, the conversation, and recording. From the first e-mail to
the last, so that starting up does not count.
"""

import argparse
import asyncio
import json
import os
import re
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from uuid import UUID

import uvloop

from benchmarks.machine import machine_facts
from benchmarks.report import BenchmarkFailed
from benchmarks.servers import ROOT, Place, make_place, private_servers
from propman.catalog import app_module
from propman.dev import ServerUrls
from services.notifications.domain.notices import Notice, dedup_key
from services.notifications.handlers import tell
from services.notifications.schema import contacts
from services.notifications.store import people
from shared.cli import print_record, say
from shared.clock import SystemClock, stopwatch
from shared.db import create_engine
from shared.identity import new_id
from shared.messaging.transaction import Transactions

PATIENCE_SECONDS: Final = 600
_MESSAGE_ID: Final = re.compile(rb"^Message-ID: <([^>]+)>", re.MULTILINE | re.IGNORECASE)
_CHUNK: Final = 500


@dataclass
class Sink:
    """Takes every e-mail at once and remembers which it was."""

    seen: Counter[bytes] = field(default_factory=Counter)
    first: float = 0.0
    last: float = 0.0
    port: int = 0

    async def start(self) -> asyncio.Server:
        """Listen on any free port."""
        server = await asyncio.start_server(self._converse, "127.0.0.1", 0, limit=2**20)
        self.port = server.sockets[0].getsockname()[1]
        return server

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 sink\r\n")
        while line := await reader.readline():
            verb = line[:4].upper()
            if verb == b"DATA":
                writer.write(b"354 go ahead\r\n")
                self._take(await reader.readuntil(b"\r\n.\r\n"))
            writer.write(b"221 bye\r\n" if verb == b"QUIT" else b"250 OK queued as 1\r\n")
            if verb == b"QUIT":
                break
        writer.close()

    def _take(self, content: bytes) -> None:
        found = _MESSAGE_ID.search(content)
        self.seen[found[1] if found else b""] += 1
        self.last = stopwatch()
        self.first = self.first or self.last


async def measure(urls: ServerUrls, directory: Path, emails: int) -> None:
    """One process, then two; raises `BenchmarkFailed` where an e-mail is missing or came twice."""
    place = await make_place(urls, "notifications", app_module("notifications").MIGRATIONS)
    found: dict[str, object] = {"e-mails": emails}
    for processes in (1, 2):
        await _queue(place, emails)
        sink = await _send(place, directory, emails, processes)
        if len(sink.seen) != emails or max(sink.seen.values(), default=0) != 1:
            times = max(sink.seen.values(), default=0)
            raise BenchmarkFailed(f"{len(sink.seen)} of {emails} e-mails, some {times} times")
        rate = emails / (sink.last - sink.first)
        say(f"{processes}: {rate:,.0f} e-mails/s")
        found[f"{processes} process{'es' * (processes > 1)}"] = f"{rate:,.0f} e-mails/s, each once"
    print_record(found)
    print_record(await machine_facts(urls))


async def _queue(place: Place, emails: int) -> None:
    """People who are known, and an invoice for each."""
    engine = create_engine(place.database_url, application="bench")
    transactions = Transactions(engine, SystemClock())
    for start in range(0, emails, _CHUNK):
        tenants = [new_id() for _ in range(min(_CHUNK, emails - start))]
        async with transactions.command("bench") as tx:
            row = {"version": 1, "name": "Ann", "email": "ann@example.com", "updated_at": tx.at}
            await people.keep(tx.connection, contacts, [row | {"tenant_id": who} for who in tenants])
            await tell(tx, [_notice(who) for who in tenants])
    await engine.dispose()
    say(f"{emails} e-mails are queued.")


def _notice(tenant: UUID) -> Notice:
    source = new_id()
    said = {
        "number": "INV-2026-000123",
        "period": "2026-09",
        "due_on": "2026-09-01",
        "currency": "USD",
        "unit_label": "1",
        "property_id": str(new_id()),
        "total_cents": 150_000,
        "lines": [{"kind": "rent", "description": "Rent 2026-09", "amount_cents": 150_000}],
    }
    key = dedup_key("invoice", source, tenant)
    return Notice("billing", "invoice", key, source, source, json.dumps(said), tenant)


async def _send(place: Place, directory: Path, emails: int, processes: int) -> Sink:
    sink = Sink()
    server = await sink.start()
    environment = os.environ | {
        "NOTIFICATIONS_DATABASE_URL": place.database_url,
        "PROPMAN_RABBITMQ_URL": place.broker_url,
        "NOTIFICATIONS_SMTP_URL": f"smtp://127.0.0.1:{sink.port}?starttls=off",
        "NOTIFICATIONS_HTTP_PORT": "0",
        "PROPMAN_HOME": str(directory),
        "PROPMAN_LOG_FORMAT": "json",
    }
    command = [sys.executable, "-m", "propman", "run", "notifications"]
    with (directory / "notifications.log").open("ab") as log:
        started = [
            subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)  # noqa: ASYNC220 - lives on
            for _ in range(processes)
        ]
    try:
        deadline = stopwatch() + PATIENCE_SECONDS
        while sum(sink.seen.values()) < emails and stopwatch() < deadline:  # noqa: ASYNC110 - several processes, one count
            await asyncio.sleep(0.1)
        await asyncio.sleep(1)  # for a duplicate, if there were one
    finally:
        for process in started:
            process.terminate()
        await asyncio.gather(*(asyncio.to_thread(process.wait, 30) for process in started))
        server.close()
    return sink


def main() -> None:
    """Parse, start servers, measure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--emails", type=int, default=10_000)
    emails: int = parser.parse_args().emails
    say(f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC")
    with private_servers() as (urls, directory):
        uvloop.run(measure(urls, directory, emails))


if __name__ == "__main__":
    main()
