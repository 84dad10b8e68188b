"""A timetable in words, for people who do not read cron."""

from datetime import UTC, datetime, timedelta
from typing import Any

from cronsim import CronSim

from services.scheduler.domain.schedules import PROPERTY_ZONE
from services.scheduler.rule_texts import duration_text


def spec_in_words(document: dict[str, Any]) -> str:
    """What a timetable's document says, in one phrase."""
    kind = document.get("kind")
    where = document.get("timezone")
    if where == PROPERTY_ZONE:
        where = "in each property's time zone"
    if kind == "cron":
        return f"{_cron_words(document['expr'])}, {where}"
    if kind == "interval":
        every = duration_text(timedelta(seconds=document["every_seconds"]))
        return f"every {every} from {document['anchor']} on"
    if kind == "calendar_days":
        return (
            f"every {_ordinary(document['every_days'], 'day')} at {document['time']}"
            f" from {document['start_date']} on, {where}"
        )
    if kind == "monthly":
        return f"{_monthly_words(document)}, {where}"
    return f"once, at {document.get('at')}{f', {where}' if where else ''}"


def _cron_words(expression: str) -> str:
    return str(CronSim(expression, datetime(2026, 1, 1, tzinfo=UTC)).explain())


def _monthly_words(document: dict[str, Any]) -> str:
    day = "the last day" if document["day"] == "last" else f"day {document['day']}"
    words = f"on {day} of every {_ordinary(document['every_months'], 'month')} at {document['time']}"
    if document["day"] != "last" and document["day"] > 28:
        skips = document.get("overflow") == "skip"
        words += " (a month without it is left out)" if skips else " (the last day where there is none)"
    return f"{words} from {document['start_month']} on"


def _ordinary(number: int, unit: str) -> str:
    return unit if number == 1 else f"{number} {unit}s"
