"""The guide to signing says what works: its commands are typed one after the other."""

import re
import shlex
from pathlib import Path

import pytest

from tests.leasing.test_signing_cli import KEY
from tests.leasing.typed import Run, document

GUIDE = (Path(__file__).parents[2] / "docs" / "guides" / "signing.md").read_text(encoding="utf-8")
COMMAND = re.compile(r"(?:(?P<name>[A-Z]+)=\$\()?propman leasing (?P<words>.*?)\)?", re.DOTALL)


@pytest.mark.servers
async def test_the_commands_of_the_guide_work_one_after_the_other(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEASING_PUBLIC_URL", "https://leases.example.com")
    monkeypatch.setenv("PROPMAN_LINK_KEY", KEY)
    blocks = re.findall(r"```console\n(.*?)```", GUIDE, re.DOTALL)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    known: dict[str, str] = {}

    for match in filter(None, map(COMMAND.fullmatch, lines)):
        typed = re.sub(r"\$([A-Z]+)", lambda found: known[found[1]], match["words"])
        result = await run(*shlex.split(typed))
        assert result.exit_code == 0, (typed, result.output)
        known[match["name"] or ""] = result.stdout.strip()

    shown = document(await run("signing-links", "show", known["LEASE"], "--json"))
    ends = [[link["state"] for link in request["links"]] for request in shown["requests"]]
    assert shown["signature"] == "paper"
    assert ends == [
        ["revoked", "revoked", "replaced", "revoked", "replaced", "revoked"],
        ["revoked", "revoked", "revoked"],
        [],
    ]
