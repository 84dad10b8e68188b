"""What can be booked as a payment or as its reversal, and what is refused."""

from datetime import date
from typing import Final, Literal

from shared.money import plain_cents

ReversalKind = Literal["returned", "charged_back", "refunded", "entered_in_error"]

REVERSALS: Final[tuple[ReversalKind, ...]] = ("returned", "charged_back", "refunded", "entered_in_error")

GOODWILL: Final = "goodwill"
"""The method of credit that the landlord gives; no money was received."""


REWARD: Final = "reward"
"""The method of a redeemed reward; no money was received."""


class PaymentRefused(Exception):
    """A payment that cannot be booked, with the reason in words."""

    code = "payment_refused"


class ReversalRefused(PaymentRefused):
    """A reversal that cannot be booked, with the reason in words."""

    code = "reversal_refused"


EARLIEST: Final = date(1990, 1, 1)
"""Money of before is a year typed wrongly, and would decide about late fees."""


def check_payment(reference: str, amount_cents: int, *, received_on: date, today: date) -> None:
    """Refuse what cannot have been received: nothing, money of days to come, or of a year typed wrongly.

    Without a reference nobody could tell it from another payment.
    """
    if not reference.strip():
        raise PaymentRefused("a payment needs a reference, by which it is known")
    if amount_cents <= 0:
        raise PaymentRefused("a payment must be more than nothing")
    if received_on < EARLIEST:
        raise PaymentRefused(f"received on {received_on}, which is before {EARLIEST.year}")
    if received_on > today:
        raise PaymentRefused(f"received on {received_on}, and at the property it is only {today}")


def check_known(known_on: date, *, received_on: date, today: date) -> None:
    """Refuse a reversal that became known before its payment came, or in days to come."""
    if known_on > today:
        raise ReversalRefused(f"known on {known_on}, and at the property it is only {today}")
    if known_on < received_on:
        raise ReversalRefused(f"known on {known_on}, before the payment was received on {received_on}")


def amount_to_reverse(asked_cents: int | None, *, amount_cents: int, reversed_cents: int) -> int:
    """What is to be taken back of a payment: what was asked for, or all that is left of it.

    Raises `ReversalRefused` for nothing, and for more than is left.
    """
    left = amount_cents - reversed_cents
    wanted = left if asked_cents is None else asked_cents
    if left == 0:
        raise ReversalRefused("nothing is left of the payment")
    if wanted <= 0:
        raise ReversalRefused("a reversal must be more than nothing")
    if wanted > left:
        raise ReversalRefused(f"only {plain_cents(left)} is left of the payment")
    return wanted
