"""What a month counts as: rent that came in time, whatever else was owed."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from services.rewards.domain.facts import RentInvoice, Today
from services.rewards.domain.months import Verdict, Why
from shared.identity import derived_id
from tests.rewards.records import ELM, PETE, SALLY, a_record, an_invoice, day, year


def verdict(invoice: RentInvoice, today: str = "12-31", **terms: Any) -> tuple[Verdict, Why]:
    record = a_record([invoice], today=Today(otherwise=day(today)), **terms)
    month = record.months[0]
    return month.verdict, month.why


def test_rent_covered_on_the_due_date_is_on_time() -> None:
    assert verdict(an_invoice()) == (Verdict.ON_TIME, Why.COVERED)


def test_rent_covered_a_day_after_the_due_date_is_late() -> None:
    assert verdict(an_invoice(covered_on=day("03-02"))) == (Verdict.LATE, Why.CAME_LATE)


def test_a_charge_that_is_open_does_not_make_the_rent_late() -> None:
    # A key was billed beside the rent, and nobody paid it.
    assert verdict(an_invoice(total_cents=103_500)) == (Verdict.ON_TIME, Why.COVERED)


def test_rent_covered_by_credit_before_it_was_billed_is_on_time() -> None:
    assert verdict(an_invoice(covered_on=day("01-10"))) == (Verdict.ON_TIME, Why.COVERED)


def test_grace_counts_only_where_the_policy_says_so() -> None:
    invoice = an_invoice(covered_on=day("03-06"), first_fee_on=day("03-07"))

    assert verdict(invoice) == (Verdict.LATE, Why.CAME_LATE)
    assert verdict(invoice, grace_counts=True) == (Verdict.ON_TIME, Why.IN_GRACE)
    assert verdict(replace(invoice, covered_on=day("03-07")), grace_counts=True)[0] is Verdict.LATE


def test_nothing_is_judged_before_the_due_date_is_over() -> None:
    paid, unpaid = an_invoice(), an_invoice(covered_on=None)

    assert [verdict(item, "03-01")[0] for item in (paid, unpaid)] == [Verdict.PENDING] * 2
    assert [verdict(item, "03-02")[0] for item in (paid, unpaid)] == [Verdict.ON_TIME, Verdict.LATE]


def test_a_month_without_rent_neither_breaks_a_streak_nor_counts() -> None:
    months = year()
    months[2] = replace(months[2], rent_cents=0, covered_on=None)
    del months[7]

    record = a_record(months)

    assert record.months[2].verdict is Verdict.NOT_COUNTED
    assert [month.streak for month in record.months] == [1, 2, 2, 3, 4, 5, 6, 7, 8, 9, 10]


@pytest.mark.parametrize(("counts", "streak"), [(False, 0), (True, 1)])
def test_the_first_partial_month_counts_where_the_policy_says_so(counts: bool, streak: int) -> None:
    record = a_record([an_invoice(starts_on=day("03-15"))], first_partial_month=counts)

    assert record.streak == streak


def test_a_renewal_in_the_middle_of_a_month_is_no_first_month() -> None:
    renewal = an_invoice(starts_on=day("03-15"), lease_id=derived_id("lease", "new"))

    record = a_record([replace(renewal, account_id=derived_id("lease", "1A"))])

    assert record.months[0].verdict is Verdict.ON_TIME


def test_a_voided_invoice_never_counted_and_its_replacement_does() -> None:
    void = an_invoice(covered_on=None, voided_on=day("03-05"))
    again = an_invoice(invoice_id=derived_id("invoice", "again"), issued_on=day("03-05"))

    assert a_record([void]).months[0].verdict is Verdict.NOT_COUNTED
    assert a_record([void, again]).months[0].verdict is Verdict.ON_TIME


def test_a_month_with_two_leases_is_on_time_where_both_rents_were() -> None:
    second = an_invoice(lease_id=derived_id("lease", "2B"), rent_cents=40_000)

    both, one = a_record([an_invoice(), second]), a_record([an_invoice(), replace(second, covered_on=None)])

    assert (both.streak, one.streak) == (1, 0)
    assert len(both.months) == 1


def test_a_streak_goes_on_where_the_tenant_moves_to_another_property() -> None:
    months = year()
    elsewhere = [
        replace(item, property_id=derived_id("property", "Oak"), lease_id=derived_id("lease", "Oak"))
        for item in months[6:]
    ]

    assert a_record([*months[:6], *elsewhere]).streak == 12


def test_who_takes_a_lease_over_begins_a_record_of_their_own() -> None:
    months = year()
    transferred = [*months[:6], *(replace(item, tenant_ids=(PETE,)) for item in months[6:])]

    assert a_record(transferred, tenant_id=PETE).streak == 6
    assert a_record(transferred, tenant_id=SALLY).streak == 6


def test_weekly_rent_counts_when_its_month_is_over_and_every_week_was_paid() -> None:
    weeks = [
        an_invoice(
            frequency="weekly",
            invoice_id=derived_id("week", number),
            due_on=day(f"03-{number:02}"),
            covered_on=day(f"03-{number:02}"),
        )
        for number in (2, 9, 16, 23, 30)
    ]

    before, after = (
        a_record(weeks, today=Today(otherwise=date(2026, *on))).months[0] for on in ((3, 31), (4, 1))
    )

    assert (before.verdict, before.why) == (Verdict.PENDING, Why.MONTH_RUNS)
    assert (after.verdict, after.streak) == (Verdict.ON_TIME, 1)


def test_what_day_it_is_is_asked_at_the_property() -> None:
    # Paid at 23:30 on the due date in New York, when it was the next day in UTC already.
    paid = an_invoice(covered_on=day("03-01"))

    record = a_record([paid], today=Today({ELM: day("03-02")}, day("03-01")))

    assert record.months[0].verdict is Verdict.ON_TIME


def test_a_month_waits_for_the_one_before_it() -> None:
    slow = an_invoice("01", covered_on=None, first_fee_on=day("03-20"))

    record = a_record([slow, an_invoice("02")], today=Today(otherwise=day("03-05")), grace_counts=True)

    assert [month.verdict for month in record.months] == [Verdict.PENDING, Verdict.PENDING]
    assert record.streak == 0
