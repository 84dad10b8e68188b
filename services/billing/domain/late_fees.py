"""The late fees of one invoice as a pure function of what is known and a date.

Nothing here knows when, how often, or whether at all it was asked before: ten days of downtime come to the
same as ten daily runs, and a payment that is entered late changes the answer for the days after it.
No fee is ever reckoned on a fee.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from operator import attrgetter
from typing import Final

from services.billing.domain import fee_workings
from services.billing.domain.fee_amounts import Base, worth
from services.billing.domain.fee_calendar import FeeCalendar
from services.billing.domain.fee_caps import Cap, in_words, limit_cents
from services.billing.domain.fee_rules import FeeRule
from services.billing.domain.fee_workings import Limit, Working, within
from services.billing.domain.interest import Interest, accrued
from services.billing.domain.jurisdictions import Profile
from services.billing.domain.late_terms import Case, LateTerms, Waiver
from services.billing.domain.lateness import Lateness, start_of, strikes
from shared.money import format_cents

_ONE_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Entry:
    """A fee, or what of the fees was waived (less than nothing), from the day it counts."""

    on: date
    kind: str
    amount_cents: int
    formula: str
    rule: int | None = None
    """Its place among the policy's rules."""
    rule_kind: str = ""
    """The kind of that rule, also where this is a waiver of its fee."""
    working: Working | None = None
    """The formula as values; None of a waiver, whose formula is who waived it and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheme:
    """What is to be applied: the policy as far as the law allows it, with its dates."""

    first_fee_on: date | None
    agreed_first_on: date | None
    rules: tuple[tuple[int, FeeRule, date | None], ...]
    """Place in the policy, rule, and the first day it may strike."""
    caps: tuple[tuple[str, Cap], ...]
    profile: Profile | None = None


@dataclass(frozen=True, slots=True)
class Limited:
    """A fee that a cap made smaller, or kept away."""

    on: date
    kind: str
    wanted_cents: int
    charged_cents: int
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """What is owed for lateness at the end of a day, and why."""

    on: date
    scheme: Scheme
    entries: tuple[Entry, ...]
    """Fees and waivers in order of date; their sum is what is owed in fees."""
    interest: Interest
    interest_waived_cents: int = 0
    limited: tuple[Limited, ...] = ()
    next_fee_on: date | None = None
    next_interest_on: date | None = None

    @property
    def first_fee_on(self) -> date | None:
        """The first day on which a fee is possible at all."""
        return self.scheme.first_fee_on

    @property
    def next_change_on(self) -> date | None:
        """The next day on which this may change if nothing is paid; None where it cannot."""
        return min((day for day in (self.next_fee_on, self.next_interest_on) if day), default=None)

    @property
    def total_fee_cents(self) -> int:
        """All fees, less what was waived."""
        return sum(entry.amount_cents for entry in self.entries)

    @property
    def interest_cents(self) -> int:
        """All interest, less what was waived."""
        return self.interest.cents - self.interest_waived_cents

    @property
    def capped_by(self) -> str | None:
        """Which cap limited a fee, the last one if several did."""
        return self.limited[-1].by if self.limited else None


def assess(case: Case, on: date, profile: Profile | None = None) -> Assessment:
    """What is owed in late fees and interest at the end of a day."""
    lateness = Lateness(case, on)
    scheme = scheme_of(case.terms, lateness.calendar, profile)
    charging = _Charging(scheme, lateness)
    next_fee_on = charging.charge_until(on)
    raw = accrued_by(scheme, lateness, on)
    interest = _within_caps(raw, charging, on)
    waived = _fees_waived(charging.entries, scheme, [item for item in case.waivers if item.on <= on])
    return Assessment(
        on=on,
        scheme=scheme,
        entries=tuple(
            sorted([*charging.entries, *waived], key=lambda entry: (entry.on, entry.kind == "waiver"))
        ),
        interest=interest,
        interest_waived_cents=_interest_waived(case, scheme, interest, on),
        limited=tuple(charging.limited),
        next_fee_on=next_fee_on,
        next_interest_on=_next_interest(scheme, lateness, on) if interest == raw else None,
    )


def scheme_of(terms: LateTerms, calendar: FeeCalendar, profile: Profile | None = None) -> Scheme:
    """The policy's dates, rules and caps, each within what the law allows."""
    policy = terms.policy
    lawful = profile if profile and profile.applies(terms.due_on) else None
    agreed = calendar.first_fee_on(terms.due_on, policy.grace)
    first = agreed
    caps = [("cap", policy.cap)] if policy.cap else []
    rules = tuple(enumerate(policy.rules))
    if lawful:
        allowed_from = lawful.first_fee_on(terms, calendar)
        first = max(agreed, allowed_from) if agreed and allowed_from else None
        legal_cap = lawful.cap_for(terms.units)
        caps += [(lawful.key, legal_cap)] if legal_cap else []
        rules = lawful.lawful(policy.rules)
    in_force = tuple(rule for _, rule in rules)
    starts = [start_of(rule, in_force, first, calendar) if first else None for rule in in_force]
    return Scheme(
        first_fee_on=first,
        agreed_first_on=agreed,
        rules=tuple((place, rule, start) for (place, rule), start in zip(rules, starts, strict=True)),
        caps=tuple(caps),
        profile=lawful,
    )


