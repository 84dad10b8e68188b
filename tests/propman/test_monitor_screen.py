"""What the monitor draws: nothing is wider or longer than the terminal, and every key does one thing."""

import dataclasses
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from propman.console.ages import Age, head_age, oldest
from propman.console.doctor import remedy_of
from propman.console.fitting import fit, share
from propman.console.monitor import MARKS, PANELS, View, draw, keys_of
from propman.console.observing import Panel, Snapshot
from propman.console.problems import problems_of, unseen
from propman.console.processes import processes_of, sharing
from propman.console.showing import (
    duration,
    narrow_schedule_cells,
    process_cells,
    processes_in_words,
    queue_cells,
    schedule_cells,
    service_cells,
)
from services.scheduler.overview import MARKS as OVERVIEW_MARKS
from shared.cli import Unreachable

NOW = datetime(2026, 12, 1, 9, tzinfo=UTC)


def a_service(**changes: Any) -> dict[str, Any]:
    values = {
        "service": "billing",
        "state": "ok",
        "alive": 2,
        "lost": 0,
        "per_second": 14.2,
        "failed": 0,
        "outbox": 0,
        "oldest_seconds": None,
        "unroutable": 0,
        "dead_letters": 0,
        "rss_bytes": 150 << 20,
        "cpu_percent": 6.0,
        "versions": ["0.1.0"],
        "up_seconds": 7_200.0,
        "error": None,
    }
    return values | changes


def a_queue(**changes: Any) -> dict[str, Any]:
    values = {
        "queue": "billing.scheduler.monthly_billing_due.v1",
        "ready": 0,
        "unacked": 0,
        "consumers": 1,
        "in_per_second": 0.0,
        "out_per_second": 0.0,
        "oldest": None,
        "needs_consumer": True,
    }
    return values | changes


def a_schedule(**changes: Any) -> dict[str, Any]:
    values = {
        "key": "monthly-billing",
        "next": "2026-12-01 09:05 UTC",
        "last_at": NOW - timedelta(minutes=55),
        "last": "2026-12-01 08:05 UTC",
        "outcome": "succeeded: 29 examined",
        "recent": "####",
        "flag": None,
    }
    return values | changes


def seen(*, services: int = 6, queues: int = 40, schedules: int = 8) -> Snapshot:
    found = Snapshot(
        services=Panel([a_service(service=f"service-{number}") for number in range(services)], NOW),
        processes=Panel([], NOW),
        instances=Panel([], NOW),
        queues=Panel([a_queue(queue=f"queue-{number}", ready=number) for number in range(queues)], NOW),
        schedules=Panel([a_schedule(key=f"schedule-{number}") for number in range(schedules)], NOW),
        servers=Panel([], NOW),
        alerts=Panel([], NOW),
    )
    found.problems.extend(problems_of(found))
    return found


def nothing_seen() -> Snapshot:
    empty = Panel([], NOW)
    return Snapshot(
        services=Panel([], NOW),
        processes=empty,
        instances=empty,
        queues=Panel([], NOW),
        schedules=empty,
        servers=empty,
        alerts=empty,
    )


@pytest.mark.parametrize(("width", "height"), [(80, 24), (140, 40), (40, 12), (300, 100)])
@pytest.mark.parametrize("panel", range(len(PANELS)))
def test_a_screen_fits_its_terminal(width: int, height: int, panel: int) -> None:
    lines = draw(seen(), View(panel=panel), NOW, width, height).split("\n")

    assert len(lines) <= height
    assert max(len(line) for line in lines) <= width


def test_the_chosen_panel_gets_the_room_that_is_left() -> None:
    in_short = draw(seen(), View(panel=0), NOW, 80, 40)
    chosen = draw(seen(), View(panel=1), NOW, 80, 40)

    assert in_short.count("queue-") < chosen.count("queue-")
    assert "more" in chosen


def test_the_fullest_queue_is_shown_first() -> None:
    lines = draw(seen(), View(panel=1), NOW, 80, 24).split("\n")

    first = next(line for line in lines if "queue-" in line)
    assert "queue-39" in first


def test_a_panel_without_figures_says_why_and_the_others_stay() -> None:
    found = seen()
    blind = Snapshot(
        services=found.services,
        processes=found.processes,
        instances=found.instances,
        queues=Panel([], NOW, "The message broker cannot be reached"),
        schedules=found.schedules,
        servers=found.servers,
        alerts=found.alerts,
    )

    text = draw(blind, View(), NOW, 100, 30)

    assert "queue: The message broker cannot be reached" in text
    assert "service-0" in text


