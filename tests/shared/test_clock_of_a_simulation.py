"""A simulation's clock stands until it is moved, goes forward only, and is one for several processes."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from shared.clock import MovableClock, SharedClock, SystemClock, is_simulated

START = datetime(2024, 2, 29, 19, 30, 0, 123456, tzinfo=UTC)


def test_it_stands_until_it_is_moved_and_never_goes_back() -> None:
    clock = MovableClock(START)

    clock.move_to(START + timedelta(days=1))
    clock.move_to(START)

    assert clock.now() == clock.now() == START + timedelta(days=1)


def test_two_that_share_a_file_tell_the_same_time_to_the_microsecond(tmp_path: Path) -> None:
    first = SharedClock.create(tmp_path / "clock", START)
    second = SharedClock(tmp_path / "clock")
    before = second.now()

    first.move_to(START + timedelta(microseconds=1))
    second.move_to(START)

    assert (before, second.now()) == (START, START + timedelta(microseconds=1))


def test_another_process_reads_it(tmp_path: Path) -> None:
    SharedClock.create(tmp_path / "clock", START)
    program = (
        "import sys, pathlib; from shared.clock import SharedClock;"
        "print(SharedClock(pathlib.Path(sys.argv[1])).now().isoformat())"
    )

    ran = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "clock")], capture_output=True, text=True, check=True
    )

    assert ran.stdout.strip() == START.isoformat()


@pytest.mark.parametrize("content", [None, b"", b"short"])
def test_a_file_that_is_no_clock_is_refused(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "clock"
    if content is not None:
        file.write_bytes(content)

    with pytest.raises((OSError, ValueError)):
        SharedClock(file)


def test_only_the_clocks_of_simulations_are_simulated() -> None:
    assert is_simulated(MovableClock(START))
    assert not is_simulated(SystemClock())
