"""Scrolling in the monitor: every row of a panel can be reached, on any screen, and one sees where one is."""

import os
import re
import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from propman.console.monitor import PANELS, Keyboard, View, draw, keys_of
from propman.console.observing import Snapshot
from propman.console.scrolling import DOWN, END, HOME, PAGE_DOWN, PAGE_UP, UP, Scroll
from tests.propman.test_monitor_screen import NOW, seen

SCHEDULES = PANELS.index("schedules")
PROBLEMS = PANELS.index("problems")
SIZES = [(80, 24), (140, 40), (60, 15), (40, 9), (30, 7)]


def names(text: str) -> list[str]:
    return re.findall(r"schedule-\d+", text)


def looked_through(found: Snapshot, view: View, key: str, width: int, height: int) -> list[str]:
    """Every screen until the key changes nothing any more."""
    screens = [draw(found, view, NOW, width, height)]
    while True:
        view.press(key)
        screen = draw(found, view, NOW, width, height)
        if screen == screens[-1]:
            return screens
        screens.append(screen)


@pytest.mark.parametrize(("width", "height"), SIZES)
@pytest.mark.parametrize("key", ["j", "\x1b[B", "\x1b[6~"])
def test_every_row_of_a_panel_can_be_reached(width: int, height: int, key: str) -> None:
    found = seen(schedules=60)

    screens = looked_through(found, View(panel=SCHEDULES), key, width, height)

    assert len(set(names(" ".join(screens)))) == 60
    assert all(len(screen.split("\n")) <= height for screen in screens)
    assert all(len(line) <= width for screen in screens for line in screen.split("\n"))


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_the_position_says_which_rows_are_seen(width: int, height: int) -> None:
    view = View(panel=SCHEDULES)
    draw(seen(schedules=60), view, NOW, width, height)
    view.press("\x1b[6~")

    text = draw(seen(schedules=60), view, NOW, width, height)

    found = re.match(r"(\d+)-(\d+) of 60  up/down scroll", text.split("\n")[-1])
    assert found is not None
    assert int(found[2]) - int(found[1]) + 1 == len(names(text))


def test_a_panel_that_is_whole_has_no_position_and_does_not_move() -> None:
    view = View(panel=SCHEDULES)
    before = draw(seen(schedules=5), view, NOW, 80, 24)

    for key in ("j", "\x1b[6~", "G"):
        view.press(key)

    assert draw(seen(schedules=5), view, NOW, 80, 24) == before
    assert before.split("\n")[-1].startswith("q quit")


def test_a_frozen_screen_scrolls_too() -> None:
    view = View(panel=SCHEDULES, frozen=True)
    first = draw(seen(schedules=60), view, NOW, 80, 24)

    view.press("j")

    assert names(draw(seen(schedules=60), view, NOW, 80, 24))[0] == names(first)[1]


def test_a_screen_that_grows_is_filled_and_one_that_shrinks_keeps_its_place() -> None:
    found, view = seen(schedules=20), View(panel=SCHEDULES)
    draw(found, view, NOW, 80, 24)
    view.press("G")
    top = names(draw(found, view, NOW, 80, 24))[0]

    assert names(draw(found, view, NOW, 60, 15))[0] == top
    assert len(names(draw(found, view, NOW, 140, 60))) == 20


def test_a_list_that_got_shorter_shows_its_end() -> None:
    view = View(panel=SCHEDULES)
    draw(seen(schedules=60), view, NOW, 80, 24)
    view.press("G")
    draw(seen(schedules=60), view, NOW, 80, 24)

    shown = names(draw(seen(schedules=12), view, NOW, 80, 24))

    assert len(shown) > 5
    assert view.place.position.endswith("-12 of 12")


def test_a_panel_that_is_left_shows_its_beginning_and_remembers_its_place() -> None:
    found, view = seen(schedules=60), View(panel=SCHEDULES)
    first = names(draw(found, view, NOW, 80, 24))[0]
    view.press("G")
    last = names(draw(found, view, NOW, 80, 24))[-1]

    view.press("1")
    assert names(draw(found, view, NOW, 80, 24))[0] == first
    view.press("3")
    assert names(draw(found, view, NOW, 80, 24))[-1] == last


@pytest.mark.parametrize(("width", "height"), [(40, 9), (60, 15)])
def test_the_help_can_be_read_to_its_end_on_a_small_screen(width: int, height: int) -> None:
    screens = looked_through(seen(), View(help=True), "j", width, height)

    assert "q quit" in screens[0].split("\n")[-1]
    assert any("up, down" in screen for screen in screens)
    assert "waits for an outcome" in screens[-1]


def test_a_problem_is_there_to_its_last_word_on_a_narrow_screen() -> None:
    found = seen()
    found.problems.append("billing: " + "something that goes on and on, " * 5 + "to its last word")

    text = draw(found, View(panel=PROBLEMS), NOW, 40, 24)

    assert "to its last word" in " ".join(text.split())


@pytest.mark.parametrize(("width", "height"), SIZES)
@pytest.mark.parametrize("panel", range(len(PANELS)))
def test_no_line_of_a_live_screen_is_left_empty_while_there_is_more(
    width: int, height: int, panel: int
) -> None:
    view = View(panel=panel, live=True)

    lines = draw(seen(schedules=60), view, NOW, width, height).split("\n")

    assert len(lines) == height
    assert view.place.is_whole or "" not in lines


@given(
    count=st.integers(0, 30),
    room=st.integers(0, 12),
    keys=st.lists(st.sampled_from(sorted(UP | DOWN | PAGE_UP | PAGE_DOWN | HOME | END)), max_size=12),
)
def test_what_is_seen_is_always_a_full_part_of_the_list(count: int, room: int, keys: list[str]) -> None:
    scroll, rows = Scroll(), list(range(count))
    scroll.part(rows, 5)

    for key in keys:
        assert scroll.press(key)
        part = list(scroll.part(rows, room))

        assert part == rows[scroll.top : scroll.top + len(part)]
        assert len(part) == min(room, count)


@pytest.mark.parametrize(
    ("key", "top"), [("k", 4), ("j", 6), ("\x1b[5~", 2), ("\x1b[6~", 8), ("g", 0), ("G", 16), ("x", 5)]
)
def test_each_key_moves_by_what_it_says(key: str, top: int) -> None:
    scroll = Scroll(top=5)
    scroll.part(range(20), 4)

    scroll.press(key)

    assert scroll.top == top


@pytest.fixture
def typing() -> Iterator[tuple[Keyboard, int]]:
    """A keyboard, and where what is typed comes from."""
    reading, writing = os.pipe()
    yield Keyboard(reading), writing
    os.close(reading)
    os.close(writing)


def test_a_key_that_comes_in_two_halves_is_one_key(typing: tuple[Keyboard, int]) -> None:
    keyboard, writing = typing
    os.write(writing, b"\x1b[B" * 21 + b"\x1b[6~"[:1])
    late = threading.Timer(0.01, os.write, (writing, b"[6~"))

    late.start()
    typed = keyboard(1.0)
    late.join()

    assert keys_of(typed) == ["\x1b[B"] * 21 + ["\x1b[6~"]


def test_escape_alone_is_a_key_and_does_not_wait_for_ever(typing: tuple[Keyboard, int]) -> None:
    keyboard, writing = typing
    os.write(writing, b"\x1b")

    assert keys_of(keyboard(1.0)) == ["\x1b"]


def test_arrows_of_both_modes_of_a_terminal_are_known() -> None:
    assert keys_of("\x1bOA\x1b[A5") == ["\x1bOA", "\x1b[A", "5"]
