"""The versions of policies, and what they amount to at a place on a date."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final, Literal
from uuid import UUID

from services.billing.domain.policies import FIELDS, BillingPolicy, policy_of

Scope = Literal["portfolio", "property", "lease"]

PORTFOLIO: Final = UUID(int=0)
"""The scope id of what holds for everything."""

_DEPTH: Final[Mapping[Scope, int]] = {"portfolio": 1, "property": 2, "lease": 3}


@dataclass(frozen=True, slots=True)
class Place:
    """What a policy is set for: everything, one property, or one lease of it."""

    property_id: UUID | None = None
    lease_id: UUID | None = None

    @property
    def layers(self) -> list[tuple[Scope, UUID]]:
        """The layers that reach here, the most general first."""
        found: list[tuple[Scope, UUID]] = [("portfolio", PORTFOLIO)]
        if self.property_id is not None:
            found.append(("property", self.property_id))
        if self.lease_id is not None:
            found.append(("lease", self.lease_id))
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyVersion:
    """What was set for one place from a day on. Versions are added and never changed."""

    scope: Scope
    scope_id: UUID
    version: int
    effective_on: date
    terms: Mapping[str, Any]
    """The whole layer, as `read_layer` keeps it."""
    reason: str | None = None
    set_by: str = ""
    set_at: datetime | None = None
    """When it was kept; None while it is only planned."""


def in_force(versions: Iterable[PolicyVersion], on: date) -> PolicyVersion | None:
    """The version of one layer that holds on a day: the latest effective by then.

    Of several with the same effective date the newest: it corrects the others.
    """
    reached = [item for item in versions if item.effective_on <= on]
    return max(reached, key=lambda item: (item.effective_on, item.version), default=None)


class PolicyBook:
    """All versions that matter for some places; what holds where and when is a function of them alone."""

    def __init__(self, versions: Iterable[PolicyVersion] = ()) -> None:
        self._versions: dict[tuple[Scope, UUID], list[PolicyVersion]] = {}
        for item in versions:
            self._versions.setdefault((item.scope, item.scope_id), []).append(item)
        self._made: dict[tuple[tuple[Scope, UUID, int], ...], BillingPolicy] = {}

    def with_version(self, version: PolicyVersion) -> "PolicyBook":
        """The same book with one version more."""
        return PolicyBook([*(item for found in self._versions.values() for item in found), version])

    def history(self, scope: Scope, scope_id: UUID) -> list[PolicyVersion]:
        """The versions of one layer, by the day they are effective."""
        found = self._versions.get((scope, scope_id), [])
        return sorted(found, key=lambda item: (item.effective_on, item.version))

    def layers(self, place: Place, on: date) -> list[PolicyVersion]:
        """The versions that hold at a place on a day, the most general first."""
        chosen = (in_force(self._versions.get(layer, ()), on) for layer in place.layers)
        return [item for item in chosen if item is not None]

    def next_change(self, place: Place, on: date) -> date | None:
        """The next day after this one on which another version begins to hold at a place."""
        days = (item.effective_on for layer in place.layers for item in self._versions.get(layer, ()))
        return min((day for day in days if day > on), default=None)

    def policy(self, place: Place, on: date) -> BillingPolicy:
        """What holds at a place on a day."""
        layers = self.layers(place, on)
        key = tuple((item.scope, item.scope_id, item.version) for item in layers)
        if key not in self._made:
            self._made[key] = policy_of(item.terms for item in layers)
        return self._made[key]

    def overruling(self, place: Place, on: date, names: Iterable[str]) -> list[PolicyVersion]:
        """The versions further down than a place that decide one of these fields themselves on a day."""
        depth = len(place.layers)
        held = [
            found
            for (scope, _), versions in self._versions.items()
            if _DEPTH[scope] > depth and (found := in_force(versions, on)) is not None
        ]
        return [item for item in held if set(item.terms) & set(names)]

    def origins(self, place: Place, on: date) -> dict[str, PolicyVersion | None]:
        """For each field the version that decides it; None where it is as by default."""
        found: dict[str, PolicyVersion | None] = dict.fromkeys(FIELDS)
        for item in self.layers(place, on):
            found |= dict.fromkeys(set(item.terms) & set(FIELDS), item)
        return found
