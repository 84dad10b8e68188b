"""An empty weather database for each test, and the recorded answers of providers."""

import json
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from shared.messaging.transaction import Transactions
from tests.support.databases import TestDatabases
from tests.weather.desk import Desk, a_desk

ROOT = Path(__file__).parents[2]
SHARED = Path(os.environ.get("PROPMAN_SHARED", ROOT.parent / "shared"))


@pytest.fixture
async def transactions(databases: TestDatabases) -> AsyncIterator[Transactions]:
    """Weather's database, as weather's own role."""
    async with databases.transactions("weather") as found:
        yield found


@pytest.fixture
async def desk(databases: TestDatabases) -> AsyncIterator[Desk]:
    """A weather service and the provider it asks, at noon."""
    async with a_desk(databases) as found:
        yield found


@pytest.fixture(scope="session")
def recorded_folder() -> Path:
    """Where recorded payloads are; they are data of others and not part of this repository."""
    folder = SHARED / "samples" / "weather"
    if not folder.is_dir():
        pytest.skip("the recorded payloads are not on this machine (PROPMAN_SHARED)")
    return folder


@pytest.fixture(scope="session")
def recorded(recorded_folder: Path) -> Callable[[str], Any]:
    """A recorded payload by its file's name."""
    return lambda name: json.loads((recorded_folder / f"{name}.json").read_text(encoding="utf-8"))
