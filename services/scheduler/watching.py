"""The watchdog: looks at the schedules and at the scheduler itself, and keeps the alerts true.

It runs beside the due loop in every replica, and apart from them as `propman scheduler watchdog`, where it
also notices that no replica runs. However many there are, one acts at a time.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, Final, get_args

import structlog

from services.scheduler.domain.alerts import IN_WORDS, Alert, Changes, Finding, Kind, compare
from services.scheduler.domain.catch_up import Timetable, next_after
from services.scheduler.domain.schedules import Schedule
from services.scheduler.domain.services import (
    MOST_LAG,
    SCHEDULER,
    Judgement,
    QueueState,
    follow,
    judge_queues,
    judge_services,
)
from services.scheduler.domain.watching import LATE, Deaf, Watched, judge
from services.scheduler.gateways.queues import BrokerSilent, queue_states
from services.scheduler.store import HistoryStore, ReportStore, ScheduleStore
from services.scheduler.store.alerts import AlertStore
from services.scheduler.timetables import timetable_of
from services.scheduler.triggers import known_triggers
from shared import heartbeats
from shared.clock import SystemClock
from shared.contracts.scheduler import AlertAcknowledged, AlertRaised, AlertResolved
from shared.identity import new_id
from shared.messaging.errors import describe
from shared.messaging.naming import queue_for
from shared.messaging.transaction import Transactions, Tx, command_envelope

PERIOD: Final = 15.0
"""Seconds between two looks."""

RUNS: Final = 30
"""So many runs of each schedule are looked at."""

INSTANTS: Final = 5
"""Over so many instants to come the longest period of a schedule is looked for."""

MOST_SKEW: Final = timedelta(seconds=2)

Process = dict[str, Any]
"""What a process says of itself; see `shared.heartbeats`."""

QueueLook = Callable[[Collection[str]], Awaitable[Mapping[str, QueueState]]]
"""How these queues are, as far as they are there; raises `BrokerSilent`."""

log = structlog.get_logger()


async def watch(tx: Tx, queues: Mapping[str, QueueState] | None = None) -> Changes:
    """Look once, raise what is new and resolve what is over; `queues` is None where the broker is silent."""
    processes = await heartbeats.heard(tx.connection)
    findings = await schedule_findings(tx, queues or {}) + await scheduler_findings(tx, processes)
    services = await service_findings(tx, queues, processes)
    judged = set(get_args(Kind))
    if queues is None:
        judged -= {"not_started", "queue_deaf", "queue_behind"}
    if any(finding.kind == "scheduler_stalled" for finding in findings):
        # One cause and one alert: what was not published because nobody is there is not said once more.
        findings = [finding for finding in findings if finding.kind != "not_published"]
        judged.discard("not_published")
    return await keep(tx, [*findings, *services.findings], judged, unknown=services.unknown)


async def keep(
    tx: Tx,
    findings: Iterable[Finding],
    judged: Collection[Kind],
    *,
    unknown: Collection[tuple[Kind, str]] = (),
) -> Changes:
    """Make the open alerts what the findings say, and publish what is different."""
    store = AlertStore(tx.connection)
    changes = compare(findings, await store.open(), judged=judged, unknown=unknown, now=tx.at)
    for alert in await store.add(changes.raised, tx.at):
        log.warning("alert_raised", kind=alert.kind, about=alert.about, detail=alert.detail)
        tx.emit(AlertRaised(**_said(alert)))
    await store.save([*changes.seen, *changes.resolved])
    for alert in changes.resolved:
        log.info("alert_resolved", kind=alert.kind, about=alert.about)
        tx.emit(AlertResolved(**_said(alert), resolved_at=tx.at))
    return changes


async def acknowledge(tx: Tx, alert: Alert, *, by: str, note: str | None) -> Alert:
    """Somebody has seen to an alert; saying so again changes nothing but the note."""
    changed = replace(
        alert,
        state="acknowledged",
        acknowledged_at=alert.acknowledged_at or tx.at,
        acknowledged_by=alert.acknowledged_by or by,
        note=note or alert.note,
    )
    await AlertStore(tx.connection).save([changed])
    if alert.state == "raised":
        tx.emit(AlertAcknowledged(**_said(changed), acknowledged_at=tx.at))
    return changed


def _said(alert: Alert) -> dict[str, object]:
    return {
        "alert_id": alert.id,
        "alert_kind": alert.kind,
        "about": alert.about,
        "detail": alert.detail,
        "raised_at": alert.raised_at,
    }


async def schedule_findings(tx: Tx, queues: Mapping[str, QueueState]) -> list[Finding]:
    """What is wrong with the schedules."""
    store, history = ScheduleStore(tx.connection), HistoryStore(tx.connection)
    written, runs = await store.written(), await history.recent_runs(RUNS)
    successes = await history.last_successes()
    found: list[Finding] = []
    schedules = await store.schedules()
    deaf = {pair for pair, queue in asked(schedules).items() if _is_deaf(queues.get(queue))}
    for schedule in schedules:
        made, changed = written[schedule.key]
        timetable = _timetable(schedule)
        watched = Watched(
            schedule=schedule,
            since=made,
            history=runs.get(schedule.key, []),
            last_success_at=successes.get(schedule.key),
            due_at=_due_at(schedule, timetable, changed),
            period=_period(timetable, tx.at),
            fits=_fits(schedule, timetable),
        )
        found += judge(watched, tx.at, deaf)
    return found


def _timetable(schedule: Schedule) -> Timetable | None:
    """What its definition says, in its next zone where it has several; None if it cannot be read."""
    spec = schedule.spec | ({"timezone": schedule.time_zone} if schedule.follows_properties else {})
    try:
        return timetable_of(spec, schedule.rules)
    except ValueError:
        return None


def _due_at(schedule: Schedule, timetable: Timetable | None, changed: datetime) -> datetime | None:
    """The first instant after it was last written, by the definition, or what it says itself if earlier."""
    own = timetable if not schedule.follows_properties else None  # a zone of many says nothing of the others
    by_definition = next_after(own, changed) if own else None
    said = (schedule.next_run_at, by_definition)
    return min((moment for moment in said if moment is not None), default=None)


def _period(timetable: Timetable | None, now: datetime) -> timedelta | None:
    instants: list[datetime] = []
    following = next_after(timetable, now) if timetable else None
    while timetable and following is not None and len(instants) < INSTANTS:
        instants.append(following)
        following = next_after(timetable, following)
    return max((later - earlier for earlier, later in pairwise(instants)), default=None)


def _fits(schedule: Schedule, timetable: Timetable | None) -> bool:
    if timetable is None or schedule.next_run_at is None or schedule.follows_properties:
        return True
    return next_after(timetable, schedule.next_run_at - timedelta(microseconds=1)) == schedule.next_run_at


async def scheduler_findings(tx: Tx, processes: Sequence[Process]) -> list[Finding]:
    """What is wrong with the scheduler as a whole."""
    store = AlertStore(tx.connection)
    found: list[tuple[Kind, str]] = []
    if gone := _nobody_runs(processes):
        found.append(("scheduler_stalled", gone))
    # The machine's clock, also where time is simulated: it is the machines that must agree.
    skew = abs(SystemClock().now() - await store.database_time())
    if skew > MOST_SKEW:
        found.append(("clock_skew", f"by {skew.total_seconds():.1f} s"))
    oldest = await store.oldest_in_outbox()
    if oldest is not None and tx.at - oldest > MOST_LAG:
        found.append(("outbox_lag", f"the oldest since {oldest:%Y-%m-%d %H:%M} UTC"))
    if count := await store.dead_letters():
        found.append(("dead_letters", f"{count}, see `propman dead-letters list`"))
    return [Finding(kind, SCHEDULER, f"{IN_WORDS[kind]}: {detail}") for kind, detail in found]


def _nobody_runs(rows: Sequence[Process]) -> str | None:
    """Since when no replica has said a word, where that is too long; by the machine's clock, as they beat."""
    now = SystemClock().now()
    if any(heartbeats.is_alive(row, now) for row in rows):
        return None
    last = max((row["seen_at"] for row in rows), default=None)
    if last is None:
        return "none has been heard of"
    return None if now - last < LATE else f"the last was heard of at {last:%Y-%m-%d %H:%M} UTC"


