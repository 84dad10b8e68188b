"""How a person is reached, and what of it can be used."""

import re
from dataclasses import dataclass
from typing import Final
from uuid import UUID

LONGEST_ADDRESS: Final = 254
"""RFC 5321, section 4.5.3.1.3: a path is at most 256 octets, its angle brackets included."""

_ATOM: Final = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL: Final = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_ADDRESS: Final = re.compile(rf"{_ATOM}(?:\.{_ATOM})*@{_LABEL}(?:\.{_LABEL})*")


@dataclass(frozen=True, slots=True)
class Contact:
    """A tenant as leasing last described them."""

    tenant_id: UUID
    name: str = ""
    email: str | None = None


def is_address(text: str) -> bool:
    """Whether a mail server would take this as one address; nothing else can hide in it."""
    return len(text) <= LONGEST_ADDRESS and _ADDRESS.fullmatch(text) is not None
