"""`python -m benchmarks`: measure, show, and leave nothing behind."""

import argparse
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import aio_pika
import uvloop

from benchmarks import consuming, relay, sample, whole
from benchmarks.machine import machine_facts
from benchmarks.report import BenchmarkFailed, Figure, show
from benchmarks.servers import Place, make_place, private_servers
from propman.dev import ServersUnavailable, ServerUrls
from shared.cli import error, say
from shared.messaging import topology

Measure = Callable[[Place, int, int], Awaitable[Figure]]
SIMPLE: dict[str, tuple[Measure, int]] = {
    "relay": (relay.measure, 20_000),
    "single": (consuming.measure_single, 5_000),
    "batch": (consuming.measure_batch, 20_000),
}
PARTS = (*SIMPLE, "whole")


def main() -> int:
    """Measure what was asked for; 0 whatever the numbers are."""
    options = _options()
    # SIGTERM, like Ctrl+C, must end the servers too.
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        with private_servers() as (urls, directory):
            complete = uvloop.run(_measure(options, urls, directory))
    except KeyboardInterrupt:
        error("Interrupted; the servers are stopped and removed.")
        return 130
    except ServersUnavailable as failure:
        error(str(failure))
        return 1
    return 0 if complete else 1


async def _measure(options: argparse.Namespace, urls: ServerUrls, directory: Path) -> bool:
    """Measure and show; False where a part did not get its work done."""
    machine = await machine_facts(urls)
    figures: list[Figure] = []
    for part in options.only:
        if not options.json:
            say(f"Measuring {part} …")
        try:
            figures.append(await _measure_part(part, options, urls, directory))
        except BenchmarkFailed as failure:
            error(str(failure))
    show(machine, figures, as_json=options.json)
    return len(figures) == len(options.only)


async def _measure_part(part: str, options: argparse.Namespace, urls: ServerUrls, directory: Path) -> Figure:
    share = 10 if options.quick else 1
    if part == "whole":
        return await whole.measure(urls, directory, options.leases // share, options.repeat)
    measure, count = SIMPLE[part]
    return await measure(await _sample_place(urls, part), count // share, options.repeat)


async def _sample_place(urls: ServerUrls, part: str) -> Place:
    async with await aio_pika.connect(urls.rabbitmq_url) as connection:
        await topology.declare(await connection.channel(), sample.single.subscriptions)
    return await make_place(urls, part, sample.TABLES)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", type=_parts, default=PARTS, metavar="PART,…", help=f"of {', '.join(PARTS)}")
    parser.add_argument("--leases", type=int, default=10_000, help="for the whole way (10,000)")
    parser.add_argument("--repeat", type=int, default=1, help="measure so often and show the median (1)")
    parser.add_argument("--quick", action="store_true", help="a tenth of the work; numbers say less")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser.parse_args()


def _parts(text: str) -> tuple[str, ...]:
    chosen = tuple(dict.fromkeys(text.split(",")))
    if unknown := set(chosen) - set(PARTS):
        raise argparse.ArgumentTypeError(f"no part {', '.join(sorted(unknown))}")
    return chosen


if __name__ == "__main__":
    sys.exit(main())
