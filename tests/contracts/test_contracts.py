"""Every contract against its golden file: what was on the wire once must be understood for ever."""

import importlib
import json
import os
import pkgutil
from pathlib import Path
from typing import Any

import pytest

import shared.contracts
from shared.contracts.base import Message, message_types
from tests.support.examples import example_of

DATA = Path(__file__).parent / "data"
MAKE_NEW = "PROPMAN_NEW_GOLDEN"


def contracts() -> list[type[Message]]:
    for module in pkgutil.iter_modules(shared.contracts.__path__, "shared.contracts."):
        importlib.import_module(module.name)
    return [found for found in message_types() if found.__module__.startswith("shared.contracts.")]


def golden_path(contract: type[Message]) -> Path:
    return DATA / contract.owner / f"{contract.topic}.json"


def golden_files(contract: type[Message]) -> list[Path]:
    """What was first published, and a later sample for each time that fields were added."""
    first = golden_path(contract)
    return [first, *sorted(first.parent.glob(f"{contract.topic}.*.json"))]


def golden(contract: type[Message]) -> dict[str, Any]:
    """What the contract looked like when it was first published."""
    path = golden_path(contract)
    if not path.exists() and os.environ.get(MAKE_NEW):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(example_of(contract).model_dump_json(indent=2) + "\n")
    if not path.exists():
        pytest.fail(
            f"{contract.topic} has no golden file. If the contract is new, run `{MAKE_NEW}=1 make test"
            f' ARGS="tests/contracts"`, read {path.relative_to(DATA.parents[2])} and commit it.'
        )
    loaded: dict[str, Any] = json.loads(path.read_text())
    return loaded


def paths_of(value: Any, prefix: str = "") -> set[str]:
    """Where a document has values: `charges.starts_on` for each place, however often it is there."""
    if isinstance(value, dict):
        inner = [paths_of(item, f"{prefix}.{key}") for key, item in value.items()]
        return {prefix, *(path for found in inner for path in found)}
    if isinstance(value, list):
        return {prefix, *(path for item in value for path in paths_of(item, prefix))}
    return {prefix}


every_contract = pytest.mark.parametrize("contract", contracts(), ids=lambda contract: contract.topic)


@every_contract
def test_a_golden_message_is_read_and_written_as_it_was(contract: type[Message]) -> None:
    golden(contract)
    for path in golden_files(contract):
        sample = json.loads(path.read_text())

        message = contract.model_validate_json(json.dumps(sample))

        # A field that was added since is not in the sample; one that was lost or renamed shows up here.
        assert message.model_dump(mode="json", exclude_unset=True) == sample
        assert message.subject == sample[contract.subject_field]


@every_contract
def test_every_field_is_in_a_golden_file_also_one_that_was_added(contract: type[Message]) -> None:
    example = example_of(contract).model_dump(mode="json")
    kept = paths_of(golden(contract))
    for path in golden_files(contract)[1:]:
        kept |= paths_of(json.loads(path.read_text()))

    missing = sorted(paths_of(example) - kept)
    if missing and os.environ.get(MAKE_NEW):
        number = len(golden_files(contract)) + 1
        added = golden_path(contract).with_suffix(f".{number}.json")
        added.write_text(json.dumps(example, indent=2) + "\n")
        return
    assert not missing, (
        f"no golden file of {contract.topic} has {', '.join(missing)}. "
        f'Run `{MAKE_NEW}=1 make test ARGS="tests/contracts"`, which keeps the old ones, and commit the new one.'
    )


@every_contract
def test_fields_a_consumer_does_not_know_are_ignored(contract: type[Message]) -> None:
    sample = golden(contract)

    message = contract.model_validate(sample | {"added_in_a_later_version": {"at": [1]}})

    assert message == contract.model_validate(sample)


@every_contract
def test_a_message_without_a_required_field_is_refused(contract: type[Message]) -> None:
    required = [name for name, field in contract.model_fields.items() if field.is_required()]
    assert contract.subject_field in required
    for name in required:
        sample = {key: value for key, value in golden(contract).items() if key != name}
        with pytest.raises(ValueError, match=name):
            contract.model_validate(sample)


@every_contract
def test_a_topic_is_owner_name_and_version(contract: type[Message]) -> None:
    owner, name, version = contract.topic.split(".")

    assert owner == contract.__module__.rpartition(".")[2]
    assert name == name.lower()
    assert version.removeprefix("v").isdigit()
    assert contract.must_be_heard == (contract.kind != "fact")


def test_topics_are_unique() -> None:
    published = [found for found in subclasses(Message) if "topic" in found.__dict__]
    topics = [found.topic for found in published if found.__module__.startswith("shared.contracts.")]

    assert sorted(topics) == [found.topic for found in contracts()]


def subclasses(parent: type[Message]) -> list[type[Message]]:
    return [found for child in parent.__subclasses__() for found in (child, *subclasses(child))]


def test_every_golden_file_has_its_contract() -> None:
    known = {path for contract in contracts() for path in golden_files(contract)}

    assert set(DATA.rglob("*.json")) <= known, "a contract that was published once may not vanish"


def test_a_new_golden_file_never_replaces_an_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "DATA", tmp_path)
    monkeypatch.setenv(MAKE_NEW, "1")
    contract = contracts()[0]

    made = golden(contract)
    golden_path(contract).write_text('{"as": "it was"}')

    assert made == example_of(contract).model_dump(mode="json")
    assert golden(contract) == {"as": "it was"}
