"""The commands of payments as an operator types them: what is booked, shown, taken back, or only looked at."""

import pytest

from propman.dev import ServerUrls
from shared.messaging.transaction import Transactions
from tests.billing.desk import Desk, a_desk
from tests.billing.office import Office
from tests.support.databases import TestDatabases

PAY = ("record-payment", "--invoice", "INV-2026-000001", "--amount", "1000", "--reference", "CHK-1")


@pytest.fixture
async def desk(transactions: Transactions) -> Desk:
    """An invoice of $1,575.00 for August 2026; commands run at the real date after it."""
    found = await a_desk(transactions)
    await found.bill("2026-08")
    return found


@pytest.fixture
async def office(desk: Desk, databases: TestDatabases, servers: ServerUrls) -> Office:
    return Office(
        desk.transactions,
        {
            "BILLING_DATABASE_URL": await databases.url("billing"),
            "PROPMAN_RABBITMQ_URL": servers.rabbitmq_url,
        },
    )


async def test_a_dry_run_of_a_payment_shows_what_the_real_one_does_and_writes_nothing(office: Office) -> None:
    before = await office.rows()
    dry = await office.run(*PAY, "--dry-run", "--json")
    between = await office.rows()
    real = await office.run(*PAY, "--json")

    assert before == between
    differ = {"payment_id", "recorded_at", "dry_run"}
    assert {key: value for key, value in dry.json.items() if key not in differ} == {
        key: value for key, value in real.json.items() if key not in differ
    }
    assert (real.json["applied_cents"], real.json["balance_cents"]) == (100_000, 57_500)


async def test_a_dry_run_of_a_reversal_writes_nothing(office: Office) -> None:
    await office.run(*PAY)
    before = await office.rows()
    take_back = (
        "reverse-payment",
        "CHK-1",
        "--kind",
        "returned",
        "--reference",
        "RET-1",
        "--reason",
        "Funds",
    )

    dry = await office.run(*take_back, "--dry-run")

    assert dry.code == 0
    assert "Dry run: this would book $1,000.00 of CHK-1 returned" in dry.err
    assert await office.rows() == before


async def test_a_payment_is_listed_shown_and_knows_who_recorded_it(desk: Desk, office: Office) -> None:
    await office.run(*PAY, "--by", "Ruth", "--note", "by hand")
    await office.run("refund", "CHK-1", "--amount", "10", "--reference", "REF-1", "--reason", "Discount")

    [listed] = (await office.run("payments", "list", "--lease", str(desk.account_id), "--json")).json
    shown = (await office.run("payments", "show", "CHK-1", "--json")).json

    assert (listed["recorded_by"], listed["note"], listed["reversed_cents"]) == ("Ruth", "by hand", 1_000)
    assert [item["kind"] for item in shown["reversals"]] == ["refunded"]
    assert shown["allocations"] == [
        {"invoice_number": "INV-2026-000001", "rent_cents": 99_000, "charge_cents": 0, "fee_cents": 0}
    ]


async def test_goodwill_pays_what_is_open_and_is_booked_once_per_reference(
    desk: Desk, office: Office
) -> None:
    give = ("credit", "--lease", str(desk.account_id), "--amount", "50", "--reason", "Heating")
    first = await office.run(*give, "--reference", "GW-1")
    again = await office.run(*give, "--reference", "GW-1")

    assert first.err.startswith("Recorded: $50.00 on INV-2026-000001, still open $1,525.00")
    assert again.err.startswith("Already recorded, received on ")
    assert ": $50.00 on INV-2026-000001" in again.err
    assert (await desk.invoice())["paid_cents"] == 5_000


async def test_a_payment_on_a_void_invoice_warns(desk: Desk, office: Office) -> None:
    await desk.void("INV-2026-000001")

    ran = await office.run(*PAY)

    assert ran.code == 0
    assert "INV-2026-000001 is void; the money is the account's." in ran.err
    assert "kept as credit $1,000.00" in ran.err


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("record-payment", "--amount", "1", "--reference", "R"), 2, "Give either --invoice or --lease"),
        ((*PAY[:-1], "CHK-2", "--received-on", "2999-01-01"), 1, "Not booked: received on 2999-01-01"),
        (("refund", "CHK-9", "--reference", "R", "--reason", "X"), 2, "There is no payment"),
        (
            ("reverse-payment", "CHK-1", "--kind", "lost", "--reference", "R", "--reason", "X"),
            2,
            "is no kind of reversal",
        ),
    ],
)
async def test_what_cannot_be_booked_is_one_readable_line(
    office: Office, words: tuple[str, ...], code: int, said: str
) -> None:
    ran = await office.run(*words)

    assert (ran.code, ran.out) == (code, "")
    assert said in ran.err
    assert "Traceback" not in ran.err
