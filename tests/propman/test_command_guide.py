"""The guide's package is built, installed and typed: what it shows works as it is shown."""

import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

import shared.cli
from propman.demo.portfolio import portfolio_csv
from propman.simulation.calendar import Span
from tests.support.commands import Ran, run_propman
from tests.support.databases import TestDatabases

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs/guides/add-a-command.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(?P<kind>\w+)\n(?P<text>.*?)^```", re.MULTILINE | re.DOTALL)


def block(kind: str) -> str:
    """The only block of its kind."""
    [found] = [match["text"] for match in BLOCK.finditer(GUIDE) if match["kind"] == kind]
    return found


TYPED = [line.split()[1:] for line in block("console").splitlines() if line.startswith("propman ")]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The package of the guide, built and installed by pip into a folder on the path."""
    source, target = tmp_path_factory.mktemp("cedar-commands"), tmp_path_factory.mktemp("site")
    (source / "pyproject.toml").write_text(block("toml"), encoding="utf-8")
    (source / "raise_rents.py").write_text(block("python"), encoding="utf-8")
    options = ("--quiet", "--no-index", "--no-deps", "--no-build-isolation", "--target", str(target))
    subprocess.run([sys.executable, "-m", "pip", "install", *options, str(source)], check=True)
    sys.path.insert(0, str(target))
    yield target
    sys.path.remove(str(target))
    sys.modules.pop("raise_rents", None)


@pytest.fixture
async def environment(databases: TestDatabases, tmp_path: Path) -> dict[str, str]:
    """Leasing with the demo's portfolio."""
    await databases.empty("leasing")
    environment = {
        "LEASING_DATABASE_URL": await databases.url("leasing"),
        "PROPMAN_RABBITMQ_URL": "amqp://nobody@127.0.0.1:1/",
    }
    file = tmp_path / "portfolio.csv"
    file.write_text(portfolio_csv(Span.of(12, date(2026, 11, 30))))
    ran = await run_propman("leasing", "import", str(file), environment=environment)
    assert ran.code == 0, ran.err
    return environment


@pytest.mark.servers
async def test_the_package_of_the_guide_installs_and_its_commands_do_what_it_says(
    installed: Path, environment: dict[str, str]
) -> None:
    shown, helped, planned, done, again = [
        await run_propman(*words, environment=environment) for words in TYPED
    ]

    assert "Raises rents by a percentage. From cedar-commands." in " ".join(shown.out.split())
    assert "Usage: propman raise-rents" in helped.out
    assert (planned.code, done.code, again.code) == (0, 0, 0), (planned.err, done.err, again.err)
    assert "Dry run: nothing was written." in planned.err
    assert planned.out == done.out != ""
    assert "14 rents are raised from 2027-07-01." in done.err
    assert again.json == []


@pytest.mark.servers
async def test_a_lease_that_cannot_is_named_and_the_others_are_raised(
    installed: Path, environment: dict[str, str]
) -> None:
    leases = (await run_propman("leasing", "leases", "list", "--json", environment=environment)).json
    words = ("leasing", "leases", "end", leases[0]["id"], "--on", "2027-06-30")
    assert (await run_propman(*words, environment=environment)).code == 0
    change = ("leasing", "leases", "change", leases[1]["id"], "--ends-on", "2027-06-30", "--then", "end")
    assert (await run_propman(*change, environment=environment)).code == 0
    most = ("leasing", "leases", "change", leases[2]["id"], "--rent", "1000000000")  # there is no higher rent
    changed = await run_propman(*most, environment=environment)
    assert changed.code == 0, changed.err

    ran = await run_propman("raise-rents", "--percent", "3", "--from", "2027-07-01", environment=environment)

    assert ran.code == 1
    assert f"{leases[2]['property']} {leases[2]['unit_label']}: rent_changes" in ran.err
    # Of fourteen, one has ended, and one is over by then: they are in nobody's way.
    assert ran.err.splitlines()[-1] == "Error: 1 of 12 rents cannot be raised; see above."
    assert len(ran.out.splitlines()) == 1 + 11


@pytest.mark.parametrize("percent", ["much", "-3", "0", "51", "NaN"])
async def test_a_slip_of_the_keyboard_is_a_usage_problem(installed: Path, percent: str) -> None:
    ran: Ran = await run_propman("raise-rents", "--percent", percent, "--from", "2027-07-01", environment={})

    assert (ran.code, ran.err) == (2, f"Error: {percent!r} is not a percentage. Write it like 3 or 2.5.\n")


def test_every_name_of_the_guide_s_table_is_there() -> None:
    table = GUIDE.partition("## What every command has")[2].partition("Money is")[0]
    named = set(re.findall(r"`(?:raise |with )?([A-Za-z_]+)(?:\(|`)", table))

    assert len(named) > 20
    assert {name for name in named if not hasattr(shared.cli, name)} <= {"async", "NO_COLOR"}


def test_the_guide_s_code_is_as_ours_has_to_be(tmp_path: Path) -> None:
    file = tmp_path / "raise_rents.py"
    file.write_text(block("python"), encoding="utf-8")
    settings = ("--no-cache", "--config", str(ROOT / "pyproject.toml"))

    for checked in (("check", *settings, "--ignore", "INP001"), ("format", *settings, "--check")):
        command = [sys.executable, "-m", "ruff", *checked, str(file)]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        assert ended.returncode == 0, ended.stdout
