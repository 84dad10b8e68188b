"""The policies of a schedule as people write and read them: `catch-up=all`, `run-timeout=15m`."""

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any, Final, get_args

from services.scheduler.domain.catch_up import Policy
from services.scheduler.domain.rules import OnExcluded, Overlapping, Rules
from shared.contracts.base import as_utc

_UNITS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_DURATION: Final = re.compile(r"(\d{1,12})([smhd])", re.ASCII)
_LONGEST: Final = timedelta(days=36_500)


class InvalidRule(ValueError):
    """A policy that makes no sense; the message begins with its name."""


def parse_rules(texts: Iterable[str], base: Rules) -> Rules:
    """Policies over those that are there; raises `InvalidRule`. `none` takes a limit away."""
    changes: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or name not in READERS:
            raise InvalidRule(f"{name}: is no rule with a value; there are {', '.join(READERS)}")
        field, read = READERS[name]
        try:
            changes[field] = read(value)
        except ValueError as error:
            raise InvalidRule(f"{name}: {error}") from None
    return replace(base, **changes)


def parse_duration(text: str) -> timedelta:
    """A length of time: 90s, 15m, 36h, 31d."""
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a length of time such as 90s, 15m, 36h or 31d")
    seconds = int(match[1]) * _UNITS[match[2]]
    if seconds > _LONGEST.total_seconds():
        raise ValueError(f"{text!r} is more than a hundred years")
    return timedelta(seconds=seconds)


def duration_text(length: timedelta) -> str:
    """A length of time in its largest whole unit."""
    seconds = length.total_seconds()
    for unit in "dhm":
        if seconds and seconds % _UNITS[unit] == 0:
            return f"{seconds // _UNITS[unit]:.0f}{unit}"
    return f"{seconds:g}s"


def rules_in_words(rules: Rules) -> dict[str, str]:
    """What the policies come to, for people; what has no effect is left out."""
    words = {
        "catches up": _catch_up_words(rules),
        "on time within": duration_text(rules.grace),
        "overlap": _OVERLAP_WORDS[rules.overlap],
        "run timeout": duration_text(rules.run_timeout) if rules.run_timeout else "none",
    }
    if rules.start_deadline:
        words["start deadline"] = duration_text(rules.start_deadline)
    if rules.excluded or rules.exclude_weekends:
        days = [day.isoformat() for day in rules.excluded] + ["weekends"] * rules.exclude_weekends
        then = "left out" if rules.on_excluded == "skip" else "moved to the next business day"
        words["not on"] = f"{', '.join(days)} ({then})"
    if rules.jitter:
        words["jitter"] = f"up to {duration_text(rules.jitter)}, the same for each instant"
    for name, moment in (("not before", rules.start_at), ("not after", rules.end_at)):
        if moment is not None:
            words[name] = f"{moment:%Y-%m-%d %H:%M:%S %Z}"
    if rules.max_runs is not None:
        words["at most"] = "1 run" if rules.max_runs == 1 else f"{rules.max_runs} runs"
    return words


def rule_changes(former: Rules, changed: Rules) -> list[tuple[str, str | None, str | None]]:
    """Which policies are different: what each is called, what it was, and what it is; None is not set."""
    was, now = rules_in_words(former), rules_in_words(changed)
    return [(name, was.get(name), now.get(name)) for name in was | now if was.get(name) != now.get(name)]


_OVERLAP_WORDS: Final = {
    "skip": "a run is skipped while another is under way",
    "queue_one": "one run waits for the end of another",
    "allow": "runs may overlap",
}


def _catch_up_words(rules: Rules) -> str:
    window = duration_text(rules.catch_up_window)
    return {
        "skip": "with nothing; what is late is missed",
        "latest": f"with the latest for all, {window} back",
        "earliest": f"with the earliest for all, {window} back",
        "all": f"with each, {window} back, the newest {rules.catch_up_max}",
    }[rules.catch_up]


def _choice(*allowed: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        folded = text.replace("-", "_")
        if folded not in allowed:
            raise ValueError(f"{text!r} is not one of {', '.join(allowed)}")
        return folded

    return read


def _optional(read: Callable[[str], Any]) -> Callable[[str], Any]:
    return lambda text: None if text in {"", "none"} else read(text)


def _instant(text: str) -> datetime:
    try:
        return as_utc(datetime.fromisoformat(text))
    except ValueError:
        raise ValueError(f"{text!r} is not a moment with a zone, such as 2026-09-01T06:00:00Z") from None


def _positive(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 7) or not 0 < int(text) <= 1_000_000:
        raise ValueError(f"{text!r} is not a whole number from 1 to 1,000,000")
    return int(text)


def _positive_duration(text: str) -> timedelta:
    found = parse_duration(text)
    if not found:
        raise ValueError("it must last; `none` takes it away")
    return found


def _dates(text: str) -> tuple[date, ...]:
    if text in {"", "none"}:
        return ()
    return tuple(sorted({_date(part.strip()) for part in text.split(",")}))


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a date such as 2026-12-25") from None


READERS: Final[dict[str, tuple[str, Callable[[str], Any]]]] = {
    "catch-up": ("catch_up", _choice(*get_args(Policy))),
    "catch-up-window": ("catch_up_window", parse_duration),
    "catch-up-max": ("catch_up_max", _positive),
    "grace": ("grace", parse_duration),
    "overlap": ("overlap", _choice(*get_args(Overlapping))),
    "start-deadline": ("start_deadline", _optional(_positive_duration)),
    "run-timeout": ("run_timeout", _optional(_positive_duration)),
    "jitter": ("jitter", parse_duration),
    "start-at": ("start_at", _optional(_instant)),
    "end-at": ("end_at", _optional(_instant)),
    "max-runs": ("max_runs", _optional(_positive)),
    "exclude": ("excluded", _dates),
    "exclude-weekends": ("exclude_weekends", lambda text: _choice("yes", "no")(text) == "yes"),
    "on-excluded": ("on_excluded", _choice(*get_args(OnExcluded))),
}
"""Each rule by its name, with its field and how its value is read."""
