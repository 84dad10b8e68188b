"""Changing, renewing and charging as somebody types it, and what a lease looks like then."""

from datetime import UTC, date, datetime
from typing import Any

import pytest

from services.leasing.domain.charges import Charge
from services.leasing.domain.leases import Lease
from services.leasing.domain.terms import RentChange
from services.leasing.store.leases import ListedLease
from services.leasing.verbs.lease_display import lease_document, print_lease, print_leases
from shared.identity import new_id
from shared.messaging.transaction import Transactions
from tests.leasing.typed import Run, a_lease, document
from tests.support.messages import emitted


async def shown(run: Run, lease: str) -> Any:
    return document(await run("leases", "show", lease, "--json"))


@pytest.mark.servers
async def test_a_rent_change_is_scheduled_and_taken_back(run: Run) -> None:
    _, _, lease = await a_lease(run)

    changed = await run("leases", "change", lease, "--rent", "1300", "--from", "2099-01-01")
    assert (changed.exit_code, changed.stdout.strip()) == (0, lease)
    coming = await shown(run, lease)
    await run("leases", "change", lease, "--cancel-rent-change", "2099-01-01")

    assert coming["coming_rent_changes"] == [{"effective_on": "2099-01-01", "rent_cents": 130_000}]
    assert (coming["rent_today_cents"], coming["rent_cents"]) == (123_450, 123_450)
    assert (await shown(run, lease))["rent_changes"] == []


@pytest.mark.servers
async def test_without_a_day_the_rent_of_the_start_is_corrected(run: Run) -> None:
    _, _, lease = await a_lease(run)

    await run("leases", "change", lease, "--rent", "1300")

    found = await shown(run, lease)
    assert (found["rent_cents"], found["rent_changes"]) == (130_000, [])


@pytest.mark.servers
async def test_all_terms_may_be_said_at_once(run: Run) -> None:
    unit, tenant, old = await a_lease(run)
    await run("leases", "end", old, "--on", "2026-06-30")
    words = (
        *("leases", "add", "--unit", unit, "--tenant", tenant, "--rent", "1250", "--starts-on", "2026-07-15"),
        *("--ends-on", "2027-07-14", "--then", "month-to-month", "--free-month", "2026-08"),
        *("--free-month", "2027-07", "--charge", "tax:Tax:120:annual:2026-11-01:2027-07-14"),
    )

    lease = (await run(*words)).stdout.strip()

    found = await shown(run, lease)
    assert (found["frequency"], found["free_periods"]) == ("monthly", ["2026-08", "2027-07"])
    assert (found["rolls_over"], found["last_on"], found["then"]) == (True, None, "month_to_month")
    assert (found["account_id"], found["renewal_of"], found["renewed_by"]) == (lease, None, None)
    assert found["charges"] == [
        {
            "code": "tax",
            "description": "Tax",
            "amount_cents": 12_000,
            "frequency": "annual",
            "starts_on": "2026-11-01",
            "ends_on": "2027-07-14",
        }
    ]


@pytest.mark.servers
async def test_a_renewed_lease_and_its_renewal_name_each_other(run: Run) -> None:
    _, tenant, old = await a_lease(run)
    await run("leases", "change", old, "--ends-on", "2026-12-31")

    renewed = await run("leases", "renew", old, "--ends-on", "2027-12-31", "--rent", "1300")

    new = renewed.stdout.strip()
    before, after = await shown(run, old), await shown(run, new)
    assert (before["then"], before["renewed_by"]) == ("renewed", new)
    assert (after["renewal_of"], after["account_id"], after["rent_cents"]) == (old, old, 130_000)
    assert (after["starts_on"], after["tenant_ids"]) == ("2027-01-01", [tenant])
    assert f"renewed by lease {new}" in (await run("leases", "show", old)).stdout


@pytest.mark.servers
async def test_a_charge_comes_and_goes_by_date(run: Run) -> None:
    _, _, lease = await a_lease(run)

    added = await run("leases", "add-charge", lease, "key:Key:25.00:once", "--from", "2026-03-09")
    removed = await run("leases", "remove-charge", lease, "parking", "--on", "2026-12-31")

    assert "Key is charged from 2026-03-09." in added.stderr
    assert "parking is charged up to 2026-12-31." in removed.stderr
    charges = {item["code"]: item for item in (await shown(run, lease))["charges"]}
    assert (charges["key"]["frequency"], charges["key"]["starts_on"]) == ("once", "2026-03-09")
    assert charges["parking"]["ends_on"] == "2026-12-31"
    assert charges["pet_rent"]["ends_on"] is None


@pytest.mark.servers
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            "change {lease} --rent 1300 --from 2026-01-01",
            "rent-changes from 2026-01-01 are not after the start",
        ),
        ("change {lease} --from 2026-05-01", "rent is missing"),
        ("change {lease} --cancel-rent-change 2026-05-01", "have none from 2026-05-01 to take back"),
        ("change {lease} --free-month 2025-12", "free-periods have 2025-12"),
        ("change {lease} --free-month soon", "--free-month"),
        ("change {lease} --then later", "then 'later' is none of month_to_month, end"),
        ("change {lease} --then end", "then is end, and the lease has no agreed end"),
        ("renew {lease} --starts-on 2026-07-01 --then end", "ends-on is missing"),
        ("add-charge {lease} pet_rent:Pet:1", "code 'pet_rent' is there twice on 2026-01-01"),
        ("add-charge {lease} key:Key:1:once:2025-12-31", "outside the lease"),
        ("add-charge {lease} key:Key:1:once:2026-03-01 --from 2026-03-02", "the charge says 2026-03-01"),
        ("remove-charge {lease} storage --on 2026-06-30", "the charges are: pet_rent, parking"),
        ("renew {lease}", "has no agreed end"),
        ("renew {lease} --starts-on 2026-07-01 --frequency weekly", "rent is missing"),
    ],
)
async def test_what_makes_no_sense_ends_with_2_and_one_line_that_says_why(
    run: Run, transactions: Transactions, words: str, said: str
) -> None:
    _, _, lease = await a_lease(run)
    before = await emitted(transactions)

    result = await run("leases", *words.format(lease=lease).split())

    assert result.exit_code == 2
    assert said in result.stderr
    assert await emitted(transactions) == before


