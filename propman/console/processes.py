"""The processes that run, from what their services say of them: one with six services is one, not six."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from shared import heartbeats


def processes_of(instances: Iterable[dict[str, Any]], now: datetime) -> list[dict[str, Any]]:
    """A row per process that has not said goodbye.

    Each service that a process hosts speaks for itself; host and pid tell which of them share one. A process
    that was killed may have left both to the next: who went silent is kept apart from who speaks.
    """
    shared: dict[tuple[str, int, bool], list[dict[str, Any]]] = {}
    for row in instances:
        if row["state"] != "stopped":
            shared.setdefault((row["host"], row["pid"], heartbeats.is_alive(row, now)), []).append(row)
    return [_process(rows, now, alive=alive) for (_, _, alive), rows in shared.items()]


def _process(rows: Sequence[dict[str, Any]], now: datetime, *, alive: bool) -> dict[str, Any]:
    newest = max(rows, key=lambda row: row["seen_at"])
    first = min(rows, key=lambda row: row["started_at"])
    return {
        "services": sorted({row["service"] for row in rows}),
        "host": newest["host"],
        "pid": newest["pid"],
        "state": newest["state"] if alive else "SILENT",
        "rss_bytes": newest["rss_bytes"],
        "rss_start_bytes": first["rss_start_bytes"],
        "rss_peak_bytes": max(row["rss_peak_bytes"] for row in rows),
        "cpu_percent": newest["cpu_percent"],
        "open_files": newest["open_files"],
        "started_at": first["started_at"],
        "up_seconds": (now - first["started_at"]).total_seconds(),
    }


def is_alive(process: dict[str, Any]) -> bool:
    """Whether it still speaks."""
    return bool(process["state"] != "SILENT")


def sharing(processes: Iterable[dict[str, Any]], service: str) -> list[str]:
    """The other services in the processes of one: what these use is used by all of them together."""
    hosts = [row["services"] for row in processes if service in row["services"] and is_alive(row)]
    return sorted({name for names in hosts for name in names} - {service})
