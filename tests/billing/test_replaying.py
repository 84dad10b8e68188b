"""What money pays what: to the cent, whatever came when, and in whatever order it was keyed in."""

import random
from collections import Counter
from dataclasses import replace
from datetime import date, timedelta
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from services.billing.domain.allocation import (
    BUCKETS,
    FeeLine,
    Order,
    Owed,
    Received,
    Replay,
    Standing,
    TakenBack,
)
from services.billing.domain.replaying import replay

START = date(2026, 1, 1)
JANUARY, FEBRUARY, MARCH = UUID(int=1), UUID(int=2), UUID(int=3)


def invoice(key: UUID = JANUARY, issued: str = "2026-01-01", rent: int = 80_000, **changes: object) -> Owed:
    values: dict[str, object] = {
        "invoice_id": key,
        "number": f"INV-2026-{key.int:06d}",
        "issued_on": date.fromisoformat(issued),
        "due_on": date.fromisoformat(issued),
        "rent_cents": rent,
        "charge_cents": 0,
    }
    return Owed(**values | changes)  # type: ignore[arg-type]


def fee(on: str, cents: int) -> FeeLine:
    return FeeLine(date.fromisoformat(on), cents)


def payment(key: int, on: str, cents: int, named: UUID | None = None) -> Received:
    return Received(UUID(int=100 + key), f"R{key}", date.fromisoformat(on), cents, named)


def reversal(key: int, on: str, cents: int) -> TakenBack:
    return TakenBack(UUID(int=100 + key), f"V{key}", date.fromisoformat(on), cents)


def paid(found: Replay) -> dict[tuple[int, str], int]:
    """What is on each invoice, by its number and bucket."""
    sums: Counter[tuple[int, str]] = Counter()
    for (_, invoice_id, bucket, _), cents in found.allocations().items():
        sums[invoice_id.int, bucket] += cents
    return {key: cents for key, cents in sums.items() if cents}


def standing(found: Replay, key: UUID = JANUARY) -> Standing:
    return found.standings[key]


# The worked example: 800 and a fee of 50 open from January, 800 for February, and 1,000 comes.


def late_january(order: Order) -> list[Owed]:
    return [
        invoice(JANUARY, fees=(fee("2026-01-07", 5_000),), order=order),
        invoice(FEBRUARY, "2026-02-01", order=order),
    ]


def test_oldest_first_pays_the_old_fee_before_the_new_rent() -> None:
    found = replay(late_january("oldest_first"), [payment(1, "2026-02-01", 100_000)], [])

    assert paid(found) == {(1, "rent"): 80_000, (1, "fee"): 5_000, (2, "rent"): 15_000}


def test_rent_first_leaves_the_old_fee_open_and_pays_rent() -> None:
    found = replay(late_january("rent_first"), [payment(1, "2026-02-01", 100_000)], [])

    assert paid(found) == {(1, "rent"): 80_000, (2, "rent"): 20_000}


def test_rent_first_never_makes_current_rent_late_for_an_old_fee() -> None:
    money = [payment(1, "2026-01-20", 80_000), payment(2, "2026-02-01", 80_000)]

    lawful = replay(late_january("rent_first"), money, [])
    other = replay(late_january("oldest_first"), money, [])

    assert standing(lawful, FEBRUARY).rent_paid_on == date(2026, 2, 1)
    assert (standing(lawful).rent_open_cents, standing(lawful).balance_cents) == (0, 5_000)
    assert standing(other, FEBRUARY).rent_open_cents == 5_000


def test_the_order_is_that_of_the_terms_of_the_newest_invoice_issued_by_then() -> None:
    owed = [
        invoice(JANUARY, fees=(fee("2026-01-07", 5_000),), order="oldest_first"),
        invoice(FEBRUARY, "2026-02-01", order="rent_first"),
    ]
    before = payment(1, "2026-01-31", 83_000)

    found = replay(owed, [before, payment(2, "2026-02-01", 80_000)], [])

    assert paid(found) == {(1, "rent"): 80_000, (1, "fee"): 3_000, (2, "rent"): 80_000}


