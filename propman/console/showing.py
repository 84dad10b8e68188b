"""The observer's figures as short cells: the same words in `info`, `memory` and `monitor`."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from propman.console.ages import Age
from shared.cli import counted

MEBIBYTE = 1024 * 1024


def mebibytes(value: int | None) -> str:
    """Bytes as whole MiB."""
    return "-" if value is None else f"{value / MEBIBYTE:.0f}"


def duration(seconds: float | None) -> str:
    """A time span in at most two units: 3d02h, 4m07s."""
    if seconds is None:
        return "-"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days}d{hours:02d}h"
    if hours:
        return f"{hours}h{minutes:02d}m"
    return f"{minutes}m{rest:02d}s" if minutes else f"{rest}s"


def age_words(found: Age | None) -> str:
    """How long something waits: `<1m10s`, `>1h00m`, or `?` where nobody can say."""
    if found is None:
        return "?"
    return f"{'<' if found.bound == 'at_most' else '>'}{duration(found.seconds)}"


def rate(value: float | None) -> str:
    """Messages a second."""
    return "-" if value is None else f"{value:.1f}"


SERVICE_COLUMNS = [
    "service",
    "alive",
    "state",
    "msg/s",
    "failed",
    "outbox",
    "oldest",
    "dead",
    "MiB",
    "cpu%",
    "up",
]


def service_cells(row: dict[str, Any]) -> list[str]:
    """One service."""
    if row["error"]:
        return [row["service"], "-", row["state"], *["-"] * 8]
    alive = f"{row['alive']}" if not row["lost"] else f"{row['alive']}-{row['lost']}"
    # What several services use together is shown with their process, once.
    shared = bool(row.get("shared_with"))
    return [
        row["service"],
        alive,
        row["state"],
        rate(row["per_second"]),
        str(row["failed"]),
        str(row["outbox"]),
        duration(row["oldest_seconds"]),
        str(row["dead_letters"]),
        "shared" if shared else mebibytes(row["rss_bytes"]),
        "shared" if shared else f"{row['cpu_percent']:.0f}",
        duration(row["up_seconds"]),
    ]


QUEUE_COLUMNS = ["queue", "ready", "oldest", "unacked", "consumers", "in/s", "out/s", "empty in"]


def queue_cells(row: dict[str, Any]) -> list[str]:
    """One queue, with how long it will take to run empty at its present pace."""
    pace = (row["out_per_second"] or 0.0) - (row["in_per_second"] or 0.0)
    if not row["ready"] or row["out_per_second"] is None:
        empty_in = "-"
    elif pace > 0:
        empty_in = duration(row["ready"] / pace)
    else:
        empty_in = "grows" if row["in_per_second"] else "stands"
    unacked = "-" if row["unacked"] is None else str(row["unacked"])
    return [
        row["queue"],
        str(row["ready"]),
        age_words(row["oldest"]) if row["ready"] else "-",
        unacked,
        str(row["consumers"]),
        rate(row["in_per_second"]),
        rate(row["out_per_second"]),
        empty_in,
    ]


def is_wrong(schedule: dict[str, Any]) -> bool:
    """Whether something is wrong with it now, or was and is not over: the next run may be under way."""
    return bool(schedule.get("flag") or schedule.get("alerts"))


SCHEDULE_COLUMNS = ["schedule", "next", "last 20", "flag", "outcome", "last"]


def schedule_cells(row: dict[str, Any]) -> list[str]:
    """One schedule."""
    flag = row["flag"]
    if is_wrong(row) and flag in {None, row["outcome"]}:
        flag = "!"
    cells = [cell or "-" for cell in (row["key"], row["next"], flag, row["outcome"], row["last"])]
    return [
        *cells[:2],
        row["recent"],
        *cells[2:],
    ]  # where nothing ran yet, a "-" would say that a run was skipped


NARROW_SCHEDULE_COLUMNS = ["schedule", "in", "last 20", "", "what came of it", "ago"]


def narrow_schedule_cells(row: dict[str, Any], now: datetime) -> list[str]:
    """One schedule where there is little room, with a mark where something is wrong."""
    following = row.get("next_run_at")
    if row["next"] == "paused" or following is None:
        when = row["next"]
    else:
        seconds = (following - now).total_seconds()
        when = duration(seconds) if seconds >= 0 else "due"
    flag, last = row.get("flag"), row.get("last_at")
    return [
        row["key"],
        when,
        row["recent"],
        "!" if is_wrong(row) else "",
        flag or row["outcome"],
        duration((now - last).total_seconds() if last else None),
    ]


ALERT_COLUMNS = ["alert", "about", "since", "state", "detail"]


def alert_cells(row: dict[str, Any], now: datetime) -> list[str]:
    """One alert."""
    since = duration((now - row["raised_at"]).total_seconds())
    return [row["kind"], row["about"], since, row["state"], row["detail"]]


PROCESS_COLUMNS = ["services", "host", "pid", "state", "MiB", "start", "peak", "cpu%", "files", "up"]


def process_cells(row: dict[str, Any], everything: Collection[str], up: float | None = None) -> list[str]:
    """One process; `everything` are the services there are."""
    services = row["services"]
    return [
        "all services" if len(services) > 1 and set(services) == set(everything) else ",".join(services),
        row["host"],
        str(row["pid"]),
        row["state"],
        *(mebibytes(row[name]) for name in ("rss_bytes", "rss_start_bytes", "rss_peak_bytes")),
        f"{row['cpu_percent']:.0f}",
        str(row["open_files"]),
        duration(row["up_seconds"] if up is None else up),
    ]


def processes_in_words(rows: Sequence[dict[str, Any]]) -> str:
    """What all processes use together, each counted once."""
    used = mebibytes(sum(row["rss_bytes"] for row in rows))
    cpu = f"{sum(row['cpu_percent'] for row in rows):.0f} % of a processor"
    if len(rows) == 1:
        services = counted(len(rows[0]["services"]), "service")
        return f"One process runs {services}; it uses {used} MiB and {cpu}."
    return f"{len(rows)} processes use {used} MiB and {cpu} in all."


SERVER_COLUMNS = ["server", "version", "MiB", "limit", "connections", "alarm"]


def server_cells(row: dict[str, Any]) -> list[str]:
    """The broker, or one database."""
    return [
        row["server"],
        row["version"],
        mebibytes(row["used_bytes"]),
        mebibytes(row["limit_bytes"]),
        str(row["connections"]),
        row["alarm"] or "-",
    ]
