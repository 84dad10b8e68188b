"""All SQL of the scheduler; a file per subject. `now` is always an argument: nothing here reads a clock."""

from services.scheduler.store.backfills import BackfillStore
from services.scheduler.store.due import DueStore
from services.scheduler.store.history import HistoryStore
from services.scheduler.store.occurrences import OccurrenceStore
from services.scheduler.store.reports import ReportStore
from services.scheduler.store.schedules import ScheduleStore
from services.scheduler.store.starts import StartStore
from services.scheduler.store.story import trace
from services.scheduler.store.zones import ZoneStore

__all__ = [
    "BackfillStore",
    "DueStore",
    "HistoryStore",
    "OccurrenceStore",
    "ReportStore",
    "ScheduleStore",
    "StartStore",
    "ZoneStore",
    "trace",
]
