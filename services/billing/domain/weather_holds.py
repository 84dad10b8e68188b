"""Holds that dangerous weather places by itself, and takes away when it is over."""

from dataclasses import dataclass, replace
from datetime import date
from typing import Final
from uuid import UUID, uuid5

from services.billing.domain.holds import PlacedHold

GRAVE: Final = frozenset({"warning", "emergency"})
"""The levels that concern health and safety; a watch or an advisory keeps nobody from paying."""

ORIGIN: Final = "weather"

_HOLDS: Final = UUID("2a4b1f0e-6c1d-5d55-9b1c-776561746800")


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """What is known of dangerous weather at a property, in the property's own days."""

    incident_id: UUID
    level: str
    is_open: bool
    known_on: date
    """The day it was said."""
    begins_on: date
    ends_on: date | None
    """None until further notice."""
    name: str


def hold_of(incident_id: UUID) -> UUID:
    """The identity of an incident's hold, whatever becomes of its dates."""
    return uuid5(_HOLDS, str(incident_id))


def held_by(incident: Incident, before: PlacedHold | None, fresh: PlacedHold) -> PlacedHold | None:
    """The hold as it is to be kept; None where there is to be none at all.

    `fresh` is the hold as a grave incident places it. It begins no later than it did. When the incident
    is over, or no longer grave, the hold ends on that day; one that had not begun yet never was.
    """
    if incident.is_open and incident.level in GRAVE:
        starts_on = fresh.starts_on if before is None else min(before.starts_on, fresh.starts_on)
        ends_on = None if fresh.ends_on is None else max(fresh.ends_on, starts_on)
        return replace(fresh, starts_on=starts_on, ends_on=ends_on)
    return over(before, incident.known_on)


def over(before: PlacedHold | None, on: date) -> PlacedHold | None:
    """What is left of a hold whose incident is over; None where it had not begun."""
    if before is None or before.starts_on > on:
        return None
    ends_on = on if before.ends_on is None else min(before.ends_on, on)
    return replace(before, ends_on=ends_on)
