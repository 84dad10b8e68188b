"""What may be waived of an invoice's fees."""

from collections.abc import Iterable

from services.billing.domain.fee_postings import FeeLine
from shared.money import format_cents


class WaiverRefused(Exception):
    """Fees that cannot be let go, with the reason in words."""

    code = "waiver_refused"


def refuse_waiver(lines: Iterable[FeeLine], amount_cents: int | None, reason: str, currency: str) -> None:
    """Raise `WaiverRefused` where there is not so much to waive, or nobody says why.

    `lines` are all that was posted on the invoice about lateness, earlier waivers among them. An amount is
    of late fees; without one, interest goes too.
    """
    fees, interest = 0, 0
    for line in lines:
        if line.rule == "interest":
            interest += line.amount_cents
        else:
            fees += line.amount_cents
    if not reason.strip():
        raise WaiverRefused("say why; the reason is kept with it")
    if amount_cents is not None and amount_cents <= 0:
        raise WaiverRefused("an amount has to be more than nothing")
    if max(fees, 0) + (max(interest, 0) if amount_cents is None else 0) == 0:
        raise WaiverRefused("the invoice owes nothing for being late that was not waived already")
    if amount_cents is not None and amount_cents > fees:
        raise WaiverRefused(f"only {format_cents(fees, currency)} of late fees are there to waive")
