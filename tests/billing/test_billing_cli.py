"""The billing commands as an operator types them."""

import asyncio
import json
from pathlib import Path

import pytest
import sqlalchemy as sa

from propman.dev import ServerUrls
from shared.messaging.tables import outbox
from tests.billing.office import Office
from tests.support.builders import a_lease, a_property
from tests.support.commands import run_propman
from tests.support.databases import TestDatabases
from tests.support.messages import deliver, deliver_batch


@pytest.fixture
async def billing(office: Office) -> Office:
    """A property with two leases."""
    from services.billing.handlers import router

    place = a_property()
    leases = [a_lease(property_id=place.property_id), a_lease(property_id=place.property_id)]
    await deliver(office.transactions, router, place)
    await deliver_batch(office.transactions, router, leases)
    return office


async def test_a_dry_run_writes_nothing_and_shows_what_the_real_run_does(billing: Office) -> None:
    before = await billing.rows()
    dry = await billing.run("generate-monthly-invoices", "--month", "2026-12", "--dry-run", "--json")
    between = await billing.rows()
    real = await billing.run("generate-monthly-invoices", "--month", "2026-12", "--json")

    assert dry.code == real.code == 0
    assert before == between
    assert {**dry.json, "dry_run": None} == {**real.json, "dry_run": None}
    assert real.json["total_cents"] == {"USD": 315_000}
    assert (await billing.rows())["invoices"] == 2


async def test_a_second_run_says_that_there_is_nothing_to_do_and_exits_0(billing: Office) -> None:
    await billing.run("generate-monthly-invoices", "--month", "2026-12")
    again = await billing.run("generate_monthly_invoices", "--month", "2026-12")

    assert again.code == 0
    assert "Nothing to do: 2 leases are billed already." in again.err


async def test_a_lease_that_cannot_be_billed_is_named_and_the_exit_code_says_so(billing: Office) -> None:
    from services.billing.handlers import router

    bad = a_lease(rent_cents=-1, charges=())
    await deliver_batch(billing.transactions, router, [bad])

    dry = await billing.run("generate-monthly-invoices", "--month", "2026-12", "--dry-run", "--json")
    real = await billing.run("generate-monthly-invoices", "--month", "2026-12", "--json")

    assert (dry.code, real.code) == (1, 1)
    assert dry.json | {"dry_run": False} == real.json
    assert (real.json["created"], real.json["failed"]) == (2, 1)
    assert f"lease {bad.lease_id}" in real.err


async def test_two_operators_who_bill_a_month_at_once_bill_it_once(billing: Office) -> None:
    month = ("billing", "generate-monthly-invoices", "--month", "2026-12", "--json")

    one, other = await asyncio.gather(
        *(run_propman(*month, environment=billing.environment, as_process=True) for _ in range(2))
    )

    assert (one.code, other.code) == (0, 0)
    assert one.json["created"] + other.json["created"] == 2
    assert (await billing.rows())["invoices"] == 2


async def test_enqueue_publishes_the_trigger_and_issues_nothing_itself(billing: Office) -> None:
    ran = await billing.run("generate-monthly-invoices", "--month", "2026-12", "--enqueue", "--json")

    assert ran.code == 0
    rows = await billing.rows()
    assert (rows["outbox"], rows["invoices"]) == (1, 0)
    async with billing.transactions.engine.connect() as connection:
        topic, message_id = (await connection.execute(sa.select(outbox.c.topic, outbox.c.message_id))).one()
    assert topic == "scheduler.monthly_billing_due.v1"
    assert str(message_id) == ran.json["occurrence_id"]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("generate-monthly-invoices", "--month", "2026-13"), 2, "is not a month"),
        (("generate-monthly-invoices", "--month", "soon"), 2, "is not a month"),
        (("generate-monthly-invoices", "--property", "17"), 2, "is not an id"),
        (
            ("generate-monthly-invoices", "--property", "0198c1d2-7e1a-7c3f-9b2e-3d4c5b6a7f80"),
            2,
            "Billing knows no property",
        ),
        (("invoices", "show", "INV-2026-999999"), 2, "There is no invoice"),
        (("invoices", "list", "--state", "lost"), 2, "is not a state"),
        (
            ("record-payment", "--invoice", "X", "--amount", "12.345", "--reference", "R"),
            2,
            "is not an amount",
        ),
        (("record-payment", "--invoice", "X", "--amount", "1", "--reference", "R"), 2, "There is no invoice"),
        (
            (
                "record-payment",
                "--invoice",
                "X",
                "--amount",
                "1",
                "--reference",
                "R",
                "--received-on",
                "today",
            ),
            2,
            "is not a date",
        ),
    ],
)
async def test_bad_input_is_one_readable_line_and_its_exit_code(
    billing: Office, words: tuple[str, ...], code: int, said: str
) -> None:
    ran = await billing.run(*words)

    assert ran.code == code
    assert said in ran.err
    assert "Traceback" not in ran.err
    assert ran.out == ""


