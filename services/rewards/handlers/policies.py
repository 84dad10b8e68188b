"""Setting a reward policy: planned, checked, and kept as a new version. The dry run is the plan."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from services.rewards.domain.policies import (
    PolicyVersion,
    RewardPolicy,
    changed,
    read_terms,
    refuse_unlawful,
)
from services.rewards.store import CopyStore, PolicyStore
from shared.messaging.transaction import Tx


class PropertyUnknown(LookupError):
    """Rewards has no copy of that property."""


class PolicyChangedMeanwhile(Exception):
    """Somebody else has set the same policy since it was looked at."""

    code = "policy_changed_meanwhile"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPolicy:
    """What somebody wants to hold from a day on, everywhere or at one property."""

    document: Mapping[str, Any]
    """The fields to set; those that it leaves out stay, and those that are null are inherited again."""
    by: str
    property_id: UUID | None = None
    effective_on: date | None = None
    """Without it, the first day of the month it is."""
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class PolicyChange:
    """A version, and what it makes of the policy."""

    version: PolicyVersion
    before: RewardPolicy
    after: RewardPolicy


async def plan_policy(connection: AsyncConnection, new: NewPolicy, today: date) -> PolicyChange:
    """What setting these fields comes to; months that begin on or after the day are under it.

    Raises `BadDocument`, `PropertyUnknown`, and `UnlawfulRedemption` where credit against rent would meet
    the switch for places where a discount counts as a fee.
    """
    if new.property_id is not None and new.property_id not in await CopyStore(connection).properties():
        raise PropertyUnknown(f"no property {new.property_id}")
    unset = [name for name, value in new.document.items() if value is None]
    given = read_terms({name: value for name, value in new.document.items() if value is not None})
    on = new.effective_on or today.replace(day=1)
    book = await PolicyStore(connection).book()
    version = PolicyVersion(
        property_id=new.property_id,
        version=1 + max((v.version for v in book.versions if v.property_id == new.property_id), default=0),
        effective_on=on,
        terms=changed(book.terms(new.property_id, on), given, unset),
        reason=new.reason or "",
        set_by=new.by,
    )
    after = book.with_version(version)
    refuse_unlawful(after, on)
    return PolicyChange(version, book.policy(new.property_id, on), after.policy(new.property_id, on))


async def set_policy(tx: Tx, new: NewPolicy) -> PolicyChange:
    """Keep a policy as its layer's next version; the next evaluation posts what it makes different."""
    today = (await CopyStore(tx.connection).today(tx.at)).at(new.property_id or UUID(int=0))
    change = await plan_policy(tx.connection, new, today)
    if not await PolicyStore(tx.connection).add(change.version.kept_at(tx.at)):
        raise PolicyChangedMeanwhile(f"there is a version {change.version.version} since a moment ago")
    return change
