"""The list of edge cases is complete; that its tests exist is checked with every other document."""

import re
from pathlib import Path

LIST = Path(__file__).parents[2] / "docs" / "edge-cases.md"
ROW = re.compile(
    r"^\| (?P<first>\d+)(?: to (?P<last>\d+))? \| (?P<rule>[^|]+) \| (?P<proof>[^|]+) \|$", re.MULTILINE
)
EVERY = range(1, 105)


def rows() -> list[re.Match[str]]:
    return list(ROW.finditer(LIST.read_text(encoding="utf-8")))


def test_every_numbered_edge_case_is_listed_once_and_in_order() -> None:
    numbers = [
        number for row in rows() for number in range(int(row["first"]), int(row["last"] or row["first"]) + 1)
    ]

    assert numbers == list(EVERY)


def test_every_edge_case_has_a_proof_or_a_reason() -> None:
    bare = [row["first"] for row in rows() if not row["proof"].strip()]

    assert bare == []