def test_a_concession_beyond_the_charges_takes_off_the_fees_first_and_the_rent_last() -> None:
    owed = [invoice(charge_cents=-10_000, fees=(fee("2026-01-07", 5_000),))]

    found = replay(owed, [payment(1, "2026-01-10", 75_000)], [])

    assert paid(found) == {(1, "rent"): 75_000}
    assert standing(found).balance_cents == 0


def test_an_invoice_of_less_than_nothing_leaves_nothing_to_pay() -> None:
    found = replay([invoice(rent=0, charge_cents=-5_000)], [], [])

    assert (standing(found).total_cents, standing(found).balance_cents) == (-5_000, 0)


def test_a_fee_counts_from_the_day_of_its_invoice_at_the_earliest() -> None:
    owed = [invoice(issued="2026-01-05", fees=(fee("2026-01-03", 5_000),))]

    found = replay(owed, [payment(1, "2026-01-04", 85_000)], [])

    assert paid(found) == {(1, "rent"): 80_000, (1, "fee"): 5_000}
    assert {step.on for step in found.steps} == {date(2026, 1, 5)}


def test_the_invoice_a_payer_names_comes_first() -> None:
    found = replay(
        [invoice(JANUARY), invoice(FEBRUARY, "2026-02-01")],
        [payment(1, "2026-02-02", 90_000, named=FEBRUARY)],
        [],
    )

    assert paid(found) == {(2, "rent"): 80_000, (1, "rent"): 10_000}


def test_rent_first_pays_no_named_fee_while_other_rent_is_open() -> None:
    owed = late_january("rent_first")

    found = replay(owed, [payment(1, "2026-02-02", 100_000, named=JANUARY)], [])

    assert paid(found) == {(1, "rent"): 80_000, (2, "rent"): 20_000}


def test_within_an_invoice_rent_comes_before_charges_and_fees() -> None:
    owed = [invoice(charge_cents=3_500, fees=(fee("2026-01-07", 5_000),))]

    found = replay(owed, [payment(1, "2026-01-10", 85_000)], [])

    assert paid(found) == {(1, "rent"): 80_000, (1, "charge"): 3_500, (1, "fee"): 1_500}


def test_money_before_its_invoice_waits_and_counts_from_the_day_it_came() -> None:
    found = replay([invoice()], [payment(1, "2025-12-28", 80_000)], [])

    assert standing(found).paid_on == standing(found).rent_paid_on == date(2025, 12, 28)
    assert found.credit_cents == 0


def test_money_for_a_named_invoice_that_is_still_to_come_waits_for_it() -> None:
    owed = [invoice(JANUARY), invoice(FEBRUARY, "2026-02-01")]

    found = replay(owed, [payment(1, "2026-01-30", 90_000, named=FEBRUARY)], [])

    assert standing(found, FEBRUARY).paid_on == date(2026, 1, 30)
    assert [(step.invoice_id.int, step.amount_cents, step.effective_on) for step in found.steps] == [
        (2, 80_000, date(2026, 1, 30)),
        (1, 10_000, date(2026, 2, 1)),
    ]


def test_overpayment_is_credit_once() -> None:
    owed = [invoice(rent=100_000)]

    found = replay(owed, [payment(1, "2026-01-02", 120_000), payment(2, "2026-01-03", 5_000)], [])

    assert found.credit_cents == 25_000
    assert standing(found).paid_cents == 100_000


def test_credit_is_taken_oldest_first_across_months() -> None:
    owed = [invoice(JANUARY, rent=10_000), invoice(FEBRUARY, "2026-02-01", rent=4_000)]
    money = [payment(1, "2026-01-01", 13_000), payment(2, "2026-01-15", 5_000)]

    found = replay(owed, money, [])

    assert [(item.payment_id.int - 100, item.amount_cents) for item in found.waiting] == [(2, 4_000)]
    assert standing(found, FEBRUARY).paid_on == date(2026, 1, 15)


