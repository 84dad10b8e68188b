"""`propman weather replay`."""

import json
import re
import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated, Final

import typer

from services.weather.domain.polls import NotAnAnswer, Poll, read_poll
from services.weather.domain.replay import replay as run_rules
from shared.cli import JsonOption, UsageProblem, counted, print_json, print_table, say, warning
from shared.cli.options import parse_instant

_ZONE: Final = re.compile(r"[A-Z]{2}[CZ](?:\d{3}|ALL)")

FilesArgument = Annotated[
    list[Path],
    typer.Argument(
        metavar="FILE…", help="Answers of /alerts/active, one file each, in order; - is standard input."
    ),
]
ZoneOption = Annotated[
    str | None,
    typer.Option("--zone", metavar="UGC", help="A zone that stands for a property, such as ALC129."),
]
EveryZoneOption = Annotated[
    bool, typer.Option("--every-zone", help="Each zone that is named stands for a property.")
]
NowOption = Annotated[
    datetime | None,
    typer.Option(
        "--now",
        parser=parse_instant,
        metavar="INSTANT",
        help="As if it were this moment at every answer (with zone); by default when each was updated.",
    ),
]


def replay(
    files: FilesArgument,
    zone: ZoneOption = None,
    every_zone: EveryZoneOption = False,
    now: NowOption = None,
    as_json: JsonOption = False,
) -> None:
    r"""Feed recorded answers to the rules and show what they would have raised, changed and cleared.

    Needs no network and no database, so it shows why an alert was missed or told. Without a zone, all of
    an answer concerns one place, as with `?point=`. What is no answer (an error's body, a web page) counts
    as a poll that failed. A closing that is no all-clear, as in a downgrade, is not listed as cleared.

    \b
    Examples:
      propman weather replay --zone ALC129 monday.json tuesday.json
      propman weather replay --every-zone --json national.json
    """
    if zone and every_zone:
        raise UsageProblem("A zone and every zone cannot both be meant.", remedy="Choose one.")
    if zone and not _ZONE.fullmatch(zone.upper()):
        raise UsageProblem(
            f"{zone!r} is no zone.", remedy="Zones look like ALC129 (a county) or ALZ264 (a forecast zone)."
        )
    polls = [_read(file) for file in files]
    found = run_rules(polls, zone=zone.upper() if zone else None, every_zone=every_zone, now=now)
    if as_json:
        print_json(found)
        return
    columns = ["poll", "type", "zone", "category", "level", "event", "key", "reason"]
    rows = [[event.get(name, "") for name in columns] for event in found.events]
    print_table(columns, rows, empty="Nothing would have been said.")
    events, ignored = counted(len(found.events), "event"), counted(len(found.ignored), "message")
    say(f"{events}, {len(found.open)} still open, {ignored} ignored.")
    for item in found.ignored:
        say(f"ignored {item['id']}: {item['why']}")


def _read(file: Path) -> Poll | None:
    try:
        poll = read_poll(json.loads(_text_of(file)))
    except OSError as error:
        raise UsageProblem(f"{file} cannot be read: {error.strerror}.") from error
    except (ValueError, NotAnAnswer) as error:
        warning(f"{file} counts as a failed poll: {error}.")
        return None
    except RecursionError:
        warning(f"{file} counts as a failed poll: it is nested too deeply.")
        return None
    if poll.updated_at is None:
        warning(f"{file} does not say when it was updated, so what it lacks clears nothing.")
    return poll


def _text_of(file: Path) -> str:
    return sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
