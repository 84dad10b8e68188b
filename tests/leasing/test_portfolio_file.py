"""Reading a portfolio file: what is wrong, on which line, in which column."""

from datetime import date

import pytest

from services.leasing.domain.charges import Charge
from services.leasing.domain.portfolio import UnreadableFile, read_portfolio
from services.leasing.domain.terms import RentChange
from shared.clock import zone
from tests.leasing.files import a_file, a_row


def problems(data: bytes) -> list[tuple[int, str]]:
    return [(problem.line, problem.column) for problem in read_portfolio(data, zone).problems]


def test_a_good_row_says_everything_about_a_lease() -> None:
    row = a_row(address="12 Maple Street, Albany", latitude="42.65", longitude="-73.75", ends_on="2026-12-31")
    row |= {"rent": "$1,250.00", "due_day": "5", "charges": "pet_rent:Pet rent:35.00; parking:Parking:50"}

    portfolio = read_portfolio(a_file(row), zone)

    assert portfolio.problems == ()
    (found,) = portfolio.rows
    assert (found.line, found.unit) == (2, "1A")
    assert (found.property.address, found.property.longitude) == ("12 Maple Street, Albany", -73.75)
    assert (found.tenant.email, found.tenant.time_zone) == ("ann@example.com", "America/New_York")
    assert (found.terms.rent_cents, found.terms.due_day) == (125_000, 5)
    assert (found.terms.starts_on, found.terms.ends_on) == (date(2026, 1, 1), date(2026, 12, 31))
    assert found.terms.charges == (
        Charge(code="pet_rent", description="Pet rent", amount_cents=3_500),
        Charge(code="parking", description="Parking", amount_cents=5_000),
    )


def test_a_byte_order_mark_changes_nothing() -> None:
    data = a_file(a_row())

    assert read_portfolio(b"\xef\xbb\xbf" + data, zone) == read_portfolio(data, zone)


def test_every_mistake_of_a_row_is_reported_with_its_column() -> None:
    bad = a_row(time_zone="Albany", tenant_email="ann", rent="lots", starts_on="01/02/2026", unit="")

    assert problems(a_file(a_row(unit="9"), bad)) == [
        (3, "time_zone"),
        (3, "unit"),
        (3, "tenant_email"),
        (3, "rent"),
        (3, "starts_on"),
    ]


@pytest.mark.parametrize(
    ("column", "text"),
    [
        ("latitude", "north"),
        ("due_day", "32"),
        ("due_day", "first"),
        ("ends_on", "2025-12-31"),
        ("charges", "pet_rent:35"),
        ("charges", "pet_rent:Pet:35:once:2025-12-31"),
        ("frequency", "daily"),
        ("rent_changes", "1300.00"),
        ("rent_changes", "2026-01-01:1300.00"),
        ("rent_changes", "2026-03-01:1300;2026-03-01:1400"),
        ("free_months", "March"),
        ("free_months", "2025-12"),
        ("rolls_over", "perhaps"),
        ("channel", "pigeon"),
        ("locale", "English"),
        ("currency", "dollars"),
        ("tenant_phone", "call me"),
        ("tenant_email", ""),
        ("tenant_name", ""),
        ("property", ""),
        ("rent", ""),
        ("starts_on", ""),
    ],
)
def test_a_bad_cell_is_named_by_its_column(column: str, text: str) -> None:
    row = a_row(latitude="42.65", longitude="-73.75") | {column: text}

    assert problems(a_file(row)) == [(2, column)]


def test_a_line_number_is_where_the_row_begins_even_after_quoted_line_breaks_and_blank_lines() -> None:
    two_lines = a_row(address="12 Maple Street\nAlbany")

    assert problems(a_file(two_lines) + b"\n\n" + a_file(a_row(rent="0")).split(b"\n", 1)[1]) == [
        (2, "address"),
        (6, "rent"),
    ]


def test_a_row_with_too_few_or_too_many_cells_is_refused_as_a_whole() -> None:
    assert problems(a_file(a_row()) + b"Maple Court,1A\n") == [(3, "-")]


