"""What setting a policy changes: the new layer, and every value that becomes another one by it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from services.billing.domain.policies import BillingPolicy, document_of
from services.billing.domain.policy_book import Place, PolicyBook, PolicyVersion, Scope, in_force


@dataclass(frozen=True, slots=True)
class Difference:
    """A field that a change gives another value, as JSON keeps it."""

    name: str
    old: Any
    new: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A new version of one layer, before it is kept."""

    place: Place
    effective_on: date
    version: int
    terms: Mapping[str, Any]
    """The whole layer, as it will be."""
    repeats: bool
    """The layer is so already: there is nothing to keep."""
    differences: tuple[Difference, ...]
    """What holds at the place on that day, before and after."""
    book: PolicyBook
    """Everything that matters here, with the change in it."""
    later: tuple[PolicyVersion, ...]
    """Versions of the layer that are effective later; they do not know of this change."""
    overruled_by: tuple[PolicyVersion, ...]
    """Layers further down that set one of these fields themselves."""

    @property
    def layer(self) -> tuple[Scope, UUID]:
        """The layer that changes."""
        return self.place.layers[-1]

    @property
    def policy(self) -> BillingPolicy:
        """What will hold at the place on that day."""
        return self.book.policy(self.place, self.effective_on)


def plan_change(
    book: PolicyBook, place: Place, on: date, given: Mapping[str, Any], *, taken_back: Iterable[str] = ()
) -> Change:
    """What a layer becomes when fields are given, or taken back so that the layers above decide again."""
    layer = place.layers[-1]
    history = book.history(*layer)
    present = in_force(history, on)
    before = dict(present.terms) if present else {}
    gone = set(taken_back)
    terms = {name: value for name, value in before.items() if name not in gone} | dict(given)
    version = PolicyVersion(
        scope=layer[0],
        scope_id=layer[1],
        version=max((item.version for item in history), default=0) + 1,
        effective_on=on,
        terms=terms,
    )
    after = book.with_version(version)
    return Change(
        place=place,
        effective_on=on,
        version=version.version,
        terms=terms,
        repeats=terms == before,
        differences=differences(book.policy(place, on), after.policy(place, on)),
        book=after,
        later=tuple(item for item in history if item.effective_on > on),
        overruled_by=tuple(book.overruling(place, on, gone | set(given))),
    )


def differences(old: BillingPolicy, new: BillingPolicy) -> tuple[Difference, ...]:
    """The fields in which two policies differ."""
    was, is_now = document_of(old), document_of(new)
    return tuple(Difference(name, was[name], is_now[name]) for name in was if was[name] != is_now[name])
