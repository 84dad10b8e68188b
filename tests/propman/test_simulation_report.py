"""What the table of a simulated past says of credit."""

from datetime import date

from propman.simulation.report import credited
from services.billing.domain.statements import Entry, Kind


def charge(day: int, cents: int) -> Entry:
    return Entry(date(2024, 1, day), Kind.CHARGE, "INV", "Rent", charge_cents=cents)


def payment(day: int, cents: int) -> Entry:
    return Entry(date(2024, 1, day), Kind.PAYMENT, "CHK", "Payment", payment_cents=cents)


def test_only_what_exceeds_what_is_owed_waits_as_credit() -> None:
    assert credited([charge(1, 1_000), payment(1, 3_000), charge(15, 1_000)]) == 2_000


def test_a_payment_on_top_of_credit_is_credit_as_a_whole() -> None:
    assert credited([charge(1, 1_000), payment(1, 1_500), payment(2, 700)]) == 500 + 700


def test_what_pays_what_is_owed_is_no_credit() -> None:
    assert credited([charge(1, 1_000), payment(5, 400), payment(9, 600)]) == 0
