"""What setting a policy changes, and the dates it comes to."""

from datetime import date
from decimal import Decimal

import pytest

from services.billing.domain.fee_calendar import Hold
from services.billing.domain.jurisdictions import chosen
from services.billing.domain.policies import BillingPolicy
from services.billing.domain.policy_book import Place, PolicyBook
from services.billing.domain.policy_changes import plan_change
from services.billing.domain.policy_dates import first_fee_on, grace_ends_by, next_due_on
from services.billing.jurisdictions import profiles
from shared.identity import new_id
from tests.billing.policies import a_version
from tests.billing.terms import rent_terms

DAY = date(2026, 3, 1)


def test_a_change_adds_to_its_layer_and_names_old_and_new() -> None:
    book = PolicyBook([a_version({"grace_days": 3, "lead_days": 7})])

    change = plan_change(book, Place(), DAY, {"grace_days": 5, "lead_days": 7})

    assert (change.version, change.terms) == (2, {"grace_days": 5, "lead_days": 7})
    assert [(item.name, item.old, item.new) for item in change.differences] == [("grace_days", 3, 5)]
    assert not change.repeats


def test_what_is_so_already_is_no_change() -> None:
    book = PolicyBook([a_version({"grace_days": 3})])

    assert plan_change(book, Place(), DAY, {"grace_days": 3}).repeats


def test_saying_what_holds_anyway_is_a_change_of_the_layer() -> None:
    place = Place(new_id())
    book = PolicyBook([a_version({"grace_days": 3})])

    change = plan_change(book, place, DAY, {"grace_days": 3})

    assert (change.repeats, change.differences) == (False, ())


def test_a_field_taken_back_is_decided_by_the_layer_above_again() -> None:
    place = new_id()
    book = PolicyBook(
        [a_version({"grace_days": 3}), a_version({"grace_days": 9}, scope="property", scope_id=place)]
    )

    change = plan_change(book, Place(place), DAY, {}, taken_back=["grace_days"])

    assert (change.terms, change.policy.grace_days) == ({}, 3)


def test_versions_that_come_later_and_layers_that_overrule_are_named() -> None:
    lease = a_version({"grace_days": 9}, scope="lease", scope_id=new_id())
    other = a_version({"lead_days": 9}, scope="lease", scope_id=new_id())
    later = a_version({"grace_days": 4}, version=2, effective_on=date(2027, 1, 1))
    book = PolicyBook([a_version({"grace_days": 3}), later, lease, other])

    change = plan_change(book, Place(), DAY, {"grace_days": 5})

    assert (change.version, change.later, change.overruled_by) == (3, (later,), (lease,))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, date(2026, 3, 7)),
        ({"grace_convention": "nth_day"}, date(2026, 3, 6)),
        ({"grace_business_days": True, "holidays": (date(2026, 3, 4),)}, date(2026, 3, 10)),
        ({"grace_days": 0, "grace_convention": "nth_day"}, date(2026, 3, 2)),
    ],
)
def test_grace_is_a_date(changes: dict[str, object], expected: date) -> None:
    policy = BillingPolicy(**{"grace_days": 5, **changes})  # type: ignore[arg-type]

    assert grace_ends_by(policy, date(2026, 3, 1)) == expected


def test_the_next_due_date_is_the_policy_s_or_the_lease_s() -> None:
    lease = rent_terms(due_day=5)

    assert next_due_on(BillingPolicy(), lease, date(2026, 3, 6)) == date(2026, 4, 5)
    assert next_due_on(BillingPolicy(due_day=31), lease, date(2026, 4, 1)) == date(2026, 4, 30)
    assert next_due_on(BillingPolicy(due_day=31), None, date(2026, 2, 28)) == date(2026, 2, 28)
    assert next_due_on(BillingPolicy(), None, date(2026, 3, 2)) == date(2026, 4, 1)


def test_a_weekly_lease_is_due_with_its_weeks() -> None:
    lease = rent_terms(frequency="weekly", starts_on=date(2026, 3, 4))

    assert next_due_on(BillingPolicy(due_after_days=2), lease, date(2026, 3, 14)) == date(2026, 3, 20)


def test_a_lease_that_has_ended_has_no_due_date_any_more() -> None:
    lease = rent_terms(ends_on=date(2026, 3, 31))

    assert next_due_on(BillingPolicy(), lease, date(2026, 3, 2)) is None


def test_the_law_of_a_place_may_make_the_first_possible_fee_later() -> None:
    massachusetts = chosen(profiles(), "massachusetts")

    day = first_fee_on(BillingPolicy(grace_days=5, interest_apr=Decimal(12)), date(2026, 3, 1), massachusetts)

    assert day == date(2026, 4, 1)


def test_a_hold_moves_the_first_possible_fee_and_without_an_end_there_is_none() -> None:
    policy = BillingPolicy(grace_days=5, interest_apr=Decimal(12))
    week = Hold(from_on=date(2026, 3, 2), to_on=date(2026, 3, 8))

    assert first_fee_on(policy, date(2026, 3, 1), holds=[week]) == date(2026, 3, 14)
    assert first_fee_on(policy, date(2026, 3, 1), holds=[Hold(from_on=date(2026, 3, 2))]) is None


def test_a_policy_without_fees_has_no_first_fee() -> None:
    assert first_fee_on(BillingPolicy(), date(2026, 3, 1)) is None
