"""What is written as a portfolio file is read as the same leases."""

import csv
import io
from dataclasses import fields
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.leasing.domain.charges import CHARGE_FREQUENCIES, Charge
from services.leasing.domain.leases import Lease
from services.leasing.domain.portfolio import COLUMNS, read_portfolio
from services.leasing.domain.portfolio_writing import rows_of
from services.leasing.domain.properties import Property
from services.leasing.domain.tenants import Tenant
from services.leasing.domain.terms import FREQUENCIES, LeaseTerms, RentChange, checked_terms
from shared.clock import zone
from shared.identity import new_id
from shared.messaging.transaction import Transactions
from tests.leasing.typed import Run, a_lease, document
from tests.support.databases import TestDatabases

START = date(2026, 1, 15)
CENTS = st.integers(1, 10**9)
DAYS = st.dates(START + timedelta(days=1), date(2027, 12, 30))
TEXTS = st.text(st.sampled_from("ab: ,'\"é1"), min_size=1, max_size=8).filter(
    lambda text: text == text.strip() and not text.startswith(":") and not text.endswith(":")
)


@st.composite
def charges(draw: st.DrawFn, code: str) -> Charge:
    begins, ends = draw(st.none() | DAYS), draw(st.none() | DAYS)
    frequency = draw(st.sampled_from(CHARGE_FREQUENCIES))
    keeps_end = frequency != "once" and ends is not None and ends >= (begins or START)
    return Charge(
        code=code,
        description=draw(TEXTS),
        amount_cents=draw(CENTS),
        frequency=frequency,
        starts_on=begins,
        ends_on=ends if keeps_end else None,
    )


@st.composite
def leases(draw: st.DrawFn) -> Lease:
    frequency = draw(st.sampled_from(FREQUENCIES))
    by_month = frequency == "monthly"
    values: dict[str, Any] = {
        "id": new_id(),
        "property_id": new_id(),
        "unit_id": new_id(),
        "unit_label": "1A",
        "tenant_ids": (),
        "time_zone": "America/New_York",
        "currency": "USD",
    }
    return checked_terms(
        Lease(
            rent_cents=draw(CENTS),
            frequency=frequency,
            rent_changes=tuple(
                RentChange(effective_on=day, rent_cents=draw(CENTS))
                for day in draw(st.sets(DAYS, max_size=3))
            ),
            free_periods=tuple(draw(st.sets(st.sampled_from(["2026-01", "2027-12"])))) if by_month else (),
            charges=tuple(draw(charges(code)) for code in draw(st.sets(st.sampled_from("abc")))),
            starts_on=START,
            ends_on=draw(st.sampled_from([None, date(2027, 12, 31)])),
            rolls_over=draw(st.booleans()),
            due_day=draw(st.integers(1, 31)) if by_month else 1,
            **values,
        )
    )


def written(lease: Lease, place: Property, tenants: list[Tenant]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows_of(lease, place, tenants))
    return text.getvalue().encode()


@given(leases())
def test_every_lease_is_read_as_it_is_written(lease: Lease) -> None:
    place = Property(id=new_id(), name="Elm", address="1, Elm Street", time_zone="America/New_York")
    tenants = [Tenant(id=new_id(), name=name, email=f"{name}@example.com") for name in ("ann", "luis")]

    portfolio = read_portfolio(written(lease, place, tenants), zone)

    assert portfolio.problems == ()
    assert [row.tenant.email for row in portfolio.rows] == ["ann@example.com", "luis@example.com"]
    for row in portfolio.rows:
        for item in fields(LeaseTerms):
            assert getattr(row.terms, item.name) == getattr(lease, item.name)


@pytest.mark.servers
async def test_what_is_exported_is_imported_as_the_same(
    run: Run, transactions: Transactions, databases: TestDatabases
) -> None:
    template = (await run("export-template")).stdout
    await run("import", "-", given=template.encode())
    exported = (await run("export")).stdout
    await databases.empty("leasing")

    added = document(await run("import", "-", "--json", given=exported.encode()))["added"]

    assert added == {"properties": 1, "units": 2, "tenants": 3, "leases": 2}
    assert (await run("export")).stdout == exported
    assert (await run("export", "--property", new_id())).stdout == ",".join(COLUMNS) + "\n"


@pytest.mark.servers
async def test_a_tenant_whom_an_import_would_not_know_is_mentioned(run: Run) -> None:
    _, tenant, lease = await a_lease(run)
    await run("tenants", "change", tenant, "--email", "", "--phone", "+1 518 555 0100", "--channel", "sms")

    result = await run("export")

    assert "Tenants without an e-mail address, which an import needs: 1." in result.stderr
    assert len(result.stdout.splitlines()) == 2
    assert lease not in result.stdout
