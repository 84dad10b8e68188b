"""The guide to invoices says what the command answers."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from services.billing.cli import app
from services.billing.domain.proration import PRORATIONS

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "invoices.md"
BLOCK = re.compile(r"^```json (terms|answer)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
FIELDS = ("rent_cents", "start_on", "end_on", "period", "proration", "due_day", "charges", "rent_changes")


def examples() -> list[tuple[str, str]]:
    """Terms, and the answer that the guide gives to them."""
    blocks = BLOCK.findall(GUIDE.read_text(encoding="utf-8"))
    assert [kind for kind, _ in blocks] == ["terms", "answer"] * (len(blocks) // 2)
    return [(terms, said) for (_, terms), (_, said) in zip(blocks[::2], blocks[1::2], strict=True)]


@pytest.mark.parametrize(("terms", "said"), examples())
def test_an_example_of_the_guide_is_what_the_command_answers(terms: str, said: str, tmp_path: Path) -> None:
    file = tmp_path / "terms.json"
    file.write_text(terms, encoding="utf-8")

    answer = CliRunner().invoke(app, ["quote-invoice", "--json", "--terms", str(file)])

    found: dict[str, Any] = json.loads(answer.stdout)
    assert {name: found[name] for name in json.loads(said)} == json.loads(said)


def test_every_field_and_every_method_is_explained_with_an_example() -> None:
    text = GUIDE.read_text(encoding="utf-8")

    assert all(f"`{name}`" in text for name in (*FIELDS, *PRORATIONS))
    assert {json.loads(terms).get("proration") for terms, _ in examples()} >= set(PRORATIONS)
