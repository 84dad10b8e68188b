"""Whether, where and when somebody is told: the order of the questions, and a reason for every no."""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notifications.domain.contacts import Contact
from services.notifications.domain.decisions import Telling, begin, decide, decide_address, plan, unreachable
from services.notifications.domain.deliveries import Channel, State
from services.notifications.domain.kinds import KINDS, Criticality
from services.notifications.domain.quiet_hours import QuietWindow
from services.notifications.domain.suppressions import Suppression, Why

NOON = datetime(2026, 9, 1, 16, 0, tzinfo=UTC)  # in New York
NIGHT = datetime(2026, 9, 2, 3, 0, tzinfo=UTC)  # 23:00 there
NEW_YORK = ZoneInfo("America/New_York")
ANN = Contact(
    UUID(int=1), "Ann", "ann@example.com", "+12125550100", preferred="sms", time_zone="America/New_York"
)
STORM = Telling("weather_raised", "weather", Criticality.WARNING)
TORNADO = replace(STORM, criticality=Criticality.EMERGENCY)
REMINDER = Telling("reminder", "reminder", is_due=True)
INVOICE = Telling("invoice", "billing")
STOP = Suppression("sms", Why.STOP)


def decided(telling: Telling, contact: Contact, channel: Channel, at: datetime = NOON) -> Any:
    beginning = decide(telling, contact, channel, at, [NEW_YORK])
    return beginning.state, beginning.reason


@pytest.mark.parametrize(
    ("telling", "contact", "state", "reason"),
    [
        (replace(REMINDER, expires_at=NOON), ANN, State.FAILED_EXPIRED, "expired"),
        (replace(REMINDER, untrue="invoice_paid"), ANN, State.CANCELED, "invoice_paid"),
        (REMINDER, replace(ANN, phone=None), State.SKIPPED, "no_address"),
        (REMINDER, replace(ANN, phone="555"), State.SKIPPED, "bad_address"),
        (REMINDER, replace(ANN, suppressed=(STOP,)), State.SUPPRESSED, "stop"),
        (REMINDER, replace(ANN, preferred="email"), State.SKIPPED, "no_consent"),
        (REMINDER, replace(ANN, preferences={("reminder", "*"): False}), State.SKIPPED, "category_off"),
        (REMINDER, replace(ANN, preferences={("reminder", "sms"): False}), State.SKIPPED, "category_off"),
        (REMINDER, replace(ANN, preferences={("*", "sms"): False}), State.SKIPPED, "channel_off"),
        (REMINDER, ANN, State.QUEUED, None),
    ],
)
def test_every_no_has_its_reason(
    telling: Telling, contact: Contact, state: State, reason: str | None
) -> None:
    assert decided(telling, contact, Channel.SMS) == (state, reason)


ADVICE = replace(STORM, template="weather_updated", criticality=Criticality.NORMAL)


@pytest.mark.parametrize(
    ("telling", "channel", "waits"),
    [
        (ADVICE, Channel.SMS, True),
        (ADVICE, Channel.EMAIL, True),
        (ADVICE, Channel.IN_APP, False),
        (replace(ADVICE, is_due=True), Channel.SMS, False),
        (replace(ADVICE, criticality=Criticality.WARNING), Channel.SMS, False),
        (replace(ADVICE, criticality=Criticality.EMERGENCY), Channel.SMS, False),
        (replace(ADVICE, expires_at=NOON + timedelta(minutes=30)), Channel.SMS, False),
        (replace(ADVICE, expires_at=NOON + timedelta(minutes=31)), Channel.SMS, True),
    ],
)
def test_who_was_just_told_is_left_alone_but_for_warnings_and_what_would_be_useless_then(
    telling: Telling, channel: Channel, waits: bool
) -> None:
    rests_until = NOON + timedelta(minutes=30)

    beginning = decide(replace(telling, rests_until=rests_until), ANN, channel, NOON, [NEW_YORK])

    assert (beginning.not_before, beginning.reason) == ((rests_until, "cooldown") if waits else (None, None))


