"""Documents that people write: all mistakes at once, each by its path."""

import json
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from shared import documents
from shared.documents import BadDocument, Fields, read_document


def read_room(fields: Fields) -> tuple[str, int]:
    return fields.take("name", documents.text), fields.take("beds", documents.whole(1, 9), 1)


def read_house(fields: Fields) -> Any:
    return (
        fields.take("built_on", documents.day),
        fields.each("rooms", read_room),
        fields.inner("roof", read_room),
    )


def test_a_document_is_read_with_its_lists_and_inner_objects() -> None:
    document = {"built_on": "2025-03-01", "rooms": [{"name": "bath"}], "roof": {"name": "attic", "beds": 2}}

    assert read_document(document, read_house) == (date(2025, 3, 1), (("bath", 1),), ("attic", 2))


def test_what_may_be_left_out_may_also_be_null() -> None:
    document = {"built_on": "2025-03-01", "roof": None}

    assert read_document(document, read_house) == (date(2025, 3, 1), (), None)
    assert read_document({"name": "bath", "beds": None}, read_room) == ("bath", 1)


def test_every_mistake_is_found_at_once_and_named_by_its_path() -> None:
    document = {"rooms": [{"name": " ", "beds": 0}, {"name": "bath", "sea_view": True}], "roof": 3}

    with pytest.raises(BadDocument) as refused:
        read_document(document, read_house)

    assert str(refused.value) == (
        "built_on: is missing; rooms[0].name: ' ' is not text; rooms[0].beds: 0 is not between 1 and 9; "
        "rooms[1].sea_view: is not a field of this document; roof: is not an object with fields"
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "the name of a field is missing, in double quotes (column 2)"),
        ('{"a": }', "a value is missing (column 7, before '}')"),
        ('{"a": 1 "b": 2}', "a comma or the end is missing (column 9, before '\"b\": 2}')"),
        ('{"a" 1}', "a colon is missing (column 6, before '1}')"),
        ('{"a": 1} x', "something follows after its end (column 10, before 'x')"),
        ('{"a": "1}', "a text has no closing quote (column 7, before '\"1}')"),
        ('{\n  "a": "\n"}', "a text has a line break in it (line 2, column 9)"),
        ('"\\x"', "a text has a backslash that means nothing (column 2, before '\\\\x\"')"),
        (" ", "it is empty"),
    ],
)
def test_what_is_no_json_says_where_in_our_words(text: str, words: str) -> None:
    with pytest.raises(json.JSONDecodeError) as refused:
        json.loads(text)

    assert documents.json_fault(refused.value) == words


@pytest.mark.parametrize(
    "value", ["2025-W10-1", "20250301", "2025-3-1", "2025-02-30", "0001-01-01", 20250301, None]
)
def test_only_a_plain_date_is_a_date(value: object) -> None:
    with pytest.raises(ValueError, match="is not a date such as 2025-03-01"):
        documents.day(value)


@pytest.mark.parametrize("value", ["1E+400", "Infinity", "-1", "0", "100.01", "", "5%", None, [5]])
def test_only_a_share_between_nothing_and_all_is_a_percentage(value: object) -> None:
    with pytest.raises(ValueError, match="percent"):
        documents.percent(value)


def test_percentages_keep_every_digit_as_text() -> None:
    assert documents.decimal_text(documents.percent(" 2.50 ")) == "2.5"
    assert documents.decimal_text(documents.percent(0.1)) == "0.1"
    assert documents.decimal_text(Decimal("1E+2")) == "100"


@pytest.mark.parametrize("value", [1, "true", None])
def test_only_true_and_false_are_yes_or_no(value: object) -> None:
    with pytest.raises(ValueError, match="neither true nor false"):
        documents.yes_or_no(value)


def test_a_field_that_is_nearly_right_is_told_the_name_that_was_meant() -> None:
    with pytest.raises(BadDocument, match=r"bets: is not a field of this document; did you mean beds\?"):
        read_document({"name": "bath", "bets": 2}, read_room)
