"""Contracts of a service that only tests have. Their owner is this module's name: probe."""

from uuid import UUID

from pydantic import Field

from shared.contracts.base import Command, Fact
from shared.identity import new_id


class Noted(Fact, subject="item_id"):
    """Something happened to an item."""

    item_id: UUID = Field(default_factory=new_id)
    number: int = 0


class Followed(Fact, subject="item_id"):
    """What a handler says after it noted something."""

    item_id: UUID
    number: int = 0


class DoWork(Command, subject="item_id"):
    """Must be heard."""

    item_id: UUID = Field(default_factory=new_id)
    number: int = 0
