"""What the monitor draws: nothing is wider or longer than the terminal, and every key does one thing."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from propman.console.monitor import PANELS, View, draw
from propman.console.observing import Panel, Snapshot, problems_of
from propman.console.showing import duration, queue_cells

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
        "needs_consumer": True,
    }
    return values | changes


def a_schedule(**changes: Any) -> dict[str, Any]:
    values = {
        "key": "monthly-billing",
        "next": "2026-12-01 09:05 UTC",
        "last": "2026-12-01 08:05 UTC",
        "outcome": "succeeded: 29 examined",
        "recent": "####",
        "flag": None,
    }
    return values | changes


def seen(*, services: int = 6, queues: int = 40, schedules: int = 8) -> Snapshot:
    found = Snapshot(
        services=Panel([a_service(service=f"service-{number}") for number in range(services)], NOW),
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

    assert "FROZEN figures 1m15s old" in text


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


@pytest.mark.parametrize(
    ("service", "words"),
    [
        (a_service(alive=0, state="DOWN"), "no process of it runs"),
        (a_service(lost=1), "1 processes went silent"),
        (a_service(dead_letters=3), "3 dead letters"),
        (a_service(unroutable=1), "1 messages that no queue wants"),
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
