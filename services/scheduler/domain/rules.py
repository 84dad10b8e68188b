"""What a schedule does beside its timetable: its limits, days off, jitter, catching up and overlaps."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from hashlib import blake2b
from typing import Final, Literal
from uuid import UUID

from services.scheduler.domain.catch_up import ON_TIME, CatchUpRules, Policy

Overlapping = Literal["skip", "queue_one", "allow"]
"""While an earlier run has no outcome: leave the new one out, have one wait for its end, or go ahead."""

OnExcluded = Literal["skip", "next_business_day"]

RUN_TIMEOUT: Final = timedelta(hours=1)
"""A run without an outcome for so long is given up, and no longer keeps others from running."""


@dataclass(frozen=True, slots=True)
class Rules:
    """The policies of a schedule; each has the meaning that surprises least where nothing is said."""

    start_at: datetime | None = None
    end_at: datetime | None = None
    """Nothing is due before the first, or after the second."""
    max_runs: int | None = None
    """How often it is announced by itself; runs by hand and backfills do not count."""
    excluded: tuple[date, ...] = ()
    exclude_weekends: bool = False
    on_excluded: OnExcluded = "skip"
    jitter: timedelta = timedelta()
    catch_up: Policy = "latest"
    catch_up_window: timedelta = timedelta(days=31)
    catch_up_max: int = 100
    grace: timedelta = ON_TIME
    overlap: Overlapping = "skip"
    run_timeout: timedelta | None = RUN_TIMEOUT
    start_deadline: timedelta | None = None
    """By then some consumer has to have begun: a run that nobody takes up is told by it."""

    @property
    def catching_up(self) -> CatchUpRules:
        """How it catches up; what jitter delays is not late."""
        return CatchUpRules(self.catch_up, self.catch_up_window, self.catch_up_max, self.grace + self.jitter)

    def problems(self) -> Collection[str]:
        """What contradicts itself, in words; empty where all is well."""
        found = []
        if self.start_at and self.end_at and self.end_at <= self.start_at:
            found.append("it would end before it begins")
        if self.overlap != "allow" and self.run_timeout is None:
            found.append(f"overlap {self.overlap} needs a run timeout: one hung run would stop it for ever")
        if self.start_deadline and self.run_timeout and self.start_deadline > self.run_timeout:
            found.append("it would be given up before it had to start")
        if self.on_excluded != "skip" and not (self.excluded or self.exclude_weekends):
            found.append("there is no excluded day to move from")
        return found


def jitter_of(schedule_id: UUID, moment: datetime, following: datetime | None, most: timedelta) -> timedelta:
    """How long after its instant a run is announced: the same on every replica, and before the next one.

    Derived from what the run is, as systemd's `FixedRandomDelay` is from its machine: a delay by chance
    would differ between replicas.
    """
    room = min(most, following - moment) if following else most
    microseconds = room // timedelta(microseconds=1)
    if microseconds <= 0:
        return timedelta()
    digest = blake2b(f"{schedule_id}|{moment.timestamp():.6f}".encode(), digest_size=8).digest()
    return timedelta(microseconds=int.from_bytes(digest, "big") % microseconds)
