"""The pure rules: states only go forward, attempts lead where they should, addresses and groups."""

from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest

from services.notifications.domain.attempts import (
    LIFETIME,
    PAUSES,
    Doubt,
    Outcome,
    Result,
    after_attempt,
    pause_after,
)
from services.notifications.domain.contacts import is_address
from services.notifications.domain.deliveries import (
    FORWARD,
    RETRYABLE,
    Channel,
    NotForward,
    State,
    begin_at,
    states_before,
    step,
)
from services.notifications.domain.notices import (
    BadSubject,
    UnknownGroup,
    checked_subject,
    dedup_key,
    property_of_group,
)
from services.notifications.domain.truth import untrue

AT = datetime(2026, 9, 1, 6, 0, tzinfo=UTC)
TENANT = UUID(int=1)
FINAL = {
    State.FAILED_PERMANENT,
    State.FAILED_EXPIRED,
    State.SKIPPED,
    State.SUPPRESSED,
    State.CANCELED,
    State.MERGED,
    State.BOUNCED,
    State.COMPLAINED,
}


def state_after(result: Result, doubt: Doubt = Doubt.HOLD) -> State:
    outcome = Outcome(result, "because")
    return after_attempt(outcome, attempts=1, at=AT, expires_at=AT + LIFETIME, doubt=doubt).state


def test_every_state_says_where_it_may_go() -> None:
    assert set(FORWARD) == set(State)


def test_a_final_state_leads_nowhere() -> None:
    assert {state for state, following in FORWARD.items() if not following} == FINAL


def test_what_was_delivered_can_only_be_complained_of() -> None:
    assert FORWARD[State.DELIVERED] == {State.COMPLAINED}


def test_an_email_that_was_sent_is_never_sending_again() -> None:
    with pytest.raises(NotForward, match="sent cannot become sending"):
        step(State.SENT, State.SENDING)


def test_an_email_of_which_nobody_knows_is_not_sent_again_by_the_machine() -> None:
    assert State.SENDING not in FORWARD[State.UNKNOWN]
    assert State.QUEUED not in FORWARD[State.UNKNOWN]


def test_a_sent_email_cannot_be_retried_by_hand() -> None:
    assert not RETRYABLE & {State.SENT, State.DELIVERED, State.SENDING, State.QUEUED}


def test_only_a_claimed_email_can_fail_for_good_or_the_word_of_its_late_worker_counts() -> None:
    assert set(states_before(State.FAILED_PERMANENT)) == {State.SENDING, State.RETRY_WAIT, State.UNKNOWN}
    assert states_before(State.QUEUED) == [State.AWAITING_CONTACT, State.SENDING]


@pytest.mark.parametrize(
    ("result", "doubt", "state"),
    [
        (Result.ACCEPTED, Doubt.HOLD, State.SENT),
        (Result.REFUSED, Doubt.HOLD, State.FAILED_PERMANENT),
        (Result.POSTPONED, Doubt.HOLD, State.RETRY_WAIT),
        (Result.NOT_HANDED_OVER, Doubt.HOLD, State.QUEUED),
        (Result.AMBIGUOUS, Doubt.HOLD, State.UNKNOWN),
        (Result.AMBIGUOUS, Doubt.RESEND, State.RETRY_WAIT),
        (Result.EXPIRED, Doubt.HOLD, State.FAILED_EXPIRED),
    ],
)
def test_each_result_leads_to_its_state(result: Result, doubt: Doubt, state: State) -> None:
    assert state_after(result, doubt) == state


@pytest.mark.parametrize("result", list(Result))
@pytest.mark.parametrize("doubt", list(Doubt))
def test_whatever_comes_of_an_attempt_is_a_step_forward(result: Result, doubt: Doubt) -> None:
    following = state_after(result, doubt)

    assert step(State.SENDING, following) == following


def test_a_server_that_is_down_burns_no_attempt() -> None:
    outcome = Outcome(Result.NOT_HANDED_OVER, "unreachable")

    following = after_attempt(outcome, attempts=1, at=AT, expires_at=AT + LIFETIME, doubt=Doubt.HOLD)

    assert (following.burnt, following.next_attempt_at) == (False, AT)


