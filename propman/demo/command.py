"""The demo from beginning to end: servers, a short past, services, one trigger, and what came of it."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from propman.broker import declare_topology, queue_depths, queues_in_words
from propman.catalog import app_module, service_names
from propman.databases import ask_each, transactions_of
from propman.db import initialise, migrate_service
from propman.demo.agreements import PROPERTIES, agree
from propman.demo.portfolio import VACANT, load_portfolio
from propman.demo.report import Settled, show_outcome, show_what_happened
from propman.dev import GivenServers, LocalServers, ServersUnavailable, ServerUrls
from propman.dev.environment import read_environment, write_environment
from propman.dev.home import demo_instance, environment_file, local_folder
from propman.dev.installation import will_install
from propman.outbox import depth
from propman.run import start_all, stop_all
from propman.simulation.calendar import Span
from propman.simulation.clearing import common_past, holdings, refuse_if_running
from propman.simulation.command import begin, run_through, words
from propman.simulation.marker import Past
from propman.simulation.report import print_outcome, read_outcome
from services.billing.domain.periods import following, period_of
from services.billing.store import LeaseStore
from services.notifications.store import people, reading
from services.scheduler.manual import await_outcome, run_now
from shared.cli import CommandError, MonthOption, Unreachable, command_app, say, success, warning
from shared.clock import SystemClock, stopwatch
from shared.logging import configure_logging

app = command_app("demo")

MONTHS: Final = 3
SEED: Final = 1
PATIENCE_SECONDS: Final = 120.0
OPEN_STATES: Final = frozenset({"queued", "sending", "retry_wait"})


@app.command()
async def demo(month: MonthOption = None) -> None:
    r"""Watch some months go by in a minute, and then a month of rent being billed, up to the e-mails.

    Starts private servers, lets 5 properties in five time zones with 15 tenants live through the last three
    months on a simulated clock (as `propman seed-dev-data` does for a year), then starts all services in this
    process, publishes MonthlyBillingDue through the scheduler, and shows what came of it. Run it again: the
    past is there, the month is billed already, and nothing is sent twice.

    \b
    Examples:
      propman demo
      propman demo --month 2026-12
    """
    period = month or following(period_of(SystemClock().now().date()))
    urls = start_servers()
    span = Span.of(MONTHS, SystemClock().now().date())
    log = local_folder() / "demo.log"
    with log.open("a", encoding="utf-8") as stream:
        # Once for the whole process: loggers keep the stream they wrote to first.
        configure_logging(level="info", style="json", stream=stream)
        is_past = await live_through(span, log)
        await prepare()
        async with all_services():
            if not is_past:
                await load(span)
            settled = await bill(period)
            show_outcome(period, settled)
            await show_what_happened(settled, mail_dir=urls.mail_dir)
    say(f"The services' log of this run is in {_short(log)}.")


def start_servers() -> ServerUrls:
    """Private servers, and their addresses in this process's environment."""
    path = environment_file()
    given = GivenServers.from_environment(os.environ, read_environment(path))
    if will_install(given.names):
        say("Installing PostgreSQL and RabbitMQ first; it takes a minute.")
    try:
        urls = LocalServers(demo_instance(), given).start()
    except ServersUnavailable as error:
        raise Unreachable(str(error)) from error
    write_environment(urls, path, service_names(), given)
    os.environ.update(read_environment(path))
    success("PostgreSQL, RabbitMQ and a mail sink are running, private to this folder.")
    return urls


async def live_through(span: Span, log: Path) -> bool:
    """Make the past, or what is missing of it; False where there is data that no simulation made."""
    found = await holdings()
    past = common_past(found)
    if past is None and not all(item.is_empty for item in found):
        warning("What is here was made by no simulation: it stays as it is, without a past.")
        return False
    if past is None or past.finished_at is None:
        refuse_if_running(found)
        past = past or await begin(Past(SEED, span.starts_on, span.until_on, span.eve))
        seconds = await run_through(past, SystemClock(), str(log))
        success(f"{past.starts_on} to {past.until_on} went by in {seconds:.0f} s.")
        print_outcome(await read_outcome())
    else:
        success(f"The past is there already, {words(past)}.")
    return True


