"""What becomes of each instant that has come due: announced, made to wait, or left out and why."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from services.scheduler.domain.catch_up import Announced, Arrears, plan_catch_up
from services.scheduler.domain.rules import Rules

Reason = Literal[
    "window",
    "cap",
    "policy",
    "coalesced",
    "max_runs",
    "overlap",
    "paused",
    "held_back",
    "zone_left",
]


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Instants that are not announced, as history keeps them."""

    scheduled_for: datetime
    state: Literal["missed", "skipped"]
    """Missed is what nobody ran; skipped is what another run stands for, or had to give way to."""
    reason: Reason
    count: int = 1


@dataclass(frozen=True, slots=True)
class Decision:
    """What is announced now, what waits for the end of another run, and what is left out."""

    announce: tuple[Announced, ...]
    queue: Announced | None
    left_out: tuple[LeftOut, ...]

    @property
    def runs(self) -> int:
        """How many runs it comes to."""
        return len(self.announce) + (self.queue is not None)


@dataclass(frozen=True, slots=True)
class Slot:
    """What is under way of a schedule."""

    is_open: bool = False
    """A run has no outcome yet."""
    has_queued: bool = False
    """Another one waits for it."""


def decide(due: Arrears, *, now: datetime, rules: Rules, runs: int = 0, slot: Slot = Slot()) -> Decision:
    """Divide what has come due. Every instant is in exactly one part, or counted by a row of `left_out`.

    An overlap is one with a run that was under way before; what is caught up together may go together.
    """
    plan = plan_catch_up(due.instants, now=now, rules=rules.catching_up)
    spoken_for = {item.scheduled_for for item in plan.publish} | {item.scheduled_for for item in plan.missed}
    left_out = [LeftOut(item.scheduled_for, "missed", item.reason) for item in plan.missed]
    left_out += [
        LeftOut(moment, "skipped", "coalesced") for moment in due.instants if moment not in spoken_for
    ]
    left_out += _between(due, now, rules)
    room = len(plan.publish) if rules.max_runs is None else max(rules.max_runs - runs, 0)
    left_out += [LeftOut(item.scheduled_for, "missed", "max_runs") for item in plan.publish[room:]]
    announce, queue, gave_way = _past_the_slot(plan.publish[:room], rules, slot)
    left_out += [LeftOut(item.scheduled_for, "skipped", "overlap") for item in gave_way]
    return Decision(announce, queue, tuple(sorted(left_out, key=lambda item: item.scheduled_for)))


def nobody_there(due: Arrears) -> Decision:
    """Leave out what has come due in a zone that no property is in any more."""
    left_out = [LeftOut(moment, "skipped", "zone_left") for moment in due.instants]
    if due.between_from is not None:
        left_out.insert(1, LeftOut(due.between_from, "skipped", "zone_left", due.between))
    return Decision((), None, tuple(left_out))


def _between(due: Arrears, now: datetime, rules: Rules) -> list[LeftOut]:
    if due.between_from is None:
        return []
    if now - due.between_from > rules.catch_up_window:
        return [LeftOut(due.between_from, "missed", "window", due.between)]
    if rules.catch_up == "skip":
        return [LeftOut(due.between_from, "missed", "policy", due.between)]
    if rules.catch_up == "all":
        return [LeftOut(due.between_from, "missed", "cap", due.between)]
    return [LeftOut(due.between_from, "skipped", "coalesced", due.between)]


def _past_the_slot(
    wanted: Sequence[Announced], rules: Rules, slot: Slot
) -> tuple[tuple[Announced, ...], Announced | None, Sequence[Announced]]:
    if rules.overlap == "allow" or not (slot.is_open or slot.has_queued):
        return tuple(wanted), None, ()
    if rules.overlap == "queue_one" and wanted and not slot.has_queued:
        return (), wanted[-1], wanted[:-1]
    return (), None, wanted
