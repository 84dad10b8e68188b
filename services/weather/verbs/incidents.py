"""`propman weather incidents`."""

import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

import typer
from sqlalchemy.ext.asyncio import AsyncConnection

from services.weather.domain.incidents import Incident
from services.weather.domain.observations import Metric
from services.weather.domain.official import Circumstances, Place, reduce_alerts
from services.weather.domain.polls import read_poll
from services.weather.domain.thresholds import shown
from services.weather.store.answers import AnswerStore, Feed
from services.weather.store.incidents import IncidentStore, Said
from services.weather.store.places import PlaceStore, Property
from services.weather.verbs.database import known_property, reading
from shared.cli import (
    IdArgument,
    JsonOption,
    LimitOption,
    PropertyOption,
    UsageProblem,
    counted,
    print_json,
    print_record,
    print_table,
    service_app,
)
from shared.identity import derived_id

app = service_app("incidents", "What was and is dangerous at which property.")


@app.command("list")
async def list_incidents(
    property_id: PropertyOption = None,
    only_open: Annotated[bool, typer.Option("--open", help="Only what lasts.")] = False,
    limit: LimitOption = 50,
    as_json: JsonOption = False,
) -> None:
    r"""List incidents, newest first.

    \b
    Examples:
      propman weather incidents list --open
      propman weather incidents list --property 0198c1d2-7e1a-7c3f-9b2e-3d4c5b6a7f80 --json
    """
    async with reading() as connection:
        if property_id is not None:
            await known_property(connection, property_id)
        found = await IncidentStore(connection).search(
            property_id=property_id, only_open=only_open, limit=limit
        )
        names = await PlaceStore(connection).names()
    if as_json:
        print_json([_as_json(place, incident) for place, incident in found])
        return
    rows = [
        [
            names.get(place, str(place)),
            item.level.word,
            item.event,
            item.opened_at,
            item.reason.value if item.reason else "open",
            item.id,
        ]
        for place, item in found
    ]
    print_table(["property", "level", "event", "opened at", "state", "id"], rows, empty="No incidents.")


@app.command("show")
async def show_incident(incident_id: IdArgument, as_json: JsonOption = False) -> None:
    r"""Show one incident, and every fact that was said of it.

    \b
    Example:
      propman weather incidents show 0198c1d2-7e1a-7c3f-9b2e-3d4c5b6a7f80
    """
    async with reading() as connection:
        place, incident = await _found(connection, incident_id)
        history = await IncidentStore(connection).history(incident_id)
        names = await PlaceStore(connection).names()
    if as_json:
        print_json(_as_json(place, incident) | {"history": [asdict(said) for said in history]})
        return
    print_record(
        {
            "incident": incident.id,
            "property": f"{names.get(place, '-')} ({place})",
            "key": incident.key,
            "event": incident.event,
            "category": incident.category,
            "level": incident.level.word,
            "source": incident.source,
            "headline": incident.words.headline,
            "opened at": incident.opened_at,
            "onset": incident.onset_at,
            "ends": incident.ends_at or "until further notice",
            "closed at": incident.closed_at,
            "reason": incident.reason,
        }
    )
    rows = [
        [said.revision, said.kind, said.level, ", ".join(said.changes), said.quiet, said.at]
        for said in history
    ]
    print_table(
        ["revision", "fact", "level", "changes", "quiet", "at"], rows, empty="Nothing was said of it."
    )


@app.command("explain")
async def explain(
    identity: Annotated[UUID, typer.Argument(metavar="ID", help="An incident's id, or a property's.")],
    as_json: JsonOption = False,
) -> None:
    r"""Say why an incident is as it is; of a property, why each message of its last answer was told or not.

    \b
    Examples:
      propman weather incidents explain 0198c1d2-7e1a-7c3f-9b2e-3d4c5b6a7f80
    """
    async with reading() as connection:
        found = await IncidentStore(connection).find(identity)
        if found is not None:
            place, incident = found
            history = await IncidentStore(connection).history(identity)
            feed = await _feed(connection, place, incident)
            reasons = list(_reasons(incident, history, feed))
        else:
            reasons = await _why(connection, await known_property(connection, identity))
    if as_json:
        print_json({"id": identity, "reasons": reasons})
        return
    for reason in reasons:
        typer.echo(reason)


