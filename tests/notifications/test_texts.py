"""Text messages: which letters, how many segments, and what is cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notifications.domain.texts import plain_text, segments, shortened


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 1),
        ("x" * 160, 1),
        ("x" * 161, 2),
        ("x" * 306, 2),
        ("x" * 307, 3),
        ("€" * 80, 1),
        ("€" * 81, 2),
        ("°" + "x" * 69, 1),
        ("°" + "x" * 70, 2),
        ("👍" * 35, 1),
        ("👍" * 36, 2),
        ("x" * 152 + "€" + "x" * 152, 3),  # the sign does not fit into the first, and is not cut in two
    ],
)
def test_segments_are_counted_as_the_carrier_does(text: str, count: int) -> None:
    assert segments(text) == count


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("95°F", "95F"),
        ("don’t — “wait”…", 'don\'t - "wait"...'),  # noqa: RUF001 - as a word processor writes
        ("Recordatorio: vencía el día", "Recordatorio: vencia el dia"),
        ("mañana, ¿sí?", "mañana, ¿si?"),
        ("$1,550.00\u00a0US", "$1,550.00 US"),
        ("storm 👍", "storm 👍"),
    ],
)
def test_letters_become_plain_where_that_loses_no_meaning(text: str, plain: str) -> None:
    assert plain_text(text) == plain


def test_one_degree_sign_does_not_cost_a_second_message() -> None:
    text = (
        "Heat index 105°F until 8 PM. Drink water, stay in the shade, look after your neighbours." + "x" * 60
    )

    assert (segments(text), segments(plain_text(text))) == (3, 1)


@given(st.text(max_size=900), st.integers(1, 4))
def test_a_shortened_text_fits(text: str, most: int) -> None:
    assert segments(shortened(text, most)) <= most


@given(st.text(max_size=300))
def test_what_is_plain_already_stays_as_it_is(text: str) -> None:
    once = plain_text(text)

    assert plain_text(once) == once


def test_a_text_is_cut_at_a_word() -> None:
    cut = shortened("storm " * 60, 1)

    assert cut.endswith("storm...")
    assert segments(cut) == 1