def test_a_bounced_payment_opens_its_invoice_from_the_day_known() -> None:
    found = replay([invoice()], [payment(1, "2026-01-01", 80_000)], [reversal(1, "2026-01-09", 80_000)])

    assert standing(found).state == "open"
    assert found.allocations() == {
        (UUID(int=101), JANUARY, "rent", date(2026, 1, 1)): 80_000,
        (UUID(int=101), JANUARY, "rent", date(2026, 1, 9)): -80_000,
    }


def test_credit_pays_what_a_bounce_opened_and_counts_from_that_day() -> None:
    money = [payment(1, "2026-01-01", 80_000), payment(2, "2026-01-02", 80_000)]

    found = replay([invoice()], money, [reversal(1, "2026-01-09", 80_000)])

    assert standing(found).paid_on == date(2026, 1, 9)
    assert found.credit_cents == 0


def test_a_partial_refund_takes_credit_first_and_then_what_was_paid_last() -> None:
    owed = [invoice(JANUARY, rent=10_000), invoice(FEBRUARY, "2026-02-01", rent=10_000)]

    found = replay(owed, [payment(1, "2026-02-03", 25_000)], [reversal(1, "2026-02-09", 7_000)])

    assert found.credit_cents == 0
    assert paid(found) == {(1, "rent"): 10_000, (2, "rent"): 8_000}


def test_a_fee_waived_after_it_was_paid_frees_the_money_for_the_next_rent() -> None:
    owed = [
        invoice(fees=(fee("2026-01-07", 5_000), fee("2026-01-20", -5_000))),
        invoice(FEBRUARY, "2026-02-01"),
    ]

    found = replay(owed, [payment(1, "2026-01-10", 85_000)], [])

    assert paid(found) == {(1, "rent"): 80_000, (2, "rent"): 5_000}
    assert found.steps[-1].effective_on == date(2026, 1, 20)


def test_a_fee_taken_back_on_its_own_day_never_was() -> None:
    taken_back = invoice(fees=(fee("2026-01-07", 5_000), fee("2026-01-07", -5_000)))
    money = [payment(1, "2026-01-10", 82_000)]

    assert replay([taken_back], money, []) == replay([invoice()], money, [])


def test_an_invoice_of_nothing_is_born_paid() -> None:
    found = replay([invoice(rent=0)], [], [])

    assert (standing(found).state, standing(found).paid_on) == ("paid", START)
    assert standing(found).rent_paid_on is None


def test_a_concession_makes_less_rent_owed() -> None:
    found = replay([invoice(charge_cents=-5_000)], [payment(1, "2026-01-01", 80_000)], [])

    assert (standing(found).paid_cents, found.credit_cents) == (75_000, 5_000)


# Whatever happens on an account.

days = st.integers(0, 90).map(lambda day: START + timedelta(days=day))
cents = st.integers(1, 30_000)


@st.composite
def accounts(draw: st.DrawFn) -> tuple[list[Owed], list[Received], list[TakenBack]]:
    order: Order = draw(st.sampled_from(["oldest_first", "rent_first"]))
    owed = [
        Owed(
            UUID(int=key),
            f"N{key}",
            issued := draw(days),
            issued + timedelta(days=draw(st.integers(0, 20))),
            draw(st.integers(0, 20_000)),
            draw(st.integers(0, 5_000)),
            _fees(draw),
            order,
        )
        for key in range(1, 1 + draw(st.integers(0, 5)))
    ]
    names = st.sampled_from([None, *(item.invoice_id for item in owed), UUID(int=99)])
    received = [
        Received(UUID(int=100 + key), f"R{key}", draw(days), draw(cents), draw(names))
        for key in range(draw(st.integers(0, 6)))
    ]
    back: list[TakenBack] = []
    for item in received:
        left = item.amount_cents
        for part in draw(st.lists(st.integers(1, 15_000), max_size=2)):
            if part <= left:
                left -= part
                reference = f"V{len(back)}"
                back.append(TakenBack(item.payment_id, reference, draw(days), part))
    return owed, received, back


