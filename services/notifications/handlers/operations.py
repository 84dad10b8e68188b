"""What operators hear of the system itself: something is wrong, somebody sees to it, it is over."""

import json

from services.notifications.domain.notices import News
from services.notifications.handlers.billing import event_of
from services.notifications.handlers.telling import tell
from shared.contracts.scheduler import AlertAcknowledged, AlertFact, AlertRaised, AlertResolved
from shared.messaging.router import Router
from shared.messaging.transaction import Tx

router = Router("notifications")


@router.on(AlertRaised, AlertAcknowledged, AlertResolved)
async def tell_operators(fact: AlertFact, tx: Tx) -> None:
    """Tell whoever subscribed, once for each alert and step; tenants are told nothing."""
    event = event_of(type(fact))
    said = {"event": event, **fact.model_dump(mode="json"), "on": f"{fact.raised_at:%Y-%m-%d}"}
    cause = tx.cause
    await tell(tx, [], [News(event, fact.alert_id, cause.message_id, cause.correlation_id, json.dumps(said))])