async def prepare() -> None:
    """Databases, roles, migrations and queues."""
    names = await initialise()
    for service in service_names():
        await migrate_service(service)
    await declare_topology(_broker_url())
    success(f"{len(names)} databases with a role each are migrated, {queues_in_words()} are declared.")


@asynccontextmanager
async def all_services() -> AsyncIterator[None]:
    """Every service in this process, until the block ends."""
    hosts = [app_module(name).create_app() for name in service_names()]
    await start_all(hosts)
    success(f"Running in this process: {', '.join(host.name for host in hosts)}.")
    try:
        yield
    finally:
        await stop_all(hosts)


async def load(span: Span) -> None:
    """The portfolio goes into leasing; wait until those who copy from it have heard of it."""
    async with transactions_of("leasing") as transactions:
        outcome = await load_portfolio(transactions, span)
    wanted = outcome.leases + outcome.already_there
    await _until(lambda: _copied(wanted), "the other services to hear of the leases")
    vacant = sum(map(len, VACANT.values()))
    if outcome.leases:
        success(
            f"Loaded {outcome.properties} properties, {outcome.units + vacant} units, "
            f"{outcome.tenants} tenants and their leases."
        )
    else:
        success(f"The portfolio is there already: {wanted} leases.")
    async with transactions_of("billing") as transactions:
        if await agree(transactions):
            success("Agreed on grace and late fees for all, and otherwise at four of the properties.")


async def bill(period: str) -> Settled:
    """Trigger the month through the scheduler and wait for everything that follows from it."""
    started = stopwatch()
    async with transactions_of("scheduler") as transactions:
        async with transactions.command("demo.bill") as tx:
            identity = await run_now(
                tx, "monthly-billing", payload={"period": period}, requested_by="propman demo"
            )
        say(f"Published MonthlyBillingDue for {period} as occurrence {identity}; waiting for the outcome …")
        occurrence = await await_outcome(transactions, identity, PATIENCE_SECONDS)
    if not occurrence.settled:
        raise CommandError(
            f"No outcome within {PATIENCE_SECONDS:.0f} s.", remedy="See `propman dead-letters list`."
        )
    await _until(_quiet, "the e-mails to be sent")
    return Settled(occurrence, seconds=stopwatch() - started)


async def _copied(wanted: int) -> bool:
    async with transactions_of("billing") as billing, billing.engine.connect() as connection:
        known = await LeaseStore(connection).count()
        places = set((await LeaseStore(connection).property_names()).values())
    async with transactions_of("notifications") as told, told.engine.connect() as connection:
        contacts = len(await people.every_contact(connection))
    return known >= wanted and contacts >= wanted and places >= set(PROPERTIES)


async def _quiet() -> bool:
    """Nothing waits anywhere: no outbox row, no message in a queue, no mail to be sent."""
    outboxes = await ask_each(service_names(), depth)
    queues = await queue_depths(_broker_url())
    async with transactions_of("notifications") as told, told.engine.connect() as connection:
        states = await reading.count_states(connection)
    waiting = sum(row["count"] for row in states if row["state"] in OPEN_STATES)
    moving = any(row["ready"] for row in queues if row["kind"] == "messages")
    return not waiting and not any(outboxes.values()) and not moving


async def _until(condition: Callable[[], Awaitable[bool]], what: str) -> None:
    deadline = stopwatch() + PATIENCE_SECONDS
    while not await condition():
        if stopwatch() > deadline:
            raise CommandError(
                f"Waited {PATIENCE_SECONDS:.0f} s for {what}.", remedy="See `propman dead-letters list`."
            )
        await asyncio.sleep(0.2)


def _broker_url() -> str:
    return os.environ["PROPMAN_RABBITMQ_URL"]


def _short(path: Path) -> Path:
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
