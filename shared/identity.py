"""Identifiers: new ones sort by time; derived ones are the same for the same cause."""

from typing import Final
from uuid import UUID, uuid5

from uuid_utils.compat import uuid7

_NAMESPACE: Final = UUID("5f0c6e0a-6f0e-5d53-9f6e-70726f706d61")


def new_id() -> UUID:
    """A fresh UUIDv7 (RFC 9562): later ids sort after earlier ones."""
    return uuid7()


def derived_id(*parts: object) -> UUID:
    """A UUIDv5 of what it stands for, so that doing a thing twice gives one identity."""
    return uuid5(_NAMESPACE, "|".join(str(part) for part in parts))
