"""What a renewal takes over, where it begins, and what becomes of the old lease; without a database."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.leasing.domain.charges import Charge
from services.leasing.domain.leases import Lease, changed, ended, overlap, refuse_end_that_is_none
from services.leasing.domain.refusals import Invalid, LeaseIsOver
from services.leasing.domain.renewals import Renewal, closed, renewal_start, renewed
from services.leasing.domain.terms import RentChange, checked_terms
from shared.identity import new_id

START, END = date(2026, 1, 1), date(2026, 12, 31)
DAY = timedelta(days=1)
PARKING = Charge(code="parking", description="Parking", amount_cents=5_000)


def a_lease(**values: Any) -> Lease:
    """A lease of $1,250.00 through 2026, as it is kept."""
    defaults: dict[str, Any] = {
        "id": new_id(),
        "property_id": new_id(),
        "unit_id": new_id(),
        "unit_label": "1A",
        "tenant_ids": (new_id(), new_id()),
        "time_zone": "America/New_York",
        "currency": "USD",
        "rent_cents": 125_000,
        "starts_on": START,
        "ends_on": END,
        "due_day": 5,
    }
    return checked_terms(Lease(**defaults | values))


def renewal_of(old: Lease, **values: Any) -> Lease:
    """The lease that follows."""
    renewal = Renewal(**values)
    return renewed(old, renewal, renewal_start(old, renewal.starts_on, END), new_id())


def refusal(old: Lease, asked: date | None, today: date = START) -> str:
    with pytest.raises(Invalid) as refused:
        renewal_start(old, asked, today)
    (wrong,) = refused.value.wrong
    assert wrong.field == "starts_on"
    return wrong.reason


def test_a_renewal_follows_the_agreed_end_on_the_same_account() -> None:
    old = a_lease()

    new = renewal_of(old, ends_on=date(2027, 12, 31), rent_cents=130_000)
    third = renewal_of(new, ends_on=date(2028, 12, 31))

    assert (new.starts_on, new.ends_on, new.rent_cents, new.due_day) == (
        date(2027, 1, 1),
        date(2027, 12, 31),
        130_000,
        5,
    )
    assert (new.unit_id, new.tenant_ids, new.version) == (old.unit_id, old.tenant_ids, 1)
    assert (new.renewal_of, third.renewal_of) == (old.id, new.id)
    assert new.account == third.account == old.account == old.id


def test_a_renewal_inside_a_free_month_keeps_the_rest_of_it_free() -> None:
    old = a_lease(rolls_over=True, free_periods=("2027-02",))

    assert renewal_of(old, starts_on=date(2027, 2, 15)).free_periods == ("2027-02",)


def test_a_rent_change_on_the_first_day_of_a_renewal_is_its_rent() -> None:
    change = RentChange(effective_on=date(2027, 2, 1), rent_cents=130_000)

    new = renewal_of(a_lease(rolls_over=True, rent_changes=(change,)), starts_on=change.effective_on)

    assert (new.rent_cents, new.rent_changes) == (130_000, ())


def test_what_is_not_agreed_anew_goes_on_as_it_was() -> None:
    old = a_lease(
        rolls_over=True,
        charges=(PARKING,),
        free_periods=("2026-02", "2027-02"),
        rent_changes=tuple(
            RentChange(effective_on=day, rent_cents=day.year) for day in (END, date(2027, 6, 1))
        ),
    )

    new = renewal_of(old, starts_on=END + DAY, ends_on=date(2027, 12, 31))

    assert (new.rent_cents, [item.rent_cents for item in new.rent_changes]) == (2026, [2027])
    assert (new.rolls_over, new.charges, new.free_periods) == (True, (PARKING,), ("2027-02",))


def test_a_new_rent_takes_the_place_of_changes_that_were_agreed_before() -> None:
    change = RentChange(effective_on=date(2027, 6, 1), rent_cents=1)

    assert renewal_of(a_lease(rolls_over=True, rent_changes=(change,)), rent_cents=2).rent_changes == ()


def test_another_frequency_needs_another_rent_and_has_neither_due_day_nor_free_months() -> None:
    old = a_lease(rolls_over=True, free_periods=("2027-02",))

    with pytest.raises(Invalid, match="rent is missing: so far it was monthly"):
        renewal_of(old, frequency="weekly")
    new = renewal_of(old, frequency="weekly", rent_cents=30_000)
    assert (new.frequency, new.due_day, new.free_periods) == ("weekly", 1, ())


def test_a_monthly_charge_beside_weekly_rent_keeps_its_day_in_a_renewal() -> None:
    weekly = a_lease(frequency="weekly", due_day=1, charges=(PARKING,), starts_on=date(2026, 1, 5))

    assert renewal_of(weekly).charges == (replace(PARKING, starts_on=date(2027, 1, 5)),)
    assert renewal_of(a_lease(starts_on=date(2026, 1, 5), charges=(PARKING,))).charges == (PARKING,)


def test_a_renewal_without_an_end_has_none() -> None:
    new = renewal_of(a_lease(rolls_over=True))

    assert (new.ends_on, new.rolls_over, new.last_on) == (None, False, None)


def test_a_lease_with_an_agreed_end_is_not_prolonged_by_its_renewal() -> None:
    assert "does not follow directly" in refusal(a_lease(), END + 2 * DAY)
    assert renewal_start(a_lease(rolls_over=True), END + 40 * DAY, START) == END + 40 * DAY


def test_a_lease_that_rolled_over_is_renewed_from_a_day_that_somebody_says() -> None:
    rolling = a_lease(rolls_over=True)

    assert renewal_start(rolling, None, END) == END + DAY
    assert "from month to month since 2026-12-31" in refusal(rolling, None, END + DAY)
    assert "has no agreed end" in refusal(a_lease(ends_on=None), None)


@pytest.mark.parametrize("asked", [START - DAY, START, START + DAY])
def test_something_is_left_of_the_lease_that_is_renewed(asked: date) -> None:
    assert "leaves nothing of the lease" in refusal(a_lease(), asked)


def test_an_ended_lease_is_renewed_from_the_day_after_or_not_at_all() -> None:
    over = ended(a_lease(), date(2026, 6, 30))

    assert renewal_start(over, None, END) == date(2026, 7, 1)
    assert closed(over, date(2026, 7, 1)) is over
    with pytest.raises(LeaseIsOver):
        renewal_start(over, date(2026, 6, 1), END)


def test_a_lease_that_ends_the_day_before_stays_as_it_is() -> None:
    old = a_lease()

    assert closed(old, END + DAY) is old


@given(st.integers(2, 700), st.none() | st.integers(1, 400), st.booleans(), st.none() | st.integers(1, 400))
def test_old_lease_and_renewal_cover_each_day_once(
    after: int, length: int | None, rolls_over: bool, renewed_for: int | None
) -> None:
    old = a_lease(ends_on=None if length is None else START + length * DAY, rolls_over=rolls_over)
    starts_on = START + after * DAY
    if old.last_on is not None and starts_on > old.last_on + DAY:
        assert refusal(old, starts_on)
        return

    new = renewal_of(old, starts_on=starts_on, ends_on=starts_on + renewed_for * DAY if renewed_for else None)
    before = checked_terms(closed(old, starts_on))

    assert before.last_on == new.starts_on - DAY
    assert not overlap(before, new)
    assert before.version == old.version + (before != old)
    assert (before.state, before.id, before.account) == ("active", old.id, old.account)


def test_a_lease_that_rolls_over_has_its_unit_until_it_is_ended() -> None:
    rolling, later = a_lease(rolls_over=True), a_lease(starts_on=date(2030, 1, 1), ends_on=None)

    assert overlap(rolling, later)
    over = ended(rolling, date(2029, 12, 31))
    assert not overlap(over, later)
    assert (over.rolls_over, over.ends_on, over.state) == (False, date(2029, 12, 31), "ended")


def test_an_agreed_end_is_not_taken_back_after_months_went_on() -> None:
    rolling = a_lease(rolls_over=True)

    refuse_end_that_is_none(rolling, {"rolls_over": False}, END)
    refuse_end_that_is_none(rolling, {"rolls_over": False, "ends_on": date(2027, 6, 30)}, END + DAY)
    with pytest.raises(Invalid, match="then is too late: the lease has gone on since 2026-12-31"):
        refuse_end_that_is_none(rolling, {"rolls_over": False}, END + DAY)


def test_a_lease_without_an_agreed_end_does_not_come_to_end_without_a_day() -> None:
    with pytest.raises(Invalid, match="then is end, and the lease has no agreed end"):
        refuse_end_that_is_none(a_lease(ends_on=None), {"rolls_over": False}, END)


def test_an_earlier_end_takes_with_it_what_lies_beyond() -> None:
    change = RentChange(effective_on=date(2026, 10, 1), rent_cents=1)
    lease = a_lease(
        rent_changes=(change,), free_periods=("2026-11",), charges=(replace(PARKING, ends_on=END),)
    )

    shorter = changed(lease, {"ends_on": date(2026, 6, 30)})

    assert (shorter.rent_changes, shorter.free_periods) == ((), ())
    assert shorter.charges == (replace(PARKING, ends_on=date(2026, 6, 30)),)


def test_a_rent_change_is_scheduled_beside_the_others_and_taken_back_alone() -> None:
    days = (date(2026, 3, 1), date(2026, 9, 1))
    first, second = (RentChange(effective_on=day, rent_cents=day.month) for day in days)

    both = changed(changed(a_lease(), {}, scheduled=[second]), {}, scheduled=[first])
    only_one = changed(both, {}, taken_back=[days[0]])

    assert (both.rent_changes, both.version) == ((first, second), 3)
    assert only_one.rent_changes == (second,)
    with pytest.raises(Invalid, match="have none from 2026-03-01 to take back"):
        changed(only_one, {}, taken_back=[days[0]])
    with pytest.raises(Invalid, match="are two from 2026-09-01"):
        changed(only_one, {}, scheduled=[second])


def test_a_rent_change_may_be_taken_back_for_another_of_the_same_day() -> None:
    day = date(2026, 9, 1)
    lease = a_lease(rent_changes=(RentChange(effective_on=day, rent_cents=1),))
    another = RentChange(effective_on=day, rent_cents=2)

    assert changed(lease, {}, scheduled=[another], taken_back=[day]).rent_changes == (another,)
