"""The rules of terms: rent changes, free months, charges and their days; without a database."""

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.leasing.domain.charges import Charge, carried_over, ended_charge, parse_charge
from services.leasing.domain.refusals import Invalid
from services.leasing.domain.terms import LeaseTerms, RentChange, checked_terms, cut_off, parse_rent_changes
from services.leasing.domain.values import days_of, months_after

START, END = date(2026, 1, 15), date(2026, 12, 31)
DAYS = st.dates(min_value=date(2026, 1, 1), max_value=date(2027, 6, 30))


def terms(**values: Any) -> LeaseTerms:
    """A lease of $1,250.00 through most of 2026, as it is kept."""
    defaults: dict[str, Any] = {"rent_cents": 125_000, "starts_on": START, "ends_on": END}
    return checked_terms(LeaseTerms(**defaults | values))


def rent(day: date, cents: int = 130_000) -> RentChange:
    return RentChange(effective_on=day, rent_cents=cents)


def pet(**values: Any) -> Charge:
    defaults: dict[str, Any] = {"code": "pet_rent", "description": "Pet rent", "amount_cents": 3_500}
    return Charge(**defaults | values)


def refusal(**values: Any) -> tuple[str, str]:
    """The field that is wrong, and why."""
    with pytest.raises(Invalid) as refused:
        terms(**values)
    (wrong,) = refused.value.wrong
    return wrong.field, wrong.reason


def test_rent_changes_are_kept_in_the_order_of_their_days() -> None:
    kept = terms(rent_changes=(rent(date(2026, 9, 1), 3), rent(date(2026, 3, 1), 2)))

    assert [item.rent_cents for item in kept.rent_changes] == [2, 3]


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        (date(2025, 1, 1), 125_000),
        (date(2026, 2, 28), 125_000),
        (date(2026, 3, 1), 130_000),
        (date(2026, 9, 1), 140_000),
        (date(2030, 1, 1), 140_000),
    ],
)
def test_the_rent_of_a_day_is_the_last_one_that_began(day: date, expected: int) -> None:
    kept = terms(rent_changes=(rent(date(2026, 3, 1)), rent(date(2026, 9, 1), 140_000)))

    assert kept.rent_on(day) == expected


@pytest.mark.parametrize("day", [START - timedelta(days=1), START])
def test_the_rent_does_not_change_before_the_second_day(day: date) -> None:
    assert refusal(rent_changes=(rent(day),)) == (
        "rent_changes",
        f"from {day} are not after the start on 2026-01-15",
    )


def test_the_rent_does_not_change_after_the_end_unless_the_lease_rolls_over() -> None:
    change = (rent(END + timedelta(days=1)),)

    assert refusal(rent_changes=change)[0] == "rent_changes"
    assert terms(rent_changes=change, rolls_over=True).rent_changes == change


def test_the_rent_changes_once_a_day() -> None:
    field, reason = refusal(rent_changes=(rent(END, 1), rent(END, 2)))

    assert (field, reason[:23]) == ("rent_changes", "are two from 2026-12-31")


@pytest.mark.parametrize("month", ["2025-12", "2027-01"])
def test_a_free_month_has_a_day_of_the_lease(month: str) -> None:
    assert refusal(free_periods=(month,)) == ("free_periods", f"have {month}, in which the lease has no day")


def test_the_first_and_the_last_month_may_be_free() -> None:
    assert terms(free_periods=("2026-12", "2026-01")).free_periods == ("2026-01", "2026-12")


@pytest.mark.parametrize("months", [("2026-02", "2026-02"), ("2026-13",), ("2026-2",), ("0000-01",)])
def test_a_free_month_is_a_month_and_is_there_once(months: tuple[str, ...]) -> None:
    assert refusal(free_periods=months)[0] == "free_periods"


@pytest.mark.parametrize("frequency", ["weekly", "four_weekly"])
def test_rent_by_the_week_has_neither_free_months_nor_a_due_day(frequency: str) -> None:
    assert refusal(frequency=frequency, free_periods=("2026-02",))[0] == "free_periods"
    assert refusal(frequency=frequency, due_day=5)[0] == "due_day"
    assert terms(frequency=frequency, ends_on=None).frequency == frequency


