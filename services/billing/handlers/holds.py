"""Placing and ending holds. What they change is put right by the next run of late fees.

The accounts are locked, so that a run that judged without the hold does not undo the request to look again.
"""

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from services.billing.domain.holds import HoldRefused, Kind, PlacedHold, Scope, checked, ended, hold_id
from services.billing.handlers.settling import lock_accounts
from services.billing.store import HoldStore
from shared.messaging.transaction import Tx


class HoldUnknown(LookupError):
    """There is no hold with that id."""


@dataclass(frozen=True, slots=True)
class Window:
    """What somebody asks to hold."""

    scope: Scope
    scope_id: UUID
    kind: Kind
    starts_on: date
    ends_on: date | None = None


async def place_hold(
    tx: Tx, window: Window, *, reason: str, by: str, origin: str = "manual"
) -> tuple[PlacedHold, bool]:
    """Place a hold; the same one again changes nothing. Returns it, and whether it was there before.

    Raises `HoldRefused` where billing does not know what is to be held, or where the dates make no sense.
    """
    store = HoldStore(tx.connection)
    if not await store.knows(window.scope, window.scope_id):
        raise HoldRefused(f"billing knows no {window.scope} {window.scope_id}")
    hold = checked(
        PlacedHold(
            hold_id=hold_id(window.scope, window.scope_id, window.kind, window.starts_on, origin),
            scope=window.scope,
            scope_id=window.scope_id,
            kind=window.kind,
            starts_on=window.starts_on,
            ends_on=window.ends_on,
            reason=reason,
            placed_by=by,
            placed_at=tx.at,
            origin=origin,
        )
    )
    await lock_accounts(tx, await store.accounts(hold.scope, hold.scope_id))
    if not await store.add(hold):
        return await _known(store, hold.hold_id), True
    await store.look_again(hold.scope, hold.scope_id)
    return hold, False


async def end_hold(tx: Tx, identity: UUID, on: date) -> PlacedHold:
    """Give a hold its last day, or an earlier one.

    Raises `HoldUnknown`, or `HoldRefused` where it has ended already or begins later.
    """
    store = HoldStore(tx.connection)
    known = await _known(store, identity)
    await lock_accounts(tx, await store.accounts(known.scope, known.scope_id))
    hold = ended(await _known(store, identity, lock=True), on)
    await store.end(hold)
    await store.look_again(hold.scope, hold.scope_id)
    return hold


async def _known(store: HoldStore, identity: UUID, *, lock: bool = False) -> PlacedHold:
    found = await store.find(identity, lock=lock)
    if found is None:
        raise HoldUnknown(str(identity))
    return found
