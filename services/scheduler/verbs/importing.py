"""`propman scheduler import-django-q2`: a Django-Q2 installation's schedules, with what will be different."""

from pathlib import Path
from typing import Annotated, Any, cast, get_args

import typer

from services.scheduler.django_q2 import Circumstances, Translation, UnreadableDump, read_dump, translate_all
from services.scheduler.domain.catch_up import Policy
from services.scheduler.spec_words import spec_in_words
from services.scheduler.store import ScheduleStore
from services.scheduler.triggers import spoken_name
from services.scheduler.verbs.opening import changing
from shared.cli import (
    App,
    CommandError,
    DryRunOption,
    JsonOption,
    UsageProblem,
    json_wanted,
    print_json,
    print_table,
    say,
    success,
)
from shared.clock import UnknownZone
from shared.clock import zone as zone_named
from shared.messaging.transaction import Tx

REMEDY = "Write it by `python manage.py dumpdata django_q.schedule`."


def add_to(app: App) -> None:
    """Give the scheduler's app its command."""
    app.command("import-django-q2")(import_django_q2)


async def import_django_q2(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="From manage.py dumpdata django_q.schedule.")],
    *,
    zone: Annotated[
        str, typer.Option("--zone", help="Django's TIME_ZONE, in which its times are meant.")
    ] = "UTC",
    catch_up: Annotated[
        str, typer.Option("--catch-up", help="Of what is late: latest, all (as Django-Q2), earliest or skip.")
    ] = "latest",
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Import the schedules of a Django-Q2 installation, and list for each what will be different.

    What has the key of a schedule that is there is left alone: a second import adds nothing. Exit code 1
    where one has no counterpart; the others are imported.

    \b
    Examples:
      python manage.py dumpdata django_q.schedule > schedules.json
      propman scheduler import-django-q2 schedules.json --zone America/New_York --dry-run
      propman scheduler import-django-q2 schedules.json --zone America/New_York
    """
    if catch_up not in get_args(Policy):
        raise UsageProblem(f"--catch-up {catch_up}: choose {', '.join(get_args(Policy))}.")
    try:
        here = zone_named(zone)
        rows = read_dump(file.read_text(encoding="utf-8"))
    except UnknownZone as error:
        raise UsageProblem(f"--zone: {error}.") from None
    except OSError as error:
        raise UsageProblem(f"{file} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise UsageProblem(f"{file} is not UTF-8 text.", remedy=REMEDY) from None
    except UnreadableDump as error:
        raise UsageProblem(f"{file}: {error}.", remedy=REMEDY) from None
    async with changing("import_django_q2", dry_run=dry_run) as (store, tx):
        given = Circumstances(here, tx.at, cast("Policy", catch_up))
        found = translate_all(rows, given)
        fates = {item.key: await _kept(store, tx, item) for item in found}
    _report(found, fates, dry_run=dry_run)


async def _kept(store: ScheduleStore, tx: Tx, item: Translation) -> str:
    if item.schedule is None:
        return "left out"
    return "new" if await store.add_schedule(item.schedule, now=tx.at) else "there already"


def _report(found: list[Translation], fates: dict[str, str], *, dry_run: bool) -> None:
    if json_wanted():
        print_json([_document(item, fates[item.key]) for item in found])
    else:
        print_table(
            ["Django-Q2", "key", "trigger", "when", "import"],
            [[item.name, item.key, *_what(item), fates[item.key]] for item in found],
        )
        for item in found:
            for text in [item.reason] if item.reason else item.differences:
                say(f"{item.key}: {text}.")
    left_out = [key for key, fate in fates.items() if fate == "left out"]
    added = sum(fate == "new" for fate in fates.values())
    if dry_run:
        say(f"Dry run: nothing was imported; {added} would be.")
    else:
        success(f"{added} imported, {sum(fate == 'there already' for fate in fates.values())} there already.")
    if left_out:
        raise CommandError(
            f"{len(left_out)} without a counterpart: {', '.join(left_out)}.",
            remedy="What to do is said above.",
        )


def _what(item: Translation) -> list[str]:
    if item.schedule is None:
        return ["-", "-"]
    return [spoken_name(item.schedule.trigger), spec_in_words(item.schedule.spec)]


def _document(item: Translation, fate: str) -> dict[str, Any]:
    schedule = item.schedule
    return {
        "name": item.name,
        "key": item.key,
        "import": fate,
        "trigger": schedule.trigger if schedule else None,
        "spec": schedule.spec if schedule else None,
        "payload": schedule.payload if schedule else None,
        "next_run_at": schedule.next_run_at if schedule else None,
        "reason": item.reason,
        "differences": list(item.differences),
    }
