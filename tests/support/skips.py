"""In CI a test that skips itself has failed: a server that is missing there would hide half the suite.

A pytest plugin: `pytest_plugins = ["tests.support.skips"]` in the top conftest. Two markers may skip
anywhere: `docker` (needs an engine) and `shared_data` (needs files outside this repository).
"""

import os
from collections.abc import Generator

import pytest

MAY_SKIP = ("docker", "shared_data")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn the report of a skip into a failure that says what was skipped and why."""
    report = yield
    expected_to_fail = hasattr(report, "wasxfail")
    if (
        in_ci()
        and report.skipped
        and not expected_to_fail
        and not any(map(item.get_closest_marker, MAY_SKIP))
    ):
        report.outcome = "failed"
        report.longrepr = f"skipped in CI, where nothing may be missing: {_reason(report)}"
    return report


def in_ci() -> bool:
    """Whether this run has to be complete."""
    return os.environ.get("CI", "").lower() not in {"", "0", "false"}


def _reason(report: pytest.TestReport) -> str:
    """A skip is reported as (file, line, reason)."""
    return str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr)