def accrued_by(scheme: Scheme, lateness: Lateness, on: date) -> Interest:
    """The interest that has accrued, before any cap."""
    return accrued(lateness, scheme.first_fee_on, on, lawful_only=scheme.profile is not None)


@dataclass(slots=True)
class _Charging:
    """Strikes of all rules in order of date, each within what the caps leave room for."""

    scheme: Scheme
    lateness: Lateness
    entries: list[Entry] = field(default_factory=list)
    limited: list[Limited] = field(default_factory=list)
    charged_cents: int = 0

    def charge_until(self, on: date) -> date | None:
        """Charge every day up to a date; the next day on which a fee would come."""
        due: list[tuple[date, int, int, FeeRule]] = []
        following: list[tuple[date, int, int, FeeRule]] = []
        for place, rule, start in self.scheme.rules:
            if start is None:
                continue
            for nth, day in enumerate(strikes(rule, start, self.lateness), start=1):
                (due if day <= on else following).append((day, place, nth, rule))
                if day > on:
                    break
        for strike in sorted(due, key=lambda item: item[:3]):
            self._charge(*strike)
        return min((day for day, _, nth, rule in following if self._has_room(day, rule, nth)), default=None)

    def _charge(self, day: date, place: int, nth: int, rule: FeeRule) -> None:
        wanted = worth(rule, self._base(day), nth)
        amount, working = within(wanted, self.room(day))
        if working.limit is not None:
            self.limited.append(Limited(day, rule.kind, wanted.comes_to_cents, amount, working.limit.by))
        if amount:
            formula = fee_workings.in_words(working, self.lateness.terms.currency)
            self.entries.append(Entry(day, rule.kind, amount, formula, place, rule.kind, working))
            self.charged_cents += amount

    def room(self, day: date) -> Limit | None:
        """The cap that leaves least on a day, and how much; waived fees count as charged."""
        base, profile = self._base(day), self.scheme.profile
        limits: list[Limit] = []
        for name, cap in self.scheme.caps:
            most = limit_cents(cap, rent_cents=base.rent_cents, late_cents=base.late_cents)
            law = profile.name if profile and profile.key == name else None
            by = f"{name}: {in_words(cap, base.currency)} = {format_cents(most, base.currency)}"
            limits.append(Limit(law, most, max(most - self.charged_cents, 0), by))
        return min(limits, key=attrgetter("left_cents"), default=None)

    def _has_room(self, day: date, rule: FeeRule, nth: int) -> bool:
        room = self.room(day)
        is_left = room is None or room.left_cents > 0
        return is_left and worth(rule, self._base(day), nth).comes_to_cents > 0

    def _base(self, day: date) -> Base:
        terms = self.lateness.terms
        return Base(terms.tenant_rent_cents, self.lateness.late_cents(day), terms.currency)


def _within_caps(interest: Interest, charging: _Charging, on: date) -> Interest:
    """A legal cap is on everything that is asked for being late, so interest has what fees left of it."""
    if charging.scheme.profile is None or not interest.cents or interest.working is None:
        return interest
    cents, working = within(interest.working, charging.room(on))
    if working.limit is None:
        return interest
    charging.limited.append(Limited(on, "interest", interest.cents, cents, working.limit.by))
    return Interest(cents, working)


def _fees_waived(entries: Sequence[Entry], scheme: Scheme, waivers: Sequence[Waiver]) -> list[Entry]:
    """A waiver takes away the fees up to its day, and the one that comes once even if its day moves later."""
    once = {place for place, rule, _ in scheme.rules if not rule.repeats}
    left = [entry.amount_cents for entry in entries]
    found: list[Entry] = []
    for waiver in sorted((item for item in waivers if item.of == "fees"), key=lambda item: item.on):
        budget = sum(left) if waiver.amount_cents is None else waiver.amount_cents
        for index, entry in enumerate(entries):
            if entry.on > waiver.on and entry.rule not in once:
                continue
            taken = min(left[index], budget)
            left[index] -= taken
            budget -= taken
            if taken:
                day = max(entry.on, waiver.on)
                found.append(Entry(day, "waiver", -taken, _why(waiver), entry.rule, entry.rule_kind))
    return found


def _why(waiver: Waiver) -> str:
    by = f" by {waiver.by}" if waiver.by else ""
    reason = f": {waiver.reason}" if waiver.reason else ""
    return f"waived on {waiver.on}{by}{reason}"


def _interest_waived(case: Case, scheme: Scheme, interest: Interest, on: date) -> int:
    waived = 0
    for waiver in sorted(case.waivers, key=lambda item: item.on):
        if waiver.of == "interest" and waiver.on <= on:
            accrued_then = accrued_by(scheme, Lateness(case, on), waiver.on).cents
            most = max(accrued_then - waived, 0)
            waived += most if waiver.amount_cents is None else min(most, waiver.amount_cents)
    return min(waived, interest.cents)


def _next_interest(scheme: Scheme, lateness: Lateness, on: date) -> date | None:
    if lateness.terms.policy.interest_apr is None or scheme.first_fee_on is None:
        return None
    return lateness.first_late_from(max(scheme.first_fee_on, on + _ONE_DAY))
