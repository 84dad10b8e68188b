"""A headless Chromium; these tests are chosen with `-m browser` and are otherwise not there."""

import os
import shutil
from collections.abc import AsyncIterator
from typing import Any

import pytest

CHROMIUM = "PROPMAN_CHROMIUM"
"""Names the browser, where it is not found by itself."""

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave them out unless they are asked for: deselected, which is not skipped."""
    if "browser" in (config.option.markexpr or ""):
        return
    ours = [item for item in items if item.get_closest_marker("browser")]
    if ours:
        config.hook.pytest_deselected(items=ours)
        items[:] = [item for item in items if item not in ours]


def chromium_path() -> str:
    """Where the browser is; a test that was asked for fails without one."""
    found = os.environ.get(CHROMIUM) or next(filter(None, map(shutil.which, NAMES)), None)
    if not found:
        pytest.fail(f"No Chromium is installed. `make test-browser` installs one; or {CHROMIUM} names yours.")
    return found


@pytest.fixture(scope="session")
async def chromium() -> AsyncIterator[Any]:
    """The browser, for all of these tests."""
    from playwright.async_api import async_playwright

    async with async_playwright() as playwright:
        # As root, Chromium has no sandbox; the pages it sees are ours.
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = await playwright.chromium.launch(executable_path=chromium_path(), args=arguments)
        yield browser
        await browser.close()
