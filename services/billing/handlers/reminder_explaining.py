"""Why an invoice was reminded of, or was not: its stages with their days, and what stands in the way."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from services.billing.domain.policy_book import Place
from services.billing.domain.reminders import Remindable, applicable
from services.billing.handlers.reminders import Verdict, decide_chunk, facts_of
from services.billing.store import LeaseStore, PolicyStore, ReminderStore
from services.billing.store.reminders import Recorded
from shared.clock import local_date

_REASONS: Final = {
    "issued_later": "the invoice itself came on that day or later",
    "due_date_reached": "its day was missed, and the due date is there",
}


@dataclass(frozen=True, slots=True)
class ExplainedStage:
    """One stage: what was decided, or what would be."""

    due_on: date
    stage: int
    day: date
    state: str
    reason: str | None


@dataclass(frozen=True, slots=True)
class Explained:
    """An invoice's reminders as they are on a day."""

    number: str
    due_on: date
    on: date
    answer: str
    next_on: date | None
    stages: tuple[ExplainedStage, ...]


async def explain_reminders(
    connection: AsyncConnection, invoice_id: UUID, *, on: date | None, at: datetime
) -> Explained:
    """What is decided, what comes, and why not; for a day, by default the present one at the property."""
    [invoice] = await ReminderStore(connection).load([invoice_id])
    zones = await LeaseStore(connection).time_zones_of([invoice.property_id])
    day = on or local_date(at, zones.get(invoice.property_id, "UTC"))
    done = await decide_chunk(connection, {invoice_id: day})
    book = await PolicyStore(connection).book({invoice.lease_id: invoice.property_id})
    stages = book.policy(Place(invoice.property_id, invoice.lease_id), day).reminder_stages
    recorded = await ReminderStore(connection).of_invoice(invoice_id)
    [verdict] = done.verdicts
    return Explained(
        number=invoice.number,
        due_on=invoice.due_on,
        on=day,
        answer=_answer(verdict),
        next_on=verdict.next_on,
        stages=(*_recorded(recorded), *_coming(verdict, stages)),
    )


def _recorded(found: Sequence[Recorded]) -> list[ExplainedStage]:
    return [
        ExplainedStage(
            item.due_on,
            item.stage,
            item.decided_on,
            "sent" if item.state == "said" else item.state,
            _REASONS.get(item.reason or "", item.reason),
        )
        for item in found
    ]


def _coming(verdict: Verdict, stages: Sequence[int]) -> list[ExplainedStage]:
    """The policy's stages that are not decided yet."""
    invoice = verdict.invoice
    facts = facts_of(invoice, verdict.charge_on)
    return [
        ExplainedStage(invoice.due_on, stage, facts.earliest(stage), *_fate(facts, verdict, stage))
        for stage in stages
        if stage not in invoice.decided
    ]


def _fate(facts: Remindable, verdict: Verdict, stage: int) -> tuple[str, str | None]:
    decided = {item.stage: item for item in verdict.decision.stages}
    if facts.closed is not None:
        return "not sent", _ANSWERS[facts.closed]
    if facts.last_said is not None and stage < facts.last_said:
        return "not sent", f"{facts.last_said:+d} was sent already"
    if stage in decided:
        found = decided[stage]
        state = {"said": "due now", "collapsed": "collapsed", "dropped": "dropped"}[found.outcome]
        return state, _REASONS.get(found.reason or "", found.reason)
    if not applicable(facts, stage):
        return "dropped", _REASONS["issued_later"]
    if facts.earliest(stage) > verdict.on:
        return "to come", None
    return "waiting", _ANSWERS[verdict.decision.why]


def _answer(verdict: Verdict) -> str:
    why = verdict.decision.why
    if why == "say":
        return f"Stage {verdict.decision.say:+d} is due: its tenants are told by the next run."
    if why == "waiting":
        return f"Nothing is due; the next look is on {verdict.next_on}."
    return f"Nothing is sent: {_ANSWERS[why]}."


_ANSWERS: Final[Mapping[str, str]] = {
    "nothing_left": "every stage of its policy is decided",
    "void": "the invoice is void",
    "paid": "nothing is owed on it",
    "held": "a hold covers this day",
    "charge_under_way": "a charge by autopay is under way",
    "told_today": "one of its tenants had a reminder on this day already",
}