@pytest.mark.servers
async def test_a_second_renewal_and_a_change_of_an_ended_lease_end_with_1(run: Run) -> None:
    _, _, lease = await a_lease(run)
    await run("leases", "renew", lease, "--starts-on", "2027-01-01")

    second = await run("leases", "renew", lease, "--starts-on", "2027-02-01")
    await run("leases", "end", lease, "--on", "2026-12-31")
    late = await run("leases", "add-charge", lease, "key:Key:1")

    assert (second.exit_code, late.exit_code) == (1, 1)
    assert "is renewed already, from 2027-01-01" in second.stderr
    assert "has ended: its terms no longer change" in late.stderr


@pytest.mark.servers
async def test_dry_runs_of_new_verbs_write_nothing(run: Run, transactions: Transactions) -> None:
    _, _, lease = await a_lease(run)
    before = await emitted(transactions)

    for words in (
        ("change", lease, "--rent", "1300", "--from", "2026-06-01"),
        ("add-charge", lease, "key:Key:25.00:once"),
        ("remove-charge", lease, "parking", "--on", "2026-12-31"),
        ("renew", lease, "--starts-on", "2027-01-01"),
    ):
        result = await run("leases", *words, "--dry-run")
        assert (result.exit_code, result.stdout) == (0, "")

    assert await emitted(transactions) == before


def listed(**values: Any) -> ListedLease:
    """A lease of 2026 in Honolulu with everything to come in it."""
    defaults: dict[str, Any] = {
        "id": new_id(),
        "property_id": new_id(),
        "unit_id": new_id(),
        "unit_label": "1A",
        "tenant_ids": (new_id(), new_id()),
        "time_zone": "Pacific/Honolulu",
        "currency": "USD",
        "rent_cents": 125_000,
        "starts_on": date(2026, 1, 1),
        "ends_on": date(2026, 12, 31),
        "rent_changes": (RentChange(effective_on=date(2026, 9, 1), rent_cents=130_000),),
        "free_periods": ("2026-02", "2026-11"),
        "charges": (
            Charge(code="pet", description="Pet", amount_cents=3_500, ends_on=date(2026, 10, 31)),
            Charge(code="key", description="Key", amount_cents=2_500, frequency="once"),
        ),
    }
    return ListedLease(Lease(**defaults | values), "Palm Garden", ("Keoni", "Ruth"), None)


MORNING_AFTER = datetime(2026, 9, 1, 9, 59, tzinfo=UTC)  # in Honolulu it is 23:59 of the day before


def test_the_rent_of_today_is_that_of_the_day_at_the_property() -> None:
    minute_later = MORNING_AFTER.replace(hour=10, minute=0)

    before, after = lease_document(listed(), MORNING_AFTER), lease_document(listed(), minute_later)

    assert (before["today"], before["rent_today_cents"]) == (date(2026, 8, 31), 125_000)
    assert (after["today"], after["rent_today_cents"]) == (date(2026, 9, 1), 130_000)
    assert (len(before["coming_rent_changes"]), after["coming_rent_changes"]) == (1, [])


def test_a_list_shows_what_comes_next_and_what_happens_at_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    print_leases([listed(), listed(rolls_over=True, frequency="weekly")], MORNING_AFTER, empty="")

    fixed, rolling = capsys.readouterr().out.splitlines()[-2:]
    assert "$1,250.00 " in fixed
    assert "$1,300.00 from 2026-09-01 (and 2 more)" in fixed
    assert "2026-12-31  ends" in fixed
    assert "$1,250.00 a week" in rolling
    assert "2026-12-31  month to month" in rolling


@pytest.mark.parametrize(
    ("values", "state"),
    [
        ({}, "active"),
        ({"starts_on": date(2026, 9, 1)}, "to come"),
        ({"ends_on": date(2026, 8, 30)}, "over"),
        ({"ends_on": date(2026, 8, 31)}, "active"),
        ({"ends_on": date(2026, 8, 30), "rolls_over": True}, "active"),
        ({"ends_on": date(2026, 8, 30), "state": "ended"}, "ended"),
    ],
)
def test_a_lease_is_over_after_its_last_day_and_to_come_before_its_first(
    values: dict[str, Any], state: str, capsys: pytest.CaptureFixture[str]
) -> None:
    print_leases([listed(**values)], MORNING_AFTER, empty="")

    assert f"  {state}  " in capsys.readouterr().out.splitlines()[-1]


def test_a_lease_is_shown_with_all_that_is_agreed(capsys: pytest.CaptureFixture[str]) -> None:
    print_lease(listed(rolls_over=True), MORNING_AFTER)

    out = capsys.readouterr().out
    for text in (
        "$1,250.00; $1,300.00 from 2026-09-01",
        "$1,300.00 from 2026-09-01; Pet to 2026-10-31; 2026-11 is free",
        "Pet $35.00 monthly to 2026-10-31; Key $25.00 once on 2026-01-01",
        "2026-02, 2026-11",
        "month to month, until it is ended",
    ):
        assert text in out
