"""What came of an occurrence, in words for people, as a document for machines, and as an exit code."""

from dataclasses import asdict
from datetime import datetime
from typing import Any, Final

import typer

from services.scheduler.announcing import local_text
from services.scheduler.domain.occurrences import Occurrence, Report
from services.scheduler.domain.schedules import Schedule
from shared.cli import CommandError, json_wanted, print_json, print_table, say, success
from shared.clock import zone

_COUNTS: Final = ("examined", "created", "skipped", "failed")
_WORDS: Final = {"succeeded": "succeeded", "partial": "partly failed", "failed": "failed"}


def local_time(moment: datetime | None, time_zone: str) -> str:
    """An instant as people at a place read it: 2026-12-01 00:05 EST."""
    return "-" if moment is None else f"{moment.astimezone(zone(time_zone)):%Y-%m-%d %H:%M %Z}"


def outcome_words(occurrence: Occurrence | None) -> str:
    """What came of an occurrence, in one phrase."""
    if occurrence is None:
        return "never ran"
    if occurrence.state == "missed":
        return f"missed ({occurrence.reason}), {occurrence.coalesced} due"
    if occurrence.state == "waiting":
        return f"waiting for {', '.join(occurrence.unanswered) or 'its consumers'}"
    counts = _counts(occurrence.reports)
    return f"{_WORDS[occurrence.state]}{counts and f': {counts}'}"


def _counts(reports: tuple[Report, ...]) -> str:
    if len(reports) == 1:
        return _one(reports[0])
    return "; ".join(f"{report.consumer} {_one(report)}".rstrip() for report in reports)


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


def schedule_document(schedule: Schedule, last: Occurrence | None) -> dict[str, Any]:
    """A schedule for `--json`."""
    return asdict(schedule) | {
        "next_run_local": local_text(schedule.next_run_at, schedule.time_zone),
        "last_occurrence": occurrence_document(last) if last else None,
    }


def report_announced(occurrence: Occurrence, *, waited: float | None) -> None:
    """Show an occurrence somebody asked for; where they waited, fail unless all of it succeeded."""
    if json_wanted():
        print_json(occurrence_document(occurrence))
    elif waited is None:
        typer.echo(occurrence.id)  # bare, for `id=$(propman trigger …)`
    else:
        _show_reports(occurrence)
    if waited is not None:
        _require_success(occurrence, waited)


def _show_reports(occurrence: Occurrence) -> None:
    rows = [[report.consumer, _WORDS[report.state], _one(report)] for report in occurrence.reports]
    if rows:
        print_table(["consumer", "outcome", "counts"], rows)
    for report in occurrence.reports:
        for problem in report.problems:
            say(f"{report.consumer}: {problem}")


def _require_success(occurrence: Occurrence, waited: float) -> None:
    if not occurrence.settled:
        consumers = ", ".join(occurrence.unanswered) or "any consumer"
        raise CommandError(
            f"No outcome from {consumers} within {waited:g} s; occurrence {occurrence.id}.",
            remedy=f"The scheduler or {consumers} may not be running (`propman run`);"
            " the trigger is kept and is handled when they are.",
        )
    if occurrence.state != "succeeded":
        raise CommandError(
            f"{occurrence.schedule_key} {outcome_words(occurrence)}.",
            remedy="See `propman scheduler history` and `propman dead-letters list`.",
        )
    success(f"{occurrence.schedule_key} {outcome_words(occurrence)}.")
