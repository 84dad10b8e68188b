"""What each service says and hears, as kept in `docs/asyncapi`, is what the code says and hears."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from propman.catalog import service_names

ROOT = Path(__file__).parents[2]
KEPT = ROOT / "docs" / "asyncapi"


@pytest.mark.parametrize("service", service_names())
def test_the_kept_document_is_the_one_the_service_prints(service: str) -> None:
    # A process of its own: the document must not depend on what else was imported.
    command = [sys.executable, "-m", "propman", service, "asyncapi"]
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout

    file = KEPT / f"{service}.json"

    kept = file.read_text(encoding="utf-8") if file.exists() else ""
    assert kept == printed, f"{file.relative_to(ROOT)} is out of date: write it anew with `make docs`"


@pytest.mark.parametrize("service", service_names())
def test_the_architecture_names_everything_a_service_says(service: str) -> None:
    document = json.loads((KEPT / f"{service}.json").read_text(encoding="utf-8"))
    channels = [
        found["channel"]["$ref"] for found in document["operations"].values() if found["action"] == "send"
    ]
    said = {"".join(word.capitalize() for word in path.split(".")[-2].split("_")) for path in channels}

    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8").partition("## The services")[2]
    [row] = [line for line in text.splitlines() if line.startswith(f"| `{service}` |")]
    of_all = text[text.index("Every service also") :].partition("\n\n")[0]

    assert said - set(re.findall(r"`(\w+)`", row + of_all)) == set()


def test_no_document_outlives_its_service() -> None:
    assert {file.stem for file in KEPT.glob("*.json")} == set(service_names())
