"""The documents name files and tests that are there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = [
    *(ROOT / name for name in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *ROOT.glob("docs/**/*.md"),
    *ROOT.glob("services/*/README.md"),
]
LINK = re.compile(r"\]\((?!http)([^)#]+)(?:#[^)]*)?\)")
NAMED_TEST = re.compile(r"`(?P<folder>[\w/]*/)?(?P<file>test_\w+\.py)?(?:::(?P<test>test_\w+))?`")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(document: Path) -> None:
    targets = [match[1] for match in LINK.finditer(document.read_text(encoding="utf-8"))]

    assert [target for target in targets if not (document.parent / target).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_test_that_proves_something_exists(document: Path) -> None:
    files = {path.name: path for path in ROOT.glob("tests/**/test_*.py")}
    current, missing = "", []
    for match in NAMED_TEST.finditer(document.read_text(encoding="utf-8")):
        if not match["file"] and not match["test"]:
            continue
        current = match["file"] or current
        path = files.get(current)
        if (
            path is None
            or (match["folder"] and not (ROOT / match["folder"] / current).exists())
            or (match["test"] and f"def {match['test']}(" not in path.read_text(encoding="utf-8"))
        ):
            missing.append(match[0])

    assert missing == []
