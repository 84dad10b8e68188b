"""How a payment divides between an invoice and credit."""

from dataclasses import dataclass


class PaymentRefused(Exception):
    """A payment that cannot be booked, with the reason in words."""

    code = "payment_refused"


@dataclass(frozen=True, slots=True)
class Division:
    """What of a payment goes to the invoice, and what is kept as credit."""

    applied_cents: int
    credit_cents: int
    balance_cents: int
    """What is still open on the invoice afterwards."""


def divide(amount_cents: int, *, balance_cents: int) -> Division:
    """Pay the invoice first; what exceeds it becomes credit. No cent is lost or made.

    Raises `PaymentRefused` for an amount that is not positive.
    """
    if amount_cents <= 0:
        message = "a payment must be more than nothing"
        raise PaymentRefused(message)
    applied = min(amount_cents, max(balance_cents, 0))
    return Division(applied, amount_cents - applied, balance_cents - applied)
