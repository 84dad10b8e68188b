"""Policies as an operator sets and looks at them."""

import json
from pathlib import Path
from typing import Any

import pytest

from services.billing.handlers import router
from tests.billing.office import Office
from tests.support.builders import a_lease, a_property, billing_due
from tests.support.commands import run_propman
from tests.support.messages import deliver, deliver_batch, emitted

NOWHERE = "0198c1d2-7e1a-7c3f-9b2e-3d4c5b6a7f80"
WHY = ("--reason", "agreed", "--by", "ada")


@pytest.fixture
async def lease(office: Office) -> Any:
    """A lease of $1,500.00 in New York, due on the first."""
    place = a_property()
    found = a_lease(property_id=place.property_id)
    await deliver(office.transactions, router, place)
    await deliver_batch(office.transactions, router, [found])
    return found


async def issue_december(office: Office) -> None:
    from shared.contracts.billing import IssueInvoices

    await deliver(office.transactions, router, billing_due())
    for topic, payload in await emitted(office.transactions):
        if topic == IssueInvoices.topic:
            await deliver(office.transactions, router, IssueInvoices.model_validate(payload))


async def test_what_is_set_is_shown_with_its_layer_and_the_date_of_the_first_fee(
    office: Office, lease: Any
) -> None:
    place = ("--property", str(lease.property_id))
    await office.do("policy", "set", "late_fee_rules=flat:50", "--effective-on", "2026-01-01", *WHY)
    await office.do("policy", "set", "grace-days=3", *place, "--effective-on", "2026-01-01", *WHY)

    shown = (
        await office.do("policy", "show", "--lease", str(lease.lease_id), "--on", "2026-12-02", "--json")
    ).json

    assert shown["policy"]["grace_days"] == 3
    assert [
        shown["from"][name] and shown["from"][name]["scope"] for name in ("grace_days", "late_fee_rules")
    ] == [
        "property",
        "portfolio",
    ]
    assert shown["from"]["proration"] is None
    assert (shown["next_due_on"], shown["first_fee_on"]) == ("2027-01-01", "2027-01-05")


async def test_a_dry_run_shows_old_and_new_and_writes_nothing(office: Office, lease: Any) -> None:
    before = await office.rows()

    dry = await office.run("policy", "set", "nsf_fee=25", "--dry-run", "--json", *WHY)
    between = await office.rows()
    real = await office.do("policy", "set", "nsf_fee=25", "--json", *WHY)

    assert before == between
    assert dry.json["changes"] == {"nsf_fee_cents": {"old": 0, "new": 2_500}}
    assert {**dry.json, "dry_run": None} == {**real.json, "dry_run": None}
    assert (await office.rows())["policies"] == 1


async def test_setting_the_same_again_says_that_there_is_nothing_to_do(office: Office) -> None:
    await office.do("policy", "set", "nsf_fee=25", *WHY)

    again = await office.do("policy", "set", "nsf_fee=25", *WHY)

    assert again.code == 0
    assert "Nothing to do" in again.err
    assert (await office.rows())["policies"] == 1


async def test_an_issued_invoice_keeps_its_terms_when_the_policy_is_changed(
    office: Office, lease: Any
) -> None:
    await issue_december(office)

    changed = await office.do("policy", "set", "late_fee_rules=flat:75", "--json", *WHY)
    shown = (await office.do("policy", "show", "--invoice", "INV-2026-000001", "--json")).json

    assert changed.json["keeping_their_terms"] == {"count": 1, "invoices": ["INV-2026-000001"]}
    assert shown["policy"]["late_fee_rules"] == []
    assert shown["today_otherwise"] == {"late_fee_rules": [{"kind": "flat", "amount_cents": 7_500}]}
    assert shown["first_fee_on"] is None


async def test_a_field_is_taken_back_and_the_history_says_by_whom_and_why(office: Office) -> None:
    await office.do("policy", "set", "grace_days=9", "nsf_fee=25", *WHY)
    await office.do("policy", "unset", "nsf_fee", "--reason", "a mistake", "--by", "bob")

    told = await office.do("policy", "history")
    kept = (await office.do("policy", "history", "--json")).json

    assert [(item["version"], item["terms"], item["set_by"]) for item in kept] == [
        (1, {"nsf_fee_cents": 2_500, "grace_days": 9}, "ada"),
        (2, {"grace_days": 9}, "bob"),
    ]
    assert "nsf_fee_cents unset" in told.out
    assert "a mistake" in told.out


