"""`propman billing apply-late-fees` and `waive-fee`, as an operator types them."""

from dataclasses import dataclass
from datetime import date

import pytest
import sqlalchemy as sa

from services.billing.domain.waiving import WaiverRefused
from services.billing.handlers import router
from services.billing.handlers.waivers import waive_fee
from services.billing.schema import accounts, invoices, waivers
from tests.billing.late_ledger import FIFTY, TEN_A_DAY, LateLedger, a_policy
from tests.billing.office import Office
from tests.support.builders import a_lease, a_property
from tests.support.messages import count_rows, deliver, deliver_batch, emitted


@dataclass
class Desk(Office):
    """Billing's commands, on a database with one account."""

    ledger: LateLedger


@pytest.fixture
async def desk(office: Office) -> Desk:
    return Desk(office.transactions, office.environment, await LateLedger(office.transactions).open())


async def number_of(desk: Desk, invoice: object) -> str:
    return str((await desk.ledger.row(invoice, "number"))[0])  # type: ignore[arg-type]


async def test_a_dry_run_writes_nothing_and_says_what_the_real_run_does(desk: Desk) -> None:
    await desk.ledger.invoice(policy=a_policy(FIFTY, TEN_A_DAY, late_fee_cap=None))
    await desk.ledger.invoice("2025-04-01")
    before = await desk.rows()

    dry = await desk.run("apply-late-fees", "--dry-run", "--json")
    between = await desk.rows()
    real = await desk.do("apply-late-fees", "--json")

    assert (dry.code, real.code, between) == (0, 0, before)
    assert dry.json == real.json | {"dry_run": True}
    assert real.json["posted"] == len(real.json["lines"]) > 500
    assert len(real.json["overdue"]) == 2
    assert await desk.rows() != before


async def test_a_second_run_finds_nothing_to_do(desk: Desk) -> None:
    invoice = await desk.ledger.invoice()
    first = await desk.do("apply-late-fees")

    second = await desk.do("apply-late-fees")

    assert (first.code, second.code) == (0, 0)
    assert "Elm Street" in first.out
    assert "1 line posted, 1 invoice marked overdue." in first.err
    assert "Nothing to do: 0 invoices were due for a look." in second.err
    assert len(await desk.ledger.lines(invoice)) == 1


async def test_the_old_spelling_and_a_property_are_understood(desk: Desk) -> None:
    other = await LateLedger(desk.ledger.transactions).open()
    mine, theirs = await desk.ledger.invoice(), await other.invoice()

    ran = await desk.do("apply_late_fees", "--property", str(desk.ledger.property_id))

    assert ran.code == 0
    assert (len(await desk.ledger.lines(mine)), len(await other.lines(theirs))) == (1, 0)


async def test_an_unknown_property_is_said_on_one_line(desk: Desk) -> None:
    ran = await desk.do("apply-late-fees", "--property", "0198c1d2-7e1a-7c3f-9b2e-3d4c5b6a7f80")

    assert (ran.code, ran.err.count("\n")) == (2, 1)


async def test_enqueue_leaves_the_work_to_the_service(desk: Desk) -> None:
    await desk.ledger.invoice()

    ran = await desk.do("apply-late-fees", "--enqueue", "--json")

    [(topic, body)] = await emitted(desk.ledger.transactions)
    assert (ran.code, topic) == (0, "scheduler.late_fees_due.v1")
    assert body["occurrence_id"] == ran.json["occurrence_id"]


async def test_an_invoice_that_cannot_be_judged_fails_the_command_and_names_itself(desk: Desk) -> None:
    odd = await desk.ledger.invoice(policy=a_policy(jurisdiction="atlantis"))
    fine = await desk.ledger.invoice("2025-04-01")

    ran = await desk.do("apply-late-fees")

    assert ran.code == 1
    assert f"{await number_of(desk, odd)}: jurisdiction: 'atlantis'" in ran.err
    assert len(await desk.ledger.lines(fine)) == 1


async def test_a_waived_fee_is_gone_for_good_and_says_who_and_why(desk: Desk) -> None:
    invoice = await desk.ledger.invoice()
    number = await number_of(desk, invoice)

    waived = await desk.do("waive-fee", number, "--reason", "First time late", "--by", "Kim", "--json")
    await desk.do("apply-late-fees")

    assert (waived.code, waived.json["waived_cents"], waived.json["balance_cents"]) == (0, 5_000, 100_000)
    assert [(kind, cents) for kind, _, cents in await desk.ledger.lines(invoice)] == [
        ("late_fee", 5_000),
        ("waiver", -5_000),
    ]
    async with desk.ledger.transactions.engine.connect() as connection:
        row = (await connection.execute(sa.select(waivers))).one()
    assert (row.waived_by, row.reason) == ("Kim", "First time late")
    [fact] = await desk.ledger.said("late_fee_waived")
    assert (fact["reason"], fact["amount_cents"], fact["total_fee_cents"]) == ("First time late", 5_000, 0)


