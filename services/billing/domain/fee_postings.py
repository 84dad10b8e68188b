"""What the ledger should hold of late fees at a date, and what is missing to it.

Lines are only ever added. What is no longer owed is taken back by a line of less than nothing that counts
from the same day, so that for whoever replays the ledger the fee never was.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Final, Literal

from services.billing.domain.fee_workings import Working, in_words
from services.billing.domain.interest import Interest
from services.billing.domain.jurisdictions import Profile
from services.billing.domain.late_fees import Assessment, Entry, assess
from services.billing.domain.late_terms import Case
from services.billing.domain.lateness import Lateness
from services.billing.domain.periods import months_after
from shared.money import format_cents

LineKind = Literal["late_fee", "interest", "waiver"]
KINDS: Final[tuple[LineKind, ...]] = ("late_fee", "interest", "waiver")


@dataclass(frozen=True, slots=True)
class FeeLine:
    """A line of the ledger about lateness. Kind, rule and day are what it is known by."""

    kind: LineKind
    rule: str
    """Which rule of the policy, as "daily.2": its kind and its place; or "interest"."""
    counts_on: date
    amount_cents: int
    formula: str
    working: Working | None = field(default=None, compare=False)
    """The formula as values, for whoever is told of the line; the ledger keeps the words alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Postings:
    """All lines that should be there at a date, and the next date on which there may be more."""

    found: Assessment
    lines: tuple[FeeLine, ...]
    next_on: date | None

    @property
    def total_cents(self) -> int:
        """Fees and posted interest, less what was waived."""
        return sum(line.amount_cents for line in self.lines)


def postings(case: Case, on: date, profile: Profile | None = None) -> Postings:
    """The lines that the ledger should hold at the end of a day.

    Fees are posted as they come. Interest accrues by days and is posted a month after the first fee date,
    and every month after that, and on the day on which what is late was paid: nobody is sent a line of
    cents a day.
    """
    found = assess(case, on, profile)
    interest, next_interest_on = _interest_lines(case, found, profile)
    fees = [_fee_line(entry) for entry in found.entries]
    upcoming = [day for day in (found.next_fee_on, next_interest_on) if day is not None]
    return Postings(
        found=found,
        lines=tuple(
            sorted(_merged([*fees, *interest]), key=lambda line: (line.counts_on, KINDS.index(line.kind)))
        ),
        next_on=min(upcoming, default=None),
    )


def missing(wanted: Iterable[FeeLine], posted: Iterable[FeeLine], currency: str = "USD") -> list[FeeLine]:
    """The lines that make what is posted into what is wanted; none where it already is."""
    there: defaultdict[tuple[LineKind, str, date], int] = defaultdict(int)
    for line in posted:
        there[line.kind, line.rule, line.counts_on] += line.amount_cents
    found = []
    for line in wanted:
        had = there.pop((line.kind, line.rule, line.counts_on), 0)
        if line.amount_cents != had:
            found.append(_difference(line, had, currency))
    for (kind, rule, on), had in there.items():
        if had:
            found.append(_difference(FeeLine(kind, rule, on, 0, ""), had, currency))
    return sorted(found, key=lambda line: (line.counts_on, KINDS.index(line.kind), line.rule))


def _difference(line: FeeLine, had: int, currency: str) -> FeeLine:
    if not had:
        return line
    owed = format_cents(line.amount_cents, currency) if line.amount_cents else "nothing"
    formula = f"{format_cents(had, currency)} was posted for {line.counts_on}, {owed} is owed"
    if line.formula:
        formula += f" ({line.formula})"
    working = replace(line.working, posted_cents=had) if line.working else None
    return replace(line, amount_cents=line.amount_cents - had, formula=formula, working=working)


def _fee_line(entry: Entry) -> FeeLine:
    return FeeLine(
        "waiver" if entry.kind == "waiver" else "late_fee",
        f"{entry.rule_kind}.{(entry.rule or 0) + 1}",
        entry.on,
        entry.amount_cents,
        entry.formula,
        entry.working,
    )


def _interest_lines(
    case: Case, found: Assessment, profile: Profile | None
) -> tuple[list[FeeLine], date | None]:
    if case.terms.policy.interest_apr is None or found.first_fee_on is None:
        return [], None
    lateness = Lateness(case, found.on)
    paid_off = set(_days_paid_off(lateness, found.first_fee_on))
    monthly = _anniversaries(found.first_fee_on, found.on)
    waived = {waiver.on for waiver in case.waivers if waiver.of == "interest"}
    lines: list[FeeLine] = []
    gross, let_go = 0, 0
    for day in sorted(item for item in paid_off | set(monthly) | waived if item <= found.on):
        then = assess(case, day, profile)
        if day in paid_off or day in monthly:
            lines.append(_interest_line(day, then.interest, gross, case.terms.currency))
            gross = then.interest.cents
        waives = min(then.interest_waived_cents, gross)
        lines.append(FeeLine("waiver", "interest", day, let_go - waives, "interest waived"))
        let_go = waives
    grows = found.next_interest_on is not None
    following = months_after(found.first_fee_on, len(monthly) + 1) if grows else None
    return [line for line in lines if line.amount_cents], following


def _interest_line(day: date, interest: Interest, posted_cents: int, currency: str) -> FeeLine:
    formula = in_words(interest.working, currency) if interest.working else ""
    return FeeLine("interest", "interest", day, interest.cents - posted_cents, formula, interest.working)


def _anniversaries(first_fee_on: date, on: date) -> list[date]:
    found: list[date] = []
    while (following := months_after(first_fee_on, len(found) + 1)) <= on:
        found.append(following)
    return found


def _days_paid_off(lateness: Lateness, first_fee_on: date) -> Iterable[date]:
    """Days from the first fee date on whose money covered all that was late."""
    was_late = lateness.late_cents(first_fee_on) > 0
    for day in lateness.changes:
        if day < first_fee_on:
            continue
        is_late = lateness.late_cents(day) > 0
        if was_late and not is_late:
            yield day
        was_late = is_late


def _merged(lines: Sequence[FeeLine]) -> list[FeeLine]:
    """One line for what two waivers take from one fee on one day."""
    found: dict[tuple[LineKind, str, date], FeeLine] = {}
    for line in lines:
        key = (line.kind, line.rule, line.counts_on)
        before = found.get(key)
        amount = line.amount_cents + (before.amount_cents if before else 0)
        formula = (
            line.formula
            if before is None or before.formula == line.formula
            else f"{before.formula}; {line.formula}"
        )
        found[key] = replace(line, amount_cents=amount, formula=formula)
    return [line for line in found.values() if line.amount_cents]
