"""Money is read, rounded and shown to the cent."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.money import BadAmount, format_cents, parse_cents, round_cents

CENTS = st.integers(min_value=-(10**12), max_value=10**12)


@pytest.mark.parametrize(
    ("text", "cents"),
    [
        ("1234.50", 123_450),
        ("1,234.50", 123_450),
        ("$1,234.5", 123_450),
        (" 0.01 ", 1),
        ("0", 0),
        ("-3.20", -320),
        ("12,345,678", 1_234_567_800),
    ],
)
def test_an_amount_is_read_to_the_cent(text: str, cents: int) -> None:
    assert parse_cents(text) == cents


@pytest.mark.parametrize(
    "text",
    [
        "",
        "rent",
        "12.345",
        "35,00",
        "1,23",
        "1e3",
        "NaN",
        "Infinity",
        "1_000",
        "١٢",
        "1.2.3",
        "--1",
        "$",
        "9" * 12,
    ],
)
def test_what_can_be_read_in_two_ways_or_in_none_is_refused(text: str) -> None:
    with pytest.raises(BadAmount, match="is not an amount such as"):
        parse_cents(text)


@given(CENTS)
def test_what_is_shown_can_be_read_again(cents: int) -> None:
    assert parse_cents(format_cents(cents)) == cents


@pytest.mark.parametrize(("amount", "cents"), [("0.5", 1), ("1.5", 2), ("2.4999", 2), ("-0.5", -1)])
def test_half_a_cent_rounds_away_from_zero(amount: str, cents: int) -> None:
    assert round_cents(Decimal(amount)) == cents


def test_a_currency_without_a_sign_keeps_its_code() -> None:
    assert format_cents(123_456, "CHF") == "CHF 1,234.56"
