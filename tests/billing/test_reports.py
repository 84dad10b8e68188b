"""What is owed since when, and what each lease brings: as it stands, or stood at the end of a day."""

import csv
import io
import json
from collections.abc import Callable, Coroutine, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.billing.domain.aging import AGES, Household, age, aged, totals
from services.billing.domain.leases import Charge, LeaseTerms, RentChange
from services.billing.domain.rent_roll import agreed, unbilled
from services.billing.handlers import reporting
from services.billing.handlers.payments import NewPayment, record_payment
from services.billing.handlers.reversals import NewReversal, reverse_payment
from services.billing.handlers.settling import settle
from services.billing.verbs.reports import aging, rent_roll
from shared.cli import CommandError, UsageProblem
from shared.cli.output import audience
from shared.contracts.leasing import RecurringCharge
from shared.identity import new_id
from tests.billing.autopay_desk import RENT, Desk, MovableClock
from tests.support.builders import a_lease

Report = Callable[..., Coroutine[Any, Any, None]]
DAYS = st.dates(date(2020, 1, 1), date(2030, 1, 1))
HOME = Household(new_id(), new_id(), new_id(), "1A", (new_id(),), "America/New_York", "USD")


@pytest.mark.parametrize(
    ("days", "name"),
    [
        (-1, "not_due"),
        (0, "0-30"),
        (30, "0-30"),
        (31, "31-60"),
        (60, "31-60"),
        (61, "61-90"),
        (90, "61-90"),
        (91, "90+"),
    ],
)
def test_the_age_of_a_debt_is_the_days_since_it_was_due(days: int, name: str) -> None:
    due_on = date(2026, 12, 1)

    assert age(due_on, due_on + timedelta(days=days)) == name


@given(st.lists(st.tuples(DAYS, st.integers(1, 10**8)), max_size=12), DAYS)
def test_aging_loses_and_makes_no_cent(debts: list[tuple[date, int]], on: date) -> None:
    row = aged(HOME, on, debts)

    assert row.total_cents == sum(cents for _, cents in debts)
    assert set(row.cents) <= set(AGES)
    assert totals([row])["USD"] == row.cents


@given(DAYS, DAYS, st.integers(1, 400))
def test_a_debt_only_grows_older(due_on: date, on: date, days: int) -> None:
    assert AGES.index(age(due_on, on)) <= AGES.index(age(due_on, on + timedelta(days=days)))


def terms(**changes: Any) -> LeaseTerms:
    values: dict[str, Any] = {
        "rent_cents": 150_000,
        "starts_on": date(2026, 1, 15),
        "lease_id": new_id(),
        "account_id": new_id(),
        "property_id": new_id(),
        "unit_id": new_id(),
        "unit_label": "1A",
        "tenant_ids": (new_id(),),
        "time_zone": "America/New_York",
        "currency": "USD",
    }
    return LeaseTerms(**values | changes)


def test_the_rent_of_a_day_is_what_is_agreed_for_it() -> None:
    pet = Charge("pet", "Pet rent", 3_500, starts_on=date(2026, 6, 1), ends_on=date(2026, 8, 31))
    fee = Charge("key", "Key", 9_900, frequency="once")
    lease = terms(rent_changes=(RentChange(date(2026, 7, 1), 160_000),), charges=(pet, fee))

    found = [agreed(lease, date(2026, month, 15)) for month in (5, 6, 7, 9)]

    assert found == [(150_000, 0), (150_000, 3_500), (160_000, 3_500), (160_000, 0)]


def issued(*labels: str) -> Sequence[tuple[date, date]]:
    days = [date.fromisoformat(f"{label}-01") for label in labels]
    return [(day, day.replace(day=28)) for day in days]


def test_months_without_an_invoice_are_named_since_the_first_that_has_one() -> None:
    lease, on = terms(), date(2026, 6, 20)

    assert unbilled(lease, "2026-06", on, issued("2026-03", "2026-05")) == ("2026-04", "2026-06")
    assert unbilled(lease, "2026-06", on, []) == ("2026-06",)


def test_a_month_that_has_not_begun_or_is_after_the_lease_is_not_missing() -> None:
    lease = terms(ends_on=date(2026, 4, 30))

    assert unbilled(lease, "2026-06", date(2026, 6, 20), issued("2026-03")) == ("2026-04",)
    assert unbilled(terms(), "2026-06", date(2026, 5, 31), issued("2026-05")) == ()


# On a database.


