"""What is not as it should be, a sentence each; nothing on a good day."""

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from shared.cli import counted

if TYPE_CHECKING:
    from propman.console.observing import Snapshot

LATE_OUTBOX: Final = timedelta(seconds=60)


def problems_of(seen: "Snapshot") -> list[str]:
    """Everything that is wrong, what could not even be looked at first."""
    found = unseen(seen)
    for row in seen.services.rows:
        found += [] if row["error"] else _service_problems(row)
    found += [
        f"queue {row['queue']} has nobody who takes from it" for row in seen.queues.rows if _is_deaf(row)
    ]
    buried = {row["service"] for row in seen.services.rows if row.get("dead_letters")}
    found += [
        f"{row['about']} {row['detail']}{_taken_on(row)}"
        for row in seen.alerts.rows
        # What only repeats a service's own line; who sees to it is worth a line all the same.
        if row["kind"] != "dead_letters" or row["about"] not in buried or row["state"] == "acknowledged"
    ]
    # What the watchdog says already is not said twice.
    said = {row["about"] for row in seen.alerts.rows}
    flagged = (row for row in seen.schedules.rows if row.get("flag") and row["key"] not in said)
    found += [f"schedule {row['key']}: {row['flag']}" for row in flagged]
    found += [f"{row['server']}: {row['alarm']} alarm" for row in seen.servers.rows if row["alarm"]]
    return found


def unseen(seen: "Snapshot") -> list[str]:
    """What could not be looked at, each reason once: six databases of one server fail together."""
    reasons: dict[str, list[str]] = {}
    for row in seen.services.rows:
        if row["error"]:
            reasons.setdefault(row["error"], []).append(row["service"])
    for panel, name in ((seen.schedules, "the schedules"), (seen.alerts, "the alerts")):
        # They are in a service's database, whose reason it is then.
        if panel.error and panel.error not in reasons:
            reasons[panel.error] = [name]
    found = [f"{', '.join(names)}: {reason}" for reason, names in reasons.items()]
    return [*found, *([f"the broker: {seen.queues.error}"] if seen.queues.error else [])]


def _taken_on(row: dict[str, Any]) -> str:
    return f" ({row['acknowledged_by']} sees to it)" if row["state"] == "acknowledged" else ""


def _is_deaf(row: dict[str, Any]) -> bool:
    return bool(row["needs_consumer"] and not row["consumers"] and row["ready"])


def _service_problems(row: dict[str, Any]) -> list[str]:
    name, oldest = row["service"], row["oldest_seconds"] or 0.0
    lost = "a process" if row["lost"] == 1 else f"{row['lost']} processes"
    found: Sequence[tuple[bool, str]] = (
        (not row["alive"], "no process of it runs"),
        (bool(row["lost"]), f"{lost} went silent"),
        (len(row["versions"]) > 1, f"processes of different versions: {', '.join(row['versions'])}"),
        (bool(row["dead_letters"]), counted(row["dead_letters"], "dead letter")),
        (bool(row["unroutable"]), f"{counted(row['unroutable'], 'message')} that no queue wants"),
        (oldest > LATE_OUTBOX.total_seconds(), f"the oldest message in its outbox waits for {oldest:.0f} s"),
    )
    return [f"{name}: {words}" for wrong, words in found if wrong]
