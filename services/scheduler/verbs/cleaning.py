"""`propman scheduler cleanup-old-tasks`: every service removes what is only history, and says how much."""

from typing import Annotated

import typer

from services.scheduler.asking import Request, TimeoutOption, announced
from services.scheduler.domain.occurrences import Occurrence
from services.scheduler.reporting import occurrence_document, require_success
from shared.cli import App, ByOption, JsonOption, counted, print_json, print_table, say, signed, success

SCHEDULE = "cleanup"


def add_to(app: App) -> None:
    """Give the scheduler's app its command."""
    app.command()(cleanup_old_tasks)


async def cleanup_old_tasks(
    *,
    days: Annotated[int, typer.Option("--days", min=1, max=36_500, help="What is older may go.")] = 30,
    failures_only: Annotated[
        bool, typer.Option("--failures-only", help="Only what tells of a failure.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Ask every service what it would remove; none removes anything.")
    ] = False,
    by: ByOption = None,
    timeout: TimeoutOption = 600,  # noqa: ASYNC109 - the option's name
    as_json: JsonOption = False,
) -> None:
    """Have every service remove what is only history, and wait for their answers.

    Kept are, however old: what is under way, what a dedupe key needs so that nothing is said or done
    twice, the newest run of each schedule, and unread messages. What a redelivery may still need is kept
    for 30 days at least.

    \b
    Examples:
      propman scheduler cleanup-old-tasks --dry-run
      propman scheduler cleanup-old-tasks --days 90
      propman scheduler cleanup-old-tasks --days 30 --failures-only --json
    """
    request = Request(dry_run=dry_run, force=True, by=signed(by))
    payload = {"older_than_days": days, "failures_only": failures_only}
    occurrence = await announced(SCHEDULE, payload, request, timeout=timeout)
    if as_json:
        print_json(occurrence_document(occurrence))
    else:
        _show(occurrence, dry_run=dry_run)
    _require_answers(occurrence, timeout, dry_run=dry_run)


def _show(occurrence: Occurrence, *, dry_run: bool) -> None:
    names = ("examined", "removed", "kept")
    rows = [
        [report.consumer, kind, *(counts.get(name, 0) for name in names)]
        for report in occurrence.reports
        for kind, counts in report.parts.items()
        if counts.get("examined")
    ]
    columns = ["service", "kind", "examined", "would go" if dry_run else "removed", "kept"]
    print_table(columns, rows, empty="Nothing is old enough.")
    if any(row[-1] for row in rows):
        say("Kept is what is under way, undecided, or keeps something from happening twice.")


def _require_answers(occurrence: Occurrence, waited: float, *, dry_run: bool) -> None:
    if occurrence.state != "succeeded":
        require_success(occurrence, waited)
    words = f"{counted(len(occurrence.reports), 'service')} looked"
    success(f"Dry run: {words}, nothing was removed." if dry_run else f"{words}, and removed what may go.")
