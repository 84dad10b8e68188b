"""What tenants hear of work orders: that one was opened, when somebody comes, and what came of it."""

import json
from datetime import datetime, timedelta
from typing import Final

from services.notifications.domain.kinds import kind_of
from services.notifications.domain.notices import News, Notice, dedup_key
from services.notifications.domain.truth import untrue
from services.notifications.handlers.billing import event_of
from services.notifications.handlers.telling import tell
from services.notifications.store import premises
from shared.contracts.leasing import WorkOrderChanged, WorkOrderFact, WorkOrderOpened
from shared.identity import derived_id
from shared.messaging.router import Router
from shared.messaging.transaction import Tx

router = Router("notifications")

TOLD: Final = {
    "opened": "work_order_opened",
    "reopened": "work_order_opened",
    "scheduled": "work_order_appointment",
    "rescheduled": "work_order_appointment",
    "called_off": "work_order_appointment",
    "completed": "work_order_closed",
    "cancelled": "work_order_closed",
}
"""What tenants are told of; who does the work, and what it is called, is the office's business."""

REPUBLISHED: Final = "republished"


@router.on(WorkOrderOpened, WorkOrderChanged)
async def tell_of_work_order(fact: WorkOrderFact, tx: Tx) -> None:
    """Tell whom it concerns, once for each step; what an older step said and still waits is dropped."""
    if fact.change == REPUBLISHED:
        return
    notices: list[Notice] = []
    if template := TOLD.get(fact.change):
        await premises.note(tx.connection, [fact.work_order_id], str(fact.version), _said_at(fact))
        standing = await premises.standing(tx.connection, [fact.work_order_id])
        context = fact.model_dump_json(exclude={"tenant_ids"})
        reason = untrue(template, json.loads(context), standing, None)
        notices = _notices(template, fact, context, reason, tx)
    await tell(tx, notices, [_news(fact, tx)])


def _notices(template: str, fact: WorkOrderFact, context: str, untrue_: str | None, tx: Tx) -> list[Notice]:
    step = derived_id(fact.work_order_id, fact.version)
    return [
        Notice(
            category=kind_of(template).category,
            template=template,
            dedup_key=dedup_key(template, step, tenant_id),
            source_message_id=tx.cause.message_id,
            correlation_id=tx.cause.correlation_id,
            context=context,
            tenant_id=tenant_id,
            property_id=fact.property_id,
            expires_at=fact.scheduled_until if fact.change in {"scheduled", "rescheduled"} else None,
            untrue=untrue_,
        )
        for tenant_id in fact.tenant_ids
    ]


def _news(fact: WorkOrderFact, tx: Tx) -> News:
    event = event_of(type(fact))
    said = fact.model_dump(mode="json", exclude={"tenant_ids"}) | {"event": event}
    step = derived_id(fact.work_order_id, fact.version)
    cause = tx.cause
    return News(event, step, cause.message_id, cause.correlation_id, json.dumps(said), fact.property_id)


def _said_at(fact: WorkOrderFact) -> datetime:
    """The order of versions, also of two at the same moment."""
    return fact.occurred_at + timedelta(microseconds=fact.version)