async def test_a_fee_waived_after_it_was_paid_is_credit(desk: Desk) -> None:
    invoice = await desk.ledger.invoice()
    await desk.ledger.pay(105_000, "2025-03-20")
    assert await desk.ledger.row(invoice, "state") == ("paid",)

    ran = await desk.do("waive-fee", str(invoice), "--reason", "Our mistake")

    assert ran.code == 0
    assert "freed as credit $50.00" in ran.err
    async with desk.ledger.transactions.engine.connect() as connection:
        assert await connection.scalar(sa.select(accounts.c.credit_cents)) == 5_000
    [credit] = await desk.ledger.said("credit_issued")
    assert (credit["amount_cents"], credit["reason"]) == (5_000, "waiver")


async def test_a_part_may_be_waived_and_no_more_than_there_is(desk: Desk) -> None:
    number = await number_of(desk, await desk.ledger.invoice())

    part = await desk.do("waive-fee", number, "--amount", "20", "--reason", "half", "--json")
    more = await desk.do("waive-fee", number, "--amount", "30.01", "--reason", "half")
    rest = await desk.do("waive-fee", number, "--reason", "the rest", "--json")
    again = await desk.do("waive-fee", number, "--reason", "again")

    assert (part.json["waived_cents"], rest.json["waived_cents"]) == (2_000, 3_000)
    assert (more.code, again.code) == (1, 1)
    assert "only $30.00 of late fees" in more.err
    assert "owes nothing for being late" in again.err


async def test_what_cannot_be_waived_is_refused_and_leaves_nothing_behind(desk: Desk) -> None:
    invoice = await desk.ledger.invoice(policy=a_policy(late_fee_rules=()))
    before = await desk.rows()

    unknown = await desk.do("waive-fee", "INV-2025-999999", "--reason", "x")
    nothing = await desk.do("waive-fee", str(invoice), "--reason", "x")
    odd = await desk.do("waive-fee", str(invoice), "--amount", "ten", "--reason", "x")

    assert (unknown.code, nothing.code, odd.code) == (2, 1, 2)
    assert await desk.rows() == before


async def test_a_waiver_without_a_reason_is_refused(desk: Desk) -> None:
    invoice = await desk.ledger.invoice()

    with pytest.raises(WaiverRefused, match="say why"):
        async with desk.ledger.transactions.command("test") as tx:
            await waive_fee(tx, str(invoice), amount_cents=None, by="Kim", reason=" ")

    assert await count_rows(desk.ledger.transactions, waivers) == 0


async def test_rules_that_were_agreed_charge_what_is_issued_under_them_and_nothing_older(
    office: Office,
) -> None:
    place, old = a_property(), a_lease(starts_on=date(2025, 1, 1))
    lease = old.model_copy(update={"property_id": place.property_id})
    await deliver(office.transactions, router, place)
    await deliver_batch(office.transactions, router, [lease])
    await office.do("generate-monthly-invoices", "--month", "2025-02")

    rules = ("late_fee_rules=flat:50+daily:5,max_days=10", "--effective-on", "2025-03-01")
    agreed = await office.do("policy", "set", *rules, "--reason", "as in the leases")
    await office.do("generate-monthly-invoices", "--month", "2025-03")
    async with office.transactions.engine.begin() as connection:  # as if each had been issued in time
        await connection.execute(sa.update(invoices).values(issued_on=invoices.c.due_on))
    ran = await office.do("apply-late-fees", "--json")

    assert (agreed.code, ran.code) == (0, 0), agreed.err
    assert {(line["kind"], line["rule"], line["amount_cents"]) for line in ran.json["lines"]} == {
        ("late_fee", "flat.1", 5_000),
        ("late_fee", "daily.2", 500),
    }
    assert ran.json["total_cents"] == {"USD": 10_000}
    assert len(ran.json["overdue"]) == 2


async def test_a_dry_waiver_says_what_the_real_one_does_and_writes_nothing(desk: Desk) -> None:
    number = await number_of(desk, await desk.ledger.invoice())
    await desk.do("apply-late-fees")
    before = await desk.rows()

    dry = await desk.do("waive-fee", number, "--amount", "20", "--reason", "half", "--dry-run", "--json")
    between = await desk.rows()
    real = await desk.do("waive-fee", number, "--amount", "20", "--reason", "half", "--json")

    assert between == before
    assert dry.json["waived_cents"] == real.json["waived_cents"] == 2_000
    assert (dry.json["dry_run"], real.json["dry_run"]) == (True, False)


@pytest.mark.parametrize("amount", ["0", "0.00", "a lot"])
async def test_an_amount_that_moves_nothing_is_a_usage_problem(desk: Desk, amount: str) -> None:
    ran = await desk.do("waive-fee", "INV-2025-000001", "--amount", amount, "--reason", "half")

    assert (ran.code, ran.err.count("\n")) == (2, 1)