async def service_findings(
    tx: Tx, queues: Mapping[str, QueueState] | None, processes: Sequence[Process]
) -> Judgement:
    """What is wrong with the services, by what they report and by what waits in their queues.

    By the machine's clock, as they report.
    """
    store, now = ReportStore(tx.connection), SystemClock().now()
    reports = await store.all()
    judgement = judge_services(reports, now, _since(processes))
    if queues is None:
        return judgement
    before = await store.backlogs()
    seen = {name: follow(before.get(name), name, state, now) for name, state in queues.items()}
    backlogs = {name: backlog for name, backlog in seen.items() if backlog is not None}
    await store.put_backlogs(backlogs)
    found = [one for one in judge_queues(reports, backlogs, now) if one.name not in judgement.unknown]
    return replace(judgement, findings=(*judgement.findings, *found))


def _since(processes: Sequence[Process]) -> datetime | None:
    """Since when some scheduler has been alive without a gap, as far as its processes tell."""
    now = SystemClock().now()
    return min((row["started_at"] for row in processes if heartbeats.is_alive(row, now)), default=None)


def asked(schedules: Iterable[Schedule]) -> dict[Deaf, str]:
    """Every pair of trigger and consumer that some schedule counts on, with its queue."""
    contracts = known_triggers()
    return {
        Deaf(consumer, item.trigger): queue_for(consumer, contracts[item.trigger])
        for item in schedules
        if item.trigger in contracts
        for consumer in item.expected
    }


