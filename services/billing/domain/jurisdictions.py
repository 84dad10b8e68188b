"""What the law of a place allows: profiles that limit a late-fee policy, or refuse it, and say why.

A profile is data with its source and its date, and no advice. It is off unless it is chosen for a
property. Where sources differ, the later first day and the smaller amount are kept.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any, Final, Literal, cast

from services.billing.domain.fee_amounts import Base, worth
from services.billing.domain.fee_calendar import FeeCalendar
from services.billing.domain.fee_caps import Cap, in_words, limit_cents, take_cap
from services.billing.domain.fee_rules import Daily, FeeRule, RecurringMonthly
from services.billing.domain.late_terms import LateTerms
from services.billing.domain.lateness import limited_to_one
from shared import documents
from shared.documents import Fields, Mistake, read_document
from shared.money import format_cents

Anchor = Literal["due_date", "period_start"]

_EVIDENCE: Final = ("statute", "statute quoted by others", "secondary source")


@dataclass(frozen=True, slots=True)
class CapByUnits:
    """A cap for buildings of up to so many units."""

    up_to_units: int
    cap: Cap


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """The late-fee law of one place."""

    key: str
    name: str
    citation: str
    source: str
    evidence: str
    effective_on: date
    """Since when at least; an invoice due before is not limited."""
    effective_basis: str
    """How that date is known."""
    aliases: tuple[str, ...] = ()
    free_days: int = 0
    """The last of so many days after the anchor is still free of a fee."""
    free_from: Anchor = "due_date"
    cap: Cap | None = None
    caps_by_units: tuple[CapByUnits, ...] = ()
    """Caps for smaller buildings; used only where the number of units is known."""
    once: bool = False
    """One fee for each late payment, however long it stays late."""
    daily_counts_as_one: bool = False
    """What accrues by days up to the cap is such a single fee."""
    one_rule: bool = False
    """Either one kind of fee or another, never two together."""
    within_period: bool = False
    """What repeats ends with the rental period."""
    rent_first: bool = False
    """Payments go to rent before fees."""
    notes: tuple[str, ...] = ()
    """What a machine cannot check."""

    def cap_for(self, units: int | None) -> Cap | None:
        """The cap that holds for a building; the general one where nobody said how large it is."""
        fitting = (item.cap for item in self.caps_by_units if units is not None and units <= item.up_to_units)
        return next(fitting, self.cap)

    def first_fee_on(self, terms: LateTerms, calendar: FeeCalendar) -> date | None:
        """The first day on which this law allows a fee; None while a hold without an end lasts."""
        anchor = terms.due_on if self.free_from == "due_date" else terms.rental_period[0]
        found = calendar.after(anchor, self.free_days + 1)
        return None if found is None else max(found, terms.due_on + timedelta(days=1))

    def applies(self, due_on: date) -> bool:
        """Whether it is known to have been in force on a due date."""
        return self.effective_on <= due_on

    def lawful(self, rules: Sequence[FeeRule]) -> tuple[tuple[int, FeeRule], ...]:
        """Those of the rules that this law allows beside each other, each with its place in the policy."""
        numbered = list(enumerate(rules))
        if (self.once or self.one_rule) and len(numbered) > 1:
            single = [item for item in numbered if not item[1].repeats] if self.once else []
            numbered = (single or numbered)[:1]
        return tuple((place, self._bounded(rule)) for place, rule in numbered)

    def _bounded(self, rule: FeeRule) -> FeeRule:
        if self.once and not (self.daily_counts_as_one and isinstance(rule, Daily)):
            return limited_to_one(rule)
        if self.within_period and isinstance(rule, Daily):
            return replace(rule, until="period_end")
        if self.within_period and isinstance(rule, RecurringMonthly):
            return limited_to_one(rule)
        return rule


class UnlawfulPolicy(Exception):
    """A policy that the chosen profile does not allow; every reason is named with the field and the rule."""

    code = "unlawful_policy"

    def __init__(self, profile: Profile, mistakes: Sequence[Mistake]) -> None:
        reasons = "; ".join(f"{item.path}: {item.reason}" for item in mistakes)
        super().__init__(f"{profile.name} ({profile.citation}) does not allow this policy: {reasons}")
        self.profile = profile
        self.mistakes = tuple(mistakes)


def read_profile(key: str, document: Mapping[str, Any]) -> Profile:
    """The profile a data file describes, or `BadDocument`."""
    return read_document(document, lambda fields: _take_profile(key, fields), key)


def chosen(profiles: Mapping[str, Profile], name: str) -> Profile | None:
    """The profile somebody means by its key, name or alias; None where there is none of that name."""
    wanted = _plain(name)
    for profile in profiles.values():
        if wanted in {_plain(each) for each in (profile.key, profile.name, *profile.aliases)}:
            return profile
    return None


def refuse_unlawful(profile: Profile, terms: LateTerms, *, allocation: str | None = None) -> None:
    """Raise `UnlawfulPolicy` where the policy of these terms could charge what the law does not allow."""
    if found := violations(profile, terms, allocation=allocation):
        raise UnlawfulPolicy(profile, found)


def violations(profile: Profile, terms: LateTerms, *, allocation: str | None = None) -> list[Mistake]:
    """What of a policy a law does not allow, for an invoice of these amounts and dates."""
    if not profile.applies(terms.due_on):
        return []
    found = [*_too_early(profile, terms), *_too_many(profile, terms), *_too_much(profile, terms)]
    if profile.rent_first and allocation not in {None, "rent_first"}:
        found.append(Mistake("allocation", "payments must go to rent first, before any fee"))
    return found


def _too_early(profile: Profile, terms: LateTerms) -> list[Mistake]:
    calendar = FeeCalendar(holidays=terms.policy.holidays)
    agreed, lawful = (
        calendar.first_fee_on(terms.due_on, terms.policy.grace),
        profile.first_fee_on(terms, calendar),
    )
    if agreed is None or lawful is None or agreed >= lawful:
        return []
    return [Mistake("grace_days", f"the first fee would be on {agreed}; none is allowed before {lawful}")]


def _too_many(profile: Profile, terms: LateTerms) -> list[Mistake]:
    rules = terms.policy.rules
    lawful = dict(profile.lawful(rules))
    found = []
    for place, rule in enumerate(rules):
        if place not in lawful:
            found.append(Mistake(f"rules[{place}]", "only one fee is allowed for a late payment"))
        elif lawful[place] != rule:
            limit = (
                "ends with the rental period" if profile.within_period else "comes once for a late payment"
            )
            found.append(Mistake(f"rules[{place}]", f"{rule.kind} may go on; what is allowed {limit}"))
    return found


def _too_much(profile: Profile, terms: LateTerms) -> list[Mistake]:
    cap = profile.cap_for(terms.units)
    if cap is None or not terms.policy.rules:
        return []
    allowed = _limit(cap, terms)
    agreed = None if terms.policy.cap is None else _limit(terms.policy.cap, terms)
    if agreed is not None and agreed <= allowed:
        return []
    most = _most(profile, terms)
    if most is not None and most <= allowed:
        return []
    money = terms.currency
    how_much = "without end" if most is None else f"to {format_cents(most, money)}"
    return [
        Mistake(
            "cap",
            f"fees could come {how_much}; at most {in_words(cap, money)} is allowed, "
            f"here {format_cents(allowed, money)}",
        )
    ]


def _limit(cap: Cap, terms: LateTerms) -> int:
    return limit_cents(cap, rent_cents=terms.tenant_rent_cents, late_cents=terms.countable_cents)


def _most(profile: Profile, terms: LateTerms) -> int | None:
    """What the rules come to at most; None where they go on without end."""
    base = Base(terms.tenant_rent_cents, terms.countable_cents, terms.currency)
    total = 0
    for _, rule in profile.lawful(terms.policy.rules):
        times: int | None = 1
        if isinstance(rule, Daily):
            start, end = terms.rental_period
            times = rule.max_days if rule.until == "paid" else min(rule.max_days or 366, (end - start).days)
        elif isinstance(rule, RecurringMonthly):
            times = rule.max_times
        if times is None:
            return None
        total += worth(rule, base, 1).comes_to_cents * times
    return total


def _plain(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())


def _take_profile(key: str, fields: Fields) -> Profile:
    return Profile(
        key=key,
        name=fields.take("name", documents.text),
        aliases=fields.take("aliases", _texts, ()),
        citation=fields.take("citation", documents.text),
        source=fields.take("source", documents.text),
        evidence=fields.take("evidence", documents.choice(*_EVIDENCE)),
        effective_on=fields.take("effective_on", documents.day),
        effective_basis=fields.take("effective_basis", documents.text),
        free_days=fields.take("free_days", documents.whole(0, 366), 0),
        free_from=cast(
            "Anchor", fields.take("free_from", documents.choice("due_date", "period_start"), "due_date")
        ),
        cap=fields.inner("cap", take_cap),
        caps_by_units=fields.each("caps_by_units", _take_cap_by_units),
        once=fields.take("once", documents.yes_or_no, default=False),
        daily_counts_as_one=fields.take("daily_counts_as_one", documents.yes_or_no, default=False),
        one_rule=fields.take("one_rule", documents.yes_or_no, default=False),
        within_period=fields.take("within_period", documents.yes_or_no, default=False),
        rent_first=fields.take("rent_first", documents.yes_or_no, default=False),
        notes=fields.take("notes", _texts, ()),
    )


def _take_cap_by_units(fields: Fields) -> CapByUnits:
    up_to = fields.take("up_to_units", documents.whole(1, 100_000))
    cap = fields.inner("cap", take_cap)
    if cap is None:
        fields.mistake(fields.at("cap"), "is missing")
    return CapByUnits(up_to, cast("Cap", cap))


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise documents.Unfit("is not a list of texts")
    return tuple(documents.text(item) for item in value)
