"""What the README says to type in the place of each old management command works as it stands there."""

import asyncio
import os
import re
import shlex
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest

from propman.demo.portfolio import portfolio_csv
from propman.simulation.calendar import Span
from services.billing.handlers import router as billing
from shared.clock import SystemClock
from tests.support.builders import billing_due
from tests.support.commands import Ran, run_propman
from tests.support.databases import TestDatabases
from tests.support.messages import deliver
from tests.support.post_office import PostOffice, a_post_office
from tests.weather.desk import ALERTS
from tests.weather.nws import answer
from tests.weather.provider import Provider, Reply, a_provider
from tests.weather.test_asking import POINT, STATIONS

ROOT = Path(__file__).parents[2]
SHARED = Path(os.environ.get("PROPMAN_SHARED", ROOT.parent / "shared"))
REFERENCE = SHARED / "seed" / "management-commands-reference.md"
README = (ROOT / "README.md").read_text(encoding="utf-8")
SECTION = README.partition("## Coming from `manage.py`")[2].partition("\n## ")[0]
ROWS = re.findall(r"^\| `([a-z_]+)([^`]*)` \| `propman ([^`]+)` \|$", SECTION, re.MULTILINE)
TYPED = [(old, shlex.split(new)) for old, _, new in ROWS]


def path_of(words: list[str]) -> list[str]:
    """The command itself, without its options and arguments."""
    return [word for word in words[:2] if re.fullmatch(r"[a-z][a-z-]+", word)]