def _is_deaf(state: QueueState | None) -> bool:
    return state is not None and state.consumers == 0


async def watched_queues(transactions: Transactions) -> set[str]:
    """The queues that something depends on: of the triggers, and those that services say they take from."""
    async with transactions.engine.connect() as connection:
        schedules = await ScheduleStore(connection).schedules()
        reports = await ReportStore(connection).all()
    return {*asked(schedules).values(), *(queue for item in reports for queue in item.queues)}


def broker_look(url: str) -> QueueLook:
    """Asks the broker how queues are."""

    async def look(names: Collection[str]) -> Mapping[str, QueueState]:
        return await queue_states(url, names)

    return look


def in_words(changes: Changes | None) -> list[str]:
    """What a look has changed, a line for each alert."""
    if changes is None:
        return []
    raised = [f"Raised: {one.kind} of {one.about}, {one.detail}." for one in changes.raised]
    return [*raised, *(f"Over: {one.kind} of {one.about}." for one in changes.resolved)]


class Watchdog:
    """Looks every few seconds until it is stopped."""

    def __init__(
        self,
        transactions: Transactions,
        look: QueueLook,
        *,
        every: float = PERIOD,
        tell: Callable[[str], None] | None = None,
    ) -> None:
        """Watches the scheduler's database; `look` asks the broker, `tell` says to a person what is new."""
        self._tell = tell or (lambda _words: None)
        self._trouble: str | None = None
        self._deaf = False
        self._transactions = transactions
        self._look = look
        self._every = every
        self._stopped = asyncio.Event()

    async def run(self) -> None:
        """Look until stopped. The first look waits too: who starts with us has not said a word yet."""
        while not await self._told_to_stop():
            try:
                changes = await self.look_once()
            except Exception as error:  # noqa: BLE001 - nothing may end the watching; the next look finds out
                log.warning("watch_failed", error=describe(error))
                self._tell_trouble(f"The database cannot be looked at: {describe(error)}")
                continue
            self._tell_trouble(
                "The broker does not answer: of queues nothing is known" if self._deaf else None
            )
            for words in in_words(changes):
                self._tell(words)

    def _tell_trouble(self, words: str | None) -> None:
        """Say once that a server is away, and once that it is back."""
        if words != self._trouble:
            self._tell(f"{words or 'It can be looked at again'}.")
        self._trouble = words

    def stop(self) -> None:
        """Return from `run`."""
        self._stopped.set()

    async def look_once(self) -> Changes | None:
        """One look; None where another watchdog is at it."""
        queues: Mapping[str, QueueState] | None = None
        self._deaf = True
        with suppress(BrokerSilent):
            queues = await self._look(await watched_queues(self._transactions))
            self._deaf = False
        async with self._transactions.begin(command_envelope("scheduler.watch", new_id())) as tx:
            if not await AlertStore(tx.connection).take_turn():
                return None
            return await watch(tx, queues)

    async def _told_to_stop(self) -> bool:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._every):
                await self._stopped.wait()
        return self._stopped.is_set()
