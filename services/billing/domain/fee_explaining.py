"""Why a late fee is what it is, and why there is none, in sentences with every date and amount."""

from collections.abc import Iterator
from datetime import date, timedelta

from services.billing.domain import fee_workings
from services.billing.domain.fee_caps import in_words
from services.billing.domain.fee_rules import FeeRule
from services.billing.domain.jurisdictions import Profile
from services.billing.domain.late_fees import Assessment
from services.billing.domain.late_terms import Case
from services.billing.domain.lateness import Lateness
from shared.money import format_cents


def explain(case: Case, found: Assessment, profile: Profile | None = None) -> tuple[str, ...]:
    """All that was looked at, in the order in which it decides. `profile` is the chosen one."""
    lateness = Lateness(case, found.on)
    return (
        *_dates(case, found),
        *_law(case, found, profile),
        *_holds(case),
        _late(case, lateness, found.on),
        *_rules(case, found, lateness),
        *_limits(case, found),
        *(
            f"{_money(case, -item.amount_cents)} {item.formula}."
            for item in found.entries
            if item.amount_cents < 0
        ),
        *_interest(case, found),
        _next(found),
    )


def _dates(case: Case, found: Assessment) -> Iterator[str]:
    grace = case.terms.policy.grace
    kind = "business day" if grace.business_days else "day"
    days = f"{grace.days} {kind}{'' if grace.days == 1 else 's'} of grace"
    how = "all of them free" if grace.convention == "full_days" else "the last of them is the day of the fee"
    if not grace.days:
        how = "a fee comes the day after the due date at the earliest"
    first = found.scheme.agreed_first_on
    when = (
        f"the first possible fee is on {first}" if first else "a hold without an end leaves no day for a fee"
    )
    yield f"Due on {case.terms.due_on}; {days}, {how}: {when}."


def _law(case: Case, found: Assessment, profile: Profile | None) -> Iterator[str]:
    if profile is None:
        return
    if found.scheme.profile is None:
        yield (
            f"{profile.name} ({profile.citation}) is known to be in force since {profile.effective_on}; "
            f"this was due before, so it limits nothing."
        )
        return
    allowed = [f"no fee before {found.first_fee_on}"] if found.first_fee_on else []
    cap = profile.cap_for(case.terms.units)
    if cap:
        allowed.append(f"at most {in_words(cap, case.terms.currency)}, fees and interest together")
    if profile.once:
        allowed.append("one fee for each late payment")
    if profile.one_rule:
        allowed.append("one kind of fee only")
    if profile.within_period:
        allowed.append(f"nothing after the rental period, which ends on {case.terms.rental_period[1]}")
    if profile.rent_first:
        allowed.append("payments go to rent first")
    source = f"{profile.citation}, since {profile.effective_on}, from {profile.source}: {profile.evidence}"
    yield f"{profile.name}: {'; '.join(allowed)} ({source})."


def _holds(case: Case) -> Iterator[str]:
    after = "do" if case.terms.policy.hold_days_count else "do not"
    for hold in sorted(case.holds, key=lambda item: item.from_on):
        end = f"to {hold.to_on}" if hold.to_on else "without an end"
        days = f"no fee inside; its days {after} count afterwards"
        yield f"Hold ({hold.kind}) from {hold.from_on} {end}: {days}."


def _late(case: Case, lateness: Lateness, on: date) -> str:
    terms = case.terms
    owed = [f"rent {_money(case, terms.tenant_rent_cents)}"]
    if terms.subsidy_cents:
        owed[0] += f" (without the subsidy of {_money(case, terms.subsidy_cents)})"
    if terms.countable_cents > terms.tenant_rent_cents:
        owed.append(f"charges {_money(case, terms.charges_cents)}")
    paid, late = _money(case, lateness.paid_cents(on)), _money(case, lateness.late_cents(on))
    verb = "is late" if on > terms.due_on else "is open"
    return f"On {on} {late} {verb}: {' and '.join(owed)}, less {paid} received by then."