def test_a_frequency_is_one_that_is_known() -> None:
    assert refusal(frequency="daily") == ("frequency", "'daily' is none of monthly, weekly, four_weekly")


def test_a_lease_without_an_agreed_end_goes_on_by_itself_and_does_not_roll_over() -> None:
    open_ended = terms(ends_on=None, rolls_over=True)

    assert (open_ended.rolls_over, open_ended.last_on) == (False, None)
    assert terms(rolls_over=True).last_on is None
    assert terms().last_on == END


@pytest.mark.parametrize(
    "charge",
    [
        pet(starts_on=START - timedelta(days=1)),
        pet(starts_on=END + timedelta(days=1)),
        pet(ends_on=END + timedelta(days=1)),
        pet(starts_on=date(2026, 6, 2), ends_on=date(2026, 6, 1)),
        pet(frequency="once", starts_on=END + timedelta(days=1)),
        pet(frequency="once", ends_on=END),
        pet(frequency="once", starts_on=START - timedelta(days=1)),
    ],
)
def test_a_charge_is_within_its_lease_and_begins_before_it_ends(charge: Charge) -> None:
    assert refusal(charges=(charge,))[0] == "charges"


def test_a_charge_beyond_the_agreed_end_needs_a_lease_that_rolls_over() -> None:
    later = (pet(starts_on=END + timedelta(days=40)),)

    assert terms(charges=later, rolls_over=True).charges == later


def test_a_code_may_be_there_again_for_other_days_and_only_for_those() -> None:
    first, second = pet(ends_on=date(2026, 5, 31)), pet(starts_on=date(2026, 6, 1), amount_cents=4_000)

    assert terms(charges=(first, second)).charges == (first, second)
    overlapping = (pet(ends_on=date(2026, 6, 1)), second)
    assert refusal(charges=overlapping) == ("charges", "code 'pet_rent' is there twice on 2026-06-01")


def test_the_same_thing_may_be_charged_once_on_two_days() -> None:
    keys = tuple(pet(frequency="once", starts_on=date(2026, month, 1)) for month in (3, 4))

    assert terms(charges=keys).charges == keys
    assert refusal(charges=keys[:1] * 2)[0] == "charges"


@given(DAYS, DAYS, DAYS)
def test_what_is_cut_off_at_a_day_is_a_lease_up_to_that_day(change: date, begins: date, last: date) -> None:
    month = f"{change.year}-{change.month:02d}"
    whole = terms(
        starts_on=date(2025, 12, 30),
        ends_on=date(2027, 7, 1),
        rent_changes=(rent(change),),
        free_periods=(month,),
        charges=(pet(starts_on=begins), pet(code="tax", ends_on=begins)),
    )

    short = checked_terms(cut_off(whole, last))

    assert short.last_on == last
    assert bool(short.rent_changes) == (change <= last)
    assert bool(short.free_periods) == (days_of(month)[0] <= last)
    assert [charge.code for charge in short.charges] == ["pet_rent"] * (begins <= last) + ["tax"]
    assert short.charges[-1].ends_on == min(begins, last)
    assert checked_terms(cut_off(whole, date(2027, 7, 1))) == whole


def test_an_ended_charge_keeps_the_days_up_to_its_last() -> None:
    kept = ended_charge((pet(), pet(code="parking")), "pet_rent", date(2026, 6, 30), START)

    assert kept == (pet(ends_on=date(2026, 6, 30)), pet(code="parking"))


def test_what_of_a_charge_had_not_begun_when_it_ends_is_taken_back() -> None:
    charges = (pet(ends_on=date(2026, 5, 31)), pet(starts_on=date(2026, 6, 1)))

    assert ended_charge(charges, "pet_rent", date(2026, 5, 15), START) == (pet(ends_on=date(2026, 5, 15)),)
    assert ended_charge(charges, "pet_rent", date(2026, 5, 31), START) == charges[:1]


@pytest.mark.parametrize(
    ("charge", "code"),
    [
        (pet(ends_on=date(2026, 5, 31)), "pet_rent"),
        (pet(frequency="once", starts_on=date(2026, 5, 31)), "pet_rent"),
        (pet(), "parking"),
    ],
)
def test_a_charge_that_is_over_or_unknown_is_not_ended_again(charge: Charge, code: str) -> None:
    with pytest.raises(Invalid, match="not charged after 2026-05-31; the charges are: pet_rent"):
        ended_charge((charge,), code, date(2026, 5, 31), START)