def _fees(draw: st.DrawFn) -> tuple[FeeLine, ...]:
    """Fees, some of them waived later by as much as they were."""
    lines: list[FeeLine] = []
    for amount in draw(st.lists(st.integers(1, 5_000), max_size=3)):
        day = draw(days)
        lines.append(FeeLine(day, amount))
        if draw(st.booleans()):
            lines.append(FeeLine(day + timedelta(days=draw(st.integers(0, 30))), -amount))
    return tuple(lines)


@given(accounts())
@settings(max_examples=300)
def test_every_cent_is_applied_waiting_or_reversed(
    account: tuple[list[Owed], list[Received], list[TakenBack]],
) -> None:
    owed, received, back = account

    found = replay(owed, received, back)

    applied, waiting = found.applied_cents(), Counter[UUID]()
    for purse in found.waiting:
        waiting[purse.payment_id] += purse.amount_cents
    for item in received:
        key = item.payment_id
        assert item.amount_cents == applied.get(key, 0) + waiting[key] + found.reversed_cents.get(key, 0)
    assert sum(found.reversed_cents.values()) == sum(item.amount_cents for item in back)


@given(accounts())
@settings(max_examples=300)
def test_nothing_is_paid_beyond_what_is_owed_or_below_nothing(
    account: tuple[list[Owed], list[Received], list[TakenBack]],
) -> None:
    owed, received, back = account

    found = replay(owed, received, back)

    sums = paid(found)
    for item in owed:
        stands = standing(found, item.invoice_id)
        total = item.rent_cents + item.charge_cents + sum(line.amount_cents for line in item.fees)
        assert stands.total_cents == total
        assert 0 <= stands.paid_cents <= total
        assert stands.paid_cents == sum(sums.get((item.invoice_id.int, bucket), 0) for bucket in BUCKETS)
        assert (stands.state == "paid") == (stands.balance_cents == 0)
    assert all(amount > 0 for amount in sums.values())


@given(accounts(), st.randoms(use_true_random=False))
@settings(max_examples=200)
def test_the_order_in_which_facts_were_keyed_in_never_matters(
    account: tuple[list[Owed], list[Received], list[TakenBack]], chance: random.Random
) -> None:
    owed, received, back = account
    mixed = [chance.sample(facts, len(facts)) for facts in account]

    found = replay(owed, received, back)
    again = replay(*mixed)  # type: ignore[arg-type]

    assert again.allocations() == found.allocations()
    assert again.standings == found.standings
    assert sorted(again.waiting, key=repr) == sorted(found.waiting, key=repr)


@given(accounts())
@settings(max_examples=200)
def test_no_credit_waits_while_something_is_open(
    account: tuple[list[Owed], list[Received], list[TakenBack]],
) -> None:
    found = replay(*account)

    if any(item.state == "open" for item in found.standings.values()):
        assert found.credit_cents == 0


@given(accounts())
@settings(max_examples=300)
def test_rent_first_pays_no_fee_while_rent_is_open(
    account: tuple[list[Owed], list[Received], list[TakenBack]],
) -> None:
    owed, received, back = account
    lawful = [replace(item, order="rent_first") for item in owed]

    found = replay(lawful, received, back)

    open_rent: Counter[UUID] = Counter()
    events: list[tuple[date, int, UUID, int]] = [
        (item.issued_on, 0, item.invoice_id, item.rent_cents) for item in lawful
    ]
    for place, step in enumerate(found.steps):
        if step.bucket == "rent":
            events.append((step.on, 1 + place, step.invoice_id, -step.amount_cents))
        elif step.bucket == "fee" and step.amount_cents > 0:
            events.append((step.on, 1 + place, UUID(int=0), 0))
    for _, _, key, change in sorted(events):
        open_rent[key] += change
        if key.int == 0:
            assert not +open_rent, "a fee was paid while rent was open"