async def test_an_invoice_is_shown_with_its_lines_and_payments(billing: Office) -> None:
    await billing.run("generate-monthly-invoices", "--month", "2026-12")
    paid = await billing.run(
        "record-payment", "--invoice", "INV-2026-000001", "--amount", "2,000.00", "--reference", "CHK-1"
    )
    shown = await billing.run("invoices", "show", "inv-2026-000001", "--json")
    listed = await billing.run("invoices", "list", "--state", "paid", "--json")

    assert "kept as credit $425.00" in paid.err
    assert [line["amount_cents"] for line in shown.json["lines"]] == [150_000, 7_500]
    assert shown.json["payments"][0]["reference"] == "CHK-1"
    assert shown.json["balance_cents"] == 0
    assert [item["number"] for item in listed.json] == ["INV-2026-000001"]


async def test_an_unreachable_database_is_one_line_and_exit_3(billing: Office) -> None:
    billing.environment["BILLING_DATABASE_URL"] = "postgresql://a:secret@127.0.0.1:9/none"
    ran = await billing.run("invoices", "list")

    assert ran.code == 3
    assert len(ran.err.strip().splitlines()) == 1
    assert "secret" not in ran.err


async def test_a_missing_migration_is_one_line_that_says_what_to_run(
    billing: Office, servers: ServerUrls, databases: TestDatabases
) -> None:
    billing.environment["BILLING_DATABASE_URL"] = servers.postgres_url
    ran = await billing.run("invoices", "list")

    assert ran.code == 1
    assert "propman db migrate" in ran.err


async def test_a_missing_setting_is_named(billing: Office) -> None:
    del billing.environment["BILLING_DATABASE_URL"]
    ran = await billing.run("invoices", "list")

    assert ran.code == 2
    assert "BILLING_DATABASE_URL" in ran.err


async def test_python_m_services_billing_is_the_same_command(billing: Office, tmp_path: Path) -> None:
    ran = await run_propman("invoices", "list", environment=billing.environment, module="services.billing")

    assert ran.code == 0


async def test_the_asyncapi_document_names_what_is_sent_and_taken(billing: Office) -> None:
    ran = await billing.run("asyncapi")

    document = json.loads(ran.out)
    assert document["asyncapi"].startswith("3.")
    assert {"billing.invoice_created.v1", "billing.payment_recorded.v1"} <= set(document["channels"])
    assert "billing.scheduler.monthly_billing_due.v1" in document["channels"]


async def test_void_frees_the_money_and_bills_anew_and_a_dry_run_of_it_writes_nothing(
    billing: Office,
) -> None:
    await billing.run("generate-monthly-invoices", "--month", "2026-12")
    void = ("void", "INV-2026-000001", "--reason", "Wrong rent", "--reissue", "--json")
    before = await billing.rows()
    dry = await billing.run(*void, "--dry-run")
    between = await billing.rows()
    real = await billing.run(*void)
    again = await billing.run("void", "INV-2026-000001", "--reason", "Wrong rent")

    assert before == between
    assert dry.json | {"dry_run": False} == real.json
    assert real.json["reissued_as"] == "INV-2026-000003"
    assert "INV-2026-000001 was void already." in again.err


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("void", "INV-2026-000099", "--reason", "Gone"), 2, "There is no invoice 'INV-2026-000099'."),
        (("void", "INV-2026-000001", "--reason", " "), 2, "--reason is empty."),
    ],
)
async def test_what_cannot_be_voided_is_one_readable_line(
    billing: Office, words: tuple[str, ...], code: int, said: str
) -> None:
    ran = await billing.run(*words)

    assert ran.code == code
    assert said in ran.err
