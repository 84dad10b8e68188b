"""What leasing says no to. Each refusal is a sentence a person can act on."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID


class Refusal(Exception):
    """A rule said no; nothing was changed."""


@dataclass(frozen=True, slots=True)
class Wrong:
    """One value that cannot be accepted, and why."""

    field: str
    reason: str


class Invalid(Refusal):
    """Values that make no sense by themselves, whatever else is known; carries all of them."""

    def __init__(self, wrong: Sequence[Wrong]) -> None:
        super().__init__("; ".join(f"{item.field} {item.reason}" for item in wrong))
        self.wrong = tuple(wrong)


class Unknown(Refusal):
    """There is nothing with this id, or number."""

    def __init__(self, kind: str, identity: UUID | str) -> None:
        super().__init__(f"There is no {kind} {identity}")
        self.kind = kind


class Taken(Refusal):
    """Another one already goes by this name."""


class LeasesOverlap(Refusal):
    """A unit is let to one household at a time."""


class LeaseIsOver(Refusal):
    """An ended lease stays as it is."""


class LeaseIsRenewed(Refusal):
    """A lease is followed by one renewal."""


class NotPossible(Refusal):
    """What something is allows other things, which the sentence names."""
