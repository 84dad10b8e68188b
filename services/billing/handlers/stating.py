"""What every fact about an invoice says of it, from whatever shape of the invoice is at hand."""

from typing import Any

from shared.contracts.billing import InvoiceFact


def stated(invoice: object, balance_cents: int) -> dict[str, Any]:
    """The fields that all facts about an invoice share, with what is open on it afterwards."""
    names = InvoiceFact.model_fields.keys() - {"balance_cents"}
    return {name: getattr(invoice, name) for name in names} | {"balance_cents": balance_cents}
