"""What came of an occurrence, in words for people, as a document for machines, and as an exit code."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any, Final

import typer

from services.scheduler.announcing import local_text
from services.scheduler.domain.occurrences import Occurrence, Report
from services.scheduler.domain.schedules import Schedule
from services.scheduler.domain.zones import Cursor
from services.scheduler.rule_texts import duration_text, rules_in_words
from services.scheduler.spec_words import spec_in_words
from shared.cli import CommandError, json_wanted, print_json, print_table, say, success
from shared.clock import zone

_COUNTS: Final = ("examined", "created", "skipped", "failed")
_WORDS: Final = {
    "succeeded": "succeeded",
    "succeeded_late": "succeeded late",
    "partial": "partly failed",
    "failed": "failed",
}


def local_time(moment: datetime | None, time_zone: str) -> str:
    """An instant as people at a place read it: 2026-12-01 00:05 EST."""
    return "-" if moment is None else f"{moment.astimezone(zone(time_zone)):%Y-%m-%d %H:%M %Z}"


def next_run(schedule: Schedule) -> str:
    """When it runs next, in its own zone; where it does not, in a word why."""
    if schedule.state in {"paused", "ended", "archived"}:
        return schedule.state
    if schedule.next_run_at is None and schedule.follows_properties:
        return "no property yet"
    return run_time(schedule.next_run_at, schedule.time_zone) if schedule.next_run_at else "-"


def run_time(moment: datetime, time_zone: str) -> str:
    """When a run is, as people at its place read it; with its seconds where it has some."""
    seconds = ":%S" if moment.second else ""
    return f"{moment.astimezone(zone(time_zone)):%Y-%m-%d %H:%M{seconds} %Z}"


def no_runs(schedule: Schedule) -> str:
    """Why a schedule has no next run."""
    if schedule.follows_properties and schedule.state in {"active", "paused"}:
        return "It waits for a property: the scheduler has heard of none (`propman leasing republish`)."
    return "It is not due any more."


def outcome_words(occurrence: Occurrence | None) -> str:
    """What came of an occurrence, in one phrase."""
    if occurrence is None:
        return "never ran"
    if occurrence.state in {"missed", "skipped"}:
        several = f", {occurrence.coalesced} due" if occurrence.coalesced > 1 else ""
        return f"{occurrence.state} ({occurrence.reason}){several}"
    if occurrence.state in _WORDS:
        counts = _counts(occurrence.reports)
        late = ", started late" if occurrence.unstarted else ""
        dry = "dry run " if occurrence.dry_run else ""
        return f"{dry}{_WORDS[occurrence.state]}{late}{counts and f': {counts}'}"
    return _open_words(occurrence)


def _open_words(occurrence: Occurrence) -> str:
    """What an occurrence that has no outcome is waiting for."""
    if occurrence.state == "queued" and occurrence.origin == "backfill":
        return "waiting for its turn in the backfill"
    if occurrence.state == "queued":
        return "waiting for the run before it"
    if occurrence.undelivered is not None:
        return f"not delivered: {occurrence.undelivered}"
    whom = ", ".join(occurrence.unanswered) or "its consumers"
    if occurrence.unstarted and occurrence.started_at is None:
        whom += ", never started" if occurrence.state == "timed_out" else ", not started in time"
    elif occurrence.unstarted:
        whom += ", started late"
    return f"timed out: nothing from {whom}" if occurrence.state == "timed_out" else f"waiting for {whom}"


def _counts(reports: tuple[Report, ...]) -> str:
    if len(reports) == 1:
        return _in_words(reports[0])
    return "; ".join(f"{report.consumer} {_in_words(report)}".rstrip() for report in reports)


def _in_words(report: Report) -> str:
    """What a consumer counted; one that never came to count says why."""
    return _one(report) or next(iter(report.problems), "")


def _one(report: Report) -> str:
    # The database keeps no order; people read what was looked at first, and then what became of it.
    known = {name: place for place, name in enumerate(_COUNTS)}
    ordered = sorted(report.counts.items(), key=lambda item: (known.get(item[0], len(known)), item[0]))
    return ", ".join(f"{count} {name}" for name, count in ordered)


def occurrence_document(occurrence: Occurrence) -> dict[str, Any]:
    """An occurrence for `--json`."""
    return asdict(occurrence) | {
        "scheduled_local": local_text(occurrence.scheduled_for, occurrence.zone),
        "unanswered": list(occurrence.unanswered),
        "outcome": outcome_words(occurrence),
    }


def schedule_document(
    schedule: Schedule, last: Occurrence | None, cursors: Sequence[Cursor] = ()
) -> dict[str, Any]:
    """A schedule for `--json`."""
    rules = asdict(schedule.rules)
    return asdict(schedule) | {
        "delay": duration_text(schedule.delay),
        "rules": {
            name: duration_text(value) if isinstance(value, timedelta) else value
            for name, value in rules.items()
        },
        "time_zone": schedule.time_zone,
        "zones": [asdict(cursor) | {"delay": duration_text(cursor.delay)} for cursor in cursors],
        "in_words": spec_in_words(schedule.spec),
        "next_run_local": schedule.next_run_at and local_text(schedule.next_run_at, schedule.time_zone),
        "last_occurrence": occurrence_document(last) if last else None,
    }


def paused_words(schedule: Schedule) -> str:
    """Who paused a schedule, until when, and why."""
    until = f"until {local_time(schedule.paused_until, schedule.time_zone)}" if schedule.paused_until else ""
    by = f"by {schedule.paused_by}" if schedule.paused_by else ""
    why = f"because {schedule.paused_reason}" if schedule.paused_reason else "no reason given"
    return ", ".join(part for part in (by, until, why) if part)


def payload_in_words(schedule: Schedule) -> str | None:
    """The fields that its trigger is given, or None."""
    return ", ".join(f"{name}={value}" for name, value in schedule.payload.items()) or None


def schedule_record(
    schedule: Schedule, last: Occurrence | None, cursors: Sequence[Cursor] = ()
) -> dict[str, object]:
    """A schedule in full, for people."""
    zone_ = schedule.time_zone
    return {
        "key": schedule.key,
        "trigger": schedule.trigger,
        "when": spec_in_words(schedule.spec),
        "defined as": json.dumps(schedule.spec),
        "version": schedule.spec_version,
        **rules_in_words(schedule.rules),
        "payload": payload_in_words(schedule),
        "expects an outcome of": ", ".join(schedule.expected) or None,
        "state": schedule.state,
        "paused": paused_words(schedule) if schedule.state == "paused" else None,
        "next run": run_time(schedule.next_run_at, zone_) if schedule.next_run_at else next_run(schedule),
        "in each zone": "; ".join(
            f"{cursor.zone} {local_time(cursor.next_run_at, cursor.zone)}" for cursor in cursors
        )
        or None,
        "put off by jitter": duration_text(schedule.delay) if schedule.delay else None,
        "runs by itself": schedule.runs,
        "last run": local_time(schedule.last_run_at, zone_),
        "last outcome": _with_its_run(last),
        "errors in a row": schedule.error_count,
        "last error": schedule.last_error,
        "tried again": local_time(schedule.retry_at, zone_),
    }


def _with_its_run(occurrence: Occurrence | None) -> str:
    """What came of the newest run, which somebody may have asked for: then it is not the one before."""
    words = outcome_words(occurrence)
    if occurrence is None or occurrence.origin not in {"manual", "backfill"}:
        return words
    how = "by hand" if occurrence.origin == "manual" else "of a backfill"
    return f"{words} (a run {how}, {run_time(occurrence.scheduled_for, occurrence.zone)})"


def report_announced(occurrence: Occurrence, *, waited: float | None) -> None:
    """Show an occurrence somebody asked for; where they waited, fail unless all of it succeeded."""
    if json_wanted():
        print_json(occurrence_document(occurrence))
    elif waited is None:
        typer.echo(occurrence.id)  # bare, for `id=$(propman trigger …)`
    else:
        _show_reports(occurrence)
    if waited is not None:
        require_success(occurrence, waited)


def _show_reports(occurrence: Occurrence) -> None:
    rows = [[report.consumer, _WORDS[report.state], _one(report)] for report in occurrence.reports]
    if rows:
        print_table(["consumer", "outcome", "counts"], rows)
    for report in occurrence.reports:
        for problem in report.problems:
            say(f"{report.consumer}: {problem}")


def require_success(occurrence: Occurrence, waited: float) -> None:
    """Say how it ended; fail unless all of it succeeded within the seconds somebody waited."""
    if not occurrence.settled:
        consumers = ", ".join(occurrence.unanswered) or "any consumer"
        raise CommandError(
            f"No outcome from {consumers} within {waited:g} s; occurrence {occurrence.id}.",
            remedy=f"The scheduler, {consumers} or the broker may not be running (`propman info`);"
            " the trigger is kept and is handled when they are. If all are: `propman dead-letters list`.",
        )
    if occurrence.state != "succeeded":
        raise CommandError(
            f"{occurrence.schedule_key} {outcome_words(occurrence)}.",
            remedy="See `propman scheduler history` and `propman dead-letters list`.",
        )
    success(f"{occurrence.schedule_key} {outcome_words(occurrence)}.")
