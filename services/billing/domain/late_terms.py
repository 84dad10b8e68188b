"""What is known of one invoice when its late fee is worked out, and its reading as a document."""

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Final, Literal, cast

from services.billing.domain.fee_calendar import Hold
from services.billing.domain.fee_policy import FeePolicy, take_fee_policy
from services.billing.domain.periods import months_after
from shared import documents
from shared.documents import Fields, Unfit

_LARGEST_CENTS: Final = 10**11
_MOST_UNITS: Final = 100_000
_SOME_DAY: Final = date(1900, 1, 1)  # never used: a document without a date is refused


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """Money that counts from the day it was received.

    What bounced is a negative amount from the day that became known: until then the rent counted as paid.
    """

    received_on: date
    amount_cents: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiver:
    """A landlord lets fees go: so much, or all there are up to that day. It holds in every later run."""

    on: date
    amount_cents: int | None = None
    of: Literal["fees", "interest"] = "fees"
    by: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LateTerms:
    """An invoice as late fees see it: its amounts, its dates, and the policy it was issued under."""

    due_on: date
    rent_cents: int
    charges_cents: int = 0
    """Other lines that may be late; never fees, interest or deposits."""
    subsidy_cents: int = 0
    """What of the rent somebody else pays: no fee is ever reckoned on it."""
    period_starts_on: date | None = None
    period_ends_on: date | None = None
    units: int | None = None
    """Units of the building, where a law distinguishes by it."""
    currency: str = "USD"
    policy: FeePolicy = field(default_factory=FeePolicy)

    @property
    def tenant_rent_cents(self) -> int:
        """The rent that the tenant owes: the base of every percentage."""
        return max(self.rent_cents - self.subsidy_cents, 0)

    @property
    def countable_cents(self) -> int:
        """What can be late at all."""
        charges = self.charges_cents if self.policy.late_basis == "rent_and_charges" else 0
        return self.tenant_rent_cents + charges

    @property
    def rental_period(self) -> tuple[date, date]:
        """First and last day of what the rent is for; by default the month that begins on the due date."""
        start = self.period_starts_on or self.due_on
        return start, self.period_ends_on or months_after(start, 1) - timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Everything a late fee depends on."""

    terms: LateTerms
    receipts: tuple[Receipt, ...] = ()
    holds: tuple[Hold, ...] = ()
    waivers: tuple[Waiver, ...] = ()


def take_case(fields: Fields) -> Case:
    """A case from the fields of a document; `due_on`, `rent_cents` and `rules` must be there."""
    terms = LateTerms(
        due_on=fields.take("due_on", documents.day),
        rent_cents=fields.take("rent_cents", documents.cents),
        charges_cents=fields.take("charges_cents", documents.cents, 0),
        subsidy_cents=fields.take("subsidy_cents", documents.cents, 0),
        period_starts_on=fields.take("period_starts_on", documents.day, None),
        period_ends_on=fields.take("period_ends_on", documents.day, None),
        units=fields.take("units", documents.whole(1, _MOST_UNITS), None),
        currency=fields.take("currency", _currency, "USD"),
        policy=take_fee_policy(fields, rules_required=True),
    )
    start, end = terms.period_starts_on, terms.period_ends_on
    if start is not None and end is not None and end < start:
        fields.mistake(fields.at("period_ends_on"), f"{end} is before period_starts_on {start}")
    return Case(
        terms=terms,
        receipts=fields.each_or_null("payments", _take_receipt),
        holds=fields.each_or_null("holds", _take_hold),
        waivers=fields.each_or_null("waivers", _take_waiver),
    )


def _take_receipt(fields: Fields) -> Receipt:
    return Receipt(
        received_on=fields.take("received_on", documents.day),
        amount_cents=fields.take("amount_cents", documents.whole(-_LARGEST_CENTS, _LARGEST_CENTS)),
    )


def _take_hold(fields: Fields) -> Hold:
    start: date | None = fields.take("from", documents.day)
    end = fields.take("to", documents.day, None)
    if start is not None and end is not None and end < start:
        fields.mistake(fields.at("to"), f"{end} is before from {start}")
    kind = fields.take("kind", documents.text, "hold")
    return Hold(from_on=start or _SOME_DAY, to_on=end, kind=kind)


def _take_waiver(fields: Fields) -> Waiver:
    return Waiver(
        on=fields.take("on", documents.day),
        amount_cents=fields.take("amount_cents", documents.cents_above_zero, None),
        of=cast(
            'Literal["fees", "interest"]', fields.take("of", documents.choice("fees", "interest"), "fees")
        ),
        by=fields.take("by", documents.text, ""),
        reason=fields.take("reason", documents.text, ""),
    )


def _currency(value: object) -> str:
    if not isinstance(value, str) or len(value) != 3 or not value.isascii() or not value.isupper():
        raise Unfit(f"{value!r} is not a currency such as USD")
    return value
