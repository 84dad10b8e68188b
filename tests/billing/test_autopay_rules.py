"""What becomes of a charge: each answer has its step, states only go forward, money wins."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.billing.domain.autopay import (
    LOOKS,
    PROCESSING_LOOK,
    UNDER_WAY,
    WORTH_ANOTHER_TRY,
    Answer,
    Failure,
    Result,
    State,
    Step,
    after_answer,
    after_look_up,
    not_asked,
    retry_date,
    states_before,
)

NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)
TODAY = date(2026, 12, 1)


def step_after(answer: Answer, *, tries: int = 0, declined: int = 1) -> Step:
    return after_answer(answer, tries=tries, at=NOW, on=TODAY, declined=declined, retry_days=(3, 3))


@pytest.mark.parametrize(
    ("result", "state"),
    [
        (Result.SUCCEEDED, State.SUCCEEDED),
        (Result.PROCESSING, State.PROCESSING),
        (Result.DECLINED, State.FAILED),
        (Result.UNKNOWN, State.UNKNOWN),
        (Result.NOT_MADE, State.PLANNED),
        (Result.REFUSED_US, State.PLANNED),
    ],
)
def test_each_answer_leads_to_its_state(result: Result, state: State) -> None:
    assert step_after(Answer(result)).state is state


@pytest.mark.parametrize("state", set(State) - {State.SUCCEEDED})
def test_money_that_arrived_after_all_wins_over_every_other_state(state: State) -> None:
    assert state in states_before(State.SUCCEEDED)


def test_what_succeeded_stays_so() -> None:
    assert all(State.SUCCEEDED not in states_before(state) for state in State)


def test_only_a_planned_charge_is_claimed() -> None:
    assert states_before(State.CLAIMED) == [State.PLANNED]


@pytest.mark.parametrize("over", set(State) - UNDER_WAY)
def test_what_is_over_is_neither_called_nor_looked_up_again(over: State) -> None:
    again = {State.PLANNED, State.CLAIMED, State.PROCESSING, State.UNKNOWN}

    assert all(over not in states_before(state) for state in again)


def test_a_decline_is_tried_again_three_days_later_and_three_times_in_all() -> None:
    dates = [retry_date(Failure.DECLINED, on=TODAY, declined=count, retry_days=(3, 3)) for count in (1, 2, 3)]

    assert dates == [date(2026, 12, 4), date(2026, 12, 4), None]


@pytest.mark.parametrize("failure", Failure)
def test_only_what_may_pass_is_tried_again(failure: Failure) -> None:
    step = step_after(Answer(Result.DECLINED, failure=failure))

    assert (step.retry_on is not None) == (failure in WORTH_ANOTHER_TRY)
    assert step.failure is failure


@given(st.integers(1, 9), st.lists(st.integers(1, 15), max_size=4))
def test_no_invoice_is_tried_more_often_than_agreed(declined: int, days: list[int]) -> None:
    again = retry_date(Failure.INSUFFICIENT_FUNDS, on=TODAY, declined=declined, retry_days=days)

    assert (again is not None) == (declined <= len(days))
    assert again is None or again > TODAY


def test_a_gateway_that_is_not_reached_is_called_again_at_growing_pauses() -> None:
    times = [step_after(Answer(Result.NOT_MADE), tries=tries).next_try_at for tries in range(8)]

    pauses = [time - NOW for time in times if time is not None]
    assert len(pauses) == 8
    assert pauses[0] == timedelta(seconds=30)
    assert all(early <= late <= timedelta(hours=1) for early, late in pairwise(pauses))


def test_a_gateway_that_asks_for_time_gets_it() -> None:
    step = step_after(Answer(Result.NOT_MADE, wait=timedelta(minutes=10)))

    assert step.next_try_at == NOW + timedelta(minutes=10)


def test_a_charge_in_doubt_is_asked_about_before_anything_else() -> None:
    step = step_after(Answer(Result.UNKNOWN))

    assert step == Step(State.UNKNOWN, next_try_at=NOW + LOOKS[0])
    assert not_asked(State.UNKNOWN, tries=1, at=NOW) == Step(State.UNKNOWN, next_try_at=NOW + LOOKS[1])


def test_a_charge_in_doubt_that_the_gateway_does_not_know_is_called_again() -> None:
    assert after_look_up(State.UNKNOWN, None, tries=1, at=NOW) == Step(State.PLANNED, next_try_at=NOW)


@pytest.mark.parametrize("answer", [None, Answer(Result.UNKNOWN)])
def test_what_a_bank_is_said_to_have_is_never_asked_for_again(answer: Answer | None) -> None:
    step = after_look_up(State.PROCESSING, answer, tries=1, at=NOW)

    assert step == Step(State.PROCESSING, next_try_at=NOW + PROCESSING_LOOK)


@pytest.mark.parametrize("result", [Result.SUCCEEDED, Result.DECLINED, Result.PROCESSING])
def test_a_look_up_that_knows_counts_like_any_answer(result: Result) -> None:
    assert after_look_up(State.UNKNOWN, Answer(result), tries=1, at=NOW) is None
