"""The commands as somebody types them: what is printed where, and the exit code."""

import json
from pathlib import Path

import pytest

from shared.identity import new_id
from shared.messaging.transaction import Transactions
from tests.leasing.files import a_file, a_row
from tests.leasing.typed import Run, a_lease, document
from tests.support.messages import emitted

pytestmark = pytest.mark.servers


async def test_what_is_added_is_shown_with_its_id_names_and_amounts(run: Run) -> None:
    unit, tenant, lease = await a_lease(run)

    shown = document(await run("leases", "show", lease, "--json"))
    assert (shown["unit_id"], shown["tenant_ids"], shown["tenants"]) == (unit, [tenant], ["Ann Lee"])
    assert (shown["rent_cents"], [charge["amount_cents"] for charge in shown["charges"]]) == (
        123_450,
        [3_500, 5_000],
    )
    listed = (await run("leases", "list")).stdout
    assert all(text in listed for text in ("Maple Court", "1A", "Ann Lee", "$1,234.50", lease))
    for noun, identity in (("units", unit), ("tenants", tenant)):
        assert lease in (await run(noun, "show", identity)).stdout


@pytest.mark.parametrize("noun", ["properties", "units", "tenants", "leases"])
async def test_an_unknown_id_ends_with_2_and_one_line(run: Run, noun: str) -> None:
    identity = new_id()

    result = await run(noun, "show", identity)

    assert (result.exit_code, result.stdout) == (2, "")
    assert len(result.stderr.splitlines()) == 1
    assert f"See `propman leasing {noun} list`." in result.stderr
    assert str(identity) in result.stderr


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ("properties add --name X --time-zone Mars/Olympus", "time-zone"),
        ("properties add --name X --time-zone UTC --latitude 99 --longitude 1", "latitude"),
        ("tenants add --name X --email nobody", "email"),
        ("tenants add --name X --channel pigeon", "channel"),
        ("leases add --unit {id} --tenant {id} --rent 35,00 --starts-on 2026-01-01", "rent"),
        ("leases add --unit {id} --tenant {id} --rent 1 --starts-on 2026-02-30", "starts-on"),
        ("leases add --unit {id} --tenant {id} --rent 1 --starts-on 2026-01-01 --charge x", "charge"),
        ("leases add --unit {id} --tenant {id} --rent 1 --starts-on 2026-01-01 --due-day 0", "due-day"),
        ("leases end {id} --on soon", "--on"),
        ("leases show 12", "is not an id"),
        ("import nowhere.csv", "nowhere.csv"),
    ],
)
async def test_bad_input_ends_with_2_and_names_what_is_wrong(run: Run, words: str, named: str) -> None:
    result = await run(*words.format(id=new_id()).split())

    assert result.exit_code == 2
    assert named in result.stderr
    assert "Traceback" not in result.output


async def test_a_dry_run_writes_nothing(run: Run, transactions: Transactions) -> None:
    _, tenant, lease = await a_lease(run)
    before = await emitted(transactions)

    for words in (
        ("tenants", "change", tenant, "--name", "Ann Smith"),
        ("leases", "change", lease, "--rent", "1300"),
        ("leases", "end", lease, "--on", "2026-06-30"),
        ("properties", "add", "--name", "Oak House", "--time-zone", "UTC"),
        ("republish",),
    ):
        result = await run(*words, "--dry-run")
        assert (result.exit_code, result.stdout) == (0, "")

    assert await emitted(transactions) == before
    assert document(await run("tenants", "show", tenant, "--json"))["name"] == "Ann Lee"


async def test_a_refused_overlap_ends_with_1(run: Run) -> None:
    unit, tenant, _ = await a_lease(run)

    result = await run(
        "leases", "add", "--unit", unit, "--tenant", tenant, "--rent", "1", "--starts-on", "2026-05-01"
    )

    assert result.exit_code == 1
    assert "1A is let from 2026-01-01" in result.stderr


