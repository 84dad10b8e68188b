"""What may be waived, and how a weather alert holds fees: the rules alone, without a database."""

from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.billing.domain.fee_postings import FeeLine
from services.billing.domain.holds import PlacedHold
from services.billing.domain.waiving import WaiverRefused, refuse_waiver
from services.billing.domain.weather_holds import Incident, held_by, over

DAY = date(2026, 7, 10)
DAYS = st.integers(-10, 10).map(lambda offset: DAY + timedelta(days=offset))
LATE_FEE = FeeLine("late_fee", "flat.1", DAY, 5_000, "")
INTEREST = FeeLine("interest", "interest", DAY, 1_500, "")
WAIVED = FeeLine("waiver", "flat.1", DAY, -2_000, "")


@pytest.mark.parametrize(
    ("lines", "cents"),
    [
        ([LATE_FEE], 5_000),
        ([LATE_FEE, WAIVED], 3_000),
        ([LATE_FEE, INTEREST], 5_000),
    ],
)
def test_an_amount_to_waive_is_of_late_fees_and_at_most_what_is_left_of_them(
    lines: list[FeeLine], cents: int
) -> None:
    refuse_waiver(lines, cents, "first time", "USD")

    with pytest.raises(WaiverRefused, match=r"only \$"):
        refuse_waiver(lines, cents + 1, "first time", "USD")


@pytest.mark.parametrize(
    ("lines", "cents", "reason", "said"),
    [
        ([LATE_FEE], 0, "kind", "more than nothing"),
        ([LATE_FEE], None, " ", "say why"),
        ([], None, "kind", "owes nothing"),
        ([INTEREST], 100, "kind", "owes nothing"),
    ],
)
def test_a_waiver_of_nothing_or_without_a_reason_is_refused(
    lines: list[FeeLine], cents: int | None, reason: str, said: str
) -> None:
    with pytest.raises(WaiverRefused, match=said):
        refuse_waiver(lines, cents, reason, "USD")


def test_without_an_amount_interest_alone_may_be_waived() -> None:
    refuse_waiver([INTEREST], None, "first time", "USD")


def a_hold(starts_on: date, ends_on: date | None) -> PlacedHold:
    return PlacedHold(
        hold_id=UUID(int=1),
        scope="property",
        scope_id=UUID(int=2),
        kind="emergency",
        starts_on=starts_on,
        ends_on=ends_on,
        reason="storm",
        placed_by="weather",
        placed_at=datetime(2026, 7, 10, tzinfo=UTC),
        origin="weather",
    )


def an_incident(*, is_open: bool = True, level: str = "warning", known_on: date = DAY) -> Incident:
    return Incident(
        incident_id=UUID(int=3),
        level=level,
        is_open=is_open,
        known_on=known_on,
        begins_on=DAY,
        ends_on=None,
        name="Storm",
    )


BEFORE = st.tuples(DAYS, st.none() | DAYS).map(lambda days: a_hold(days[0], _later(*days)))


def _later(starts_on: date, ends_on: date | None) -> date | None:
    return None if ends_on is None else max(starts_on, ends_on)


@given(BEFORE, BEFORE)
def test_a_grave_alert_never_lets_its_hold_begin_later_than_it_did(
    before: PlacedHold, fresh: PlacedHold
) -> None:
    kept = held_by(an_incident(), before, fresh)

    assert kept is not None
    assert kept.starts_on == min(before.starts_on, fresh.starts_on)
    assert kept.ends_on is None or kept.ends_on >= kept.starts_on


@given(BEFORE, DAYS, st.sampled_from([(False, "warning"), (True, "advisory")]))
def test_when_it_is_over_or_not_grave_any_more_the_hold_ends_that_day_and_is_never_prolonged(
    before: PlacedHold, on: date, how: tuple[bool, str]
) -> None:
    is_open, level = how

    left = held_by(an_incident(is_open=is_open, level=level, known_on=on), before, before)

    assert left == over(before, on)
    if on < before.starts_on:
        assert left is None
    else:
        assert left is not None
        assert left.ends_on == min(before.ends_on or date.max, on)


def test_an_alert_that_was_never_grave_holds_nothing() -> None:
    assert held_by(an_incident(level="advisory"), None, a_hold(DAY, None)) is None
