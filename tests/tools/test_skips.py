"""A skipped test is a failure in CI, unless what it needs may be missing there."""

import pytest

pytest_plugins = ["pytester"]

SUITE = """
import pytest

def test_needs_a_server():
    pytest.skip("no PostgreSQL")

@pytest.mark.skip(reason="not now")
def test_put_off():
    pass

@pytest.fixture
def server():
    pytest.skip("no RabbitMQ")

def test_needs_a_fixture(server):
    pass

@pytest.mark.docker
def test_needs_an_engine():
    pytest.skip("no Docker")

@pytest.mark.shared_data
def test_needs_a_file():
    pytest.skip("no file")

@pytest.mark.xfail(reason="known", strict=False)
def test_is_known_to_fail():
    raise AssertionError

def test_passes():
    pass
"""


@pytest.fixture
def suite(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makeini("[pytest]\nmarkers =\n  docker: x\n  shared_data: x\n")
    pytester.makepyfile(SUITE)
    return pytester


def outcomes(suite: pytest.Pytester) -> pytest.RunResult:
    return suite.runpytest_inprocess("-p", "tests.support.skips", "-p", "no:randomly", "-p", "no:asyncio")


def test_in_ci_a_skip_is_a_failure_that_gives_its_reason(
    suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", "1")

    result = outcomes(suite)

    counted = result.parseoutcomes()
    failures = counted.get("failed", 0) + counted.get("errors", 0)
    assert (counted["passed"], failures, counted["skipped"], counted["xfailed"]) == (1, 3, 2, 1)
    result.stdout.fnmatch_lines(["*nothing may be missing: *no PostgreSQL*"])
    assert result.ret == pytest.ExitCode.TESTS_FAILED


@pytest.mark.parametrize("ci", ["", "0", "false"])
def test_elsewhere_a_skip_is_a_skip(suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, ci: str) -> None:
    monkeypatch.setenv("CI", ci)

    outcomes(suite).assert_outcomes(passed=1, skipped=5, xfailed=1)
