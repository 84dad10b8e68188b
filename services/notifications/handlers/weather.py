"""What tenants hear of dangerous weather: at once where it matters, once, and no more when it is over."""

import json
from typing import Final
from uuid import UUID

from services.notifications.domain.contacts import Contact
from services.notifications.domain.kinds import Criticality, kind_of
from services.notifications.domain.notices import News, Notice, dedup_key
from services.notifications.domain.truth import untrue, updated_to
from services.notifications.handlers.billing import event_of
from services.notifications.handlers.telling import tell
from services.notifications.store import notices, people, premises
from shared.clock import local_date
from shared.contracts.base import Fact
from shared.contracts.weather import (
    WeatherAlertCleared,
    WeatherAlertFact,
    WeatherAlertRaised,
    WeatherAlertUpdated,
    WeatherDataStale,
)
from shared.identity import derived_id
from shared.messaging.router import Router
from shared.messaging.transaction import Tx

router = Router("notifications")

URGENCY: Final = {
    "advisory": Criticality.NORMAL,
    "watch": Criticality.NORMAL,
    "warning": Criticality.WARNING,
    "emergency": Criticality.EMERGENCY,
}
CLEARED: Final = "cleared"
REPLACED: Final = "replaced"


@router.on(WeatherAlertRaised)
async def warn(fact: WeatherAlertRaised, tx: Tx) -> None:
    """Warn everybody who lives at the property, unless it is over already or nobody is to be told."""
    await _replace(fact, tx)
    if not fact.quiet:
        await _tell(tx, "weather_raised", fact, fact.incident_id, await _residents(fact, tx))


@router.on(WeatherAlertUpdated)
async def warn_again(fact: WeatherAlertUpdated, tx: Tx) -> None:
    """Say what has changed; older news of it that still waits is not sent any more.

    A quiet update says nothing new to people, so that what they are to hear stays what it was.
    """
    await _replace(fact, tx)
    if not fact.quiet:
        newest = updated_to(fact.revision)
        await premises.note(tx.connection, [fact.incident_id], newest, fact.occurred_at)
        subject = derived_id(fact.incident_id, fact.revision)
        await _tell(tx, "weather_updated", fact, subject, await _residents(fact, tx))


@router.on(WeatherAlertCleared)
async def give_the_all_clear(fact: WeatherAlertCleared, tx: Tx) -> None:
    """Tell those who were warned that it is over; a warning that still waits is not sent any more."""
    await _replace(fact, tx)
    await premises.note(tx.connection, [fact.incident_id], CLEARED, fact.occurred_at)
    if fact.quiet:
        return
    warned = await notices.told_of_alert(tx.connection, fact.incident_id)
    known = await people.known_contacts(tx.connection, warned)
    await _tell(tx, "weather_cleared", fact, fact.incident_id, [known[person] for person in sorted(known)])


@router.on(WeatherDataStale)
async def report_stale_data(fact: WeatherDataStale, tx: Tx) -> None:
    """Let the office know that nobody watches the weather of a place; tenants are told nothing."""
    subject = derived_id(fact.location_id, fact.stale_since.isoformat())
    said = {"event": event_of(type(fact)), "reason": fact.reason, "on": f"{fact.stale_since:%Y-%m-%d}"}
    cause = tx.cause
    await tell(
        tx,
        [],
        [News(event_of(type(fact)), subject, cause.message_id, cause.correlation_id, json.dumps(said))],
    )


async def _replace(fact: WeatherAlertFact, tx: Tx) -> None:
    if fact.replaces:
        await premises.note(tx.connection, fact.replaces, REPLACED, fact.occurred_at)


async def _residents(fact: WeatherAlertFact, tx: Tx) -> list[Contact]:
    """Who lives at the property today; somebody with two units is one person."""
    today = local_date(tx.at, fact.time_zone)
    return await people.contacts_at(tx.connection, {fact.property_id: today})


async def _tell(
    tx: Tx, template: str, fact: WeatherAlertFact, subject: UUID, residents: list[Contact]
) -> None:
    context = fact.model_dump_json()
    standing = await premises.standing(tx.connection, [fact.incident_id])
    reason = untrue(template, json.loads(context), standing, None)
    cleared = template == "weather_cleared"
    kind = kind_of(template)
    heard = await notices.last_told_of_alert(tx.connection, fact.incident_id) if kind.cooldown else {}
    told = [
        Notice(
            category=kind.category,
            template=template,
            dedup_key=dedup_key(f"{template}.{fact.incident_id}", subject, resident.tenant_id),
            source_message_id=tx.cause.message_id,
            correlation_id=tx.cause.correlation_id,
            context=context,
            tenant_id=resident.tenant_id,
            property_id=fact.property_id,
            criticality=Criticality.NORMAL if cleared else URGENCY[fact.level],
            expires_at=None if cleared else fact.ends_at,
            untrue=reason,
            rests_until=heard[person] + kind.cooldown if (person := resident.tenant_id) in heard else None,
        )
        for resident in residents
    ]
    await tell(tx, told, [_news(fact, subject, tx)])


def _news(fact: WeatherAlertFact, subject: UUID, tx: Tx) -> News:
    contract: type[Fact] = type(fact)
    said = fact.model_dump(mode="json", exclude={"reason"}) | {"event": event_of(contract)}
    return News(
        event_of(contract),
        subject,
        tx.cause.message_id,
        tx.cause.correlation_id,
        json.dumps(said),
        fact.property_id,
    )
