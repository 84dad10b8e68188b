"""What follows from an attempt in the transaction that records it: facts, closed addresses, another way."""

from datetime import datetime

from services.notifications.dispatch import today_of
from services.notifications.domain.attempts import Outcome, Step
from services.notifications.domain.decisions import FALLBACK, Telling, decide
from services.notifications.domain.deliveries import State
from services.notifications.domain.kinds import kind_of
from services.notifications.domain.suppressions import BLOCKED_FOR, EVERYTHING, Why
from services.notifications.domain.truth import untrue
from services.notifications.handlers.telling import lost, tell, zones_for
from services.notifications.store import notices, suppressions
from services.notifications.store.deliveries import Claimed
from shared.contracts.base import Fact
from shared.contracts.notifications import NotificationDelivered, NotificationFailed
from shared.messaging.transaction import Tx

_FAILED = frozenset({State.FAILED_PERMANENT, State.FAILED_EXPIRED, State.BOUNCED})
_ELSEWHERE = frozenset({State.FAILED_PERMANENT, State.BOUNCED, State.SUPPRESSED, State.SKIPPED})
"""Certainly not sent this way, so that another way makes no double."""


async def follow_up(tx: Tx, claimed: Claimed, step: Step, outcome: Outcome, *, told: bool = True) -> None:
    """Say what came of it, close an address that is no good, and try the next channel.

    `told` is False where the provider will report delivery later, and that report is the fact.
    """
    if (fact := fact_of(claimed, step, tx.at)) is not None and (told or step.state is not State.SENT):
        tx.emit(fact)
    if outcome.closes is not None:
        until = tx.at + BLOCKED_FOR if outcome.closes is Why.BLOCKED else None
        await suppressions.close(
            tx.connection,
            claimed.channel,
            claimed.address,
            reason=outcome.closes,
            scope=EVERYTHING,
            source=f"delivery {claimed.id}",
            until=until,
            at=tx.at,
        )
    if step.state in _ELSEWHERE:
        await go_another_way(tx, claimed)


async def go_another_way(tx: Tx, claimed: Claimed) -> bool:
    """Queue a notification by its next channel, where that one is open; else tell the office."""
    if not kind_of(claimed.template).fails_over or claimed.contact is None:
        return False
    other = FALLBACK.get(claimed.channel)
    if other is None:
        return False
    telling = Telling(
        claimed.template,
        claimed.category,
        claimed.criticality,
        claimed.useless_at,
        untrue(claimed.template, claimed.context, claimed.standing, today_of(claimed, tx.at)),
    )
    zones = zones_for(claimed.contact, claimed.zone)
    beginning = decide(telling, claimed.contact, other, tx.at, zones)
    if beginning.state is State.QUEUED:
        row = notices.NewDelivery(
            claimed.notification_id, claimed.tenant_id, other, beginning, None, claimed.useless_at
        )
        await notices.add_deliveries(tx.connection, [row], tx.at)
        return True
    if not await notices.goes_by_another(tx.connection, claimed.notification_id, claimed.channel):
        await tell(tx, [], [lost(claimed.tenant_id or claimed.notification_id, claimed.template, tx)])
    return False


def fact_of(claimed: Claimed, step: Step, at: datetime) -> Fact | None:
    """What the rest of the system hears of a delivery's end."""
    tenant = claimed.contact is None or claimed.contact.kind == "tenant"
    about = {
        "delivery_id": claimed.id,
        "notification_id": claimed.notification_id,
        "tenant_id": claimed.tenant_id if tenant else None,
        "channel": claimed.channel.value,
        "category": claimed.category,
        "template": claimed.template,
        "attempts": claimed.attempts + int(step.burnt),
    }
    if step.state in {State.SENT, State.DELIVERED}:
        return NotificationDelivered.model_validate(about | {"delivered_at": at})
    if step.state in _FAILED:
        state = State.FAILED_EXPIRED if step.state is State.FAILED_EXPIRED else State.FAILED_PERMANENT
        failed = {"state": state.value, "reason": step.reason or "unknown", "failed_at": at}
        return NotificationFailed.model_validate(about | failed)
    return None
