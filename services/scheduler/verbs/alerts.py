"""`propman scheduler alerts` and `watchdog`: what is wrong, who has seen to it, and who looks."""

import asyncio
import signal
from contextlib import suppress
from dataclasses import asdict
from typing import Annotated, Any
from uuid import UUID

import typer
from prometheus_client import CollectorRegistry

from services.scheduler.asking import scheduler_settings
from services.scheduler.domain.alerts import Alert
from services.scheduler.reporting import local_time
from services.scheduler.store.alerts import AlertStore
from services.scheduler.watching import PERIOD, Watchdog, broker_look
from services.scheduler.watching import acknowledge as take_on
from shared.cli import (
    App,
    ByOption,
    CommandError,
    IdArgument,
    JsonOption,
    LimitOption,
    UsageProblem,
    print_json,
    print_record,
    print_table,
    say,
    signed,
    success,
)
from shared.db import driver_url
from shared.hosting import open_transactions
from shared.messaging.metrics import MessagingMetrics
from shared.messaging.publisher import Publisher
from shared.messaging.relay import Relay
from shared.messaging.transaction import Transactions

COLUMNS = ["alert", "kind", "about", "state", "since", "detail"]


def add_to(app: App) -> None:
    """Give the scheduler's app its commands."""
    app.command()(watchdog)
    alerts = app.group("alerts", "What the watchdog found wrong: seen, taken on, over by itself.")
    alerts.command("list")(list_alerts)
    alerts.command()(show)
    alerts.command()(acknowledge)


async def list_alerts(
    everything: Annotated[bool, typer.Option("--all", help="Also those that are over.")] = False,
    limit: LimitOption = 50,
    as_json: JsonOption = False,
) -> None:
    """List the alerts that are open, newest first.

    \b
    Examples:
      propman scheduler alerts list
      propman scheduler alerts list --all --json
    """
    async with (
        open_transactions(scheduler_settings(), "scheduler") as transactions,
        transactions.engine.connect() as connection,
    ):
        found = await AlertStore(connection).newest(also_resolved=everything, limit=limit)
    _print(found, as_json=as_json)


async def show(identity: IdArgument, as_json: JsonOption = False) -> None:
    """Show one alert in full.

    \b
    Example:
      propman scheduler alerts show 0198c1d2-7e1a-7c3f-9b2e-3d4c5b6a7f80
    """
    async with (
        open_transactions(scheduler_settings(), "scheduler") as transactions,
        transactions.engine.connect() as connection,
    ):
        found = _known(await AlertStore(connection).find(identity), identity)
    if as_json:
        print_json(asdict(found))
    else:
        print_record(_record(found))


async def acknowledge(
    identity: IdArgument,
    *,
    note: Annotated[str | None, typer.Option("--note", help="What is being done about it.")] = None,
    by: ByOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say that somebody sees to an alert. It is over when nothing is wrong any more, not before.

    \b
    Example:
      propman scheduler alerts acknowledge 0198c1d2-7e1a-7c3f-9b2e-3d4c5b6a7f80 --note "restarting billing"
    """
    async with (
        open_transactions(scheduler_settings(), "scheduler") as transactions,
        transactions.command("scheduler.acknowledge") as tx,
    ):
        found = _known(await AlertStore(tx.connection).find(identity, lock=True), identity)
        if found.state == "resolved":
            raise CommandError(f"{found.kind} of {found.about} is over.", remedy="Nothing is left to do.")
        changed = await take_on(tx, found, by=signed(by), note=note)
    if as_json:
        print_json(asdict(changed))
    else:
        success(f"{changed.acknowledged_by} sees to {changed.kind} of {changed.about}.")


async def watchdog(
    *,
    once: Annotated[
        bool, typer.Option("--once", help="One look, then end; exit 1 with open alerts.")
    ] = False,
    every: Annotated[
        float, typer.Option("--every", min=1, max=3_600, help="Seconds between looks.")
    ] = PERIOD,
    as_json: JsonOption = False,
) -> None:
    """Watch the schedules and the scheduler, apart from it; it notices also that no scheduler runs.

    Every scheduler watches beside its work, and one watchdog acts at a time. Run another one on a machine
    of its own to hear of the scheduler's death: it publishes what it has to say where nobody else does.

    \b
    Examples:
      propman scheduler watchdog
      propman scheduler watchdog --once
    """
    settings = scheduler_settings()
    broker = settings.broker_url.get_secret_value()
    async with open_transactions(settings, "scheduler-watchdog") as transactions:
        dog = Watchdog(transactions, broker_look(broker), every=every, tell=None if once else say)
        relay = Relay(
            service="scheduler",
            dsn=driver_url(settings.database_url.get_secret_value()),
            publisher=Publisher(broker, name="propman-scheduler-watchdog"),
            metrics=MessagingMetrics(CollectorRegistry()),
            clock=transactions.clock,
        )
        if once:
            await _look_once(transactions, dog, relay, as_json=as_json)
        else:
            say(f"Watching every {every:g} s. Ctrl+C ends it.")
            await _until_told(dog, relay)


async def _look_once(transactions: Transactions, dog: Watchdog, relay: Relay, *, as_json: bool) -> None:
    await dog.look_once()
    relay.stop()
    await relay.run()  # what was said is published, where no scheduler is there to do it
    async with transactions.engine.connect() as connection:
        found = await AlertStore(connection).newest(also_resolved=False, limit=1_000)
    _print(found, as_json=as_json)
    if found:
        raise CommandError(f"{len(found)} alerts are open.", remedy="`propman doctor` says what to do.")


async def _until_told(dog: Watchdog, relay: Relay) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    work = [asyncio.create_task(dog.run()), asyncio.create_task(relay.run())]
    await stop.wait()
    dog.stop()
    relay.stop()
    with suppress(TimeoutError):
        async with asyncio.timeout(10):
            await asyncio.gather(*work)


def _known(found: Alert | None, identity: UUID) -> Alert:
    if found is None:
        raise UsageProblem(
            f"There is no alert {identity}.", remedy="See `propman scheduler alerts list --all`."
        )
    return found


def _print(found: list[Alert], *, as_json: bool) -> None:
    if as_json:
        print_json([asdict(alert) for alert in found])
        return
    rows: list[list[Any]] = [
        [item.id, item.kind, item.about, item.state, local_time(item.raised_at, "UTC"), item.detail]
        for item in found
    ]
    print_table(COLUMNS, rows, empty="No alert is open.")


def _record(alert: Alert) -> dict[str, object]:
    return {
        "alert": alert.id,
        "kind": alert.kind,
        "about": alert.about,
        "detail": alert.detail,
        "state": alert.state,
        "raised": local_time(alert.raised_at, "UTC"),
        "seen last": local_time(alert.seen_at, "UTC"),
        "acknowledged": local_time(alert.acknowledged_at, "UTC"),
        "by": alert.acknowledged_by,
        "note": alert.note,
        "resolved": local_time(alert.resolved_at, "UTC"),
    }
