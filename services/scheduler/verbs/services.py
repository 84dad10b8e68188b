"""`propman scheduler services`: what the services report of themselves, and of which nothing is expected."""

from dataclasses import asdict
from typing import Annotated

import typer

from services.scheduler.reporting import local_time
from services.scheduler.store import ReportStore
from services.scheduler.verbs.opening import changing, looking
from shared.cli import App, JsonOption, UsageProblem, print_json, print_table, success

COLUMNS = [
    "service",
    "said at",
    "processes",
    "lost",
    "outbox",
    "oldest",
    "unroutable",
    "dead letters",
    "queues",
]


def add_to(app: App) -> None:
    """Give the scheduler's app its commands."""
    group = app.group(
        "services", "What services report of themselves, once a minute; alerts are raised of it."
    )
    group.command("list")(list_services)
    group.command()(forget)


async def list_services(as_json: JsonOption = False) -> None:
    """List what each service said of itself last, and when.

    \b
    Example:
      propman scheduler services list
    """
    async with looking() as (store, _now):
        found = await ReportStore(store.connection).all()
    if as_json:
        documents = [asdict(item) | {"outbox_oldest": item.outbox_oldest.total_seconds()} for item in found]
        print_json(documents)
        return
    rows = [
        [
            item.service,
            local_time(item.said_at, "UTC"),
            item.processes,
            item.lost,
            item.outbox,
            f"{item.outbox_oldest.total_seconds():.0f} s" if item.outbox else "-",
            item.unroutable,
            item.dead_letters,
            len(item.queues),
        ]
        for item in found
    ]
    print_table(COLUMNS, rows, empty="No service has reported yet; each does within a minute of its start.")


async def forget(
    service: Annotated[str, typer.Argument(metavar="SERVICE", help="One that is not run any more.")],
) -> None:
    """Expect nothing of a service any more; its alerts are over with the next look. It may come back.

    \b
    Example:
      propman scheduler services forget rewards
    """
    async with changing("forget_service") as (_store, tx):
        store = ReportStore(tx.connection)
        if not await store.forget(service):
            known = ", ".join(item.service for item in await store.all()) or "none"
            raise UsageProblem(f"{service} has never reported.", remedy=f"There are: {known}.")
    success(f"Nothing is expected of {service} any more.")
