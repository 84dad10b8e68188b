"""Holds: windows in which nobody is charged for being late or reminded, and what may become of them."""

from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Final, Literal, get_args
from uuid import UUID, uuid5

Scope = Literal["property", "lease", "invoice"]
Kind = Literal["dispute", "moratorium", "payment_plan", "emergency"]

SCOPES: Final[tuple[Scope, ...]] = get_args(Scope)
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)

_HOLDS: Final = UUID("5b0b3c55-8a0e-5d4a-9a38-686f6c647300")


class HoldRefused(Exception):
    """A hold that makes no sense, with the reason in words."""

    code = "hold_refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedHold:
    """A window on a property, a lease or an invoice; both its days belong to it."""

    hold_id: UUID
    scope: Scope
    scope_id: UUID
    kind: Kind
    starts_on: date
    ends_on: date | None
    """The last day; without one it lasts until somebody ends it."""
    reason: str
    placed_by: str
    placed_at: datetime
    origin: str = "manual"
    """A person, or what else placed it, such as "weather"."""


def hold_id(scope: Scope, scope_id: UUID, kind: Kind, starts_on: date, origin: str = "manual") -> UUID:
    """The identity of a hold: asking for the same one again places no second."""
    return uuid5(_HOLDS, f"{scope}:{scope_id}:{kind}:{starts_on}:{origin}")


def checked(hold: PlacedHold) -> PlacedHold:
    """The hold as it is kept, or `HoldRefused`."""
    if hold.ends_on is not None and hold.ends_on < hold.starts_on:
        raise HoldRefused(f"its last day {hold.ends_on} is before its first, {hold.starts_on}")
    if not hold.reason.strip():
        raise HoldRefused("say why; the reason is kept with it")
    return replace(hold, reason=hold.reason.strip())


def ended(hold: PlacedHold, on: date) -> PlacedHold:
    """The hold with its last day; an end is only ever brought forward."""
    if on < hold.starts_on:
        raise HoldRefused(f"it begins on {hold.starts_on}; end it on that day or later")
    if hold.ends_on is not None and on > hold.ends_on:
        raise HoldRefused(f"it has ended already, on {hold.ends_on}")
    return replace(hold, ends_on=on)
