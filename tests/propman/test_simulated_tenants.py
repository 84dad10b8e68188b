"""How the simulated tenants pay: each habit from the bills and the day alone."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from propman.simulation.calendar import Span
from propman.simulation.habits import (
    Ahead,
    Bill,
    ByItself,
    Habit,
    InFull,
    Instalments,
    OnceLate,
    Pay,
    Share,
    SomeDay,
)
from propman.simulation.tenants import Events, habits

YEAR = Span.of(12, date(2024, 12, 31))
MARCH = Bill("INV-2024-000007", "2024-03", date(2024, 3, 5), 100_000, 100_000)


def lived(habit: Habit, bill: Bill = MARCH, *, fee_after: int | None = None) -> list[tuple[date, int]]:
    """What is paid of a bill day by day until the end of the year, a fee of $50 coming after so many days."""
    paid: list[tuple[date, int]] = []
    for number in range(-3, 60):
        on = bill.due_on + timedelta(days=number)
        if number == fee_after and bill.open_cents:
            bill = replace(bill, total_cents=bill.total_cents + 5_000, open_cents=bill.open_cents + 5_000)
        for pay in habit.pays("ann", [bill] if bill.open_cents else [], on, YEAR):
            bill = replace(bill, open_cents=max(bill.open_cents - pay.amount_cents, 0))
            paid.append((on, pay.amount_cents))
    return paid


def test_on_time_means_on_the_due_date_and_late_includes_the_fee() -> None:
    assert lived(InFull()) == [(date(2024, 3, 5), 100_000)]
    assert lived(InFull(after_days=9), fee_after=6) == [(date(2024, 3, 14), 105_000)]


def test_instalments_are_fixed_parts_and_then_all_that_is_left() -> None:
    habit = Instalments(parts=((0, 40_000), (7, 30_000)), rest_after_days=21)

    assert lived(habit, fee_after=6) == [
        (date(2024, 3, 5), 40_000),
        (date(2024, 3, 12), 30_000),
        (date(2024, 3, 26), 35_000),
    ]


def test_who_stops_pays_nothing_of_the_last_months() -> None:
    december = replace(MARCH, period="2024-12", due_on=date(2024, 12, 5))

    assert lived(InFull(stops=3), december) == []
    assert lived(InFull(stops=3)) == [(date(2024, 3, 5), 100_000)]


def test_a_payment_that_comes_back_is_made_once_more_later() -> None:
    habit = OnceLate(3, after_days=12, tries=True)

    first = list(habit.pays("ann", [MARCH], MARCH.due_on, YEAR))
    bounced = [list(habit.pays("ann", [MARCH], MARCH.due_on + timedelta(days=day), YEAR)) for day in (4, 11)]
    again = list(habit.pays("ann", [MARCH], MARCH.due_on + timedelta(days=12), YEAR))

    assert [len(first), *map(len, bounced), len(again)] == [1, 0, 0, 1]
    assert first[0].reference != again[0].reference


def test_two_who_share_pay_the_whole() -> None:
    shares = [Share(60_000, after_days=0), Share(40_000, after_days=2)]

    assert [lived(share) for share in shares] == [
        [(date(2024, 3, 5), 60_000)],
        [(date(2024, 3, 7), 40_000)],
    ]


def test_ahead_is_never_more_than_the_months_that_are_left() -> None:
    november = replace(MARCH, period="2024-11", due_on=date(2024, 11, 1))

    [pay] = Ahead(3).pays("pete", [november], date(2024, 11, 1), YEAR)

    assert pay.amount_cents == 200_000


def test_autopay_leaves_it_to_the_system() -> None:
    assert lived(ByItself()) == []


@given(seed=st.integers(0, 2**31 - 1), days=st.integers(0, 6))
def test_a_day_by_chance_is_within_the_grace_and_the_same_for_a_seed(seed: int, days: int) -> None:
    [(on, cents)] = lived(SomeDay(seed, days))

    assert MARCH.due_on <= on <= MARCH.due_on + timedelta(days=days)
    assert cents == 100_000
    assert lived(SomeDay(seed, days)) == [(on, cents)]


def test_a_day_that_is_simulated_again_sends_the_same_references() -> None:
    def sent() -> Sequence[Pay]:
        return [
            pay
            for who, habit in habits(YEAR, 1).items()
            for pay in habit.pays(who, [MARCH], MARCH.due_on, YEAR)
        ]

    assert sent() == sent()
    assert len({pay.reference for pay in sent()}) == len(sent())


def test_what_happens_once_happens_in_a_month_there_is() -> None:
    for months in range(1, 37):
        events = Events.of(Span.of(months, date(2024, 12, 31)))
        assert 1 <= events.waiver <= events.bounce <= months
        assert events.renewal <= months
    assert Events.of(YEAR) == Events(bounce=6, waiver=3, renewal=7)