def test_the_age_of_the_figures_is_shown() -> None:
    text = draw(seen(), View(frozen=True), NOW + timedelta(seconds=75), 100, 30)

    assert "FROZEN  figures 1m15s old" in text


def test_every_key_does_its_one_thing() -> None:
    view = View()

    for key in ("\t", "a", " ", "?", "+"):
        view.press(key)

    assert (view.panel, view.all_queues, view.frozen, view.help, view.every) == (1, True, True, True, 1.0)
    view.press("5")
    view.press("\t")
    assert view.panel == 0
    view.press("\x1b[Z")
    assert view.panel == len(PANELS) - 1
    assert not view.quit
    view.press("q")
    assert view.quit


def test_keys_that_are_typed_at_once_are_several_keys() -> None:
    assert keys_of(" 5\x1b[Z\x1b[6~q") == [" ", "5", "\x1b[Z", "\x1b[6~", "q"]
    assert keys_of("") == []


@pytest.mark.parametrize(
    ("service", "words"),
    [
        (a_service(alive=0, state="DOWN"), "no process of it runs"),
        (a_service(lost=1), "a process went silent"),
        (a_service(dead_letters=3), "3 dead letters"),
        (a_service(unroutable=1), "1 message that no queue wants"),
        (a_service(oldest_seconds=61.0), "waits for 61 s"),
        (a_service(versions=["0.1.0", "0.2.0"]), "different versions"),
        ({"service": "billing", "state": "UNKNOWN", "error": "does not answer in time"}, "does not answer"),
    ],
)
def test_each_trouble_of_a_service_is_said(service: dict[str, Any], words: str) -> None:
    found = nothing_seen()
    found.services.rows.append(service)

    assert [words in problem for problem in problems_of(found)] == [True]


def test_a_queue_with_messages_and_nobody_to_take_them_is_a_problem() -> None:
    found = nothing_seen()
    found.queues.rows.extend([a_queue(consumers=0, ready=1), a_queue(consumers=0, ready=0), a_queue(ready=9)])
    found.queues.rows.append(a_queue(consumers=0, ready=4, needs_consumer=False))

    assert len(problems_of(found)) == 1


@pytest.mark.parametrize(
    ("in_", "out", "words"), [(1.0, 5.0, "25s"), (5.0, 1.0, "grows"), (0.0, 0.0, "stands"), (None, None, "-")]
)
def test_a_queue_says_when_it_will_be_empty(in_: float | None, out: float | None, words: str) -> None:
    assert queue_cells(a_queue(ready=100, in_per_second=in_, out_per_second=out))[-1] == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0s"), (59.9, "59s"), (247, "4m07s"), (7_260, "2h01m"), (266_400, "3d02h"), (None, "-")],
)
def test_time_spans_have_two_units_at_most(seconds: float | None, words: str) -> None:
    assert duration(seconds) == words


def test_the_widest_thing_gives_way_and_numbers_stay_whole() -> None:
    rows = [["billing", "a reason that is much longer than anybody wants to read", "1234567"]]

    fitted = fit(["service", "why", "count"], rows, 40)

    assert fitted.line(rows[0]) == "billing a reason that is much l… 1234567"


@pytest.mark.parametrize(("state", "lines"), [("raised", 1), ("acknowledged", 2)])
def test_dead_letters_are_said_once_unless_somebody_sees_to_them(state: str, lines: int) -> None:
    found = seen()
    found.services.rows[:] = [a_service(service="billing", dead_letters=2)]
    alert = {
        "kind": "dead_letters",
        "about": "billing",
        "detail": "has messages that could not be handled: 2",
    }
    found.alerts.rows[:] = [alert | {"state": state, "acknowledged_by": "ana"}]

    problems = problems_of(found)

    assert len(problems) == lines
    assert {remedy_of(problem) for problem in problems} == {
        "`propman dead-letters list`, repair the cause, then replay."
    }


def test_a_column_never_gets_narrower_while_the_terminal_stays() -> None:
    wide, narrow = [["10000", "x"]], [["1", "x"]]
    first = fit(["n", "what"], wide, 80)

    assert fit(["n", "what"], narrow, 80, first.widths).widths == first.widths


def test_where_nothing_else_gives_the_last_columns_go() -> None:
    fitted = fit(["one", "two", "three"], [["12345", "12345", "12345"]], 12)

    assert fitted.line(["12345", "12345", "12345"]) == "12345 12345"


@pytest.mark.parametrize("chosen", range(5))
def test_every_panel_keeps_some_lines_and_the_chosen_one_gets_the_rest(chosen: int) -> None:
    counts = [6, 40, 8, 5, 1]

    rooms = share(counts, 20, chosen=chosen)

    assert sum(rooms) == 20
    assert all(room >= min(count, 3) for room, count in zip(rooms, counts, strict=True))
    assert rooms[chosen] == min(
        counts[chosen], 20 - sum(min(count, 3) for count in counts) + min(counts[chosen], 3)
    )