@given(
    st.sampled_from([("monthly", 1), ("quarterly", 3), ("annual", 12)]),
    DAYS,
    st.integers(min_value=1, max_value=1_500),
)
def test_a_renewal_changes_nothing_of_a_charge_s_rhythm(
    step: tuple[Any, int], first: date, later: int
) -> None:
    frequency, months = step
    renewed_on = first + timedelta(days=later)
    charges = (pet(frequency=frequency, starts_on=first),)

    (kept,) = carried_over(charges, first, renewed_on, by_the_month=False)

    begins = kept.starts_on or renewed_on
    rhythm = {months_after(first, months * times) for times in range(60)}
    assert begins in rhythm
    assert begins == min(day for day in rhythm if day >= renewed_on)


@given(DAYS, st.integers(min_value=0, max_value=400))
def test_a_monthly_charge_beside_monthly_rent_goes_on_without_a_break(first: date, later: int) -> None:
    charge = pet(starts_on=first, ends_on=date(2040, 1, 1))

    (kept,) = carried_over((charge,), START, first + timedelta(days=later), by_the_month=True)

    assert (kept.starts_on, kept.ends_on) == (None, charge.ends_on)


def test_a_renewal_takes_over_what_is_still_to_be_charged() -> None:
    renewed_on = date(2027, 1, 1)
    over, later = pet(ends_on=END), pet(code="key", frequency="once", starts_on=date(2027, 2, 1))
    done = pet(code="clean", frequency="once", starts_on=START)
    ends_between = pet(code="tax", frequency="annual", ends_on=date(2027, 1, 14))

    assert carried_over((over, later, done, ends_between), START, renewed_on, by_the_month=True) == (later,)


@given(st.dates(min_value=date(2020, 1, 1), max_value=date(2100, 12, 31)), st.integers(0, 2_000))
def test_months_are_counted_from_the_anchor_and_never_drift(anchor: date, months: int) -> None:
    day = months_after(anchor, months)

    assert (day.year - anchor.year) * 12 + day.month - anchor.month == months
    last = days_of(f"{day.year}-{day.month:02d}")[1]
    assert day.day == min(anchor.day, last.day)


@pytest.mark.parametrize(
    ("text", "charge"),
    [
        ("a:A:1:annual", Charge(code="a", description="A", amount_cents=100, frequency="annual")),
        (
            "a:A: b:1: once :2026-03-31",
            Charge(
                code="a",
                description="A: b",
                amount_cents=100,
                frequency="once",
                starts_on=date(2026, 3, 31),
            ),
        ),
        (
            "a:A:1:monthly::2026-06-30",
            Charge(code="a", description="A", amount_cents=100, ends_on=date(2026, 6, 30)),
        ),
        ("a:Paid once:1", Charge(code="a", description="Paid once", amount_cents=100)),
        ("a:once:1", Charge(code="a", description="once", amount_cents=100)),
    ],
)
def test_a_charge_may_say_how_often_and_for_which_days(text: str, charge: Charge) -> None:
    assert parse_charge(text) == charge


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a:A:1:weekly", "'weekly' is not an amount"),
        ("a:A:1:once:soon", "'soon' is not a date"),
        ("a:A:1:once:2026-02-30", "is not a date"),
        ("a:A:once", "'once' is not an amount"),
    ],
)
def test_a_charge_that_says_something_else_is_refused(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_charge(text)


def test_rent_changes_are_read_as_days_and_amounts() -> None:
    assert parse_rent_changes("2026-03-01:1,300.00; 2026-09-01:1400;") == (
        rent(date(2026, 3, 1)),
        rent(date(2026, 9, 1), 140_000),
    )


@pytest.mark.parametrize("text", ["2026-03-01", "2026-03-01:", "1300", "1300:2026-03-01", ":1"])
def test_a_rent_change_needs_its_day_and_its_amount(text: str) -> None:
    with pytest.raises(ValueError, match="is not a"):
        parse_rent_changes(text)
