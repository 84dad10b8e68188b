"""Each movement on a bank's statement is booked once, in whatever file it comes, and none is guessed."""

import asyncio
import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from services.billing.domain.bank_statements import read_statement
from services.billing.handlers.bank_import import Account, Line, Outcome, import_statement
from services.billing.schema import metadata, payment_reversals
from services.billing.verbs.banking import import_bank
from shared.cli import CommandError, UsageProblem
from shared.cli.output import audience
from shared.messaging.tables import inbox, outbox
from tests.billing.autopay_desk import RENT, Desk
from tests.support.messages import count_rows

pytestmark = pytest.mark.servers

HEADER = "Date,Amount,Description,Transaction ID\n"
Import = Callable[..., Any]


class Bank:
    """A statement, and the command on it."""

    def __init__(self, desk: Desk, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.desk = desk
        self.file = folder / "statement.csv"
        self._capsys = capsys

    async def take(self, *rows: str, header: str = HEADER, **options: Any) -> dict[str, Any]:
        """Import these rows; the document that the command prints, also where it fails in the end."""
        self.file.write_text(header + "".join(f"{row}\n" for row in rows), encoding="utf-8")
        self._capsys.readouterr()
        try:
            with audience(machine=True):
                await import_bank(self.file, **({"by": "ann"} | options))
        except CommandError as error:
            if isinstance(error, UsageProblem):
                raise
        document: dict[str, Any] = json.loads(self._capsys.readouterr().out)
        return document

    async def outcomes(self, *rows: str, **options: Any) -> list[str]:
        return [line["outcome"] for line in (await self.take(*rows, **options))["lines"]]

    async def rows(self) -> dict[str, int]:
        tables = [*metadata.sorted_tables, inbox, outbox]
        return {table.name: await count_rows(self.desk.transactions, table) for table in tables}


@pytest.fixture
async def bank(
    desk: Desk, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Bank:
    monkeypatch.setenv("BILLING_DATABASE_URL", desk.url)
    monkeypatch.setenv("PROPMAN_RABBITMQ_URL", "amqp://nowhere")
    return Bank(desk, tmp_path, capsys)


async def test_a_credit_that_names_an_invoice_is_booked_on_it_from_its_day(bank: Bank) -> None:
    invoice = await bank.desk.bill()

    done = await bank.take(f"2024-11-28,1575.00,ANN RENT {invoice['number']},T-1")

    [payment] = await bank.desk.payments()
    assert done["counts"] == {"booked": 1}
    assert (payment["reference"], payment["received_on"]) == ("bank:T-1", date(2024, 11, 28))
    assert (payment["method"], payment["recorded_by"]) == ("transfer", "ann")
    assert (await bank.desk.invoice(invoice))["state"] == "paid"


async def test_a_credit_that_names_a_lease_goes_to_its_account(bank: Bank) -> None:
    invoice = await bank.desk.bill()

    await bank.take(f"2024-11-28,2000.00,rent {invoice['lease_id']},T-1")

    [payment] = await bank.desk.payments()
    assert (payment["invoice_id"], payment["applied_cents"]) == (None, RENT)


async def test_the_same_file_again_books_nothing_and_says_so(bank: Bank) -> None:
    number = (await bank.desk.bill())["number"]
    rows = (f"2024-11-28,500.00,{number},", f"2024-11-28,500.00,{number},")

    first, second = await bank.outcomes(*rows), await bank.outcomes(*rows)

    assert (first, second) == (["booked"] * 2, ["already_known"] * 2)
    assert len(await bank.desk.payments()) == 2


async def test_files_that_overlap_book_each_movement_once(bank: Bank) -> None:
    number = (await bank.desk.bill())["number"]
    monday, tuesday, wednesday = (f"2024-11-2{day},100.00,{number}," for day in (3, 4, 5))

    await bank.take(monday, tuesday, tuesday)
    outcomes = await bank.outcomes(tuesday, tuesday, wednesday)

    assert outcomes == ["already_known", "already_known", "booked"]
    assert len(await bank.desk.payments()) == 4


async def test_an_amount_that_fits_is_shown_and_not_booked(bank: Bank) -> None:
    invoice = await bank.desk.bill()

    done = await bank.take("2024-11-28,1575.00,ONLINE TRANSFER FROM ANN,T-1")

    [line] = done["lines"]
    assert line["outcome"] == "not_matched"
    assert line["suggestions"] == [f"{invoice['number']}, open with $1,575.00"]
    assert await bank.desk.payments() == []


async def test_one_bad_line_keeps_all_others_from_being_booked(bank: Bank) -> None:
    number = (await bank.desk.bill())["number"]
    before = await bank.rows()

    done = await bank.take(f"2024-11-28,1.00,{number},T-1", f"2024-11-31,1.00,{number},T-2")

    assert [(line["line"], line["outcome"]) for line in done["lines"]] == [(2, "booked"), (3, "refused")]
    assert done["kept"] is False
    assert await bank.rows() == before


async def test_what_a_bad_line_kept_from_being_booked_is_not_called_booked(
    bank: Bank, capsys: pytest.CaptureFixture[str]
) -> None:
    number = (await bank.desk.bill())["number"]
    await bank.take(f"2024-11-28,1.00,{number},T-1", f"2024-11-31,1.00,{number},T-2")

    with pytest.raises(CommandError, match="nothing was booked"):
        await import_bank(bank.file, by="ann")

    assert "not booked" in capsys.readouterr().out


async def test_bad_lines_can_be_left_out(bank: Bank) -> None:
    number = (await bank.desk.bill())["number"]
    rows = (
        f"2024-11-28,1.00,{number},T-1",
        "not a date,1.00,x,T-2",
        f"2126-01-01,1.00,{number},T-3",
        f"2024-11-28,2.00,{number},T-1",
    )

    done = await bank.take(*rows, skip_bad=True)

    assert [line["outcome"] for line in done["lines"]] == ["booked", "refused", "refused", "refused"]
    assert "already used" in done["lines"][3]["what"]
    assert [row["amount_cents"] for row in await bank.desk.payments()] == [100]


async def test_a_dry_run_shows_the_same_and_writes_nothing(bank: Bank) -> None:
    number = (await bank.desk.bill())["number"]
    rows = (f"2024-11-28,1.00,{number},T-1", "2024-11-28,5.00,somebody,T-2")
    before = await bank.rows()

    shown = await bank.take(*rows, dry_run=True)
    after = await bank.rows()
    done = await bank.take(*rows)

    assert after == before
    assert shown["lines"] == done["lines"]


async def test_a_returned_item_reverses_the_payment_it_names_once(bank: Bank) -> None:
    invoice = await bank.desk.bill()
    await bank.take(f"2024-11-20,1575.00,{invoice['number']},T-1")
    back = "2024-11-24,-1575.00,RETURNED ITEM T-1,T-9"

    outcomes = [*await bank.outcomes(back), *await bank.outcomes(back)]

    [reversal] = await bank.desk.rows(payment_reversals)
    assert outcomes == ["returned", "already_known"]
    assert (reversal["kind"], reversal["known_on"]) == ("returned", date(2024, 11, 24))
    assert (await bank.desk.invoice(invoice))["state"] == "open"


async def test_a_payment_and_its_return_on_one_statement_are_both_booked_in_either_order(bank: Bank) -> None:
    number = (await bank.desk.bill())["number"]
    back, came = "2024-11-24,-10.00,RETURNED T-1,T-9", f"2024-11-20,10.00,{number},T-1"

    assert await bank.outcomes(back, came) == ["returned", "booked"]
    assert await bank.outcomes(came, back) == ["already_known", "already_known"]


async def test_what_a_person_booked_under_a_line_s_reference_is_known_from_then_on(bank: Bank) -> None:
    invoice, row = await bank.desk.bill(), "2024-11-28,5.00,somebody,T-1"
    [line] = (await bank.take(row))["lines"]
    await bank.desk.pay(invoice, 500, line["reference"])

    assert await bank.outcomes(row) == ["already_known"]


async def test_two_imports_of_the_same_accounts_in_opposite_order_both_end_well(bank: Bank) -> None:
    numbers = [(await bank.desk.bill())["number"] for _ in range(6)]
    account = Account("bank", "USD")

    async def take(file: str, order: list[str]) -> list[Line]:
        rows = "".join(f"2024-11-20,5.00,{number},{file}{number}\n" for number in order)
        statement = read_statement((HEADER + rows).encode())
        async with bank.desk.transactions.command("import") as tx:
            return await import_statement(tx, statement, account)

    done = await asyncio.gather(take("A", numbers), take("B", numbers[::-1]), take("C", numbers))

    assert {line.outcome for lines in done for line in lines} == {Outcome.BOOKED}
    assert len(await bank.desk.payments()) == 18


async def test_more_coming_back_than_was_paid_is_refused(bank: Bank) -> None:
    number = (await bank.desk.bill())["number"]
    await bank.take(f"2024-11-20,10.00,{number},T-1")

    [line] = (await bank.take("2024-11-24,-11.00,RETURNED T-1,T-9", skip_bad=True))["lines"]

    assert (line["outcome"], line["what"]) == ("refused", "only 10.00 is left of the payment")


async def test_money_that_left_for_something_else_is_listed_and_nothing_more(bank: Bank) -> None:
    assert await bank.outcomes("2024-11-24,-15.00,MONTHLY FEE,T-9") == ["not_matched"]


async def test_a_payment_on_a_void_invoice_is_kept_as_credit_with_a_warning(bank: Bank) -> None:
    invoice = await bank.desk.bill()
    async with bank.desk.transactions.command("void") as tx:
        await tx.connection.exec_driver_sql("update invoices set state = 'void', voided_on = '2024-11-25'")

    [line] = (await bank.take(f"2024-11-28,5.00,{invoice['number']},T-1"))["lines"]

    [payment] = await bank.desk.payments()
    assert (line["outcome"], payment["applied_cents"]) == ("booked", 0)


async def test_a_file_that_is_no_statement_is_a_usage_problem(bank: Bank) -> None:
    with pytest.raises(UsageProblem, match="no column is the date"):
        await bank.take(header="When,What\n")
    with pytest.raises(UsageProblem, match="no order of dates"):
        await bank.take(dates="ymd")
    with pytest.raises(UsageProblem, match="COLUMN=NAME"):
        await bank.take(columns="date")


async def test_unusual_columns_are_named_on_the_command_line(bank: Bank) -> None:
    number = (await bank.desk.bill())["number"]
    columns = "date=Buchung, amount=Betrag, text=Zweck"

    outcomes = await bank.outcomes(
        f"28.11.2024;1575.00;{number}", header="Buchung;Betrag;Zweck\n", columns=columns, dates="dmy"
    )

    assert outcomes == ["booked"]
