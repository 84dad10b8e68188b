"""What tenants hear of their rewards: granted, taken back, used, and back on the balance."""

import json
from typing import Final
from uuid import UUID

from services.notifications.domain.kinds import kind_of
from services.notifications.domain.notices import News, Notice, dedup_key
from services.notifications.handlers.billing import event_of
from services.notifications.handlers.telling import tell
from shared.contracts.rewards import (
    RewardFact,
    RewardGranted,
    RewardRedeemed,
    RewardRestored,
    RewardRevoked,
)
from shared.messaging.router import Router
from shared.messaging.transaction import Tx

router = Router("notifications")

_REPLACED: Final = "amount"
"""The cause of a revocation that makes room for a grant of another amount, which is told already."""


@router.on(RewardGranted, RewardRedeemed, RewardRestored)
async def tell_of_reward(fact: RewardFact, tx: Tx) -> None:
    """Tell a tenant of an entry of their reward ledger, once."""
    await tell(tx, [_notice(fact, fact.entry_id, tx)], [_news(fact, tx)])


@router.on(RewardRevoked)
async def tell_of_revocation(fact: RewardRevoked, tx: Tx) -> None:
    """Tell a tenant that a reward is taken back and why; not where another amount takes its place."""
    told = [] if fact.cause == _REPLACED else [_notice(fact, fact.entry_id, tx)]
    await tell(tx, told, [_news(fact, tx)])


def _notice(fact: RewardFact, entry_id: UUID, tx: Tx) -> Notice:
    template = event_of(type(fact))
    return Notice(
        category=kind_of(template).category,
        template=template,
        dedup_key=dedup_key(template, entry_id, fact.tenant_id),
        source_message_id=tx.cause.message_id,
        correlation_id=tx.cause.correlation_id,
        context=fact.model_dump_json(exclude={"tenant_id"}),
        tenant_id=fact.tenant_id,
        property_id=fact.property_id,
    )


def _news(fact: RewardFact, tx: Tx) -> News:
    event = event_of(type(fact))
    said = fact.model_dump(mode="json", exclude={"tenant_id"}) | {"event": event}
    cause = tx.cause
    return News(
        event, fact.entry_id, cause.message_id, cause.correlation_id, json.dumps(said), fact.property_id
    )
