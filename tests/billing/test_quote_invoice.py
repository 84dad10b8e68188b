"""`propman billing quote-invoice`, as an operator types it: no database, no settings."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.commands import Ran, run_propman

TERMS: dict[str, Any] = {
    "rent_cents": 180_000,
    "start_on": "2025-03-15",
    "end_on": None,
    "period": "2025-03",
    "proration": "actual",
    "due_day": 1,
    "charges": [
        {
            "kind": "pet_rent",
            "amount_cents": 3_500,
            "frequency": "monthly",
            "start_on": "2025-03-20",
            "end_on": None,
        },
        {"kind": "key", "amount_cents": 5_000, "frequency": "once", "start_on": "2025-03-31", "end_on": None},
    ],
    "rent_changes": [{"from": "2025-03-25", "rent_cents": 190_000}],
}


async def quote(tmp_path: Path, text: str, *words: str) -> Ran:
    file = tmp_path / "terms.json"
    file.write_text(text, encoding="utf-8")
    return await run_propman("billing", "quote-invoice", "--terms", str(file), *words, environment={})


async def test_the_quote_has_every_line_with_its_formula_and_their_total(tmp_path: Path) -> None:
    ran = await quote(tmp_path, json.dumps(TERMS), "--json")

    assert ran.code == 0
    assert ran.json == {
        "period": "2025-03",
        "due_on": "2025-03-15",
        "lines": [
            {
                "kind": "rent",
                "description": "Rent 2025-03-15 to 2025-03-24",
                "amount_cents": 58_065,
                "formula": "1,800.00 x 10/31 (actual days of the month) = 580.65,"
                " rounded so that the parts make 1,009.68",
            },
            {
                "kind": "rent",
                "description": "Rent 2025-03-25 to 2025-03-31",
                "amount_cents": 42_903,
                "formula": "1,900.00 x 7/31 (actual days of the month) = 429.03,"
                " rounded so that the parts make 1,009.68",
            },
            {
                "kind": "pet_rent",
                "description": "Pet rent",
                "amount_cents": 1_355,
                "formula": "35.00 x 12/31 (actual days of the month) = 13.55",
            },
            {
                "kind": "key",
                "description": "Key",
                "amount_cents": 5_000,
                "formula": "50.00 once, of 2025-03-31",
            },
        ],
        "total_cents": 107_323,
    }


async def test_only_rent_start_and_period_are_needed_and_people_get_a_table(tmp_path: Path) -> None:
    ran = await quote(tmp_path, '{"rent_cents": 180000, "start_on": "2025-03-15", "period": "2025-03"}')

    assert ran.code == 0
    assert "Rent 2025-03-15 to 2025-03-31  987.10  1,800.00 x 17/31" in ran.out
    assert ran.out.endswith("due on  2025-03-15\ntotal   987.10\n")


@pytest.mark.parametrize("period", ["2025-02", "2026-01"])
async def test_a_month_in_which_the_lease_has_no_day_answers_no_lines(tmp_path: Path, period: str) -> None:
    ran = await quote(tmp_path, json.dumps(TERMS | {"period": period, "end_on": "2025-12-31"}), "--json")

    assert ran.code == 0
    assert (ran.json["lines"], ran.json["total_cents"]) == ([], 0)


async def test_every_mistake_is_in_one_answer_and_unknown_fields_are_named(tmp_path: Path) -> None:
    terms = {
        "rent_cents": 18.5,
        "start_on": "2025-02-30",
        "end_on": "2024-01-01",
        "period": "2025-13",
        "proration": "daily",
        "due_day": 32,
        "charges": [{"kind": "pet_rent", "amount_cents": -1, "frequency": "weekly", "name": "Rex"}],
        "rent_changes": [{"from": "2025-03-15"}],
        "rent": 1800,
    }

    ran = await quote(tmp_path, json.dumps(terms), "--json")

    assert (ran.code, ran.out) == (2, "")
    assert ran.err.count("\n") == 1
    named = ("rent_cents:", "start_on:", "period:", "proration:", "due_day:", "rent: is not a field")
    nested = ("charges[0].amount_cents:", "charges[0].frequency:", "charges[0].name: is not a field")
    for path in (*named, *nested, "rent_changes[0].rent_cents: is missing"):
        assert path in ran.err


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"end_on": "2025-03-14"}, "end_on: 2025-03-14 is before the start on 2025-03-15"),
        ({"rent_changes": TERMS["rent_changes"] * 2}, "rent_changes: has 2025-03-25 twice"),
        ({"rent_cents": True}, "rent_cents: True is not a whole number"),
        ({"period": "2025-3"}, "period: '2025-3' is not a month such as 2025-03"),
        ({"charges": {}}, "charges: is not a list"),
    ],
)
async def test_terms_that_make_no_sense_are_a_usage_problem(
    tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    ran = await quote(tmp_path, json.dumps(TERMS | changes), "--json")

    assert ran.code == 2
    assert said in ran.err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("rent: 1800", "is not JSON"),
        ('{"rent_cents": 1, "rent_cents": 2}', "'rent_cents' is there twice"),
        ('{"rent_cents": NaN}', "NaN is not a number"),
        ("[]", "document: is not an object"),
    ],
)
async def test_a_file_that_is_no_document_is_a_usage_problem(tmp_path: Path, text: str, said: str) -> None:
    ran = await quote(tmp_path, text)

    assert ran.code == 2
    assert said in ran.err
    assert "Traceback" not in ran.err


async def test_a_file_that_is_not_there_is_a_usage_problem() -> None:
    ran = await run_propman("billing", "quote-invoice", "--terms", "no-such-file.json", environment={})

    assert ran.code == 2
    assert "no-such-file.json cannot be read: No such file or directory." in ran.err