def _moment(at: datetime | None) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC") if at else "-"


async def _feed(connection: AsyncConnection, property_id: UUID, incident: Incident) -> Feed | None:
    place = await PlaceStore(connection).property(property_id)
    if place is None or place.location_id is None:
        return None
    check = "alerts" if incident.official else "conditions"
    return await AnswerStore(connection).feed(place.location_id, check)


def _reasons(incident: Incident, history: list[Said], feed: Feed | None) -> list[str]:
    lines = [f"{incident.event} is one danger because every message of it has the key {incident.key}."]
    seen = counted(len(incident.seen), "message")
    lines.append(f"{seen} of it came; the newest was sent at {_moment(incident.sent_at)}.")
    if incident.measured is not None:
        found = incident.measured
        (value, unit), (line, _) = (
            shown(Metric(found.metric), value) for value in (found.value, found.threshold)
        )
        lines = [f"{incident.event}: {found.metric} reached {value} {unit}; the line is {line}."]
    for said in history:
        quiet = " (quiet: nobody was to be told)" if said.quiet else ""
        why = f" because of {', '.join(said.changes)}" if said.changes else ""
        lines.append(f"{_moment(said.at)}: {said.kind} as {said.level}{why}{quiet}.")
    if incident.suppressed_by is not None and incident.is_open:
        lines.append(f"It is not told: the official alert {incident.suppressed_by} says it already.")
    if incident.superseded_by is not None:
        lines.append(f"{incident.superseded_by} took its place.")
    lines.append(_end(incident, feed))
    return lines


def _end(incident: Incident, feed: Feed | None) -> str:
    if incident.reason is not None:
        return f"It ended at {_moment(incident.closed_at)}: {incident.reason.value}."
    if feed is not None and feed.stale_since is not None:
        return f"It is still open, and out of date since {_moment(feed.stale_since)}: {feed.problem}."
    missed = f"; {incident.missed} healthy answers no longer had it" if incident.missed else ""
    until = _moment(incident.ends_at) if incident.ends_at else "further notice"
    return f"It is still open until {until}{missed}."


async def _why(connection: AsyncConnection, place: Property) -> list[str]:
    """The last answer once more through the rules, with nothing known before."""
    if place.location_id is None:
        return [f"{place.name} has no coordinates and is not watched."]
    answer = await AnswerStore(connection).latest(place.location_id, "nws_alerts")
    if answer is None:
        return [f"No official alerts were ever read for {place.name}."]
    poll = read_poll(json.loads(answer.body))
    moment = poll.updated_at or max((alert.sent_at for alert in poll.alerts), default=None)
    if moment is None:
        return [f"The last answer for {place.name} lists nothing."]
    at = Circumstances(now=moment, identify=derived_id)
    result = reduce_alerts([], poll, Place(), at)
    lines = [
        f"The last answer for {place.name} is of {_moment(moment)}, {counted(len(poll.alerts), 'message')}."
    ]
    lines += [
        f"told: {change.incident.event} ({change.incident.level.word}, {change.incident.key})."
        for change in result.ledger.changes
    ]
    return lines + [f"not told: {identity}: {why}." for identity, why in result.ignored]


async def _found(connection: AsyncConnection, incident_id: UUID) -> tuple[UUID, Incident]:
    found = await IncidentStore(connection).find(incident_id)
    if found is None:
        raise UsageProblem(
            f"There is no incident {incident_id}.", remedy="See `propman weather incidents list`."
        )
    return found


def _as_json(property_id: UUID, incident: Incident) -> dict[str, Any]:
    found = asdict(incident) | {"property_id": property_id, "level": incident.level.word}
    if incident.told is not None:
        found["told"] = asdict(incident.told) | {"level": incident.told.level.word}
    return found
