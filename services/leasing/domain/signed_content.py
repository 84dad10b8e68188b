"""What is signed: the terms of a lease as one canonical text, and its hash.

The text is the same for all signers whatever language they read it in, and never depends on the order in
which something is stored. What is technical (versions, ids, the time zone) is not agreed upon and not in it.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import date
from hashlib import sha256
from typing import Any, Final

from services.leasing.domain.leases import Lease
from services.leasing.domain.properties import Property

FORM: Final = 1
"""Of this text; another one makes every link that is out void with the next change, so add, never alter."""

_TERMS: Final = (
    *("rent_cents", "frequency", "rent_changes", "free_periods", "charges"),
    *("starts_on", "ends_on", "rolls_over", "due_day", "currency"),
)


def document_of(lease: Lease, place: Property, tenants: Sequence[str], landlords: Sequence[str]) -> str:
    """The terms of a lease with its parties and its place, canonically written."""
    stated = asdict(lease)
    said = {name: stated[name] for name in _TERMS} | {
        "form": FORM,
        "property": place.name,
        "address": place.address,
        "unit": lease.unit_label,
        "tenants": list(tenants),
        "landlords": list(landlords),
    }
    return json.dumps(said, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=_day)


def content_hash(document: str) -> str:
    """SHA-256 in hexadecimal: what a signature is of."""
    return sha256(document.encode()).hexdigest()


def read_document(document: str) -> dict[str, Any]:
    """The terms as a page shows them."""
    said: dict[str, Any] = json.loads(document)
    return said


def _day(value: object) -> str:
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"a {type(value).__name__} is not part of a lease")