async def test_a_file_is_set_and_the_command_line_overrules_it(office: Office, tmp_path: Path) -> None:
    file = tmp_path / "policy.toml"
    file.write_text(
        'grace_days = 3\nholidays = [2026-12-25]\nlate_fee_rules = [{kind = "flat", amount_cents = 1}]\n'
    )

    ran = await office.do("policy", "set", "grace_days=4", "--from-file", str(file), "--json", *WHY)

    assert ran.json["terms"] == {
        "grace_days": 4,
        "holidays": ["2026-12-25"],
        "late_fee_rules": [{"kind": "flat", "amount_cents": 1}],
    }


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("set", "grace_dyas=5", *WHY), 2, "did you mean grace_days?"),
        (("set", "grace_days=5"), 2, "--reason"),
        (("set", *WHY), 2, "Nothing is given."),
        (("set", "grace_days=5", "--reason", " "), 2, "A change needs a reason."),
        (("set", "grace_days=5", "--property", NOWHERE, *WHY), 2, f"Billing knows no property {NOWHERE}."),
        (("show", "--lease", NOWHERE), 2, f"Billing knows no lease {NOWHERE}."),
        (("show", "--lease", "x"), 2, "'x' is not an id."),
        (("show", "--invoice", "INV-1", "--on", "2026-01-01"), 2, "Give --invoice alone."),
        (("show", "--invoice", "INV-1"), 2, "There is no invoice 'INV-1'."),
        (("show", "--on", "soon"), 2, "'soon' is not a date."),
        (("unset", "grace", *WHY), 2, "No such field: grace."),
        (("set", "--from-file", "/nowhere.toml", *WHY), 2, "/nowhere.toml: No such file or directory."),
    ],
)
async def test_bad_input_gets_one_readable_answer(
    office: Office, words: tuple[str, ...], code: int, sentence: str
) -> None:
    ran = await office.do("policy", *words)

    assert (ran.code, "Traceback" in ran.err) == (code, False)
    assert sentence in " ".join(ran.err.split())
    assert (await office.rows())["policies"] == 0


async def test_a_file_with_mistakes_is_told_all_of_them_without_any_server(tmp_path: Path) -> None:
    file = tmp_path / "policy.json"
    file.write_text(json.dumps({"grace_days": -1, "reminder_hour": "nine"}))

    ran = await run_propman("billing", "policy", "validate", str(file), "--json", environment={})

    assert ran.code == 1
    assert [item["path"] for item in ran.json["mistakes"]] == ["grace_days", "reminder_hour"]
    assert "2 mistakes" in ran.err


@pytest.mark.parametrize("order", [["portfolio", "property"], ["property", "portfolio"]])
async def test_a_profile_refuses_an_unlawful_policy_whichever_layer_brings_it(
    office: Office, lease: Any, order: list[str]
) -> None:
    at_once = ("--effective-on", "2026-01-01", *WHY)
    words = {
        "portfolio": ("late_fee_rules=flat:100",),
        "property": ("jurisdiction=new-york", "--property", str(lease.property_id)),
    }

    first = await office.do("policy", "set", *words[order[0]], *at_once)
    second = await office.do("policy", "set", *words[order[1]], *at_once)

    assert (first.code, second.code) == (0, 1)
    assert "Nothing was set: New York" in second.err
    assert (await office.rows())["policies"] == 1


async def test_a_profile_that_clamps_refuses_nothing_and_one_that_is_unknown_is_named(office: Office) -> None:
    strict = ("late_fee_rules=flat:100", "jurisdiction=new-york")

    clamped = await office.do("policy", "set", *strict, "jurisdiction_mode=clamp", *WHY)
    unknown = await office.do("policy", "set", "jurisdiction=atlantis", *WHY)

    assert (clamped.code, unknown.code) == (0, 2)
    assert "jurisdiction: 'atlantis' is none of" in unknown.err