async def test_an_ended_lease_is_listed_as_ended(run: Run) -> None:
    _, _, lease = await a_lease(run)

    assert (await run("leases", "end", lease, "--on", "2026-06-30")).exit_code == 0

    (listed,) = document(await run("leases", "list", "--json"))
    assert (listed["state"], listed["ends_on"], listed["version"]) == ("ended", "2026-06-30", 2)


async def test_charges_are_replaced_or_taken_away_only_when_asked(run: Run) -> None:
    _, _, lease = await a_lease(run)

    kept = document(await run("leases", "change", lease, "--due-day", "5", "--json"))
    replaced = document(await run("leases", "change", lease, "--charge", "pet:Pet:1", "--json"))
    gone = document(await run("leases", "change", lease, "--no-charges", "--json"))

    assert [len(found["charges"]) for found in (kept, replaced, gone)] == [2, 1, 0]


async def test_the_template_can_be_imported_and_imported_again(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "portfolio.csv"
    file.write_text((await run("export-template")).stdout, encoding="utf-8-sig")

    first, again = await run("import", file), await run("import", file)

    assert (first.exit_code, again.exit_code) == (0, 0)
    assert "Added 1 property, 2 units, 3 tenants, 2 leases" in first.stderr
    assert "Nothing to add. 2 leases are there already." in again.stderr


async def test_a_bad_file_is_reported_by_line_and_nothing_of_it_is_kept(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "portfolio.csv"
    file.write_bytes(a_file(a_row(), a_row(unit="1B", rent="lots"), a_row(starts_on="2026-03-01")))

    result = await run("import", file, "--json")

    report = json.loads(result.stdout)
    assert result.exit_code == 1
    assert [(problem["line"], problem["column"]) for problem in report["problems"]] == [
        (3, "rent"),
        (4, "starts_on"),
    ]
    assert (report["saved"], report["added"]["leases"]) == (False, 0)
    assert document(await run("leases", "list", "--json")) == []


async def test_skip_bad_keeps_the_good_rows_and_still_ends_with_1(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "portfolio.csv"
    file.write_bytes(a_file(a_row(), a_row(unit="1B", rent="lots")))

    result = await run("import", file, "--skip-bad")

    assert result.exit_code == 1
    assert "1 row is bad; the others were kept (1 lease added)" in result.stderr
    assert "3  rent" in result.stdout
    assert len(document(await run("leases", "list", "--json"))) == 1


async def test_a_dry_import_says_what_it_would_add(
    run: Run, tmp_path: Path, transactions: Transactions
) -> None:
    file = tmp_path / "portfolio.csv"
    file.write_bytes(a_file(a_row()))

    result = await run("import", file, "--dry-run", "--json")

    assert document(result)["added"] == {"properties": 1, "units": 1, "tenants": 1, "leases": 1}
    assert await emitted(transactions) == []


async def test_a_file_that_is_no_portfolio_ends_with_2_and_one_line(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "portfolio.csv"
    file.write_text("property,unit\nMaple Court,1A\n", encoding="utf-8")

    result = await run("import", file)

    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1
    assert "lacks time_zone" in result.stderr


async def test_a_file_may_come_in_on_standard_input(run: Run) -> None:
    template = (await run("export-template")).stdout.encode()

    imported = await run("import", "-", "--json", given=template)

    assert document(imported)["added"] == {"properties": 1, "units": 2, "tenants": 3, "leases": 2}


async def test_republish_says_everything_again(run: Run, transactions: Transactions) -> None:
    await a_lease(run)
    before = len(await emitted(transactions))

    assert document(await run("republish", "--json")) == {
        "properties": 1,
        "tenants": 1,
        "leases": 1,
        "dry_run": False,
    }

    assert [topic for topic, _ in (await emitted(transactions))[before:]] == [
        "leasing.property_changed.v1",
        "leasing.tenant_contact_changed.v1",
        "leasing.lease_changed.v1",
    ]
