"""`propman run`: host any subset of the services in one process, and drain on SIGTERM."""

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import structlog
import typer

from propman.broker import declare_topology
from propman.catalog import app_module, chosen_services
from propman.simulation.marker import simulated_in
from shared.cli import CommandError, UsageProblem, command_app, say, success
from shared.clock import Clock, SharedClock
from shared.hosting import NotMigrated, ServiceHost, spare_the_collector
from shared.http import PortTaken
from shared.logging import configure_logging

app = command_app("run")

CLOCK: Final = "PROPMAN_SIMULATED_CLOCK"
"""Names the file of a simulation's clock; set by `propman seed-dev-data` alone, for what it starts."""

log = structlog.get_logger()


@app.command()
async def run(
    services: Annotated[
        list[str] | None, typer.Argument(help="Which services; all of them when none is named.")
    ] = None,
) -> None:
    r"""Run services in this process until Ctrl+C or SIGTERM; then finish what is in flight and end.

    Start it again, here or on another machine, and the instances share the work.

    \b
    Examples:
      propman run                         all services in one process
      propman run billing                 one service
      propman run leasing notifications   two of them
    """
    names = chosen_services(services)
    clock = await clock_of(names)
    hosts = [app_module(name).create_app(clock=clock) for name in names]
    settings = app_module(names[0]).Settings()
    configure_logging(level=settings.log_level, style=settings.log_format)
    queues = await declare_topology(settings.broker_url.get_secret_value())
    log.info("topology_declared", queues=queues)
    stop = stop_signal()
    if clock is not None:
        end_with_parent(stop)
    await start_all(hosts)
    spare_the_collector()
    running = ", ".join(f"{host.name} (health on port {host.http_port})" for host in hosts)
    say(f"Running {running}. Ctrl+C ends it.")
    await stop.wait()
    say("Stopping: finishing what is in flight …")
    await stop_all(hosts)
    success("Stopped.")


async def clock_of(services: Sequence[str]) -> Clock | None:
    """A simulation's clock where one is set; refuses it on databases that hold no simulated past."""
    path = os.environ.get(CLOCK)
    if not path:
        return None
    for name in services:
        if not await simulated_in(name):
            raise CommandError(
                f"{CLOCK} is set, and the database of {name} holds no simulated past.",
                remedy="Unset it: nothing real may run on that clock.",
            )
    try:
        return SharedClock(Path(path))
    except (OSError, ValueError) as error:
        raise UsageProblem(f"{CLOCK}: {path} is not a clock ({error}).") from error


def end_with_parent(stop: asyncio.Event) -> None:
    """Stop when whoever moves the clock is gone, which the pipe to our standard input tells."""
    loop = asyncio.get_running_loop()

    def listen() -> None:
        sys.stdin.buffer.read()
        loop.call_soon_threadsafe(stop.set)

    threading.Thread(target=listen, name="parent", daemon=True).start()


def stop_signal() -> asyncio.Event:
    """An event that SIGTERM and SIGINT set, instead of interrupting whatever runs."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop


async def start_all(hosts: list[ServiceHost]) -> None:
    """Start every host; where one cannot, stop those that could and say why in one line."""
    started: list[ServiceHost] = []
    try:
        for host in hosts:
            started.append(host)
            await host.start()
    except BaseException as error:
        await stop_all(started)
        if isinstance(error, NotMigrated):
            raise CommandError(f"{error}.", remedy="Run `propman db migrate`.") from error
        if isinstance(error, PortTaken):
            raise CommandError(str(error.strerror)) from error
        raise


async def stop_all(hosts: list[ServiceHost]) -> None:
    """Drain every host, all at once."""
    await asyncio.gather(*(host.stop() for host in hosts))