def test_the_reasons_come_in_one_order() -> None:
    everything = replace(
        ANN, phone=None, preferred="email", suppressed=(STOP,), preferences={("*", "sms"): False}
    )
    with_phone = replace(everything, phone=ANN.phone)
    open_again = replace(with_phone, suppressed=())
    consenting = replace(open_again, sms_consent=True)

    reasons = [
        decided(REMINDER, contact, Channel.SMS)[1]
        for contact in (everything, with_phone, open_again, consenting)
    ]

    assert reasons == ["no_address", "stop", "no_consent", "channel_off"]


def test_a_wish_about_one_category_here_beats_one_about_the_channel() -> None:
    picky = replace(ANN, preferences={("*", "sms"): False, ("reminder", "sms"): True})

    assert decided(REMINDER, picky, Channel.SMS)[0] is State.QUEUED


def test_an_emergency_asks_for_no_consent_keeps_no_quiet_hours_and_no_wish_silences_it() -> None:
    asleep = replace(ANN, preferred="email", preferences={("weather", "*"): False, ("*", "sms"): False})

    assert decided(TORNADO, asleep, Channel.SMS, NIGHT) == (State.QUEUED, None)


def test_an_emergency_does_not_open_a_number_that_said_stop() -> None:
    assert decided(TORNADO, replace(ANN, suppressed=(STOP,)), Channel.SMS) == (State.SUPPRESSED, "stop")


def test_what_is_mandatory_comes_by_email_whatever_is_preferred_but_not_by_text() -> None:
    deaf = replace(ANN, preferences={("billing", "*"): False})

    assert decided(INVOICE, deaf, Channel.EMAIL)[0] is State.QUEUED
    assert decided(INVOICE, deaf, Channel.IN_APP)[0] is State.DELIVERED
    assert decided(INVOICE, deaf, Channel.SMS) == (State.SKIPPED, "category_off")


def test_the_list_of_mandatory_kinds_is_explicit() -> None:
    assert {name for name, kind in KINDS.items() if kind.mandatory} == {
        "invoice", "receipt", "payment_reversed", "invoice_voided", "late_fee", "late_fee_waived", "overdue",
        "autopay_failed", "signing_link",
        "signing_reminder",
        "signing_expired",
        "lease_signed",
        "work_order_appointment",
    }  # fmt: skip


def test_who_unsubscribed_from_reminders_still_gets_invoices() -> None:
    tired = replace(ANN, suppressed=(Suppression("email", Why.UNSUBSCRIBE, "reminder"),))

    assert decided(REMINDER, tired, Channel.EMAIL) == (State.SUPPRESSED, "unsubscribe")
    assert decided(INVOICE, tired, Channel.EMAIL)[0] is State.QUEUED


def test_a_blocked_number_opens_by_itself() -> None:
    blocked = replace(ANN, suppressed=(Suppression("sms", Why.BLOCKED, until=NOON),))

    assert decided(REMINDER, blocked, Channel.SMS, NOON - timedelta(seconds=1))[0] is State.SUPPRESSED
    assert decided(REMINDER, blocked, Channel.SMS, NOON)[0] is State.QUEUED


def test_a_text_at_night_waits_for_the_morning_where_the_tenant_is() -> None:
    beginning = decide(REMINDER, ANN, Channel.SMS, NIGHT, [NEW_YORK])

    assert (beginning.state, beginning.reason) == (State.QUEUED, "quiet_hours")
    assert beginning.not_before == datetime(2026, 9, 2, 12, 0, tzinfo=UTC)


def test_it_is_quiet_where_it_is_quiet_for_the_tenant_or_at_the_property() -> None:
    nine_in_new_york = datetime(2026, 9, 1, 13, 0, tzinfo=UTC)  # 6:00 in Los Angeles

    beginning = decide(
        REMINDER, ANN, Channel.SMS, nine_in_new_york, [NEW_YORK, ZoneInfo("America/Los_Angeles")]
    )

    assert beginning.not_before == datetime(2026, 9, 1, 15, 0, tzinfo=UTC)