@pytest.fixture
def ledger(desk: Desk) -> Desk:
    """Two years ago, so that the commands, whose clock is the machine's, look back at it."""
    desk.clock = MovableClock(datetime(2024, 12, 1, 17, tzinfo=UTC))
    desk.transactions = type(desk.transactions)(desk.transactions.engine, desk.clock)
    return desk


async def bill(desk: Desk, *months: str, **lease: Any) -> dict[str, dict[str, Any]]:
    """The invoices of a lease, by month, each issued on its first day."""
    made = a_lease(starts_on=date(2024, 1, 1), **lease)
    found = {}
    for label in months:
        desk.clock.at = datetime.fromisoformat(f"{label}-01T17:00:00Z")
        found[label] = await desk.bill(made, period=label)
    return found


async def pay(desk: Desk, invoice: dict[str, Any], cents: int, on: str, reference: str = "CHK-1") -> None:
    new = NewPayment(
        reference=reference,
        amount_cents=cents,
        invoice=str(invoice["invoice_id"]),
        received_on=date.fromisoformat(on),
    )
    async with desk.transactions.command("pay") as tx:
        await record_payment(tx, new)


async def owed(desk: Desk, on: str | None = None, property_id: UUID | None = None) -> dict[str, int]:
    """What the one account that owes something owes, by age."""
    day = date.fromisoformat(on) if on else None
    async with desk.transactions.engine.connect() as connection:
        rows = await reporting.aging(connection, desk.clock.at, on=day, property_id=property_id)
    assert len(rows) <= 1
    return dict(rows[0].cents) if rows else {}


@pytest.mark.servers
async def test_debts_of_several_months_are_of_several_ages(ledger: Desk) -> None:
    await bill(ledger, "2024-08", "2024-10", "2024-11", "2024-12")
    ledger.clock.at = datetime(2024, 12, 15, 17, tzinfo=UTC)

    assert await owed(ledger) == {"90+": RENT, "61-90": RENT, "31-60": RENT, "0-30": RENT}


@pytest.mark.servers
async def test_today_is_the_day_at_the_property(ledger: Desk) -> None:
    await bill(ledger, "2024-12", due_day=2)
    ledger.clock.at = datetime(2024, 12, 2, 3, tzinfo=UTC)  # ten in the evening of the 1st in New York

    assert await owed(ledger) == {"not_due": RENT}


@pytest.mark.servers
async def test_a_day_of_the_past_knows_what_had_happened_by_then_and_no_more(ledger: Desk) -> None:
    invoice = (await bill(ledger, "2024-10"))["2024-10"]
    ledger.clock.at = datetime(2024, 12, 20, 17, tzinfo=UTC)
    await pay(ledger, invoice, 100_000, "2024-10-03")  # keyed in long after
    await pay(ledger, invoice, RENT - 100_000, "2024-11-15", "CHK-2")
    async with ledger.transactions.command("bounce") as tx:
        back = NewReversal(
            payment="CHK-2", reference="R-1", kind="returned", reason="no funds", known_on=date(2024, 11, 20)
        )
        await reverse_payment(tx, back)

    days = ("2024-09-30", "2024-10-02", "2024-10-03", "2024-11-14", "2024-11-15", "2024-11-20")
    found = [sum((await owed(ledger, day)).values()) for day in days]

    assert found == [0, RENT, RENT - 100_000, RENT - 100_000, 0, RENT - 100_000]


@pytest.mark.servers
async def test_an_invoice_that_was_voided_later_was_owed_before(ledger: Desk) -> None:
    invoice = (await bill(ledger, "2024-10"))["2024-10"]
    async with ledger.transactions.command("void") as tx:
        await tx.connection.exec_driver_sql(
            "update invoices set state = 'void', voided_on = '2024-10-20', void_reason = 'wrong'"
        )
        await settle(tx, [invoice["account_id"]])

    assert await owed(ledger, "2024-10-19") == {"0-30": RENT}
    assert await owed(ledger, "2024-10-20") == {}
    assert await owed(ledger) == {}


@pytest.mark.servers
async def test_a_fee_is_owed_from_the_day_it_counts(ledger: Desk) -> None:
    invoice = (await bill(ledger, "2024-10"))["2024-10"]
    async with ledger.transactions.command("fee") as tx:
        await tx.connection.exec_driver_sql(
            "insert into invoice_lines (invoice_id, position, kind, bucket, description, amount_cents, counts_on)"
            f" values ('{invoice['invoice_id']}', 9, 'late_fee', 'fee', 'Late fee', 5000, '2024-10-07')"
        )
        await settle(tx, [invoice["account_id"]])

    assert sum((await owed(ledger, "2024-10-06")).values()) == RENT
    assert sum((await owed(ledger, "2024-10-07")).values()) == RENT + 5_000


