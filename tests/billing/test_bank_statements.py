"""A statement is read as its bank wrote it, and nothing in it is guessed."""

import csv
import io
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.billing.domain.bank_matching import (
    Known,
    KnownInvoice,
    KnownLease,
    NoMatch,
    Pay,
    Refused,
    TakeBack,
    match,
    names_in,
)
from services.billing.domain.bank_statements import BadStatement, Entry, read_date, read_statement
from shared.identity import new_id

HEADER = "Date,Amount,Description\n"


def entries(text: str, **options: Any) -> list[Entry]:
    statement = read_statement(text.encode(), **options)
    assert statement.unread == ()
    return list(statement.entries)


def reason(text: str, **options: Any) -> str:
    [unread] = read_statement(text.encode(), **options).unread
    return f"{unread.line}: {unread.reason}"


def test_a_plain_statement_is_read() -> None:
    [entry] = entries(HEADER + "2026-12-01,1575.00,RENT INV-2026-000001\n")

    assert (entry.line, entry.on, entry.amount_cents) == (2, date(2026, 12, 1), 157_500)
    assert entry.text == "RENT INV-2026-000001"


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("Posting Date;Credit;Debit;Memo", "2026-12-01;1,575.00;;RENT"),
        ("\ufeffTransaction Date,Paid In,Paid Out,Details", '2026-12-01,"1,575.00",,RENT'),
        ("DATE\tAMOUNT\tPAYEE\tMEMO", "2026-12-1\t+1575\tRENT\t"),
        ("value_date,value,text", "2026-12-01,$1575,RENT"),
    ],
)
def test_the_usual_headers_of_banks_are_understood(header: str, row: str) -> None:
    [entry] = entries(f"{header}\r\n{row}\r\n")

    assert (entry.on, entry.amount_cents, entry.text) == (date(2026, 12, 1), 157_500, "RENT")


@pytest.mark.parametrize(
    ("text", "cents"),
    [("-5.00", -500), ("(5.00)", -500), ("5.00-", -500), ("\u22125.00", -500), ("+5", 500), ("$5.5", 550)],
)
def test_amounts_are_read_as_bookkeepers_write_them(text: str, cents: int) -> None:
    assert entries(f"{HEADER}2026-12-01,{text},x\n")[0].amount_cents == cents


@pytest.mark.parametrize("text", ["1.005", "0.00", "1.575,00", "12e3", "", "five", "--5"])
def test_what_is_no_amount_is_refused_with_its_line(text: str) -> None:
    assert reason(f'{HEADER}2026-12-01,"{text}",x\n').startswith("2: ")


def test_a_debit_is_money_that_left_and_both_at_once_are_refused() -> None:
    header = "Date,Credit,Debit\n"

    assert entries(header + "2026-12-01,,40.00\n")[0].amount_cents == -4_000
    assert entries(header + "2026-12-01,,-40.00\n")[0].amount_cents == -4_000
    assert reason(header + "2026-12-01,1.00,40.00\n") == "2: a credit and a debit in one line"


def test_a_date_that_could_be_two_is_refused_until_somebody_says_which() -> None:
    text = HEADER + "03/04/2026,1.00,x\n"

    assert "could be two dates" in reason(text)
    assert entries(text, dates="mdy")[0].on == date(2026, 3, 4)
    assert entries(text, dates="dmy")[0].on == date(2026, 4, 3)


@pytest.mark.parametrize(
    "text", ["2026-02-30", "13/13/2026", "yesterday", "2026-12", "2026-12-0²", "20261201"]
)
def test_what_is_no_date_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a date|could be"):
        read_date(text, "mdy")


@given(st.dates(date(1990, 1, 1), date(2090, 1, 1)))
def test_every_date_is_read_back_in_each_format(day: date) -> None:
    assert read_date(day.isoformat(), "iso") == day
    assert read_date(f"{day.month}/{day.day}/{day.year}", "mdy") == day
    assert read_date(f"{day.day:02}.{day.month:02}.{day.year}", "dmy") == day


