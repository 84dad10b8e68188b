"""Why a month counts as it does, and why it earned what it did, or nothing; in sentences."""

from collections.abc import Iterator

from services.rewards.domain.earning import Record
from services.rewards.domain.facts import first_day
from services.rewards.domain.months import Judged, Month, Verdict, Why
from services.rewards.domain.policies import PolicyBook, StreakTier
from shared.money import format_cents

_REASONS = {
    Why.COVERED: "its rent was covered on {covered_on}, due on {due_on}",
    Why.IN_GRACE: "its rent was covered on {covered_on}, after {due_on}, but before the first late fee"
    " was possible, which the policy takes as on time",
    Why.CAME_LATE: "its rent was covered on {covered_on}; the last day for that was {deadline_on}",
    Why.UNPAID: "its rent is open; the last day to pay it on time was {deadline_on}",
    Why.NO_RENT: "it asks for no rent",
    Why.VOID: "it was voided on {voided_on}",
    Why.FIRST_PARTIAL: "it is for the first, partial month of the lease, which the policy does not count",
    Why.NOT_DUE_YET: "nothing is judged before {deadline_on} is over",
    Why.MONTH_RUNS: "its rent was covered on {covered_on}, due on {due_on}",
}

_VERDICTS = {
    Verdict.ON_TIME: "on time",
    Verdict.LATE: "late",
    Verdict.NOT_COUNTED: "not counted",
    Verdict.PENDING: "not settled yet",
}


def explain(record: Record, policies: PolicyBook, period: str) -> list[str]:
    """What a month is for a tenant, invoice by invoice, and what every rule makes of it."""
    month = record.month(period)
    if month is None:
        return [f"{period}: no invoice names this tenant, so the month neither breaks a streak nor counts."]
    return [
        f"{period} is {_VERDICTS[month.verdict]}.",
        *(_of_invoice(item) for item in month.judged),
        *_of_streak(record, month),
        *_of_rules(record, month, policies),
        *_of_prepaying(record, period),
    ]


def _of_invoice(judged: Judged) -> str:
    invoice = judged.invoice
    reason = _REASONS[judged.why].format(
        covered_on=invoice.covered_on,
        due_on=invoice.due_on,
        deadline_on=judged.deadline_on,
        voided_on=invoice.voided_on,
    )
    return f"Invoice {invoice.number} is {_VERDICTS[judged.verdict]}: {reason}."


def _of_streak(record: Record, month: Month) -> Iterator[str]:
    if month.verdict is Verdict.ON_TIME:
        yield f"It is month {month.streak} on time in a row."
    elif month.verdict is Verdict.LATE:
        before = [item.streak for item in record.months if item.period < month.period]
        ended = before[-1] if before else 0
        yield (
            f"It ends a streak of {ended} months."
            if ended > 1
            else "No streak of several months ends with it."
        )
    else:
        yield f"The streak stays at {month.streak}."
    if month.why is Why.MONTH_RUNS:
        yield "More rent of the month may come: it counts when the month is over."


def _of_rules(record: Record, month: Month, policies: PolicyBook) -> Iterator[str]:
    policy = policies.policy(month.home.property_id, first_day(month.period))
    earned = {item.rule: item for item in record.earned if item.period == month.period}
    if not policy.streaks:
        yield "The policy of the month has no reward for a streak."
    for tier in policy.streaks:
        if tier.rule in earned:
            found = earned[tier.rule]
            yield f"{tier.rule} earns {format_cents(found.amount_cents, found.currency)}."
        else:
            yield f"{tier.rule} earns nothing: {_why_not(record, month, tier)}."


def _why_not(record: Record, month: Month, tier: StreakTier) -> str:
    if month.verdict is not Verdict.ON_TIME:
        return f"the month is {_VERDICTS[month.verdict]}"
    earlier = [item for item in record.earned if item.rule == tier.rule and item.period < month.period]
    if tier.pays == "once" and earlier:
        return f"it pays once, and did in {earlier[0].period}"
    if tier.pays == "every_time":
        return f"{tier.months - month.streak % tier.months} more months on time are needed"
    if month.streak > tier.months:
        return f"it pays once in a streak, and this one is {month.streak} months long"
    return f"{tier.months - month.streak} more months on time are needed"


def _of_prepaying(record: Record, period: str) -> Iterator[str]:
    for item in record.ahead:
        if f"{item.receipt.received_on:%Y-%m}" == period:
            ahead = format_cents(item.ahead_cents, item.receipt.currency)
            yield f"Of the payment of {item.receipt.received_on}, {ahead} was paid ahead."
    for earned in record.earned:
        if earned.kind == "prepayment" and earned.period == period:
            yield f"{earned.rule} earns {format_cents(earned.amount_cents, earned.currency)}."
