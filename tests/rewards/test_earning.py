"""What a record earns: streaks that break and build again, and money that was paid ahead, once."""

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.rewards.domain.earning import paid_ahead, share
from services.rewards.domain.facts import Facts, Fee, RentInvoice, Today
from services.rewards.domain.policies import PolicyBook, PolicyVersion, RewardPolicy, StreakTier
from shared.identity import derived_id
from tests.rewards.records import (
    LATER,
    PETE,
    SALLY,
    a_book,
    a_receipt,
    a_record,
    an_invoice,
    day,
    granted,
    months_granted,
    prepaid,
    year,
)


def test_a_tier_pays_each_time_its_months_are_full() -> None:
    assert months_granted(a_record(year())) == ["03", "06", "09", "12"]


def test_after_a_break_a_streak_begins_anew_and_pays_again() -> None:
    # Six months: two grants; a break; three months: one more.
    record = a_record(year(m07="07-20"))

    assert months_granted(record) == ["03", "06", "10"]
    assert [month.streak for month in record.months] == [1, 2, 3, 4, 5, 6, 0, 1, 2, 3, 4, 5]


def test_a_month_that_turns_late_takes_back_only_what_depended_on_it() -> None:
    before, after = a_record(year()), a_record(year(m06=None))

    lost = set(granted(before)) - set(granted(after))
    assert lost == {("2026-06", "streak:3", 3_000)}
    assert set(granted(after)) <= set(granted(before))


@pytest.mark.parametrize(
    ("pays", "months"),
    [("every_time", ["03", "06", "10"]), ("once_per_streak", ["03", "10"]), ("once", ["03"])],
)
def test_a_tier_pays_every_time_once_in_a_streak_or_once(pays: str, months: list[str]) -> None:
    tier = StreakTier(3, 3_000, pays)  # type: ignore[arg-type]

    assert months_granted(a_record(year(m07="07-20"), streaks=(tier,))) == months


def test_a_month_is_under_the_policy_of_its_first_day() -> None:
    doubled = PolicyVersion(None, 2, date(2026, 6, 2), {"streaks": (StreakTier(3, 6_000),)})

    record = a_record(year(), book=a_book().with_version(doubled))

    assert [item.amount_cents for item in record.earned] == [3_000, 3_000, 6_000, 6_000]


def test_a_property_overrules_the_portfolio_field_by_field() -> None:
    elm = PolicyVersion(an_invoice().property_id, 1, date(2020, 1, 1), {"streaks": ()})

    assert months_granted(a_record(year(), book=a_book().with_version(elm))) == []


def test_those_who_rent_together_share_a_grant_to_the_cent() -> None:
    together = [replace(item, tenant_ids=(SALLY, PETE)) for item in year()[:3]]

    shares = [
        a_record(together, tenant_id=who, streaks=(StreakTier(3, 3_001),)).earned[0].amount_cents
        for who in (SALLY, PETE)
    ]

    assert sorted(shares) == [1_500, 1_501]


def test_each_of_those_who_rent_together_may_be_granted_all_of_it() -> None:
    together = [replace(item, tenant_ids=(SALLY, PETE)) for item in year()[:3]]

    assert a_record(together, tenant_id=PETE, co_tenants="each").earned[0].amount_cents == 3_000


@given(st.integers(1, 10**9), st.integers(1, 9))
def test_shares_add_up_to_the_grant(amount_cents: int, heads: int) -> None:
    tenants = [derived_id("tenant", number) for number in range(heads)]

    shares = [share(amount_cents, tenant, tenants, RewardPolicy()) for tenant in tenants]

    assert sum(shares) == amount_cents
    assert max(shares) - min(shares) <= 1


def test_a_share_of_nothing_is_no_grant() -> None:
    together = [replace(item, tenant_ids=(SALLY, PETE)) for item in year()[:3]]
    cent = (StreakTier(3, 1),)

    found = [granted(a_record(together, tenant_id=who, streaks=cent)) for who in (SALLY, PETE)]

    assert sorted(map(len, found)) == [0, 1]


def test_money_paid_ahead_counts_once() -> None:
    invoice, first, more = an_invoice(), a_receipt("03-01", 150_000), a_receipt("03-02", 100)

    assert granted(a_record([invoice], [first], **prepaid())) == [("2026-03", "prepaid:50000#1", 1_000)]
    assert len(a_record([invoice], [first, more], **prepaid()).earned) == 1


def test_each_multiple_that_is_paid_ahead_earns_once() -> None:
    receipts = [a_receipt("03-01", 240_000), a_receipt("03-20", 15_000)]

    record = a_record([an_invoice()], receipts, **prepaid())

    assert [(item.rule, item.period) for item in record.earned] == [
        ("prepaid:50000#1", "2026-03"),
        ("prepaid:50000#2", "2026-03"),
        ("prepaid:50000#3", "2026-03"),
    ]


