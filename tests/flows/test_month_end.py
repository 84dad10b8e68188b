"""A month end across all services, which run as processes and talk only through RabbitMQ."""

import asyncio
import json
from pathlib import Path

from propman.dev import ServerUrls
from tests.support.system import a_system, billed_cents, load, mails_in

LEASES = 120
MONTH = "2026-12"


async def test_command_and_trigger_at_once_bill_each_lease_exactly_once(
    servers: ServerUrls, tmp_path: Path
) -> None:
    """Two operators, the schedule and two replicas of billing, all at the same moment."""
    before = set(servers.mail_dir.glob("*.eml"))
    async with a_system(servers, tmp_path) as system:
        system.start("leasing", "notifications", "scheduler")
        system.start("billing", instance="1")
        system.start("billing", instance="2")
        await load(system, tmp_path, LEASES)

        wait = ("trigger", "monthly-billing", "--month", MONTH, "--wait", "--json")
        generate = ("billing", "generate-monthly-invoices", "--month", MONTH, "--json")
        _, first, second = await asyncio.gather(
            system.command(*wait, as_process=True),
            system.command(*generate, as_process=True),
            system.command(*generate, as_process=True),
        )
        await system.quiet()

        created = [json.loads(out)["created"] for _, out, _ in (first, second)]
        by_trigger = await system.number("billing", "select sum(created) from runs")
        assert sum(created) + by_trigger == LEASES
        assert await system.number("billing", "select count(*) from invoices") == LEASES
        assert await system.number("billing", "select count(distinct lease_id) from invoices") == LEASES
        total = await system.number("billing", "select sum(total_cents) from invoices")
        assert total == billed_cents(range(LEASES))
        assert await system.number("notifications", "select count(*) from notifications") == LEASES
        assert set(system.terminate().values()) == {0}
    mails = mails_in(set(servers.mail_dir.glob("*.eml")) - before)
    assert sum(map(len, mails.values())) == len(mails) == LEASES


async def test_a_payment_is_receipted_by_mail_and_in_the_app(servers: ServerUrls, tmp_path: Path) -> None:
    async with a_system(servers, tmp_path) as system:
        system.start("leasing", "billing", "notifications", "scheduler")
        await load(system, tmp_path, 1)
        await system.command("trigger", "monthly-billing", "--month", MONTH, "--wait")
        pay = (
            "billing",
            "record-payment",
            "--invoice",
            "INV-2026-000001",
            "--amount",
            "400",
            "--reference",
            "R1",
        )

        await system.command(*pay)
        _, _, said = await system.command(*pay)
        await system.quiet()

        assert "Already recorded" in said
        states = await system.ask(
            "notifications",
            "select n.template, d.channel, d.state from deliveries d join notifications n"
            " on n.id = d.notification_id order by 1, 2",
        )
        assert [tuple(row) for row in states] == [
            ("invoice", "email", "sent"),
            ("invoice", "in_app", "delivered"),
            ("receipt", "email", "sent"),
            ("receipt", "in_app", "delivered"),
        ]


async def test_one_trace_leads_from_the_trigger_to_every_service(servers: ServerUrls, tmp_path: Path) -> None:
    async with a_system(servers, tmp_path) as system:
        system.start("leasing", "billing", "notifications", "scheduler")
        await load(system, tmp_path, 3)
        _, out, _ = await system.command("trigger", "monthly-billing", "--month", MONTH, "--wait", "--json")
        await system.quiet()

        occurrence = json.loads(out)["id"]
        _, traced, _ = await system.command("trace", occurrence, "--json")

        steps = {(step["service"], step["what"]): step["count"] for step in json.loads(traced)}
        assert steps["billing", "scheduler.monthly_billing_due.v1"] == 1
        assert steps["billing", "billing.issue_invoices.v1"] == 1
        assert steps["notifications", "billing.invoice_created.v1"] == 3
        assert steps["scheduler", "scheduler.trigger_outcome.v1"] == 1
        lines = [line for line in system.logs(500).splitlines() if occurrence in line]
        assert any("billing.scheduler.monthly_billing_due.v1" in line for line in lines)
        assert any("scheduler.scheduler.trigger_outcome.v1" in line for line in lines)