def _rules(case: Case, found: Assessment, lateness: Lateness) -> Iterator[str]:
    starts = {place: start for place, _, start in found.scheme.rules}
    for place, rule in enumerate(case.terms.policy.rules):
        charged = [item for item in found.entries if item.rule == place and item.amount_cents > 0]
        name = f"Rule {place + 1} ({rule.kind})"
        if not charged:
            yield f"{name}: no fee. {_why_not(place, rule, starts, found, lateness)}"
        elif len(charged) == 1:
            yield f"{name}: on {charged[0].on}, {charged[0].formula}."
        else:
            total = _money(case, sum(item.amount_cents for item in charged))
            yield f"{name}: {len(charged)} fees from {charged[0].on} to {charged[-1].on}, together {total}."
    if not case.terms.policy.rules:
        yield "The policy has no late-fee rule."


def _why_not(
    place: int, rule: FeeRule, starts: dict[int, date | None], found: Assessment, lateness: Lateness
) -> str:
    if place not in starts:
        return "The law of the place allows only one of the rules."
    start = starts[place]
    if start is None:
        return "A hold without an end leaves no day for it."
    if found.on < start:
        return f"It may begin on {start}."
    if any(item.kind == rule.kind and item.charged_cents == 0 for item in found.limited):
        return "The cap left nothing for it."
    return _not_late_enough(start, found.on, lateness)


def _not_late_enough(start: date, on: date, lateness: Lateness) -> str:
    money = lateness.terms.currency
    struck = lateness.first_late_from(start)
    if struck is not None and struck > on:
        return f"A hold covers the days from {start} on; the first day outside is {struck}."
    late = lateness.late_cents(start)
    least = lateness.terms.policy.minimum_balance_cents
    if late:
        return (
            f"{format_cents(late, money)} is late, less than the least of {format_cents(least, money)} "
            f"that earns a fee; it stays due."
        )
    covered = _covered_on(start, lateness)
    if covered is None:
        return "Nothing was due."
    when = "on the due date or before" if covered <= lateness.terms.due_on else "in time"
    return f"Paid {when}: what counts was covered on {covered}, by the end of {start}."


def _covered_on(start: date, lateness: Lateness) -> date | None:
    covered: date | None = None
    for day in reversed([item for item in lateness.changes if item <= start]):
        if lateness.late_cents(day):
            break
        covered = day
    return covered


def _limits(case: Case, found: Assessment) -> Iterator[str]:
    fees = [item for item in found.limited if item.kind != "interest"]
    for by in dict.fromkeys(item.by for item in fees):
        items = [item for item in fees if item.by == by]
        first = items[0]
        wanted, charged = _money(case, first.wanted_cents), _money(case, first.charged_cents)
        more = f", and {len(items) - 1} later fees" if len(items) > 1 else ""
        yield f"Limited by {by}: on {first.on} {charged} instead of {wanted}{more}; waived fees count."


def _interest(case: Case, found: Assessment) -> Iterator[str]:
    if case.terms.policy.interest_apr is None:
        return
    if found.interest.working is not None:
        formula = fee_workings.in_words(found.interest.working, case.terms.currency)
        yield f"Interest: {formula}; accrued by days, rounded once."
    else:
        yield "Interest: none; nothing was late from the first fee date on."
    if found.interest_waived_cents:
        yield f"{_money(case, found.interest_waived_cents)} of interest was waived."


def _next(found: Assessment) -> str:
    if found.next_change_on is None:
        return "If nothing is paid or reversed, nothing more will be charged."
    day = "tomorrow" if found.next_change_on == found.on + timedelta(days=1) else "next"
    return f"If nothing is paid, the total changes {day}, on {found.next_change_on}."


def _money(case: Case, cents: int) -> str:
    return format_cents(cents, case.terms.currency)
