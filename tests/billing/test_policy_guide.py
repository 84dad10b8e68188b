"""The guide says what the code does."""

import re
from pathlib import Path

import pytest

from services.billing.domain.policies import DEFAULT_POLICY, document_of, read_layer
from services.billing.domain.policy_fields import POLICY_FIELDS
from services.billing.domain.policy_words import in_short, read_assignments

GUIDE = (Path(__file__).parents[2] / "docs/guides/billing-policy.md").read_text(encoding="utf-8")
SHORT = re.findall(r"^\| `((?:late_fee_cap=|\w+:)[^`]+)` \| [^|]+ \|$", GUIDE, re.MULTILINE)


@pytest.mark.parametrize("item", POLICY_FIELDS, ids=lambda item: item.name)
def test_every_field_is_in_the_guide_with_its_default_an_example_and_its_meaning(item: object) -> None:
    field = next(known for known in POLICY_FIELDS if known is item)
    default = in_short(field.name, document_of(DEFAULT_POLICY)[field.name])

    assert f"| `{field.name}` | `{default}` | `{field.name}={field.example}` | {field.meaning} |" in GUIDE


@pytest.mark.parametrize("words", SHORT)
def test_every_short_form_in_the_guide_is_understood(words: str) -> None:
    assigned = words if "=" in words.split(":", maxsplit=1)[0] else f"late_fee_rules={words}"

    assert read_layer(read_assignments([assigned]))


def test_the_guide_has_short_forms_of_rules_and_of_caps() -> None:
    assert {words.startswith("late_fee_cap") for words in SHORT} == {True, False}