@pytest.mark.parametrize(("attempts", "state"), [(2, State.RETRY_WAIT), (3, State.FAILED_PERMANENT)])
def test_what_is_worth_three_tries_is_tried_three_times(attempts: int, state: State) -> None:
    outcome = Outcome(Result.POSTPONED, "handset_unreachable", tries=3)

    following = after_attempt(outcome, attempts=attempts, at=AT, expires_at=AT + LIFETIME, doubt=Doubt.HOLD)

    assert following.state is state


@pytest.mark.parametrize(
    ("stage", "days", "reason"),
    [
        (0, 0, None),
        (0, 1, "stage_passed"),
        (-3, 0, None),
        (-3, 1, "stage_passed"),
        (1, 40, None),
    ],
)
def test_a_reminder_from_before_the_due_date_is_not_true_after_it(
    stage: int, days: int, reason: str | None
) -> None:
    due_on = date(2026, 9, 1)
    item = {"invoice_id": "1", "stage": stage, "due_on": due_on.isoformat(), "balance_cents": 1}

    assert untrue("reminder", {"items": [item]}, {}, due_on + timedelta(days=days)) == reason


def test_pauses_grow_and_the_last_one_repeats() -> None:
    assert [pause_after(attempts) for attempts in range(1, 6)] == list(PAUSES)
    assert pause_after(50) == PAUSES[-1]


def test_jitter_lengthens_a_pause_by_a_fifth_at_most() -> None:
    assert pause_after(1, spread=1.0) == PAUSES[0] * 1.2


def test_an_email_that_could_only_be_tried_again_too_late_has_expired() -> None:
    outcome = Outcome(Result.POSTPONED, "recipient_postponed")

    following = after_attempt(
        outcome, attempts=1, at=AT, expires_at=AT + timedelta(seconds=5), doubt=Doubt.HOLD
    )

    assert (following.state, following.next_attempt_at) == (State.FAILED_EXPIRED, None)


@pytest.mark.parametrize(
    ("address", "state", "reason"),
    [
        ("ann@example.com", State.QUEUED, None),
        (None, State.SKIPPED, "no_address"),
        ("", State.SKIPPED, "no_address"),
        ("ann at example", State.SKIPPED, "bad_address"),
    ],
)
def test_an_email_begins_as_its_address_allows(address: str | None, state: State, reason: str | None) -> None:
    beginning = begin_at(Channel.EMAIL, address)

    assert (beginning.state, beginning.reason) == (state, reason)


@pytest.mark.parametrize(
    "text",
    [
        "ann",
        "ann@",
        "@example.com",
        "a b@example.com",
        "ann@example.com\r\nBcc: all@example.com",
        "ann@example.com\n",
        "ann@example.com,bob@example.com",
        "<ann@example.com>",
        "a..b@example.com",
        "ann@-example.com",
        f"ann@{'x' * 60}.{'y' * 60}.{'z' * 60}.{'w' * 60}.{'v' * 60}.com",
    ],
)
def test_what_is_not_exactly_one_address_is_refused(text: str) -> None:
    assert not is_address(text)


@pytest.mark.parametrize("text", ["ann@example.com", "a.b+c@mail.example.co.uk", "o'neil@localhost"])
def test_ordinary_addresses_are_accepted(text: str) -> None:
    assert is_address(text)


@pytest.mark.parametrize("text", ["", "  ", "two\nlines", "two\r\nBcc: x@example.com", "a\x00b", "x" * 201])
def test_a_subject_that_could_not_be_a_header_is_refused(text: str) -> None:
    with pytest.raises(BadSubject):
        checked_subject(text)


def test_a_subject_keeps_its_letters_and_loses_its_margins() -> None:
    assert checked_subject("  Grüße  ") == "Grüße"


def test_a_group_is_found_by_its_name_in_any_case() -> None:
    homes = [(UUID(int=7), "Oak House")]

    assert property_of_group("all tenants", homes) is None
    assert property_of_group("tenants of oak house", homes) == [UUID(int=7)]
    with pytest.raises(UnknownGroup):
        property_of_group("Tenants of Elm House", homes)


def test_each_recipient_and_each_template_has_its_own_dedup_key() -> None:
    keys = {dedup_key(template, UUID(int=5), who) for template in ("invoice", "receipt") for who in (1, 2)}

    assert len(keys) == 4