@pytest.mark.servers
async def test_now_and_the_end_of_today_are_the_same(ledger: Desk) -> None:
    invoices = await bill(ledger, "2024-09", "2024-10", "2024-11")
    ledger.clock.at = datetime(2024, 11, 20, 17, tzinfo=UTC)
    await pay(ledger, invoices["2024-10"], 170_000, "2024-11-02")

    assert await owed(ledger) == await owed(ledger, "2024-11-20")
    assert await owed(ledger, property_id=new_id()) == {}


@pytest.mark.servers
async def test_the_rent_roll_shows_what_is_agreed_billed_paid_open_and_missing(ledger: Desk) -> None:
    pet = RecurringCharge(code="pet", description="Pet rent", amount_cents=3_500)
    invoices = await bill(ledger, "2024-09", "2024-11", charges=(pet,))
    ledger.clock.at = datetime(2024, 12, 20, 17, tzinfo=UTC)
    await pay(ledger, invoices["2024-11"], 100_000, "2024-11-05")
    await pay(ledger, invoices["2024-11"], 53_500, "2024-12-05", "CHK-2")

    async with ledger.transactions.engine.connect() as connection:
        [november] = await reporting.rent_roll(connection, ledger.clock.at, month="2024-11")
        [now] = await reporting.rent_roll(connection, ledger.clock.at)

    assert (november.rent_cents, november.charge_cents) == (150_000, 3_500)
    assert (november.billed_cents, november.paid_cents, november.open_cents) == (153_500, 100_000, 53_500)
    assert (november.on, november.unbilled) == (date(2024, 11, 30), ("2024-10",))
    assert (now.billed_cents, now.unbilled) == (0, ("2024-10", "2024-12"))


@pytest.mark.servers
async def test_a_lease_outside_the_month_is_not_on_its_roll(ledger: Desk) -> None:
    await bill(ledger, "2024-09", ends_on=date(2024, 9, 30))

    async with ledger.transactions.engine.connect() as connection:
        assert await reporting.rent_roll(connection, ledger.clock.at, month="2024-10") == []
        assert len(await reporting.rent_roll(connection, ledger.clock.at, month="2024-09")) == 1


@pytest.fixture
def books(ledger: Desk, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setenv("BILLING_DATABASE_URL", ledger.url)
    monkeypatch.setenv("PROPMAN_RABBITMQ_URL", "amqp://nowhere")
    return ledger


class Printer:
    """What a command prints, in each of its forms."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    async def text(self, command: Report, **options: Any) -> str:
        self._capsys.readouterr()
        await command(**options)
        return self._capsys.readouterr().out

    async def rows(self, command: Report, **options: Any) -> list[dict[str, str]]:
        return list(csv.DictReader(io.StringIO(await self.text(command, as_csv=True, **options))))

    async def document(self, command: Report, **options: Any) -> Any:
        with audience(machine=True):
            return json.loads(await self.text(command, as_json=True, **options))


@pytest.mark.servers
async def test_debts_come_as_a_table_as_json_and_as_csv(
    books: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    printer = Printer(capsys)
    await bill(books, "2024-10", unit_label="=2+3")

    [row] = await printer.rows(aging)
    table = await printer.text(aging)
    document = await printer.document(aging, on=date(2024, 10, 15))

    assert (row["90+"], row["total"], row["unit"]) == ("1575.00", "1575.00", "'=2+3")
    assert "total USD" in table
    assert document["totals"] == {"USD": {"0-30": RENT}}


@pytest.mark.servers
async def test_the_rent_roll_comes_in_the_same_forms_and_adds_up(
    books: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    printer = Printer(capsys)
    await bill(books, "2024-10")
    await bill(books, "2024-10", unit_label="2B")

    rows = await printer.rows(rent_roll, month="2024-10")
    table = await printer.text(rent_roll, month="2024-10")
    document = await printer.document(rent_roll, month="2024-10")

    assert [row["billed"] for row in rows] == ["1575.00", "1575.00"]
    assert "$3,150.00" in table
    assert document["totals"]["USD"]["billed_cents"] == 2 * RENT
    assert [lease["unbilled"] for lease in document["leases"]] == [[], []]


@pytest.mark.servers
async def test_what_cannot_be_shown_says_what_to_do(books: Desk) -> None:
    with pytest.raises(UsageProblem, match="exclude each other"):
        await aging(as_csv=True, as_json=True)
    with pytest.raises(CommandError, match="knows no property"):
        await rent_roll(property_id=new_id())
