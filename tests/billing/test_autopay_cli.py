"""What an operator does with autopay: enrol, collect, look, end."""

import json
from collections.abc import Callable, Coroutine
from datetime import date
from typing import Any
from uuid import UUID

import pytest

from services.billing.schema import metadata, payment_reversals
from services.billing.verbs.autopay import end_lease, enrol_lease, list_charges, list_enrolments
from services.billing.verbs.autopay_refunds import refund
from services.billing.verbs.collecting import collect_autopay
from shared.cli import CommandError, Unreachable, UsageProblem
from shared.cli.output import audience
from shared.identity import new_id
from shared.messaging.tables import inbox, outbox
from tests.billing.autopay_desk import RENT, Desk
from tests.billing.stripe_server import SECRET_KEY, Mishap
from tests.support.builders import a_lease
from tests.support.messages import count_rows

pytestmark = pytest.mark.servers

Command = Callable[..., Coroutine[Any, Any, None]]


class Operator:
    """Somebody at the command line; their clock is the machine's."""

    def __init__(self, desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
        self.desk = desk
        self._capsys = capsys

    async def asks(self, command: Command, *words: Any, **options: Any) -> Any:
        """The document a command prints with --json."""
        self._capsys.readouterr()
        with audience(machine=True):
            await command(*words, **({"as_json": True} | options))
        return json.loads(self._capsys.readouterr().out)

    async def reads(self, command: Command, *words: Any, **options: Any) -> str:
        """What a person sees on both streams."""
        self._capsys.readouterr()
        await command(*words, **options)
        seen = self._capsys.readouterr()
        return seen.out + seen.err

    async def due(self) -> dict[str, Any]:
        """An invoice that is overdue by any clock."""
        self.desk.clock.at = self.desk.clock.at.replace(year=2024)
        lease = a_lease(starts_on=date(2024, 1, 1))
        return await self.desk.bill(lease, period="2024-12")

    async def enrol(
        self, invoice: dict[str, Any], gateway: str = "stripe", method: str = "pm_card_visa"
    ) -> Any:
        return await self.asks(
            enrol_lease,
            invoice["lease_id"],
            gateway=gateway,
            customer="cus_ann",
            method=method,
            from_on=date(2024, 12, 1),
        )

    async def rows(self) -> dict[str, int]:
        tables = [*metadata.sorted_tables, inbox, outbox]
        return {table.name: await count_rows(self.desk.transactions, table) for table in tables}


@pytest.fixture
def operator(desk: Desk, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Operator:
    for name, value in {
        "BILLING_DATABASE_URL": desk.url,
        "PROPMAN_RABBITMQ_URL": "amqp://nowhere",
        "BILLING_STRIPE_SECRET_KEY": SECRET_KEY,
        "BILLING_STRIPE_URL": desk.stripe.url,
    }.items():
        monkeypatch.setenv(name, value)
    return Operator(desk, capsys)


async def test_who_enrols_is_charged_by_the_next_collection(operator: Operator) -> None:
    invoice = await operator.due()
    await operator.enrol(invoice)

    done = await operator.asks(collect_autopay)

    assert (done["planned"], done["states"]) == (1, {"succeeded": 1})
    assert (await operator.desk.invoice(invoice))["state"] == "paid"


async def test_collecting_again_finds_nothing_to_do_and_says_so(operator: Operator) -> None:
    await operator.enrol(await operator.due())
    await operator.asks(collect_autopay)

    assert "Nothing is due by autopay." in await operator.reads(collect_autopay)
    assert len(operator.desk.stripe.charged) == 1


async def test_a_dry_run_shows_what_the_real_run_does_and_does_nothing(operator: Operator) -> None:
    await operator.enrol(await operator.due())
    before = await operator.rows()

    shown = await operator.asks(collect_autopay, dry_run=True)
    after, calls = await operator.rows(), list(operator.desk.stripe.requests)
    done = await operator.asks(collect_autopay)

    assert (after, calls) == (before, [])
    assert shown["total_cents"] == {"USD": RENT}
    assert shown["planned"] == done["planned"] == 1


async def test_a_decline_is_told_with_its_class_and_the_day_it_is_tried_again(operator: Operator) -> None:
    await operator.enrol(await operator.due(), method="pm_card_chargeDeclinedInsufficientFunds")

    with pytest.raises(CommandError, match="0 of 1 charged; 1 declined or in doubt"):
        await operator.reads(collect_autopay)

    [charge] = await operator.asks(list_charges, state="failed")
    assert charge["failure"] == "insufficient_funds"
    assert charge["retry_on"] is not None
    assert "claimed_by" not in charge


async def test_a_gateway_that_is_down_leaves_the_charge_to_be_made_and_says_so(operator: Operator) -> None:
    await operator.enrol(await operator.due())
    await operator.desk.stripe.stop()

    with pytest.raises(CommandError, match="0 of 1 charged; 0 declined or in doubt, 1 still to be made"):
        await operator.reads(collect_autopay)

    assert await operator.desk.states() == ["planned"]


async def test_enqueueing_publishes_the_trigger_and_charges_nothing(operator: Operator) -> None:
    await operator.enrol(await operator.due())

    said = await operator.asks(collect_autopay, enqueue=True)

    [due] = await operator.desk.said("scheduler.autopay_due.v1")
    assert (said["enqueued"], due["origin"]) == (True, "manual")
    assert await operator.desk.charges() == []


async def test_a_property_that_nobody_knows_is_a_mistake(operator: Operator) -> None:
    with pytest.raises(CommandError, match="knows no property"):
        await operator.reads(collect_autopay, property_id=new_id())


async def test_a_gateway_that_is_not_configured_is_never_enrolled_in(operator: Operator) -> None:
    invoice = await operator.due()

    with pytest.raises(UsageProblem, match="no gateway 'simulated'") as refusal:
        await operator.enrol(invoice, gateway="simulated", method="sim_card")

    assert "BILLING_AUTOPAY_SIMULATED" in str(refusal.value.remedy)


async def test_the_simulated_gateway_is_called_so_wherever_it_is_seen(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BILLING_AUTOPAY_SIMULATED", "true")
    invoice = await operator.due()
    options = {"gateway": "simulated", "customer": "anybody", "method": "sim_card"}

    warned = await operator.reads(enrol_lease, invoice["lease_id"], from_on=date(2024, 12, 1), **options)
    await operator.asks(collect_autopay)

    [payment] = await operator.desk.payments()
    assert "no money will move" in warned
    assert payment["reference"].startswith("simulated:sim_")
    assert operator.desk.stripe.requests == []


async def test_a_charge_whose_gateway_is_not_configured_here_is_a_problem(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    await operator.enrol(await operator.due())
    monkeypatch.setenv("BILLING_STRIPE_SECRET_KEY", "")

    with pytest.raises(CommandError, match="0 of 1 charged"):
        await operator.reads(collect_autopay)

    assert await operator.desk.states() == ["planned"]


@pytest.mark.parametrize("mishap", ["drop_before", "drop_after"])
async def test_a_refund_whose_answer_got_lost_is_made_once_by_asking_again(
    operator: Operator, mishap: Mishap
) -> None:
    await operator.enrol(await operator.due())
    [charge] = (await operator.asks(collect_autopay))["charges"]
    charge_id = UUID(charge["charge_id"])
    operator.desk.stripe.mishaps = [mishap]

    with pytest.raises(Unreachable, match="Nobody knows yet"):
        await operator.asks(refund, charge_id, amount="50.00")
    in_between = await operator.desk.rows(payment_reversals)
    done = await operator.asks(refund, charge_id, amount="50.00")

    [made] = operator.desk.stripe.refunds.values()
    [booked] = await operator.desk.rows(payment_reversals)
    assert in_between == []
    assert (made["amount"], booked["amount_cents"], booked["kind"]) == (5_000, 5_000, "refunded")
    assert done["refunded_cents"] == 5_000


async def test_refunds_follow_each_other_until_nothing_is_left(operator: Operator) -> None:
    await operator.enrol(await operator.due())
    [charge] = (await operator.asks(collect_autopay))["charges"]
    charge_id = UUID(charge["charge_id"])

    await operator.asks(refund, charge_id, amount="50.00")
    await operator.asks(refund, charge_id, amount="50.00")
    shown = await operator.asks(refund, charge_id, dry_run=True)
    await operator.asks(refund, charge_id)

    assert shown["amount_cents"] == RENT - 10_000
    assert sum(item["amount"] for item in operator.desk.stripe.refunds.values()) == RENT
    with pytest.raises(CommandError, match="nothing is left"):
        await operator.asks(refund, charge_id)
    with pytest.raises(CommandError, match="has taken money"):
        await operator.asks(refund, new_id())


async def test_enrolling_twice_and_ending_nothing_say_what_to_do(operator: Operator) -> None:
    invoice = await operator.due()
    await operator.enrol(invoice)

    with pytest.raises(CommandError, match="enrolled already") as twice:
        await operator.enrol(invoice)
    ended = await operator.asks(end_lease, invoice["lease_id"], reason="moved out")
    with pytest.raises(CommandError, match="not enrolled"):
        await operator.asks(end_lease, invoice["lease_id"])
    with pytest.raises(CommandError, match="knows no lease"):
        await operator.asks(end_lease, new_id())

    assert "autopay end" in str(twice.value.remedy)
    assert ended["ended_reason"] == "moved out"


async def test_the_list_shows_who_is_enrolled_and_with_all_who_was(operator: Operator) -> None:
    invoice = await operator.due()
    await operator.enrol(invoice)
    [active] = await operator.asks(list_enrolments)
    await operator.asks(end_lease, invoice["lease_id"], reason="moved out")

    assert active["account_id"] == str(invoice["account_id"])
    assert await operator.asks(list_enrolments) == []
    assert "moved out" in await operator.reads(list_enrolments, with_ended=True)


async def test_charges_are_found_by_lease_and_a_wrong_state_is_a_usage_problem(operator: Operator) -> None:
    invoice = await operator.due()
    await operator.enrol(invoice)
    await operator.asks(collect_autopay)

    seen = await operator.reads(list_charges, lease_id=invoice["lease_id"])

    assert invoice["number"] in seen
    assert "pi_1" in seen
    with pytest.raises(UsageProblem, match="is not a state"):
        await operator.reads(list_charges, state="happy")
