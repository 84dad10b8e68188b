"""What every fact about an invoice or a fee says of it, from whatever shape of it is at hand."""

from datetime import date
from typing import Any, Protocol
from uuid import uuid5

from shared.contracts.billing import InvoiceFact, LateFeeApplied, LateFeeWaived


class PostedFee(Protocol):
    """A line about lateness on an invoice."""

    @property
    def kind(self) -> str:
        """A waiver, or what was charged."""

    @property
    def rule(self) -> str:
        """Which rule it is of."""

    @property
    def formula(self) -> str:
        """How it was worked out."""

    @property
    def counts_on(self) -> date:
        """From which business date on."""

    @property
    def amount_cents(self) -> int:
        """Below nothing for what is let go or taken back."""


def stated(invoice: object, balance_cents: int) -> dict[str, Any]:
    """The fields that all facts about an invoice share, with what is open on it afterwards."""
    names = InvoiceFact.model_fields.keys() - {"balance_cents"}
    return {name: getattr(invoice, name) for name in names} | {"balance_cents": balance_cents}


def of_fee(
    said: dict[str, Any],
    line: PostedFee,
    position: int,
    *,
    total_fee_cents: int,
    reason: str | None,
    working: dict[str, Any] | None = None,
) -> list[InvoiceFact]:
    """What is said of a line, known by its place on the invoice that `said` states; at most one fact."""
    fields = said | {
        "fee_id": uuid5(said["invoice_id"], f"line {position}"),
        "fee_kind": "interest" if line.rule == "interest" else "late_fee",
        "rule": line.rule,
        "formula": line.formula,
        "working": working,
        "on": line.counts_on,
        "total_fee_cents": total_fee_cents,
    }
    if line.kind != "waiver":
        return [LateFeeApplied(**fields, amount_cents=line.amount_cents)]
    if line.amount_cents >= 0:  # less is waived because less is owed, which its own line says
        return []
    return [LateFeeWaived(**fields, amount_cents=-line.amount_cents, reason=reason or "")]
