"""From payments through billing and rewards to the e-mail: a payment that bounces takes its reward along."""

from pathlib import Path

from propman.dev import ServerUrls
from tests.support.commands import run_propman
from tests.support.system import System, a_system, load

LEDGER = "select kind, period, rule, cause from entries order by sequence"
TOLD = """select n.template, n.context ->> 'period' from notifications n join deliveries d on d.notification_id = n.id
    where n.template = 'reward_revoked' and d.channel = 'email'"""
BOUNCED = ("--reference", "back", "--kind", "returned", "--reason", "no funds", "--known-on", "2026-07-03")


async def do(system: System, *words: str) -> None:
    """A command, in this process: what is tested are the services."""
    done = await run_propman(*words, environment=system.environment)
    assert done.code == 0, done.err


async def test_a_bounced_payment_takes_back_what_depended_on_it_and_the_tenant_is_told(
    servers: ServerUrls, tmp_path: Path
) -> None:
    async with a_system(servers, tmp_path) as system:
        system.start("leasing", "billing", "notifications", "rewards", "scheduler")
        await load(system, tmp_path, 1)
        because = ("--reason", "as in the leases", "--effective-on", "2026-01-01")
        await do(system, "rewards", "policy", "set", "streaks=1:5.00+3:30.00", *because)
        [[lease]] = await system.ask("billing", "select lease_id from leases")
        for month in ("2026-04", "2026-05", "2026-06"):
            await do(system, "billing", "generate-monthly-invoices", "--month", month)
            money = ("--amount", "1050", "--reference", month, "--received-on", f"{month}-01")
            await do(system, "billing", "record-payment", "--lease", str(lease), *money)
        await system.quiet()
        await system.command("trigger", "rewards", "--wait")
        await do(system, "billing", "reverse-payment", "2026-06", *BOUNCED)
        await system.quiet()
        await system.command("trigger", "rewards", "--wait")
        await system.quiet()

        assert [tuple(row) for row in await system.ask("rewards", LEDGER)] == [
            ("granted", "2026-04", "streak:1", None),
            ("granted", "2026-05", "streak:1", None),
            ("granted", "2026-06", "streak:1", None),
            ("granted", "2026-06", "streak:3", None),
            ("revoked", "2026-06", "streak:1", "unpaid"),
            ("revoked", "2026-06", "streak:3", "unpaid"),
        ]
        told = [tuple(row) for row in await system.ask("notifications", TOLD)]
        assert told == [("reward_revoked", "2026-06")] * 2
        assert set(system.terminate().values()) == {0}