def test_email_has_no_quiet_hours_unless_somebody_set_some() -> None:
    sleeper = replace(ANN, quiet={"email": QuietWindow(time(22), time(7))})

    assert decide(REMINDER, ANN, Channel.EMAIL, NIGHT, [NEW_YORK]).not_before is None
    assert decide(REMINDER, sleeper, Channel.EMAIL, NIGHT, [NEW_YORK]).not_before is not None


@pytest.mark.parametrize(
    ("criticality", "state", "reason"),
    [
        (Criticality.NORMAL, State.SKIPPED, "expired_in_quiet_hours"),
        (Criticality.WARNING, State.QUEUED, None),
    ],
)
def test_what_would_be_useless_in_the_morning_goes_out_only_if_it_is_a_warning(
    criticality: Criticality, state: State, reason: str | None
) -> None:
    opens = decide(REMINDER, ANN, Channel.SMS, NIGHT, [NEW_YORK]).not_before
    assert opens is not None
    for useless_at in (NIGHT + timedelta(hours=2), opens):
        telling = replace(STORM, criticality=criticality, expires_at=useless_at)

        assert decided(telling, ANN, Channel.SMS, NIGHT) == (state, reason)


@pytest.mark.parametrize(
    ("telling", "preferred", "channels"),
    [
        (TORNADO, "email", ("sms", "email", "in_app")),
        (STORM, "email", ("sms", "in_app")),
        (INVOICE, "email", ("email", "in_app")),
        (INVOICE, "sms", ("sms", "in_app")),
        (INVOICE, "in_app", ("email", "in_app")),
        (REMINDER, "in_app", ("in_app",)),
    ],
)
def test_urgency_and_choice_say_by_which_channels(
    telling: Telling, preferred: str, channels: tuple[str, ...]
) -> None:
    assert plan(telling, replace(ANN, preferred=preferred)) == channels


def test_a_closed_way_leads_to_the_next_one_that_is_open() -> None:
    planned = begin(INVOICE, replace(ANN, suppressed=(STOP,)), NOON, [NEW_YORK])

    assert [(item.channel, item.beginning.state) for item in planned] == [
        ("sms", "suppressed"),
        ("in_app", "delivered"),
        ("email", "queued"),
    ]


def test_a_way_that_a_person_chose_leads_nowhere_else() -> None:
    planned = begin(INVOICE, replace(ANN, suppressed=(STOP,)), NOON, [NEW_YORK], [Channel.SMS])

    assert [item.channel for item in planned] == ["sms"]


def test_somebody_without_any_address_is_unreachable_and_who_wants_no_news_is_not() -> None:
    nowhere = replace(ANN, email=None, phone=None, preferred="email")
    deaf = replace(ANN, preferences={("reminder", "*"): False})

    assert unreachable(begin(REMINDER, nowhere, NOON, [NEW_YORK]))
    assert not unreachable(begin(REMINDER, deaf, NOON, [NEW_YORK]))
    assert not unreachable(begin(REMINDER, replace(ANN, preferred="in_app"), NOON, [NEW_YORK]))


def test_a_stranger_s_address_can_be_closed_too() -> None:
    closed = [Suppression("email", Why.UNSUBSCRIBE, "announcement")]
    telling = Telling("announcement", "announcement")

    assert decide_address(telling, "x@example.com", Channel.EMAIL, NOON).state is State.QUEUED
    assert decide_address(telling, "x@example.com", Channel.EMAIL, NOON, closed).state is State.SUPPRESSED


@given(
    st.sampled_from([STORM, TORNADO, REMINDER, INVOICE]),
    st.sampled_from([Channel.EMAIL, Channel.SMS]),
    st.dictionaries(
        st.tuples(
            st.sampled_from(["*", "billing", "weather", "reminder"]), st.sampled_from(["*", "sms", "email"])
        ),
        st.booleans(),
    ),
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - zone beside
)
def test_whatever_somebody_wishes_a_closed_address_stays_closed(
    telling: Telling, channel: Channel, wishes: dict[tuple[str, str], bool], at: datetime
) -> None:
    closed = replace(ANN, preferences=wishes, suppressed=(Suppression(channel, Why.MANUAL),))

    assert decide(telling, closed, channel, at, [NEW_YORK]).state is State.SUPPRESSED
