"""What comes in from outside: reports of providers, texts of tenants, clicks that end a kind of mail."""

import json
import random
from enum import Enum
from uuid import UUID

from services.notifications.aftermath import fact_of, follow_up
from services.notifications.domain.attempts import Doubt, Outcome, Result, Step, after_attempt
from services.notifications.domain.contacts import Contact
from services.notifications.domain.deliveries import State, states_before
from services.notifications.domain.notices import News
from services.notifications.domain.sms_outcomes import Report, read_report
from services.notifications.domain.suppressions import EVERYTHING, Answer, Why, read_answer
from services.notifications.handlers.telling import tell
from services.notifications.store import people, reports, suppressions
from services.notifications.store.reports import Reported
from shared.contracts.notifications import ContactOptedOut
from shared.messaging.transaction import Tx

TO_REVIEW = "text_to_review"
"""The event by which the office hears of a text that a person should read."""

HELP = {
    "en": "Your property manager sends you texts about your rent and your home. Reply STOP to end them.",
    "es": "Su administrador le envia mensajes sobre su renta y su hogar. Responda STOP para no recibirlos.",
}


class Taken(Enum):
    """What became of a report."""

    DONE = "done"
    REPEAT = "repeat"
    UNKNOWN = "unknown"
    """No such delivery."""
    LATER = "later"
    """Our own record of having sent it is not written yet: say it again."""


async def take_report(tx: Tx, delivery_id: UUID, sid: str, status: str, code: int | None) -> Taken:
    """Move a text as its provider reports; forward only, each report once, whatever order they come in."""
    found = await reports.find(tx.connection, delivery_id)
    if found is None:
        return Taken.UNKNOWN
    report = read_report(status, code)
    retriable = report.outcome is not None and report.outcome.result is Result.POSTPONED
    if found.state is State.SENDING and retriable:
        return Taken.LATER
    if not await reports.first_time(tx.connection, "twilio", f"{sid}:{status}", delivery_id, tx.at):
        return Taken.REPEAT
    await reports.name(tx.connection, delivery_id, sid)
    step = _step(found, report, tx)
    if step is not None and await reports.move(tx.connection, found, step, status, report.outcome, tx.at):
        await _follow(tx, found, step, report.outcome)
    return Taken.DONE


def _step(found: Reported, report: Report, tx: Tx) -> Step | None:
    """Where a report leads from where the delivery is; None where it is no step forward."""
    if report.state is None:
        known = found.state is State.UNKNOWN  # whatever it does with it: the provider has it
        return Step(State.SENT, None, None, burnt=False) if known else None
    if found.state not in states_before(report.state):
        return None
    outcome = report.outcome
    if outcome is None:
        return Step(report.state, None, None, burnt=False)
    again = after_attempt(
        outcome,
        attempts=found.claimed.attempts,
        at=tx.at,
        expires_at=found.claimed.expires_at,
        doubt=Doubt.HOLD,
        spread=random.random(),
    )
    if again.state is State.RETRY_WAIT:  # certainly not delivered, so that another text is no second one
        return Step(again.state, outcome.reason, again.next_attempt_at, burnt=False)
    return Step(State.BOUNCED, outcome.reason, None, burnt=False)


async def _follow(tx: Tx, found: Reported, step: Step, outcome: Outcome | None) -> None:
    if outcome is not None and step.state is State.BOUNCED:
        await follow_up(tx, found.claimed, step, outcome)
    elif step.state is State.DELIVERED and (fact := fact_of(found.claimed, step, tx.at)) is not None:
        tx.emit(fact)


async def take_word(tx: Tx, delivery_id: UUID, said: State, by: str) -> State | None:
    """What a person read in a returned mail or a complaint: the address is closed, a bounce goes another way.

    Gives the state that forbids it where the delivery cannot have come to this, else None.
    """
    found = await reports.find(tx.connection, delivery_id)
    if found is None or found.state not in states_before(said):
        return found.state if found else State.SKIPPED
    why = Why.COMPLAINT if said is State.COMPLAINED else Why.HARD_BOUNCE
    outcome = Outcome(Result.REFUSED, why, f"recorded by {by}", closes=why)
    step = Step(said, why, None, burnt=False)
    await reports.move(tx.connection, found, step, said, outcome, tx.at)
    await follow_up(tx, found.claimed, step, outcome)
    return None


async def take_text(tx: Tx, sid: str, phone: str, body: str, keyword: str = "") -> str | None:
    """What a tenant texts us: STOP, START and HELP act at once; what may mean STOP is for a person to read.

    `keyword` is what the provider itself took it for, where it answers by itself. Returns what to answer.
    """
    answer = Answer(keyword.lower()) if keyword.lower() in {"stop", "start", "help"} else read_answer(body)
    if not await reports.first_text(tx.connection, sid, phone, body, answer, tx.at):
        return None
    who = await people.contacts_by_phone(tx.connection, phone)
    match answer:
        case Answer.STOP:
            await _opt_out(tx, ("sms", phone), EVERYTHING, Why.STOP, who, f"text {sid}")
        case Answer.START:
            await suppressions.lift(
                tx.connection, "sms", phone, by=f"text {sid}", at=tx.at, reasons=(Why.STOP,)
            )
            await reports.consent(tx.connection, phone, f"text {sid}", tx.at)
        case Answer.HELP if not keyword:
            return HELP["es" if who and who[0].locale.startswith("es") else "en"]
        case Answer.REVIEW:
            await tell(tx, [], [_to_review(tx, who)])
        case Answer.HELP | Answer.OTHER:
            pass
    return None


async def unsubscribe(tx: Tx, address: str, category: str) -> bool:
    """End one kind of mail to an address; True where it went on until now."""
    who = await people.contacts_by_email(tx.connection, address)
    return await _opt_out(tx, ("email", address), category, Why.UNSUBSCRIBE, who, "one click")


async def _opt_out(
    tx: Tx, where: tuple[str, str], scope: str, reason: Why, who: list[Contact], source: str
) -> bool:
    channel, address = where
    identity = await suppressions.close(
        tx.connection, channel, address, reason=reason, scope=scope, source=source, at=tx.at
    )
    if identity is None:
        return False
    tenants = tuple(contact.tenant_id for contact in who if contact.kind == "tenant")
    said = {"channel": channel, "scope": scope, "reason": reason.value, "opted_out_at": tx.at}
    tx.emit(ContactOptedOut.model_validate({"suppression_id": identity, "tenant_ids": tenants} | said))
    return True


def _to_review(tx: Tx, who: list[Contact]) -> News:
    """The office reads the text itself with `propman notifications texts`: a mail is no place for it."""
    person = str(who[0].tenant_id) if who else None
    said = {"event": TO_REVIEW, "person_id": person, "on": f"{tx.at:%Y-%m-%d}"}
    identity = tx.cause.message_id
    return News(TO_REVIEW, identity, identity, tx.cause.correlation_id, json.dumps(said))
