"""Why a period is billed or not, told in words; and told again by the command line."""

from datetime import date
from typing import Any

import pytest

from services.billing.domain.billing_reasons import Invoiced, due_reason, gaps, reason
from services.billing.domain.due_periods import Tenure
from services.billing.domain.periods import month, period_at, periods_between
from services.billing.domain.policies import BillingPolicy
from tests.billing.office import Office
from tests.billing.runs import agree, bill, know
from tests.billing.terms import lease_terms
from tests.support.builders import a_lease

TODAY = date(2026, 12, 10)
TENURE = Tenure("monthly", date(2026, 1, 1), date(2027, 6, 30))


@pytest.mark.parametrize(
    ("period", "invoiced", "policy", "verdict", "words"),
    [
        ("2025-12", [], {}, "not_in_force", "the lease is in force from 2026-01-01 to 2027-06-30"),
        ("2026-12", ["2026-12"], {}, "billed", "it is billed already, by INV-1"),
        ("2026-12", [], {}, "due", "the next run of the schedule bills it"),
        ("2026-11", [], {}, "over", "the schedule bills no month that is over"),
        ("2026-12", [], {"auto_generate": False}, "held_back", "nothing is invoiced by itself"),
        ("2027-01", [], {}, "waits", "the schedule bills it from 2027-01-01 on"),
        ("2027-01", [], {"lead_days": 5}, "waits", "from 2026-12-27 on, 5 days ahead"),
        ("2027-01", [], {"lead_days": 22}, "due", "the next run"),
    ],
)
def test_a_period_s_standing_says_why(
    period: str, invoiced: list[str], policy: dict[str, Any], verdict: str, words: str
) -> None:
    found = reason(
        TENURE,
        month(period),
        [Invoiced("INV-1", month(label).starts_on, month(label).ends_on) for label in invoiced],
        BillingPolicy(**policy),
        TODAY,
    )

    assert found.verdict == verdict
    assert words in found.text


def test_a_voided_period_waits_for_a_person_and_a_billed_one_names_its_new_invoice() -> None:
    december = month("2026-12")
    void = Invoiced("INV-1", december.starts_on, december.ends_on, is_void=True)
    again = Invoiced("INV-2", december.starts_on, december.ends_on)

    voided = reason(TENURE, december, [void], BillingPolicy(), TODAY)
    billed = reason(TENURE, december, [void, again], BillingPolicy(), TODAY)

    assert (voided.verdict, "--month 2026-12" in voided.text) == ("voided", True)
    assert billed.text == "it is billed already, by INV-2"


def test_weeks_that_share_days_with_an_invoice_of_other_terms_are_not_billed() -> None:
    weekly = Tenure("weekly", date(2026, 12, 3), None)
    invoiced = [Invoiced("INV-1", date(2026, 12, 1), date(2026, 12, 31))]

    found = reason(weekly, period_at("weekly", date(2026, 12, 3), TODAY), invoiced, BillingPolicy(), TODAY)

    assert (found.verdict, "INV-1" in found.text) == ("overlapped", True)


def test_months_without_an_invoice_are_named_from_the_first_that_has_one() -> None:
    periods = periods_between("monthly", TENURE.starts_on, TENURE.starts_on, TODAY)
    invoiced = [
        Invoiced(f"INV-{label}", month(label).starts_on, month(label).ends_on, label == "2026-10")
        for label in ("2026-08", "2026-10", "2026-12")
    ]

    assert [period.label for period in gaps(TENURE, periods, invoiced)] == ["2026-09", "2026-10", "2026-11"]
    assert gaps(TENURE, periods, []) == []


@pytest.mark.parametrize(
    ("changes", "policy", "due_on", "words"),
    [
        (
            {"due_day": 31},
            {},
            date(2026, 2, 28),
            "the lease's due day is 31, which in 2026-02 is its last day",
        ),
        ({}, {"due_day": 5}, date(2026, 2, 5), "the policy's due day is 5"),
        (
            {"starts_on": date(2026, 2, 15)},
            {},
            date(2026, 2, 15),
            "nothing is due before the lease's first day",
        ),
        ({}, {}, date(2026, 2, 9), "as it was agreed when the invoice was issued"),
    ],
)
def test_a_due_date_says_which_rule_it_is_from(
    changes: dict[str, Any], policy: dict[str, Any], due_on: date, words: str
) -> None:
    assert words in due_reason(lease_terms(**changes), month("2026-02"), BillingPolicy(**policy), due_on)


async def test_explain_lease_says_what_decides_and_what_the_invoice_would_be(office: Office) -> None:
    lease = a_lease(rent_cents=180_000, starts_on=date(2026, 9, 15), charges=())
    await know(office.transactions, lease)
    await agree(office.transactions, {"proration": "thirty", "due_day": 5})
    await bill(office.transactions, period="2026-09")
    await bill(office.transactions, period="2026-12")

    billed = await office.run("explain", "lease", str(lease.lease_id), "--on", "2026-09-20", "--json")
    ahead = await office.run("explain", "lease", str(lease.lease_id), "--on", "2099-01-31", "--json")
    prose = await office.run("explain", "lease", str(lease.lease_id), "--on", "2026-09-20")

    assert billed.json["because"] == "it is billed already, by INV-2026-000001"
    assert billed.json["policy_from"]["proration"] == "portfolio policy, version 1"
    assert ahead.json["verdict"] == "waits"
    assert ahead.json["would_be"]["due_on"] == "2099-01-05"
    assert ahead.json["would_be"]["total_cents"] == 180_000
    assert "billed: it is billed already, by INV-2026-000001" in prose.out


async def test_explain_invoice_says_its_terms_days_formula_and_first_fee(office: Office) -> None:
    lease = a_lease(rent_cents=180_000, starts_on=date(2026, 12, 15), charges=())
    await know(office.transactions, lease)
    rules = [{"kind": "flat", "amount_cents": 5_000}]
    await agree(office.transactions, {"late_fee_rules": rules, "grace_days": 5, "due_day": 31})
    await bill(office.transactions, period="2026-12")

    told = (await office.run("explain", "invoice", "inv-2026-000001", "--on", "2026-12-20", "--json")).json
    await office.run("void", "INV-2026-000001", "--reason", "Wrong rent")
    prose = await office.run("explain", "invoice", "INV-2026-000001")

    assert told["lines"][0]["formula"] == "1,800.00 x 17/31 (actual days of the month) = 987.10"
    assert (told["due_on"], told["due_because"]) == ("2026-12-31", "the policy's due day is 31")
    assert (told["first_fee_on"], told["open_cents"]) == ("2027-01-06", 98_710)
    assert "Wrong rent; its period has no invoice." in prose.err


@pytest.mark.parametrize("subject", ["invoice", "lease"])
async def test_what_nobody_knows_cannot_be_explained(office: Office, subject: str) -> None:
    ran = await office.run("explain", subject, "0198c1d2-7e1a-7c3f-9b2e-3d4c5b6a7f80")

    assert ran.code == 2
    assert subject in ran.err