def test_later_rows_may_leave_out_what_an_earlier_one_said_of_the_property() -> None:
    later = a_row(unit="1B", time_zone="", address="", tenant_email="luis@example.com")

    portfolio = read_portfolio(a_file(a_row(address="12 Maple Street"), later), zone)

    assert portfolio.problems == ()
    assert portfolio.rows[0].property == portfolio.rows[1].property


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "is empty"),
        (b"\n \n", "is empty"),
        (a_file(), "no rows"),
        (b"property;unit;rent\n", "lacks property, .*commas"),
        (a_file(a_row()).replace(b",rent,", b",rents,"), "lacks rent"),
        (a_file(a_row()).replace(b",locale,", b",local,"), "has local"),
        (a_file(a_row()).replace(b",locale,", b",rent,"), "rent twice"),
        (a_file(a_row(tenant_name="José")).decode().encode("latin-1"), "Line 2 is not UTF-8"),
        (a_file(a_row()).decode().encode("utf-16"), "not UTF-8"),
        (a_file(a_row()) + b'"open', "Line 3 is not CSV"),
    ],
)
def test_a_file_that_is_no_portfolio_is_refused_with_its_reason(data: bytes, reason: str) -> None:
    with pytest.raises(UnreadableFile, match=reason):
        read_portfolio(data, zone)


def test_terms_are_read_as_they_are_written() -> None:
    row = a_row(ends_on="2026-12-31", rent_changes="2026-07-01:1,300.00", free_months="2026-12; 2026-02")
    row |= {"rolls_over": "Yes", "charges": "tax:Tax:120:annual:2026-03-01:2026-12-31"}
    weekly = a_row(unit="2", frequency="Four-weekly", rolls_over="no")

    fixed, four_weekly = (found.terms for found in read_portfolio(a_file(row, weekly), zone).rows)

    assert fixed.rent_changes == (RentChange(effective_on=date(2026, 7, 1), rent_cents=130_000),)
    assert (fixed.free_periods, fixed.rolls_over) == (("2026-02", "2026-12"), True)
    assert (fixed.charges[0].frequency, fixed.charges[0].ends_on) == ("annual", date(2026, 12, 31))
    assert (four_weekly.frequency, four_weekly.rolls_over) == ("four_weekly", False)


def test_a_file_from_before_there_were_terms_means_what_it_meant() -> None:
    old = (
        "property,time_zone,unit,tenant_name,tenant_email,rent,starts_on\n"
        "Maple Court,America/New_York,1A,Ann Lee,ann@example.com,1250.00,2026-01-01\n"
    )

    assert read_portfolio(old.encode(), zone) == read_portfolio(a_file(a_row()), zone)


def test_a_further_tenant_of_a_lease_may_leave_out_its_terms() -> None:
    main = a_row(ends_on="2026-12-31", due_day="5", charges="pet_rent:Pet:35")
    further = a_row(unit="1a", property="maple  court", tenant_email="luis@example.com", rent="")

    first, second = read_portfolio(a_file(main, further), zone).rows

    assert (second.terms, second.lease_key()) == (first.terms, first.lease_key())
    assert second.tenant.email == "luis@example.com"


def test_a_lease_needs_its_rent_before_its_further_tenants() -> None:
    elsewhere = a_row(unit="1B", tenant_email="luis@example.com", rent="")
    later = a_row(starts_on="2027-01-01", tenant_email="luis@example.com", rent="")

    assert problems(a_file(a_row(), elsewhere, later)) == [(3, "rent"), (4, "rent")]


def test_a_bad_row_of_a_lease_takes_its_good_rows_with_it() -> None:
    bad = a_row(tenant_email="nobody", rent="")

    portfolio = read_portfolio(a_file(a_row(), bad, a_row(unit="2")), zone)

    assert [(problem.line, problem.column) for problem in portfolio.problems] == [
        (3, "tenant_email"),
        (2, "-"),
    ]
    assert [row.unit for row in portfolio.rows] == ["2"]
