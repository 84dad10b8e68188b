"""What billing has said, as far as rewards are about it. Every fact is known by an id: none counts twice."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Final, Literal
from uuid import UUID

Frequency = Literal["monthly", "weekly", "four_weekly"]

NOT_PAID_AHEAD: Final = frozenset({"reward", "goodwill"})
"""Methods of payments that are no money of the tenant's: they cover rent, and earn nothing by themselves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RentInvoice:
    """An invoice, and since when its rent is covered."""

    invoice_id: UUID
    number: str
    lease_id: UUID
    account_id: UUID
    property_id: UUID
    tenant_ids: tuple[UUID, ...]
    period: str
    issued_on: date
    due_on: date
    currency: str
    total_cents: int
    rent_cents: int
    first_fee_on: date | None = None
    starts_on: date | None = None
    """The first day it is for."""
    frequency: Frequency = "monthly"
    covered_on: date | None = None
    voided_on: date | None = None

    @property
    def is_void(self) -> bool:
        """Whether it never counted."""
        return self.voided_on is not None

    @property
    def is_first_partial(self) -> bool:
        """Whether it is for the beginning of a tenancy, in the middle of a month."""
        begins = self.starts_on is not None and self.starts_on.day > 1
        return begins and self.frequency == "monthly" and self.lease_id == self.account_id


@dataclass(frozen=True, slots=True)
class Receipt:
    """A payment, less what of it was taken back since."""

    payment_id: UUID
    account_id: UUID
    lease_id: UUID
    property_id: UUID
    tenant_ids: tuple[UUID, ...]
    received_on: date
    amount_cents: int
    currency: str
    method: str = "other"


@dataclass(frozen=True, slots=True)
class Fee:
    """A fee put on an invoice or, where it is negative, taken off it; without an invoice, on the account."""

    account_id: UUID
    invoice_id: UUID | None
    on: date
    amount_cents: int


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that is known of some accounts."""

    invoices: tuple[RentInvoice, ...] = ()
    receipts: tuple[Receipt, ...] = ()
    fees: tuple[Fee, ...] = ()

    def by_tenant(self) -> dict[UUID, "Facts"]:
        """For each tenant, what concerns the accounts that they had an invoice or a payment on."""
        parts: defaultdict[UUID, _Part] = defaultdict(_Part)
        accounts: defaultdict[UUID, set[UUID]] = defaultdict(set)
        for invoice in self.invoices:
            parts[invoice.account_id].invoices.append(invoice)
            for tenant_id in invoice.tenant_ids:
                accounts[tenant_id].add(invoice.account_id)
        for receipt in self.receipts:
            parts[receipt.account_id].receipts.append(receipt)
            for tenant_id in receipt.tenant_ids:
                accounts[tenant_id].add(receipt.account_id)
        for fee in self.fees:
            parts[fee.account_id].fees.append(fee)
        return {
            tenant_id: Facts(
                tuple(item for key in keys for item in parts[key].invoices),
                tuple(item for key in keys for item in parts[key].receipts),
                tuple(item for key in keys for item in parts[key].fees),
            )
            for tenant_id, keys in accounts.items()
        }


@dataclass(slots=True)
class _Part:
    """What is known of one account."""

    invoices: list[RentInvoice] = field(default_factory=list)
    receipts: list[Receipt] = field(default_factory=list)
    fees: list[Fee] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Today:
    """What day it is at each property."""

    dates: Mapping[UUID, date] = field(default_factory=dict)
    otherwise: date = date.min

    def at(self, property_id: UUID) -> date:
        """The local date there."""
        return self.dates.get(property_id, self.otherwise)

    def not_before(self, day: date | None) -> "Today":
        """The same, but nowhere before a day."""
        if day is None:
            return self
        return Today({key: max(on, day) for key, on in self.dates.items()}, max(self.otherwise, day))


def month_of(day: date) -> str:
    """The month of a day, as periods are spelt."""
    return f"{day:%Y-%m}"


def first_day(period: str) -> date:
    """The first day of a month."""
    return date.fromisoformat(f"{period}-01")


def last_day(period: str) -> date:
    """The last day of a month."""
    return (first_day(period) + timedelta(days=32)).replace(day=1) - timedelta(days=1)