def test_room_that_the_chosen_panel_does_not_need_goes_to_the_others() -> None:
    assert share([6, 2, 8, 5, 1], 100, chosen=4) == [6, 2, 8, 5, 1]


def test_what_is_wrong_comes_first_in_the_head_and_among_schedules() -> None:
    found = seen(schedules=8)
    found.schedules.rows[7]["flag"] = "is due and nobody announces it"
    found.problems[:] = problems_of(found)

    text = draw(found, View(panel=1), NOW, 60, 18)

    lines = text.splitlines()
    assert "PROBLEMS 1" in lines[0]
    assert "schedule-7" in lines[[line[1:9] for line in lines].index("schedule") + 1]


def test_the_help_is_whole_in_a_narrow_terminal() -> None:
    text = draw(seen(), View(help=True), NOW, 40, 30)

    assert "x failed" in " ".join(text.split())


MINUTE = [(60.0 - 5 * step, max(10 - step, 0)) for step in range(13)]
"""One message every five seconds until now, ten in all."""


@pytest.mark.parametrize(("ready", "age"), [(1, 5), (3, 15), (10, 50)])
def test_the_head_of_a_queue_came_when_all_but_the_ready_ones_had_come(ready: int, age: float) -> None:
    assert head_age(10, ready, MINUTE, now=60.0, step=0) == age


def an_answer(came: int, samples: list[tuple[float, int]]) -> dict[str, Any]:
    kept = [{"timestamp": moment * 1_000, "sample": count} for moment, count in samples]
    return {"message_stats": {"publish": came, "publish_details": {"samples": kept}}}


def test_a_head_that_is_older_than_the_fine_samples_is_found_in_the_coarse_ones() -> None:
    fine = an_answer(5, [(3_600.0, 5), (3_595.0, 5)])
    coarse = an_answer(5, [(3_540.0, 5), (3_480.0, 5), (3_420.0, 0)])

    assert oldest([fine, coarse], 5) == Age(240.0, "at_most")


def test_a_head_counted_late_is_never_said_to_be_younger_than_it_is() -> None:
    """It came at 100; the broker counted it for its sample of every minute only at 160, and answers at 188."""
    fine = an_answer(1, [(185.0 - 5 * step, 1) for step in range(12)])
    coarse = an_answer(1, [(180.0, 1), (120.0, 0), (60.0, 0)])

    age = oldest([fine, coarse], 1, 188.0)

    assert age is not None
    assert (age.bound, age.seconds >= 188.0 - 100.0) == ("at_most", True)


def test_a_head_that_came_before_anybody_remembers_is_older_than_that() -> None:
    answer = an_answer(5, [(3_600.0, 5), (0.0, 5)])

    assert oldest([answer, answer], 5) == Age(3_600, "more_than")


def test_after_a_restart_of_the_broker_nobody_can_say() -> None:
    assert oldest([an_answer(1, [(10.0, 1)])] * 2, 5) is None
    assert oldest([{}, {}], 5) is None
    assert queue_cells(a_queue(ready=5))[2] == "?"


def a_beat(service: str = "billing", **changes: Any) -> dict[str, Any]:
    """What one service of a process says of it."""
    values = {
        "service": service,
        "host": "h",
        "pid": 1,
        "state": "running",
        "started_at": NOW,
        "seen_at": NOW,
        "rss_bytes": 100 << 20,
        "rss_start_bytes": 50 << 20,
        "rss_peak_bytes": 120 << 20,
        "open_files": 9,
        "cpu_percent": 1.0,
    }
    return values | changes


def test_a_slow_look_at_the_broker_makes_no_process_silent() -> None:
    found = seen()
    found.processes.rows.extend(processes_of([a_beat()], NOW))

    text = draw(found, View(panel=3), NOW + timedelta(seconds=30), 100, 40)

    assert "SILENT" not in text


# One process, several services


def test_a_process_that_runs_several_services_is_one_and_counts_once() -> None:
    early, late = NOW - timedelta(seconds=9), NOW - timedelta(seconds=1)
    beats = [
        a_beat("billing", seen_at=late, started_at=early, rss_start_bytes=40 << 20),
        a_beat("weather", seen_at=NOW, started_at=late, rss_bytes=101 << 20, rss_peak_bytes=130 << 20),
        a_beat("weather", pid=2, rss_bytes=7 << 20),
    ]

    [shared, own] = processes_of(beats, NOW)

    assert (shared["services"], own["services"]) == (["billing", "weather"], ["weather"])
    assert (shared["rss_bytes"], shared["rss_start_bytes"], shared["rss_peak_bytes"]) == (
        101 << 20,
        40 << 20,
        130 << 20,
    )
    assert processes_in_words([shared, own]) == "2 processes use 108 MiB and 2 % of a processor in all."
    assert (
        processes_in_words([shared]) == "One process runs 2 services; it uses 101 MiB and 1 % of a processor."
    )