@given(
    st.lists(
        st.tuples(
            st.dates(date(2020, 1, 1), date(2030, 1, 1)),
            st.integers(-(10**9), 10**9).filter(bool),
            st.text(st.characters(exclude_categories=["C", "Z"]), max_size=20),
        ),
        max_size=20,
    )
)
def test_what_is_written_is_read_back_with_its_line(rows: list[tuple[date, int, str]]) -> None:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["Date", "Amount", "Description"])
    for day, cents, text in rows:
        sign, (whole, rest) = "-" if cents < 0 else "", divmod(abs(cents), 100)
        writer.writerow([day, f"{sign}{whole}.{rest:02}", text])

    found = entries(out.getvalue())

    assert [(item.on, item.amount_cents, item.text) for item in found] == rows
    assert [item.line for item in found] == list(range(2, len(rows) + 2))


def test_lines_are_counted_as_an_editor_does_also_after_a_text_of_two_lines() -> None:
    text = HEADER + '2026-12-01,1.00,"two\nlines"\n\n2026-12-02,2.00,next\n'

    assert [item.line for item in entries(text)] == [2, 5]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "empty"),
        (b"Date,Amount\n2026-12-01,1,\xff", "not UTF-8"),
        (b"Date,Amount\n\x00", "zero bytes"),
        (b"When,Amount\n", "no column is the date"),
        (b"Date,Text\n", "no column is the amount"),
        (b"Date,Amount,Date\n", "several columns may be the date"),
        (b'Date,Amount\n2026-12-01,"1', "line 2"),
    ],
)
def test_a_file_that_is_no_statement_says_why(data: bytes, says: str) -> None:
    with pytest.raises(BadStatement, match=says):
        read_statement(data)


def test_unusual_columns_are_named_by_a_person() -> None:
    columns = {"date": "When", "amount": "How much", "text": "For"}

    [entry] = entries("When,How much,For\n2026-12-01,1.00,rent\n", columns=columns)

    assert entry.text == "rent"
    with pytest.raises(BadStatement, match="no column 'Whom'"):
        read_statement(b"Date,Amount\n", {"text": "Whom"})
    with pytest.raises(BadStatement, match="no such column"):
        read_statement(b"Date,Amount\n", {"colour": "Blue"})


ROW = "2026-12-01,1575.00,RENT\n"


def test_the_same_line_in_another_file_has_the_same_reference() -> None:
    [one] = entries(HEADER + ROW)
    first, second, third = entries(HEADER + "2026-11-30,5.00,x\n" + ROW + "2026-12-02,1.00,y\n")

    assert one.reference("bank") == second.reference("bank")
    assert len({item.reference("bank") for item in (first, second, third)}) == 3


def test_two_equal_payments_on_one_day_are_both_real() -> None:
    first, second = entries(HEADER + ROW + ROW)

    assert first.reference("bank") != second.reference("bank")
    assert [item.reference("bank") for item in entries(HEADER + ROW + ROW + ROW)][:2] == [
        first.reference("bank"),
        second.reference("bank"),
    ]


def test_the_bank_s_own_id_is_the_reference_and_accounts_are_told_apart() -> None:
    [entry] = entries("Date,Amount,Transaction ID\n2026-12-01,1.00,T-77\n")

    assert entry.reference("chase") == "chase:T-77"
    assert entry.reference("boa") != entry.reference("chase")


# Matching.

INVOICE = KnownInvoice(new_id(), "INV-2026-000001", new_id(), "USD", 157_500)
OTHER = KnownInvoice(new_id(), "INV-2026-000002", new_id(), "USD", 157_500)
LEASE = KnownLease(new_id(), INVOICE.account_id, "USD")
KNOWN = Known(
    invoices={item.number: item for item in (INVOICE, OTHER)},
    leases={LEASE.lease_id: LEASE},
    payments={"CHK-1041": new_id(), "bank:T-77": new_id()},
    open_by_amount={157_500: [INVOICE, OTHER]},
)