def documented() -> dict[str, set[str]]:
    """Each command of the document with the options it is said to have."""
    if not REFERENCE.exists():
        pytest.skip("the reference of the old commands is not on this machine (PROPMAN_SHARED)")
    parts = re.split(r"^### ", REFERENCE.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    named = {part.partition("\n")[0]: part for part in parts}
    return {
        name: set(re.findall(r"^\| `(--[a-z-]+)", text, re.MULTILINE))
        for name, text in named.items()
        if re.fullmatch(r"[a-z_]+", name)
    }


@pytest.mark.parametrize(("old", "words"), TYPED, ids=lambda value: value if isinstance(value, str) else "")
async def test_the_new_command_has_help_and_every_option_that_is_typed(old: str, words: list[str]) -> None:
    path = path_of(words)

    ran = await run_propman(*path, "--help", environment={})

    assert (ran.code, ran.err) == (0, "")
    assert f"Usage: propman {' '.join(path)}" in ran.out
    for option in (word for word in words if word.startswith("--")):
        assert re.search(rf"^ .*{option}\b", ran.out, re.MULTILINE), option


@pytest.mark.parametrize("words", [words for old, words in TYPED if "_" in old], ids=" ".join)
async def test_the_old_spelling_with_underscores_is_the_same_command(words: list[str]) -> None:
    path = path_of(words)
    old = [*path[:-1], path[-1].replace("-", "_")]

    new, alias = [await run_propman(*spelt, "--help", environment={}) for spelt in (path, old)]

    assert (alias.code, alias.out.partition("\n")[2]) == (0, new.out.partition("\n")[2])


@pytest.mark.shared_data
def test_every_old_command_is_in_the_table_with_every_option_it_had() -> None:
    commands = documented()

    assert len(commands) == 14
    assert set(commands) == {old for old, _ in TYPED}
    typed = {(old, word) for old, words in TYPED for word in words}
    assert {(old, option) for old, options in commands.items() for option in options} - typed == set()


@dataclass(frozen=True)
class Town:
    """A portfolio that all services know, with a month that was billed and is overdue."""

    post: PostOffice
    environment: dict[str, str]
    ids: dict[str, str]

    async def run(self, *words: str) -> Ran:
        return await run_propman(*(self.ids.get(word, word) for word in words), environment=self.environment)

    async def done(self, *words: str) -> Any:
        ran = await self.run(*words, "--json")
        assert ran.code == 0, (words, ran.err)
        await self.post.carry()
        return ran.json


def fair(provider: Provider) -> None:
    """There is no alert anywhere, and a fine forecast."""
    now = SystemClock().now()
    layer = {
        "uom": "wmoUnit:degC",
        "values": [{"validTime": f"{now.replace(microsecond=0).isoformat()}/P2D", "value": 20}],
    }
    provider.says(ALERTS, Reply(answer(updated=now)))
    provider.says("/points", Reply(POINT))
    provider.says("/gridpoints", Reply({"properties": {"updateTime": now.isoformat(), "temperature": layer}}))
    provider.says("/gridpoints/ALY/71,67/stations", Reply(STATIONS))


@pytest.fixture(scope="module")
async def town(databases: TestDatabases, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Town]:
    today = SystemClock().now().date()
    last_month = today.replace(day=1) - timedelta(days=1)
    file = tmp_path_factory.mktemp("town") / "portfolio.csv"
    file.write_text(portfolio_csv(Span.of(12, last_month)), encoding="utf-8")
    async with a_post_office(databases) as post:
        with a_provider() as provider:
            fair(provider)
            weather = {"WEATHER_NWS_URL": provider.url, "WEATHER_REQUESTS_PER_SECOND": "50"}
            found = Town(post, post.environment | weather, {})
            await found.done("leasing", "import", str(file))
            [place, *_] = await found.done("leasing", "properties", "list")
            [tenant, *_] = await found.done("leasing", "tenants", "list")
            found.ids.update(PROPERTY=place["id"], TENANT=tenant["id"])
            policy = ("grace_days=0", "late_fee_rules=flat:50")
            await found.done(
                "billing", "policy", "set", *policy, "--effective-on", "2020-01-01", "--reason", "agreed"
            )
            began = datetime.combine(last_month.replace(day=1), time(20), UTC)
            due = billing_due(as_of=began, period=f"{last_month:%Y-%m}")
            await deliver(post.services["billing"], billing, due)
            await post.carry()
            yield found


@pytest.mark.servers
async def test_every_dry_run_of_the_table_runs_on_a_seeded_system_and_writes_nothing(town: Town) -> None:
    before = await town.post.rows()
    assert before["billing.invoices"] >= 10
    assert before["notifications.notifications"] >= 10

    for old, words in TYPED:
        if "--dry-run" in words or old == "send_notification":
            ran = await town.run(*dict.fromkeys([*words, "--dry-run"]))
            assert ran.code == 0, (words, ran.err)
            assert ran.out or ran.err, words

    assert await town.post.rows() == before


@pytest.mark.servers
async def test_the_dry_runs_show_what_would_be_done(town: Town) -> None:
    """With the words of the table but for the property, so that there is something to do."""
    this_month = f"{SystemClock().now():%Y-%m}"

    invoices = await town.run("billing", "generate-monthly-invoices", "--month", this_month, "--dry-run")
    fees = await town.run("billing", "apply-late-fees", "--dry-run")
    reminders = await town.run("billing", "send-payment-reminders", "--dry-run")
    told = await town.run(
        "notifications",
        "send-notification",
        "--group",
        "All Tenants",
        "--subject",
        "Hi",
        "--body",
        "Hi",
        "--dry-run",
    )

    for ran in (invoices, fees, reminders, told):
        assert ran.code == 0, ran.err
        assert len(ran.out.splitlines()) > 5, ran.out


@pytest.mark.servers
async def test_cleaning_up_asks_every_service_and_a_dry_run_removes_nothing(town: Town) -> None:
    before = await town.post.rows()
    [words] = [words for old, words in TYPED if old == "cleanup_old_tasks"]

    asked = asyncio.create_task(town.run(*words, "--dry-run", "--timeout", "30", "--json"))
    while not asked.done():
        await town.post.carry()
        await asyncio.sleep(0.05)

    ran = await asked
    assert ran.code == 0, ran.err
    answered = {report["consumer"] for report in ran.json["reports"]}
    assert answered >= {"billing", "leasing", "notifications", "scheduler", "weather"}
    after = await town.post.rows()
    assert [table for table in before if after[table] < before[table]] == []
