"""The guide to late fees says what the command answers."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from services.billing.cli import app
from services.billing.domain.fee_caps import KINDS as CAP_KINDS
from services.billing.domain.fee_policy import FIELDS
from services.billing.domain.fee_rules import KINDS as RULE_KINDS
from services.billing.jurisdictions import profiles

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "late-fees.md"
BLOCK = re.compile(r"^```(?:json|text) (terms|answer|refusal)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def examples() -> list[tuple[str, str, str]]:
    """Terms, and what the guide says of them: an answer or a refusal."""
    blocks = BLOCK.findall(GUIDE.read_text(encoding="utf-8"))
    assert [kind for kind, _ in blocks[::2]] == ["terms"] * (len(blocks) // 2)
    return [(terms, kind, said) for (_, terms), (kind, said) in zip(blocks[::2], blocks[1::2], strict=True)]


@pytest.mark.parametrize(("terms", "kind", "said"), examples())
def test_an_example_of_the_guide_is_what_the_command_answers(
    terms: str, kind: str, said: str, tmp_path: Path
) -> None:
    file = tmp_path / "terms.json"
    file.write_text(terms, encoding="utf-8")

    answer = CliRunner().invoke(app, ["quote-late-fee", "--json", "--terms", str(file)])

    if kind == "refusal":
        assert (answer.exit_code, answer.stdout) == (1, "")
        assert answer.stderr == f"Error: {said.strip()}.\n"
    else:
        found: dict[str, Any] = json.loads(answer.stdout)
        assert {name: found[name] for name in json.loads(said)} == json.loads(said)


def test_every_kind_and_every_field_is_explained() -> None:
    text = GUIDE.read_text(encoding="utf-8")

    for name in (*RULE_KINDS, *CAP_KINDS, *FIELDS, *profiles()):
        assert f"`{name}`" in text, name