def an_entry(text: str = "", **changes: Any) -> Entry:
    return replace(Entry(2, date(2026, 12, 1), 157_500, text), **changes)


def matched(entry: Entry, known: Known = KNOWN) -> Pay | TakeBack | NoMatch:
    return match(entry, known, source="bank", currency="USD")


@pytest.mark.parametrize(
    "text", ["INV-2026-000001", "rent inv 2026 000001.", "/INV2026000001/", "RE:INV_2026_000001 ANN"]
)
def test_an_invoice_s_number_is_found_however_it_is_written(text: str) -> None:
    assert matched(an_entry(text)) == Pay(INVOICE.account_id, INVOICE, INVOICE.number)


@given(
    st.text(
        st.characters(exclude_characters="0123456789", exclude_categories=["Lu", "Ll", "Nd"]), max_size=20
    )
)
def test_whatever_stands_around_it_an_invoice_s_number_is_found(noise: str) -> None:
    assert names_in(an_entry(f"{noise}INV-2026-000001{noise}")).numbers == ("INV-2026-000001",)


@given(st.integers(1, 9))
def test_a_longer_number_is_another_number(digit: int) -> None:
    assert isinstance(matched(an_entry(f"INV-2026-000001{digit}")), NoMatch)


def test_a_lease_s_id_names_its_account() -> None:
    assert matched(an_entry(f"rent {str(LEASE.lease_id).upper()}")) == Pay(
        INVOICE.account_id, None, f"lease {LEASE.lease_id}"
    )


@given(st.integers(1, 10**9), st.text(st.characters(exclude_categories=["Nd"]), max_size=30))
def test_an_amount_alone_is_never_booked(cents: int, text: str) -> None:
    known = Known(open_by_amount={cents: [replace(INVOICE, balance_cents=cents)]})

    found = matched(an_entry(text, amount_cents=cents), known)

    assert isinstance(found, NoMatch)
    assert [item.number for item in found.suggestions] == [INVOICE.number]


def test_several_invoices_of_one_account_are_paid_in_the_policy_s_order() -> None:
    second = replace(OTHER, account_id=INVOICE.account_id)
    known = replace(KNOWN, invoices={item.number: item for item in (INVOICE, second)})

    found = matched(an_entry("INV-2026-000001 INV-2026-000002"), known)

    assert isinstance(found, Pay)
    assert (found.account_id, found.invoice) == (INVOICE.account_id, None)


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        (an_entry("INV-2026-000001 INV-2026-000002"), "different accounts"),
        (an_entry(invoice="INV-2026-000009"), "no invoice"),
        (an_entry(lease="1A"), "no lease"),
        (an_entry(amount_cents=-500, payment="CHK-9"), "no payment"),
        (an_entry("CHK-1041 T-77", amount_cents=-500), "several payments"),
    ],
)
def test_a_line_that_contradicts_what_we_know_is_refused(entry: Entry, says: str) -> None:
    with pytest.raises(Refused, match=says):
        matched(entry)


def test_money_in_another_currency_is_refused() -> None:
    with pytest.raises(Refused, match="is in EUR"):
        match(an_entry("INV-2026-000001"), KNOWN, source="bank", currency="EUR")


@pytest.mark.parametrize("text", ["RETURNED ITEM CHK-1041", "NSF T-77"])
def test_a_returned_item_names_the_payment_that_came_back(text: str) -> None:
    found = matched(an_entry(text, amount_cents=-157_500))

    assert isinstance(found, TakeBack)
    assert found.payment in KNOWN.payments


def test_money_that_left_for_something_else_is_nobody_s() -> None:
    assert isinstance(matched(an_entry("MONTHLY BANK FEE INV-2026-000001", amount_cents=-1_500)), NoMatch)
