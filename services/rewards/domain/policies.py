"""What a landlord grants, and what a tenant can do with it: a policy, its document, and its versions."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import date, datetime
from typing import Any, Final, Literal, cast
from uuid import UUID

from shared.documents import Fields, cents_above_zero, choice, read_document, whole, yes_or_no

Pays = Literal["every_time", "once_per_streak", "once"]
Redemption = Literal["rent", "fees", "off_ledger"]
CoTenants = Literal["split", "each"]

_MOST_MONTHS: Final = 120


@dataclass(frozen=True, slots=True)
class StreakTier:
    """So many months on time in a row earn so much."""

    months: int
    amount_cents: int
    pays: Pays = "every_time"
    """every_time: after each `months` of an unbroken streak; once_per_streak: when it is that long;
    once: the first time ever."""

    @property
    def rule(self) -> str:
        """The name that a grant of it bears: the same for ever, also when its amount is changed."""
        return f"streak:{self.months}"


@dataclass(frozen=True, slots=True)
class PrepaymentTier:
    """So much money paid ahead earns so much."""

    ahead_cents: int
    amount_cents: int
    pays: Pays = "every_time"
    """every_time: whenever the sum of what was paid ahead passes a multiple; once: the first time ever."""

    def rule(self, ordinal: int) -> str:
        """The name that its grant for the first, second, … multiple bears."""
        return f"prepaid:{self.ahead_cents}#{ordinal}"


@dataclass(frozen=True, slots=True)
class RewardPolicy:
    """Everything that decides what is granted and how it is used. The defaults grant nothing."""

    streaks: tuple[StreakTier, ...] = ()
    prepayments: tuple[PrepaymentTier, ...] = ()
    redemption: Redemption = "rent"
    auto_apply: bool = False
    """Whether a balance pays by itself whatever it may pay."""
    grace_counts: bool = False
    """Whether rent that is covered before the first late fee is possible came on time."""
    first_partial_month: bool = False
    """Whether the first month of a lease counts where it is not a whole one."""
    co_tenants: CoTenants = "split"
    """split: those who rent together share a grant; each: every one of them is granted all of it."""
    discount_is_fee: bool = False
    """The place takes less rent for paying on time as a fee for paying late: nothing may go against rent."""

    @property
    def uses(self) -> Redemption:
        """What a balance can be used for, where the law has been heard."""
        return "off_ledger" if self.discount_is_fee and self.redemption == "rent" else self.redemption


DEFAULT: Final = RewardPolicy()
FIELDS: Final = tuple(RewardPolicy.__dataclass_fields__)


class UnlawfulRedemption(Exception):
    """Credit against rent, in a place that takes it as a late fee."""

    code = "discount_counts_as_fee"


@dataclass(frozen=True, slots=True)
class PolicyVersion:
    """One layer of a policy, everything (`property_id` None) or one property, from a day on."""

    property_id: UUID | None
    version: int
    effective_on: date
    terms: Mapping[str, Any]
    """The fields that this layer sets, as `read_terms` gives them."""
    reason: str = ""
    set_by: str = ""
    set_at: datetime | None = None

    def kept_at(self, moment: datetime) -> "PolicyVersion":
        """The same, as it was set at a moment."""
        return replace(self, set_at=moment)


@dataclass(frozen=True)
class PolicyBook:
    """Every version there is; of one layer the newest that is in force on a day holds."""

    versions: tuple[PolicyVersion, ...] = ()
    _cache: dict[tuple[UUID | None, date], RewardPolicy] = field(default_factory=dict, compare=False)

    def policy(self, property_id: UUID | None, on: date) -> RewardPolicy:
        """The policy of a property on a day."""
        key = (property_id, on)
        if key not in self._cache:
            terms = {**self.terms(None, on), **(self.terms(property_id, on) if property_id else {})}
            self._cache[key] = replace(DEFAULT, **terms)
        return self._cache[key]

    def terms(self, property_id: UUID | None, on: date) -> Mapping[str, Any]:
        """What a layer itself sets on a day."""
        in_force = [
            item for item in self.versions if item.property_id == property_id and item.effective_on <= on
        ]
        newest = max(in_force, key=lambda item: (item.effective_on, item.version), default=None)
        return {} if newest is None else newest.terms

    def with_version(self, version: PolicyVersion) -> "PolicyBook":
        """The book with one version more."""
        return PolicyBook((*self.versions, version))

    def properties(self) -> set[UUID]:
        """The properties with a layer of their own."""
        return {item.property_id for item in self.versions if item.property_id is not None}


def read_terms(document: object) -> dict[str, Any]:
    """The fields that a document sets; raises `BadDocument` with everything that is wrong in it."""
    given = set(document) if isinstance(document, Mapping) else set()
    return {name: value for name, value in read_document(document, _take).items() if name in given}


def document_of(terms: Mapping[str, Any]) -> dict[str, Any]:
    """The same fields as JSON keeps them."""
    return {name: _plain(value) for name, value in terms.items()}


def policy_document(policy: RewardPolicy) -> dict[str, Any]:
    """Every field of a policy."""
    return document_of({name: getattr(policy, name) for name in FIELDS})


def refuse_unlawful(book: PolicyBook, on: date) -> None:
    """Raise `UnlawfulRedemption` where credit against rent would meet the switch that forbids it."""
    for property_id in [None, *sorted(book.properties())]:
        policy = book.policy(property_id, on)
        if policy.discount_is_fee and policy.redemption == "rent":
            where = "the portfolio" if property_id is None else f"property {property_id}"
            raise UnlawfulRedemption(
                f"at {where} a discount for paying on time counts as a late fee (discount_is_fee):"
                " redemption has to be fees or off_ledger there"
            )


def changed(before: Mapping[str, Any], given: Mapping[str, Any], unset: Iterable[str] = ()) -> dict[str, Any]:
    """A layer's fields after a change; those that are unset are inherited again."""
    return {name: value for name, value in {**before, **given}.items() if name not in set(unset)}


