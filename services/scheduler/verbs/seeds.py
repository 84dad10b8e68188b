"""`propman scheduler adopt-seeds`: an upgraded system's schedules as a new one has them, after a look."""

from dataclasses import dataclass
from typing import Any

from services.scheduler.domain.schedules import Schedule
from services.scheduler.following import parts_of
from services.scheduler.reporting import local_time
from services.scheduler.rule_texts import rule_changes
from services.scheduler.seeds import add_daily_billing, adopt, edited_seeds, outdated
from services.scheduler.spec_words import spec_in_words
from services.scheduler.store import ScheduleStore, ZoneStore
from services.scheduler.timetables import coming
from services.scheduler.verbs.opening import changing
from shared.cli import (
    App,
    CommandError,
    DryRunOption,
    JsonOption,
    YesOption,
    confirm,
    counted,
    json_wanted,
    print_json,
    print_table,
    say,
    success,
)
from shared.messaging.transaction import Tx

COMPARED = 3
"""So many coming runs are shown before and after."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One schedule as it was and as it will be, in words; `before` is None for one that is new."""

    key: str
    before: str | None
    after: str
    rules: list[str]
    next_before: list[str]
    next_after: list[str]


def add_to(app: App) -> None:
    """Give the scheduler's app its command."""
    app.command("adopt-seeds")(adopt_seeds)


async def adopt_seeds(
    dry_run: DryRunOption = False, yes: YesOption = False, as_json: JsonOption = False
) -> None:
    """Give schedules that are still as an older version put them the times and rules that it puts today.

    A system that was upgraded bills every hour for all zones at once; a new one at each property's own time.
    Only what nobody has edited or paused is changed, after it was shown. Nothing runs for the past.

    \b
    Examples:
      propman scheduler adopt-seeds --dry-run
      propman scheduler adopt-seeds --yes
    """
    async with changing("adopt_seeds", dry_run=dry_run) as (store, tx):
        found = await store.schedules()
        own = edited_seeds(found)
        await _require_properties(tx, found)
        differences = await _adopted(store, tx, found)
        _show(differences, own)
        question = f"Change {counted(len(differences), 'schedule')}?"
        if differences and not dry_run and not confirm(question, yes=yes):
            raise CommandError("Nothing was changed.")  # takes the transaction back
    if not differences:
        success("Every schedule is as it is put today, or is your own.")
    elif dry_run:
        say("Dry run: nothing was changed.")
    else:
        success(f"{len(differences)} schedules are as they are put today.")


async def _require_properties(tx: Tx, found: list[Schedule]) -> None:
    """What follows the properties would wait for ever where none is known."""
    if outdated(found) and not await ZoneStore(tx.connection).portfolio():
        raise CommandError(
            "The scheduler has heard of no property, and these schedules would follow them.",
            remedy="Run `propman leasing republish`, and then this again.",
        )


async def _adopted(store: ScheduleStore, tx: Tx, found: list[Schedule]) -> list[Difference]:
    differences = []
    for item, seed in outdated(found):
        former = await store.schedule(item.key, lock=True)
        if former is None or not outdated([former]):
            continue  # somebody was quicker
        before = await _coming(tx, former)
        changed = await adopt(tx, former, seed)
        words = spec_in_words(former.spec), spec_in_words(changed.spec)
        differences.append(
            Difference(item.key, *words, _rules(former, changed), before, await _coming(tx, changed))
        )
    if any(item.key == "monthly-billing" for item in differences):
        added = await add_daily_billing(tx)
        if added is not None:
            differences.append(
                Difference(added.key, None, spec_in_words(added.spec), [], [], await _coming(tx, added))
            )
    return differences


def _rules(former: Schedule, changed: Schedule) -> list[str]:
    found = rule_changes(former.rules, changed.rules)
    return [f"{name}: {now or 'none'}; was: {was or 'none'}" for name, was, now in found]


async def _coming(tx: Tx, schedule: Schedule) -> list[str]:
    runs = coming(await parts_of(tx.connection, schedule), tx.at, COMPARED)
    return [local_time(*run) for run in runs]


def _show(differences: list[Difference], own: list[str]) -> None:
    if json_wanted():
        print_json({"changed": differences, "left_alone": own})
        return
    rows: list[list[Any]] = []
    for item in differences:
        rows.append([item.key, "before", item.before or "-", ", ".join(item.next_before)])
        rows.append([item.key, "after", item.after, ", ".join(item.next_after)])
    print_table(["schedule", "", "when", "next runs"], rows, empty="Nothing is to be changed.")
    for item in differences:
        for words in item.rules:
            say(f"{item.key}: {words}.")
    if own:
        say(f"Left alone, because somebody has made them their own: {', '.join(own)}.")
