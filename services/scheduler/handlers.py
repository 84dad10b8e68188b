"""What the scheduler does on each message. One function per message; the rules are in domain/."""

from datetime import timedelta
from typing import Final

import structlog

from services.scheduler.domain.occurrences import Report, outcome_of
from services.scheduler.domain.services import Reported
from services.scheduler.store import OccurrenceStore, ReportStore, StartStore, ZoneStore
from services.scheduler.store.cleaning import SWEEPS
from shared.cleaning import cleaning_router
from shared.clock import UnknownZone, zone
from shared.contracts.leasing import PropertyChanged, PropertyFact, PropertyRegistered
from shared.contracts.scheduler import CleanUp, ServiceReported, TriggerOutcome, TriggerStarted
from shared.messaging.router import Router
from shared.messaging.transaction import Tx

router: Final = Router("scheduler")
router.include(cleaning_router("scheduler", CleanUp, SWEEPS))

log = structlog.get_logger()


@router.on(TriggerOutcome)
async def record_outcome(outcome: TriggerOutcome, tx: Tx) -> None:
    """Keep what a consumer did with an occurrence, and what all of them together make of it."""
    store = OccurrenceStore(tx.connection)
    if await store.occurrence(outcome.occurrence_id, lock=True) is None:
        # Pruned, or announced by another service's own command: there is nothing to attach it to.
        log.info(
            "outcome_of_unknown_occurrence",
            occurrence_id=str(outcome.occurrence_id),
            consumer=outcome.consumer,
        )
        return
    report = Report(
        consumer=outcome.consumer,
        state=outcome.state,
        finished_at=outcome.finished_at,
        counts=outcome.counts,
        problems=outcome.problems,
        parts=outcome.parts,
    )
    await store.record_report(outcome.occurrence_id, report, now=tx.at)
    if outcome.state != "failed":
        # What failed may never have begun; what was done may not have said so before.
        await StartStore(tx.connection).record_start(outcome.occurrence_id, outcome.finished_at)
    occurrence = await store.occurrence(outcome.occurrence_id)
    if occurrence is not None:
        await store.settle(occurrence.id, *outcome_of(occurrence))


@router.on(TriggerStarted)
async def record_start(started: TriggerStarted, tx: Tx) -> None:
    """Keep when the first consumer took up an occurrence; one that is not known any more needs none."""
    await StartStore(tx.connection).record_start(started.occurrence_id, started.started_at)


@router.on(ServiceReported)
async def hear_service(said: ServiceReported, tx: Tx) -> None:
    """Keep what a service says of itself; the watchdog judges it, and that it says nothing any more."""
    report = Reported(
        service=said.service,
        said_at=said.said_at,
        processes=said.processes,
        lost=said.lost,
        outbox=said.outbox,
        outbox_oldest=timedelta(seconds=said.outbox_oldest_seconds),
        unroutable=said.unroutable,
        dead_letters=said.dead_letters,
        queues=said.queues,
    )
    await ReportStore(tx.connection).keep(report)


@router.on(PropertyRegistered, PropertyChanged)
async def learn_zone(fact: PropertyFact, tx: Tx) -> None:
    """Know which zones there are properties in; the due loop gives schedules their places there."""
    store = ZoneStore(tx.connection)
    if await store.keep_property(fact.property_id, fact.version, fact.time_zone):
        await store.settle_zones(_usable(fact), tx.at)


def _usable(fact: PropertyFact) -> str | None:
    try:
        return zone(fact.time_zone).key
    except UnknownZone:
        # Billing reports it with each run; one zone that nobody knows must not hold back the others.
        log.warning("zone_unknown", property_id=str(fact.property_id), zone=fact.time_zone)
        return None
