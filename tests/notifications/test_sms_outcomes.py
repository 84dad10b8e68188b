"""Every code of the provider in its class, and what reports mean."""

from datetime import timedelta

import pytest

from services.notifications.domain.attempts import Result
from services.notifications.domain.deliveries import State
from services.notifications.domain.sms_outcomes import outcome_of, read_report, refused, validity_seconds
from services.notifications.domain.suppressions import Answer, Why, read_answer

OUR_FAULT = (20003, 20404, 21606, 21612, 30002, 30024, 30034, 30032)
BAD_NUMBER = (21211, 21217, 21614, 21635, 30005, 30006)


@pytest.mark.parametrize(
    ("codes", "result", "closes"),
    [
        (OUR_FAULT, Result.NOT_HANDED_OVER, None),
        (BAD_NUMBER, Result.REFUSED, Why.INVALID),
        ((21610,), Result.REFUSED, Why.STOP),
        ((21408, 21268), Result.REFUSED, None),
        ((21617, 21602, 30019), Result.REFUSED, None),
        ((30001, 30500), Result.POSTPONED, None),
        ((30003,), Result.POSTPONED, None),
        ((30004,), Result.REFUSED, Why.BLOCKED),
        ((30007,), Result.REFUSED, None),
        ((30008,), Result.POSTPONED, None),
        ((30036,), Result.EXPIRED, None),
        ((20429,), Result.POSTPONED, None),
        ((99999, None), Result.POSTPONED, None),
    ],
)
def test_each_code_is_of_its_class(codes: tuple[int | None, ...], result: Result, closes: Why | None) -> None:
    for code in codes:
        outcome = outcome_of(code)
        assert (outcome.result, outcome.closes) == (result, closes), code


@pytest.mark.parametrize(("code", "tries"), [(30003, 3), (30008, 2), (99999, 2), (30001, None)])
def test_some_are_tried_again_only_so_often(code: int, tries: int | None) -> None:
    assert outcome_of(code).tries == tries


def test_a_handset_that_is_off_is_tried_again_after_half_an_hour() -> None:
    assert outcome_of(30003).wait == timedelta(minutes=30)


@pytest.mark.parametrize(
    ("status", "code", "result"),
    [
        (429, None, Result.POSTPONED),
        (401, None, Result.NOT_HANDED_OVER),
        (400, 21211, Result.REFUSED),
        (500, None, Result.AMBIGUOUS),
        (503, 20500, Result.AMBIGUOUS),
        (502, None, Result.AMBIGUOUS),
        (418, None, Result.POSTPONED),
    ],
)
def test_each_http_answer_is_of_its_class(status: int, code: int | None, result: Result) -> None:
    assert refused(status, code, "").result is result


def test_the_server_s_own_wish_to_wait_is_honoured() -> None:
    assert refused(429, 20429, "", timedelta(seconds=90)).wait == timedelta(seconds=90)


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("queued", None),
        ("sending", None),
        ("sent", State.SENT),
        ("delivered", State.DELIVERED),
        ("read", State.DELIVERED),
        ("undelivered", State.BOUNCED),
        ("failed", State.BOUNCED),
        ("something_new", None),
    ],
)
def test_a_report_means_a_state_or_only_that_the_provider_has_it(status: str, state: State | None) -> None:
    assert read_report(status, None).state is state


def test_a_fault_of_ours_that_is_reported_late_does_not_stop_the_channel() -> None:
    report = read_report("failed", 30034)

    assert report.outcome is not None
    assert report.outcome.result is Result.REFUSED


@pytest.mark.parametrize(("left", "seconds"), [(5, 60), (3_600, 3_600), (200_000, 36_000)])
def test_a_text_is_valid_as_long_as_it_is_of_use(left: float, seconds: int) -> None:
    assert validity_seconds(left) == seconds


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("STOP", Answer.STOP),
        (" stop. ", Answer.STOP),
        ("Opt out", Answer.STOP),
        ("ALTO", Answer.STOP),
        ("Unstop", Answer.START),
        ("Sí", Answer.START),
        ("HELP", Answer.HELP),
        ("please stop texting me", Answer.REVIEW),
        ("don't text me any more", Answer.REVIEW),
        ("no me envíen más mensajes", Answer.REVIEW),
        ("When do you stop by to fix the tap? Stop sign is down.", Answer.REVIEW),
        ("Thanks!", Answer.OTHER),
        ("", Answer.OTHER),
    ],
)
def test_only_the_bare_word_acts_and_a_wish_in_other_words_is_for_a_person(text: str, answer: Answer) -> None:
    assert read_answer(text) is answer
