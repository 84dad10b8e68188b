"""What tenants hear of their rewards: once, in their language, and not where another amount takes its place."""

from datetime import date
from typing import Any
from uuid import UUID

import pytest

from services.notifications.handlers import events
from shared.contracts.billing import PaymentRecorded, PaymentReversed
from shared.contracts.rewards import RewardGranted, RewardRedeemed, RewardRestored, RewardRevoked
from shared.identity import new_id
from tests.notifications.office import Office, a_tenant
from tests.notifications.test_new_facts import rows, states

pytestmark = pytest.mark.servers


def an_entry(who: UUID, **fields: Any) -> dict[str, Any]:
    given: dict[str, Any] = {
        "entry_id": new_id(),
        "tenant_id": who,
        "sequence": 3,
        "property_id": new_id(),
        "lease_id": new_id(),
        "currency": "USD",
        "amount_cents": 5_000,
        "balance_cents": 3_000,
        "posted_on": date(2026, 9, 2),
    }
    return given | fields


def granted(who: UUID, **fields: Any) -> RewardGranted:
    rule = {"kind_of_rule": "streak", "rule": "streak:6", "period": "2026-09", "months": 6}
    return RewardGranted(**an_entry(who, **rule) | fields)


def revoked(who: UUID, **fields: Any) -> RewardRevoked:
    cause = {
        "granted_entry_id": new_id(),
        "cause": "unpaid",
        "cause_period": "2026-08",
        "missing_cents": 2_000,
    }
    return RewardRevoked(**granted(who).model_dump() | {"entry_id": new_id()} | cause | fields)


def redeemed(who: UUID) -> RewardRedeemed:
    use = {"redemption_id": new_id(), "account_id": new_id(), "against": "rent"}
    return RewardRedeemed(**an_entry(who), **use, redeemed_on=date(2026, 9, 3))


def restored(who: UUID) -> RewardRestored:
    return RewardRestored(**an_entry(who), redemption_id=new_id(), reason="nothing_open")


@pytest.mark.parametrize("locale", ["en", "es"])
@pytest.mark.parametrize(
    ("template", "fact"),
    [
        ("reward_granted", granted),
        ("reward_revoked", revoked),
        ("reward_redeemed", redeemed),
        ("reward_restored", restored),
    ],
)
async def test_each_entry_is_told_once_and_can_be_read(
    office: Office, template: str, fact: Any, locale: str
) -> None:
    ann = a_tenant(locale=locale)
    message = fact(ann.tenant_id)
    await office.hear(ann, message, message)

    await office.make_due()
    await office.send_once()

    assert await states(office, template) == [("sent", None)]
    assert len(office.mail_server.messages) == 1


async def test_a_grant_that_is_only_replaced_is_not_told_as_taken_back(office: Office) -> None:
    ann = a_tenant()

    await office.hear(ann, revoked(ann.tenant_id, cause="amount"), granted(ann.tenant_id))

    assert await rows(office, "reward_revoked") == []
    assert len(await rows(office, "reward_granted")) == 1


async def test_a_reward_that_was_booked_gets_no_receipt_of_money(office: Office) -> None:
    ann = a_tenant()
    payment = PaymentRecorded(
        payment_id=new_id(),
        reference="reward 7",
        invoice_id=new_id(),
        invoice_number="INV-2026-000123",
        lease_id=new_id(),
        property_id=new_id(),
        tenant_ids=(ann.tenant_id,),
        currency="USD",
        amount_cents=5_000,
        balance_cents=0,
        method="reward",
        received_on=date(2026, 9, 3),
    )

    await office.hear(ann, payment)

    assert await rows(office, "receipt") == []


async def test_a_reward_that_was_taken_back_is_told_as_that_and_not_as_a_payment_that_failed(
    office: Office,
) -> None:
    ann = a_tenant()
    back = restored(ann.tenant_id).model_copy(update={"reason": "payment_reversed"})
    reversal = PaymentReversed(
        payment_id=back.redemption_id,
        reversal_id=new_id(),
        account_id=new_id(),
        lease_id=new_id(),
        property_id=new_id(),
        tenant_ids=(ann.tenant_id,),
        currency="USD",
        reversal="entered_in_error",
        amount_cents=5_000,
        known_on=date(2026, 9, 3),
        method="reward",
    )

    await office.hear(ann, reversal, back)
    await office.make_due()
    await office.send_once()

    [mail] = office.mail_server.messages
    text = mail.get_body(("plain",))
    assert text is not None
    assert "was taken off your account again" in text.get_content()


def test_the_office_may_subscribe_to_rewards() -> None:
    assert {"reward_granted", "reward_revoked", "reward_redeemed", "reward_restored"} <= set(events())
