"""The house rules catch what they say, and leave alone what they do not."""

from pathlib import Path

import pytest

from tools.budgets import LONG_FUNCTION, check, length, main, sources


def findings(root: Path, path: str, text: str) -> list[str]:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return [str(finding) for finding in check(list(sources(root)))]


def a_function(lines: int) -> str:
    return "def long():\n" + "    x = 1\n" * (lines - 1)


def test_a_function_longer_than_the_ceiling_is_found(tmp_path: Path) -> None:
    assert findings(tmp_path, "tests/a.py", a_function(50)) == []
    assert findings(tmp_path, "tests/a.py", a_function(51)) == [
        "tests/a.py:1: long has 51 lines; 50 is the most"
    ]


def test_blank_lines_and_docstrings_cost_nothing(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "a.py").write_text(
        'def f():\n    """One.\n\n    Two.\n    """\n\n    return 1\n', encoding="utf-8"
    )
    [source] = sources(tmp_path)

    assert length(source, source.tree.body[0]) == 2  # type: ignore[arg-type]


def test_many_long_functions_are_found_though_each_is_allowed(tmp_path: Path) -> None:
    [finding] = findings(tmp_path, "shared/a.py", a_function(LONG_FUNCTION + 1))

    assert "95 of 100 functions" in finding


@pytest.mark.parametrize(
    ("path", "most"), [("shared/a.py", 400), ("tests/a.py", 600), ("benchmarks/a.py", 600)]
)
def test_a_file_has_a_ceiling_too(tmp_path: Path, path: str, most: int) -> None:
    assert findings(tmp_path, path, "x = 1\n" * most) == []
    assert findings(tmp_path, path, "x = 1\n" * (most + 1)) == [
        f"{path}:1: the file has {most + 1} lines; {most} is the most"
    ]


@pytest.mark.parametrize(
    "path", ["services/billing/service.py", "shared/utils.py", "shared/helpers/a.py", "tests/common.py"]
)
def test_a_name_that_says_nothing_is_found(tmp_path: Path, path: str) -> None:
    [finding] = findings(tmp_path, path, "")

    assert "says nothing" in finding


@pytest.mark.parametrize(
    "read",
    [
        "datetime.now(UTC)",
        "datetime.datetime.now()",
        "datetime.utcnow()",
        "date.today()",
        "time.time()",
        "field(default_factory=datetime.utcnow)",
    ],
)
def test_reading_the_clock_is_found_outside_the_one_clock(tmp_path: Path, read: str) -> None:
    assert findings(tmp_path, "shared/clock.py", read) == []
    assert findings(tmp_path, "tests/a.py", read) == []

    [finding] = findings(tmp_path, "services/billing/handlers.py", read)
    assert finding.startswith("services/billing/handlers.py:1: ")
    assert "only shared/clock.py reads the clock" in finding


def test_importing_the_clock_by_name_does_not_hide_it(tmp_path: Path) -> None:
    assert len(findings(tmp_path, "shared/a.py", "from time import time")) == 1


def test_measuring_a_duration_is_not_reading_the_clock(tmp_path: Path) -> None:
    assert findings(tmp_path, "shared/a.py", "time.monotonic(); perf_counter(); clock.now()") == []


def test_a_commit_outside_shared_is_found(tmp_path: Path) -> None:
    assert findings(tmp_path, "shared/db.py", "session.commit()") == []

    [finding] = findings(tmp_path, "services/billing/store.py", "async def f(s):\n    await s.commit()\n")
    assert finding.startswith("services/billing/store.py:2: commits")


@pytest.mark.parametrize(
    ("path", "text", "allowed"),
    [
        ("services/billing/domain/rent.py", "import decimal, json", True),
        ("services/billing/domain/rent.py", "from shared.money import Money", True),
        ("services/billing/domain/rent.py", "from shared.documents import Fields", True),
        ("services/billing/domain/rent.py", "from services.billing.domain.fees import Fee", True),
        ("services/billing/domain/rent.py", "from services.billing import domain", True),
        ("services/billing/domain/rent.py", "from services.billing import store", False),
        ("services/billing/domain/rent.py", "from services.leasing.domain.leases import Lease", False),
        ("services/billing/domain/rent.py", "import requests", False),
        ("services/billing/domain/rent.py", "def f():\n    from shared.contracts import billing", False),
        ("shared/contracts/billing.py", "from pydantic import BaseModel", True),
        ("shared/contracts/billing.py", "from shared.money import Money", False),
        ("services/billing/store.py", "import sqlalchemy", True),
    ],
)
def test_rules_and_contracts_import_only_what_they_may(
    tmp_path: Path, path: str, text: str, allowed: bool
) -> None:
    assert (findings(tmp_path, path, text) == []) is allowed


def test_the_checker_fails_with_a_place_to_jump_to(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(tmp_path) == 0

    findings(tmp_path, "shared/misc.py", "")

    assert main(tmp_path) == 1
    assert "shared/misc.py:1: " in capsys.readouterr().out


def test_a_file_that_does_not_parse_is_a_finding_not_a_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "a.py").write_text("x = 1\ndef (\n", encoding="utf-8")

    assert main(tmp_path) == 1
    assert "a.py:2: " in capsys.readouterr().out