def test_a_threshold_may_pay_only_once() -> None:
    record = a_record([], [a_receipt("03-01", 200_000)], **prepaid(pays="once"))

    assert [item.rule for item in record.earned] == ["prepaid:50000#1"]


def test_money_taken_back_was_never_ahead() -> None:
    paid, left = a_receipt("03-01", 150_000), a_receipt("03-01", 149_000)

    assert months_granted(a_record([an_invoice()], [paid], **prepaid())) == ["03"]
    assert months_granted(a_record([an_invoice()], [left], **prepaid())) == []


@pytest.mark.parametrize("method", ["reward", "goodwill"])
def test_rewards_and_goodwill_are_never_ahead(method: str) -> None:
    record = a_record([], [a_receipt("03-01", 500_000, method=method)], **prepaid())

    assert granted(record) == []


def test_what_pays_a_fee_is_not_ahead() -> None:
    invoice, lease = an_invoice(), an_invoice().lease_id
    fee = Fee(lease, invoice.invoice_id, day("03-07"), 5_000)

    [ahead] = paid_ahead(Facts((invoice,), (a_receipt("03-10", 110_000),), (fee,)))

    assert ahead.ahead_cents == 5_000


def test_a_fee_taken_off_again_leaves_no_less_than_nothing() -> None:
    invoice, lease = an_invoice(), an_invoice().lease_id
    lines = [Fee(lease, invoice.invoice_id, day("03-07"), cents) for cents in (5_000, -5_000, -5_000)]

    assert paid_ahead(Facts((invoice,), (a_receipt("03-10", 100_000),), tuple(lines))) == []


def test_voiding_makes_no_payment_of_before_a_prepayment() -> None:
    void = an_invoice(voided_on=day("03-20"))

    assert paid_ahead(Facts((void,), (a_receipt("03-01", 100_000),))) == []


def test_an_invoice_issued_anew_was_owed_since_the_first() -> None:
    void = an_invoice(issued_on=day("02-25"), voided_on=day("03-20"))
    again = an_invoice(invoice_id=derived_id("invoice", "again"), issued_on=day("03-20"))

    assert paid_ahead(Facts((void, again), (a_receipt("02-26", 100_000),))) == []


def test_an_invoice_that_was_issued_late_was_owed_when_it_was_due() -> None:
    late = an_invoice(issued_on=day("03-15"))

    assert paid_ahead(Facts((late,), (a_receipt("03-02", 100_000),))) == []


MONTHS = st.lists(st.sampled_from(["on_time", "late", "open", "free", "absent"]), min_size=1, max_size=12)


def rent(states: list[str]) -> list[RentInvoice]:
    found = []
    for number, state in enumerate(states, start=1):
        invoice = an_invoice(f"{number:02}")
        if state == "late":
            invoice = replace(invoice, covered_on=day(f"{number:02}-15"))
        if state == "open":
            invoice = replace(invoice, covered_on=None)
        if state == "free":
            invoice = replace(invoice, rent_cents=0, covered_on=None)
        if state != "absent":
            found.append(invoice)
    return found


@given(MONTHS, st.integers(1, 6))
def test_grants_are_those_of_each_unbroken_run(states: list[str], length: int) -> None:
    runs = [0]
    for state in states:
        if state == "on_time":
            runs[-1] += 1
        elif state in {"late", "open"}:
            runs.append(0)

    record = a_record(rent(states), streaks=(StreakTier(length, 100),))

    assert len(record.earned) == sum(run // length for run in runs)
    assert record.streak == runs[-1]


@given(MONTHS, st.permutations(range(12)))
def test_the_order_of_facts_does_not_matter(states: list[str], order: list[int]) -> None:
    invoices = rent(states)
    shuffled = [invoices[index] for index in order if index < len(invoices)]

    assert a_record(shuffled) == a_record(invoices)


@given(MONTHS, st.integers(1, 13))
def test_a_later_day_never_takes_back_what_an_earlier_day_earned(states: list[str], month: int) -> None:
    # Only facts do: time alone settles months, and grants are for months that are settled.
    invoices = [item for item in rent(states) if item.covered_on is None or item.covered_on.day == 1]
    some_day = Today(otherwise=date(2026 + month // 13, month % 13 or 12, 5))

    early, late = a_record(invoices, today=some_day), a_record(invoices, today=LATER)

    assert set(granted(early)) <= set(granted(late))


def test_an_empty_policy_grants_nothing() -> None:
    assert a_record(year(), book=PolicyBook()).earned == ()
