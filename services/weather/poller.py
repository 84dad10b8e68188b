"""The poller: takes queued questions one by one, asks a provider, writes down what the answer means.

No transaction is open while the network is used: taking a question commits before, its answer after.
Any number of replicas share the questions; one that dies leaves those it had in hand to the others.
"""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge

from services.weather.asking import Asked, Asker
from services.weather.handlers.checks import outcome_of
from services.weather.handlers.settling import Settled, settle
from services.weather.store.answers import AnswerStore
from services.weather.store.checks import Check, CheckStore
from services.weather.store.places import PlaceStore
from shared.messaging.errors import ErrorKind, classify, describe
from shared.messaging.transaction import Transactions, command_envelope

MOST_ATTEMPTS: Final = 3
"""A question that ended so many processes is given up for this time."""
TRIES_TO_SETTLE: Final = 5

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Polling:
    """How much at once, and for how long a question is in one process's hands."""

    places_at_once: int = 4
    lease: timedelta = timedelta(seconds=45)
    """Renewed while the question is being asked, so that only a process that died loses it."""
    poll_seconds: float = 1.0
    also: tuple[str, ...] = ()
    official_only: bool = False


class PollerMetrics:
    """What the poller counts."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Register with the service's own registry."""
        self.checks = Counter(
            "propman_weather_checks_total",
            "Places asked about, by kind and by whether there was an answer.",
            ["check", "result"],
            registry=registry,
        )
        self.stale = Gauge(
            "propman_weather_stale_feeds",
            "Places without a healthy answer, by kind.",
            ["check"],
            registry=registry,
        )


class Poller:
    """Asks for one service, for as long as it runs."""

    def __init__(
        self, *, transactions: Transactions, asker: Asker, metrics: PollerMetrics, polling: Polling
    ) -> None:
        """Asks nothing yet."""
        self._transactions = transactions
        self._clock = transactions.clock
        self._asker = asker
        self._metrics = metrics
        self._polling = polling
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Ask until stopped, whatever goes down meanwhile."""
        try:
            await asyncio.gather(*(self._work() for _ in range(self._polling.places_at_once)))
        finally:
            await self._asker.close()

    def stop(self) -> None:
        """Give back what is being asked, take nothing more, and return from `run`."""
        self._stopping.set()

    async def _work(self) -> None:
        while not self._stopping.is_set():
            try:
                busy = await self.ask_next()
            except Exception as error:  # noqa: BLE001 - the database is down, or we are wrong: neither ends the asking
                log.warning("poller_interrupted", error=describe(error))
                busy = False
            if not busy:
                await self._rest()

    async def ask_next(self) -> bool:
        """Ask the question that has waited longest; False when none waits."""
        async with self._transactions.engine.begin() as connection:
            check = await CheckStore(connection).take_next(self._clock.now(), self._polling.lease)
        if check is None:
            return False
        asked = await self._held(check, self._unless_stopped(self._ask(check)))
        if asked is None:
            async with self._transactions.engine.begin() as connection:
                await CheckStore(connection).release(check)
            return False
        settled = await self._settle(check, asked)
        if settled is not None:
            result = "failed" if settled.problem else "answered"
            self._metrics.checks.labels(check.check, result).inc()
            await self._count_stale()
        return True

    async def _held(self, check: Check, asking: Coroutine[Any, Any, Asked | None]) -> Asked | None:
        """Keep a question in this process's hands for as long as it is being asked."""
        holding = asyncio.create_task(self._hold(check))
        try:
            return await asking
        finally:
            holding.cancel()
            await asyncio.gather(holding, return_exceptions=True)

    async def _hold(self, check: Check) -> None:
        while True:
            await asyncio.sleep(self._polling.lease.total_seconds() / 3)
            try:
                async with self._transactions.engine.begin() as connection:
                    await CheckStore(connection).renew(check, self._clock.now() + self._polling.lease)
            except Exception as error:  # noqa: BLE001 - at worst another one asks as well, and says nothing new
                log.warning("question_not_held", error=describe(error))

    async def _unless_stopped(self, asking: Coroutine[Any, Any, Asked]) -> Asked | None:
        """An answer, or None where this process is told to end before there is one."""
        answer = asyncio.create_task(asking)
        ending = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait({answer, ending}, return_when=asyncio.FIRST_COMPLETED)
            return await answer if answer.done() else None
        finally:
            for task in (answer, ending):
                task.cancel()
            await asyncio.gather(answer, ending, return_exceptions=True)

    async def _ask(self, check: Check) -> Asked:
        if check.attempts > MOST_ATTEMPTS:
            return Asked(problem="every process that asked it ended meanwhile")
        async with self._transactions.engine.connect() as connection:
            location = await PlaceStore(connection).location(check.location_id)
            feed = "nws_alerts" if check.check == "alerts" else "nws_grid"
            known = await AnswerStore(connection).latest(check.location_id, feed)
        if location is None:
            return Asked(problem="the place is unknown")
        if check.check == "alerts":
            return await self._asker.alerts(location, known)
        return await self._asker.conditions(location, known)

    async def _settle(self, check: Check, asked: Asked) -> Settled | None:
        """Write down an answer; what two replicas do to each other's rows passes."""
        for attempt in range(TRIES_TO_SETTLE):
            try:
                return await self._settle_once(check, asked)
            except Exception as error:
                if classify(error) is ErrorKind.DEFECT or attempt == TRIES_TO_SETTLE - 1:
                    raise
                log.warning("answer_not_recorded", error=describe(error))
                await asyncio.sleep(0.1 * 2**attempt)
        return None

    async def _settle_once(self, check: Check, asked: Asked) -> Settled | None:
        cause = command_envelope("weather.check", check.correlation_id, check.run_id)
        async with self._transactions.begin(cause) as tx:
            store = CheckStore(tx.connection)
            if not await store.finish(check):
                log.info("check_done_by_another", location_id=str(check.location_id), check=check.check)
                return None
            settled = await settle(
                tx, check, asked, also=self._polling.also, official_only=self._polling.official_only
            )
            run = await store.count(check.run_id, settled.tally, tx.at)
            if run is not None and run.finished:
                tx.emit(outcome_of(run, tx))
        self._log(check, asked, settled)
        return settled

    def _log(self, check: Check, asked: Asked, settled: Settled) -> None:
        tally = settled.tally
        say = log.error if asked.our_fault else log.warning if settled.problem else log.info
        say(
            "weather_checked",
            correlation_id=str(check.correlation_id),
            location_id=str(check.location_id),
            check=check.check,
            raised=tally.raised,
            updated=tally.updated,
            cleared=tally.cleared,
            problem=settled.problem,
        )

    async def _count_stale(self) -> None:
        async with self._transactions.engine.connect() as connection:
            counts = await AnswerStore(connection).stale_counts()
        for check in ("alerts", "conditions"):
            self._metrics.stale.labels(check).set(counts.get(check, 0))

    async def _rest(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._polling.poll_seconds):
                await self._stopping.wait()
