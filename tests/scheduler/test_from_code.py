"""The program in the README's "From code" is pasted into a file and run, as its readers will."""

import asyncio
import re
import sys
from pathlib import Path
from uuid import UUID

import pytest

import services.scheduler
from services.scheduler.domain.occurrences import Occurrence
from services.scheduler.handlers import router
from services.scheduler.store import HistoryStore
from tests.scheduler.driver import Scheduler, billed, until
from tests.support.commands import ROOT, Ran
from tests.support.databases import TestDatabases
from tests.support.messages import deliver, emitted

README = (Path(services.scheduler.__file__).parent / "README.md").read_text(encoding="utf-8")
[PROGRAM] = re.findall(r"```python\n(.*?)```", README.partition("\n## From code\n")[2], re.DOTALL)
NOBODY = "127.0.0.1:1"


async def run_pasted(folder: Path, database_url: str) -> Ran:
    """Run it in a folder whose settings only the file of `propman dev` knows."""
    (folder / "month_end.py").write_text(PROGRAM, encoding="utf-8")
    (folder / ".local").mkdir(exist_ok=True)
    (folder / ".local" / "propman.env").write_text(
        f"SCHEDULER_DATABASE_URL='{database_url}'\nPROPMAN_RABBITMQ_URL=amqp://guest:guest@{NOBODY}/\n",
        encoding="utf-8",
    )
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "month_end.py"),
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "NO_COLOR": "1"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    return Ran(process.returncode or 0, out.decode(), err.decode())


async def answer(scheduler: Scheduler) -> UUID:
    """Be billing: say what came of the run, once there is one."""

    async def asked() -> list[Occurrence]:
        async with scheduler.transactions.engine.connect() as connection:
            return await HistoryStore(connection).history(None, 1)

    [occurrence] = await until(asked, within=60)
    await deliver(scheduler.transactions, router, billed(occurrence.id))
    return occurrence.id


@pytest.mark.servers
async def test_the_program_of_the_readme_asks_once_and_shows_what_came_of_it(
    scheduler: Scheduler, databases: TestDatabases, tmp_path: Path
) -> None:
    await scheduler.add("monthly-billing")
    url = await databases.url("scheduler")

    first, identity = await asyncio.gather(run_pasted(tmp_path, url), answer(scheduler))
    again = await run_pasted(tmp_path, url)

    assert (first.code, first.out) == (0, f"{identity} billing succeeded {{'created': 29}}\n")
    assert first.err == "monthly-billing succeeded: 29 created.\n"
    assert again == first
    [(_topic, trigger)] = await emitted(scheduler.transactions)
    assert trigger["period"] == "2027-03"


async def test_where_no_server_is_the_program_of_the_readme_ends_with_one_line(tmp_path: Path) -> None:
    ran = await run_pasted(tmp_path, f"postgresql://scheduler:secret@{NOBODY}/scheduler")

    assert (ran.code, ran.out) == (3, "")
    [line] = ran.err.splitlines()
    assert line.startswith(
        "Error: The database cannot be reached (connection refused). Start the local servers"
    )
