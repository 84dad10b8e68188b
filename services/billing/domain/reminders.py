"""Which reminder of an invoice is due on a day, which are not, and why.

A stage is a number of days from the due date: -3, -1, 1, 7, 30. What is decided depends on the day and on
what was decided before, and not on how often it was asked: who asks on the days that a decision announces
says exactly what somebody who asks daily says.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Final, Literal

from services.billing.domain.fee_calendar import Hold

Outcome = Literal["said", "collapsed", "dropped"]

Why = Literal[
    "say",
    "waiting",
    "nothing_left",
    "void",
    "paid",
    "held",
    "charge_under_way",
    "told_today",
]

QUIET_AFTER_ISSUE: Final = timedelta(days=2)
"""Nobody is told that an invoice is overdue on the day it was issued, or the morning after."""

_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Stage:
    """What was decided about one stage: a row that is never written twice."""

    stage: int
    outcome: Outcome
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Remindable:
    """An invoice as reminders see it."""

    issued_on: date
    due_on: date
    open_cents: int
    state: str = "open"
    decided: Mapping[int, Outcome] = field(default_factory=dict)
    """The stages of this due date that are decided; those of another one do not count."""
    holds: Sequence[Hold] = ()
    charge_on: date | None = None
    """When it is charged by itself; None where its tenant has to pay."""

    def earliest(self, stage: int) -> date:
        """The first day on which a stage may be said."""
        day = self.due_on + stage * _DAY
        return day if stage <= 0 else max(day, self.issued_on + QUIET_AFTER_ISSUE)

    def latest(self, stage: int) -> date | None:
        """The last day on which it still makes sense; None where it always does."""
        if stage > 0:
            return None
        return self.due_on if stage == 0 else self.due_on - _DAY

    @property
    def closed(self) -> Literal["void", "paid"] | None:
        """Why nothing is owed on it; None where something is."""
        if self.state == "void":
            return "void"
        return "paid" if self.state == "paid" or self.open_cents <= 0 else None

    @property
    def last_said(self) -> int | None:
        """The latest stage its tenants have heard of."""
        return max((stage for stage, outcome in self.decided.items() if outcome == "said"), default=None)


@dataclass(frozen=True, slots=True)
class Decision:
    """What is to be done about an invoice on a day."""

    why: Why
    say: int | None = None
    stages: tuple[Stage, ...] = ()
    """What is decided now, for good."""
    next_on: date | None = None
    """When to look again; None where nothing can become due any more."""


def decide(invoice: Remindable, stages: Sequence[int], on: date, *, told_today: bool = False) -> Decision:
    """What its tenants are to be told on a day, if anything.

    `told_today`: one of them had a reminder on this day already, and gets no second one.
    """
    if invoice.closed is not None:
        return Decision(invoice.closed)
    if any(hold.covers(on) for hold in invoice.holds):
        return Decision("held", next_on=on + _DAY)
    pending = [stage for stage in sorted(stages) if _undecided(invoice, stage)]
    dropped = [
        Stage(stage, "dropped", reason) for stage in pending if (reason := _too_late(invoice, stage, on))
    ]
    left = [stage for stage in pending if stage not in {item.stage for item in dropped}]
    due = [stage for stage in left if invoice.earliest(stage) <= on]
    if not due:
        return _wait(invoice, left, dropped)
    if told_today:
        return Decision("told_today", next_on=on + _DAY)
    if due[-1] > 0 and invoice.charge_on is not None and invoice.charge_on < on:
        return Decision("charge_under_way", next_on=on + _DAY)
    return _say(invoice, left, due, dropped)


def upcoming(invoice: Remindable, decision: Decision, stages: Sequence[int], on: date) -> date | None:
    """When the next of some other stages comes, after a decision for stages that somebody asked for."""
    decided = {**invoice.decided, **{item.stage: item.outcome for item in decision.stages}}
    after = replace(invoice, decided=decided)
    days = (max(after.earliest(stage), on + _DAY) for stage in stages if _undecided(after, stage))
    return min(days, default=None)


def applicable(invoice: Remindable, stage: int) -> bool:
    """Whether a stage is one for this invoice at all: it came before the stage's day."""
    return stage > 0 or invoice.earliest(stage) > invoice.issued_on


def _undecided(invoice: Remindable, stage: int) -> bool:
    """A stage before one that was said is over: a list that is edited later repeats nothing."""
    said = invoice.last_said
    return stage not in invoice.decided and (said is None or stage > said)


def _too_late(invoice: Remindable, stage: int, on: date) -> str | None:
    if not applicable(invoice, stage):
        return "issued_later"
    latest = invoice.latest(stage)
    return "due_date_reached" if latest is not None and on > latest else None


def _wait(invoice: Remindable, left: Sequence[int], dropped: Sequence[Stage]) -> Decision:
    next_on = min(map(invoice.earliest, left), default=None)
    return Decision("waiting" if left else "nothing_left", stages=tuple(dropped), next_on=next_on)


def _say(invoice: Remindable, left: Sequence[int], due: Sequence[int], dropped: Sequence[Stage]) -> Decision:
    """The latest stage that is due is said; the others that were missed are part of it."""
    chosen = due[-1]
    missed = [item.stage for item in dropped if item.reason == "due_date_reached"] + list(due[:-1])
    decided = [
        *(item for item in dropped if item.stage not in missed),
        *(Stage(stage, "collapsed", f"into {chosen}") for stage in missed),
        Stage(chosen, "said"),
    ]
    return Decision(
        "say",
        say=chosen,
        stages=tuple(decided),
        next_on=min((invoice.earliest(stage) for stage in left if stage > chosen), default=None),
    )