def test_a_service_that_shares_its_process_shows_no_figures_as_its_own() -> None:
    processes = processes_of([a_beat("billing"), a_beat("weather"), a_beat("rewards", pid=2)], NOW)

    cells = {
        name: service_cells(a_service(service=name, shared_with=sharing(processes, name)))[8:10]
        for name in ("billing", "rewards")
    }

    assert cells == {"billing": ["shared", "shared"], "rewards": ["150", "6"]}


def test_who_was_killed_is_told_apart_from_who_got_its_number() -> None:
    gone = a_beat(seen_at=NOW - timedelta(minutes=1), started_at=NOW - timedelta(hours=1))

    found = processes_of([gone, a_beat(), a_beat(state="stopped", pid=3)], NOW)

    assert [row["state"] for row in found] == ["SILENT", "running"]
    assert sharing(processes_of([gone, a_beat("weather")], NOW), "weather") == []


@pytest.mark.parametrize(
    ("services", "words"),
    [(["a"], "a"), (["a", "b"], "all services"), (["a", "c"], "a,c")],
)
def test_a_process_is_called_after_its_services(services: list[str], words: str) -> None:
    [row] = processes_of([a_beat(name) for name in services], NOW)

    assert process_cells(row, ["b", "a"])[0] == words


# Where nothing can be seen


def a_blind_look(reason: str = "The database cannot be reached", broker: str | None = "gone") -> Snapshot:
    rows = [{"service": name, "state": "UNKNOWN", "error": reason} for name in ("billing", "scheduler")]
    empty, unseen = Panel([], NOW), Panel([], NOW, reason)
    return Snapshot(
        services=Panel(rows, NOW),
        processes=empty,
        instances=empty,
        queues=Panel([], NOW, broker),
        schedules=unseen,
        servers=empty,
        alerts=unseen,
    )


def test_one_reason_that_hides_much_is_said_once() -> None:
    found = a_blind_look()
    apart = dataclasses.replace(found, schedules=Panel([], NOW, "does not answer in time"))

    assert unseen(found) == ["billing, scheduler: The database cannot be reached", "the broker: gone"]
    assert unseen(apart)[1] == "the schedules: does not answer in time"


def test_only_where_nothing_at_all_could_be_looked_at_it_is_unreachable() -> None:
    with pytest.raises(Unreachable, match="Nothing could be looked at"):
        a_blind_look().refuse_blindness()

    a_blind_look(broker=None).refuse_blindness()
    seen().refuse_blindness()


# Where there is little room


def test_the_marks_of_the_last_runs_are_all_explained_and_none_is_broken() -> None:
    lines = draw(seen(), View(help=True), NOW, 40, 40).splitlines()

    assert {mark[0] for mark in MARKS} == set(OVERVIEW_MARKS.values())
    assert sum(any(mark in line for line in lines) for mark in MARKS) == len(MARKS)


def test_a_narrow_screen_says_how_long_ago_the_last_run_was() -> None:
    text = draw(seen(schedules=1), View(), NOW, 80, 24)

    assert " 55m00s" in text


def test_a_schedule_that_never_ran_shows_no_mark_of_a_skipped_run() -> None:
    row = a_schedule(recent="", outcome="never ran")

    assert (schedule_cells(row)[2], narrow_schedule_cells(row, NOW)[2]) == ("", "")


def test_what_the_watchdog_says_of_a_schedule_marks_it_while_its_next_run_is_under_way() -> None:
    found = seen(schedules=8)
    found.schedules.rows[7] |= {"outcome": "waiting for weather", "alerts": ["failure_streak"]}

    lines = draw(found, View(panel=2), NOW, 120, 40).splitlines()

    first = next(line for line in lines if "schedule-" in line)
    assert ("schedule-7" in first, "! waiting for weather" in first) == (True, True)
    assert [schedule_cells(found.schedules.rows[place])[3] for place in (7, 0)] == ["!", "-"]


def test_the_names_of_queues_can_be_told_apart_on_a_narrow_screen() -> None:
    found = seen(queues=0)
    found.queues.rows.append(a_queue(ready=1))

    assert " billing.scheduler.monthly_billing…" in draw(found, View(panel=1), NOW, 60, 15)
