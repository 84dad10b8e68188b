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
        return f"every {every} from {_moment_words(document['anchor'])} on"
    if kind == "calendar_days":
        return (
            f"every {_ordinary(document['every_days'], 'day')} at {document['time']}"
            f" from {document['start_date']} on, {where}"
        )
    if kind == "monthly":
        return f"{_monthly_words(document)}, {where}"
    at = datetime.fromisoformat(document["at"])
    there = f", {where}" if where and at.tzinfo is None else ""
    return f"once, at {_moment_words(document['at'])}{there}"


def _cron_words(expression: str) -> str:
    return str(CronSim(expression, datetime(2026, 1, 1, tzinfo=UTC)).explain())


def _monthly_words(document: dict[str, Any]) -> str:
    day = "the last day" if document["day"] == "last" else f"day {document['day']}"
    words = f"on {day} of every {_ordinary(document['every_months'], 'month')} at {document['time']}"
    if document["day"] != "last" and document["day"] > 28:
        skips = document.get("overflow") == "skip"
        words += " (a month without it is left out)" if skips else " (the last day where there is none)"
    return f"{words} from {document['start_month']} on"


def _moment_words(text: str) -> str:
    """A moment as people read it; one that has an offset in UTC, another one as it is at its place."""
    moment = datetime.fromisoformat(text)
    seconds = ":%S" if moment.second else ""
    if moment.tzinfo is None:
        return f"{moment:%Y-%m-%d %H:%M{seconds}}"
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M{seconds}} UTC"


def _ordinary(number: int, unit: str) -> str:
    return unit if number == 1 else f"{number} {unit}s"
