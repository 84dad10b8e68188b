"""All SQL of the scheduler; a file per subject."""

from services.scheduler.store.schedules import SchedulerStore, trace

__all__ = ["SchedulerStore", "trace"]
