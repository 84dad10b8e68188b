"""What Stripe told us: taken once per event, in whatever order it comes."""

from dataclasses import replace
from typing import Final, Literal
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from services.billing.domain.autopay import Result
from services.billing.gateways.stripe_webhooks import ChargeNews, Event
from services.billing.handlers.charging import take_answer
from services.billing.handlers.money_back import document_of, take_money_back
from services.billing.store import ChargeStore, WebhookStore
from services.billing.store.charges import Charge, StoredEvent
from shared.messaging.transaction import Tx

GATEWAY: Final = "stripe"

Outcome = Literal["done", "repeat", "ignored", "not_ours", "waiting"]


async def story_of(connection: AsyncConnection, event: Event) -> UUID | None:
    """The correlation id of the charge that an event is about."""
    charge = await _charge(connection, event.news) if isinstance(event.news, ChargeNews) else None
    return charge.correlation_id if charge else None


async def take_event(tx: Tx, event: Event) -> Outcome:
    """Put one event into the books; the same one again changes nothing."""
    store = WebhookStore(tx.connection)
    stored = StoredEvent(GATEWAY, event.event_id, event.event_type, event.created_at, outcome="ignored")
    if not await store.add(stored, tx.at):
        return "repeat"
    news = event.news
    if news is None:
        return "ignored"
    if isinstance(news, ChargeNews):
        outcome = await _take_charge_news(tx, news)
        await store.conclude(replace(stored, reference=news.answer.reference), outcome)
        return outcome
    taken = await take_money_back(tx, GATEWAY, news, event.created_at)
    waits = document_of(news) if taken == "waiting" else None
    await store.conclude(replace(stored, reference=news.reference, news=waits), taken)
    return taken


async def _take_charge_news(tx: Tx, news: ChargeNews) -> Literal["done", "ignored", "not_ours"]:
    charge = await _charge(tx.connection, news)
    if charge is None or charge.gateway != GATEWAY:
        return "not_ours"
    if news.answer.result is Result.UNKNOWN:
        return "ignored"
    await take_answer(tx, charge, news.answer)
    return "done"


async def _charge(connection: AsyncConnection, news: ChargeNews) -> Charge | None:
    """By our own id; else by the gateway's, for whoever stripped the metadata."""
    store = ChargeStore(connection)
    found = None if news.charge_id is None else await store.find(news.charge_id)
    if found is not None or news.answer.reference is None:
        return found
    return await store.by_reference(GATEWAY, news.answer.reference)
