"""All SQL of the scheduler; a file per subject."""

from services.scheduler.store.schedules import SchedulerStore
from services.scheduler.store.starts import StartStore
from services.scheduler.store.story import trace
from services.scheduler.store.zones import ZoneStore

__all__ = ["SchedulerStore", "StartStore", "ZoneStore", "trace"]