def _take(fields: Fields) -> dict[str, Any]:
    streaks = fields.each("streaks", _take_streak)
    prepayments = fields.each("prepayments", _take_prepayment)
    _refuse_twice(fields, "streaks", [tier.months for tier in streaks])
    _refuse_twice(fields, "prepayments", [tier.ahead_cents for tier in prepayments])
    flags = ("auto_apply", "grace_counts", "first_partial_month", "discount_is_fee")
    return {
        "streaks": streaks,
        "prepayments": prepayments,
        "redemption": fields.take("redemption", choice("rent", "fees", "off_ledger"), "rent"),
        "co_tenants": fields.take("co_tenants", choice("split", "each"), "split"),
        **{name: fields.take(name, yes_or_no, default=False) for name in flags},
    }


def _take_streak(fields: Fields) -> StreakTier:
    return StreakTier(
        months=fields.take("months", whole(1, _MOST_MONTHS)),
        amount_cents=fields.take("amount_cents", cents_above_zero),
        pays=cast("Pays", fields.take("pays", choice("every_time", "once_per_streak", "once"), "every_time")),
    )


def _take_prepayment(fields: Fields) -> PrepaymentTier:
    return PrepaymentTier(
        ahead_cents=fields.take("ahead_cents", cents_above_zero),
        amount_cents=fields.take("amount_cents", cents_above_zero),
        pays=cast("Pays", fields.take("pays", choice("every_time", "once"), "every_time")),
    )


def _refuse_twice(fields: Fields, name: str, keys: list[int]) -> None:
    """Two tiers of one length would be one rule with two amounts."""
    for key in {key for key in keys if key and keys.count(key) > 1}:  # one that is wrong reads as None
        fields.mistake(fields.at(name), f"has two for {key}")


def _plain(value: object) -> object:
    return [asdict(item) for item in value] if isinstance(value, tuple) else value
