"""`propman billing quote-late-fee`, as an operator types it: no database, no settings."""

import json
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from services.billing.cli import app
from tests.support.commands import Ran, run_propman

TERMS: dict[str, Any] = {
    "due_on": "2025-03-01",
    "grace_days": 5,
    "rent_cents": 100_000,
    "charges_cents": 0,
    "rules": [{"kind": "flat", "amount_cents": 5_000}, {"kind": "daily", "amount_cents": 1_000}],
    "cap": {"kind": "money", "amount_cents": 6_500},
    "interest_apr": "12",
    "profile": None,
    "payments": [{"received_on": "2025-03-20", "amount_cents": 100_000}],
    "holds": [{"from": "2025-03-25", "to": "2025-03-26"}],
    "on": "2025-03-31",
}


def quote(tmp_path: Path, text: str, *words: str) -> Ran:
    file = tmp_path / "terms.json"
    file.write_text(text, encoding="utf-8")
    found = CliRunner().invoke(app, ["quote-late-fee", "--terms", str(file), *words])
    return Ran(found.exit_code, found.stdout, found.stderr)


async def test_the_quote_has_every_fee_with_its_day_and_formula(tmp_path: Path) -> None:
    file = tmp_path / "terms.json"
    file.write_text(json.dumps(TERMS), encoding="utf-8")

    ran = await run_propman("billing", "quote-late-fee", "--json", "--terms", str(file), environment={})

    assert (ran.code, ran.err) == (0, "")
    answer = ran.json
    assert list(answer) == [
        "first_fee_on",
        "fees",
        "total_fee_cents",
        "interest_cents",
        "capped_by",
        "explain",
    ]
    assert [(fee["on"], fee["kind"], fee["amount_cents"]) for fee in answer["fees"]] == [
        ("2025-03-07", "flat", 5_000),
        ("2025-03-08", "daily", 1_000),
        ("2025-03-09", "daily", 500),
    ]
    assert (answer["first_fee_on"], answer["total_fee_cents"], answer["interest_cents"]) == (
        "2025-03-07",
        6_500,
        592,
    )
    assert answer["capped_by"] == "cap: $65.00 = $65.00"


def test_what_is_not_given_is_not_agreed_and_the_day_is_the_first_fee_date(tmp_path: Path) -> None:
    least = {
        "due_on": "2025-03-01",
        "rent_cents": 100_000,
        "rules": [{"kind": "percent_of_rent", "percent": 2.5}],
    }

    answer = quote(tmp_path, json.dumps(least), "--json").json

    assert [(fee["on"], fee["amount_cents"]) for fee in answer["fees"]] == [("2025-03-02", 2_500)]
    assert (answer["interest_cents"], answer["capped_by"]) == (0, None)


def test_null_means_that_nothing_was_agreed(tmp_path: Path) -> None:
    least = {"due_on": "2025-03-01", "rent_cents": 100_000, "rules": [], "interest_apr": 0}
    nulls = dict.fromkeys(
        ("payments", "holds", "waivers", "cap", "profile", "on", "charges_cents", "grace_days")
    )

    answer = quote(tmp_path, json.dumps(least | nulls), "--json").json

    assert answer == quote(tmp_path, json.dumps(least), "--json").json
    assert (answer["first_fee_on"], answer["interest_cents"]) == ("2025-03-02", 0)


def test_everything_wrong_is_said_on_one_line(tmp_path: Path) -> None:
    wrong = {
        "due_on": "2025-02-30",
        "rules": [{"kind": "flat"}, {"kind": "x"}],
        "profile": "atlantis",
        "late": 1,
    }

    ran = quote(tmp_path, json.dumps(wrong), "--json")

    assert (ran.code, ran.out) == (2, "")
    assert ran.err.count("\n") == 1
    for part in (
        "due_on: '2025-02-30'",
        "rent_cents: is missing",
        "rules[0].amount_cents",
        "rules[1].kind",
        "profile: 'atlantis'",
        "late: is not a field",
    ):
        assert part in ran.err


def test_what_is_not_json_or_not_there_is_a_usage_problem(tmp_path: Path) -> None:
    broken = quote(tmp_path, "{due_on: 1}")
    absent = CliRunner().invoke(app, ["quote-late-fee", "--terms", str(tmp_path / "no.json")])

    assert (broken.code, broken.err.count("\n")) == (2, 1)
    assert (absent.exit_code, absent.stderr.count("\n")) == (2, 1)


def test_a_person_sees_the_fees_as_a_table_and_why(tmp_path: Path) -> None:
    ran = quote(tmp_path, json.dumps(TERMS))

    assert ran.code == 0
    assert "first possible fee  2025-03-07" in ran.out
    assert "2025-03-09  daily   $5.00" in ran.out
    assert "the first possible fee is on 2025-03-07" in ran.out
