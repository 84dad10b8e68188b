"""What a gateway said of a charge, put into the books, whoever told us: a call, a look-up, a webhook."""

from datetime import date
from uuid import UUID

from services.billing.domain.autopay import Answer, Failure, Result, State, Step, after_answer
from services.billing.handlers.money_back import METHOD, before_booking, reference_of, take_what_waited
from services.billing.handlers.payments import NewPayment, record_payment
from services.billing.handlers.stating import stated
from services.billing.store import AutopayStore, ChargeStore, InvoiceStore, PolicyStore
from services.billing.store.charges import Charge
from shared.clock import local_date
from shared.contracts.billing import AutopayFailed
from shared.messaging.transaction import Tx


class ChargeUnknown(LookupError):
    """There is no charge with that id."""


def received_on(charge: Charge, answer: Answer, tx: Tx) -> date:
    """The property's date at the moment that the gateway names: the same, whoever tells of it first.

    Never a day to come, although its clock may be a little ahead of ours.
    """
    return local_date(min(answer.made_at or tx.at, tx.at), charge.time_zone)


async def claim_is_due(tx: Tx, charge_id: UUID) -> int | None:
    """What to ask a gateway for; None where the charge is not needed any more, and was dropped.

    Called with the charge claimed and its account locked, in the transaction of the claim.
    """
    store = ChargeStore(tx.connection)
    charge = await store.find(charge_id)
    if charge is None:
        raise ChargeUnknown(charge_id)
    reason = needless(charge)
    if reason is not None:
        await store.drop(charge, reason, tx.at)
        return None
    await store.set_amount(charge_id, charge.open_cents)
    return charge.open_cents


def needless(charge: Charge) -> str | None:
    """Why a charge is not to be made after all."""
    if charge.enrolment_ended_on is not None:
        return "enrolment_ended"
    if charge.invoice_state == "void":
        return "invoice_void"
    return None if charge.invoice_state == "open" and charge.open_cents > 0 else "paid_meanwhile"


async def take_answer(tx: Tx, charge: Charge, answer: Answer, *, claim: str | None = None) -> bool:
    """Let a charge go where an answer leads; False where it had gone on without it.

    Money is booked however the charge stands, because it has arrived; its reference books it once.
    """
    store = ChargeStore(tx.connection)
    current = await store.find(charge.charge_id, lock=True)
    if current is None:
        raise ChargeUnknown(charge.charge_id)
    step = await _step(tx, current, answer)
    moved = await store.move(current, step, answer, tx.at, claim=claim)
    if answer.result is Result.SUCCEEDED:
        await _book(tx, current, answer)
    elif moved and step.state is State.FAILED:
        await _say_failed(tx, current, step)
    return moved


async def _step(tx: Tx, charge: Charge, answer: Answer) -> Step:
    policies = await PolicyStore(tx.connection).snapshots([charge.terms_id])
    declined = 0
    if answer.result is Result.DECLINED:
        declined = 1 + await ChargeStore(tx.connection).declines(charge)
    return after_answer(
        answer,
        tries=charge.tries,
        at=tx.at,
        on=local_date(tx.at, charge.time_zone),
        declined=declined,
        retry_days=policies[charge.terms_id].autopay_retry_days,
    )


async def _book(tx: Tx, charge: Charge, answer: Answer) -> None:
    assert answer.reference is not None, "what succeeded has an id"  # noqa: S101 - the gateways' contract
    await before_booking(tx, charge.gateway, answer.reference)
    await record_payment(
        tx,
        NewPayment(
            reference=reference_of(charge.gateway, answer.reference),
            invoice=str(charge.invoice_id),
            amount_cents=answer.amount_cents or charge.amount_cents,
            received_on=received_on(charge, answer, tx),
            method=METHOD,
        ),
    )
    await take_what_waited(tx, charge.gateway, answer.reference)


async def _say_failed(tx: Tx, charge: Charge, step: Step) -> None:
    """Tell whoever reminds; and charge nobody who has withdrawn their consent."""
    retry_on = step.retry_on
    if step.failure is Failure.CONSENT_REVOKED:
        today = local_date(tx.at, charge.time_zone)
        await AutopayStore(tx.connection).end(charge.account_id, today, step.failure)
    invoice = await InvoiceStore(tx.connection).find(str(charge.invoice_id))
    assert invoice is not None, "charges refer to invoices"  # noqa: S101 - a foreign key says so
    tx.emit(
        AutopayFailed(
            **stated(invoice, invoice.balance_cents),
            charge_id=charge.charge_id,
            attempt=charge.attempt,
            amount_cents=charge.amount_cents,
            failure=str(step.failure),
            next_attempt_on=retry_on,
        )
    )
