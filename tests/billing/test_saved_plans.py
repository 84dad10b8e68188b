"""A dry run that is kept, and carried out exactly or not at all."""

import json
from pathlib import Path
from typing import Any

import pytest

from services.billing.handlers import router
from shared.contracts.leasing import LeaseActivated, LeaseChanged
from tests.billing.office import Office
from tests.billing.runs import agree, bill, billed, know
from tests.support.builders import a_lease, a_property
from tests.support.commands import Ran
from tests.support.messages import deliver

MONTH = ("generate-monthly-invoices", "--month", "2026-12")


class Plans:
    """The command line of billing with two leases of one property, and a place for a plan."""

    def __init__(self, office: Office, leases: list[LeaseActivated], file: Path) -> None:
        self.transactions, self.run, self.rows = office.transactions, office.run, office.rows
        self.leases = leases
        self.file = file

    async def save(self) -> Ran:
        return await self.run(*MONTH, "--dry-run", "--json", "--save", str(self.file))

    async def apply(self, *words: str) -> Ran:
        return await self.run("generate-monthly-invoices", "--apply", str(self.file), *words)


@pytest.fixture
async def plans(office: Office, tmp_path: Path) -> Plans:
    place = a_property()
    leases = [a_lease(property_id=place.property_id, unit_label=label) for label in ("1A", "1B")]
    await deliver(office.transactions, router, place)
    await know(office.transactions, *leases)
    return Plans(office, leases, tmp_path / "plan.json")


async def test_a_plan_is_carried_out_exactly_and_only_once(plans: Plans) -> None:
    before = await plans.rows()
    saved = await plans.save()
    between = await plans.rows()
    applied = await plans.apply("--json")
    again = await plans.apply()

    assert before == between
    assert (saved.code, applied.code, again.code) == (0, 0, 0)
    assert saved.json | {"dry_run": False} == applied.json
    assert await billed(plans.transactions) == [("2026-12-01", 157_500)] * 2
    assert "is already carried out" in again.err


async def test_a_plan_holds_every_line_and_total(plans: Plans) -> None:
    await plans.save()

    plan = json.loads(plans.file.read_text())

    assert plan["total_cents"] == {"USD": 315_000}
    assert [invoice["due_on"] for invoice in plan["invoices"]] == ["2026-12-01"] * 2
    assert plan["invoices"][0]["lines"] == [
        {
            "kind": "rent",
            "description": "Rent 2026-12",
            "amount_cents": 150_000,
            "formula": "1,500.00 for the full month",
        },
        {
            "kind": "parking",
            "description": "Parking",
            "amount_cents": 7_500,
            "formula": "75.00 for the full month",
        },
    ]


async def test_where_the_world_has_changed_nothing_is_issued_and_each_difference_is_said(
    plans: Plans,
) -> None:
    await plans.save()
    changed = plans.leases[0].model_dump() | {"version": 2, "rent_cents": 160_000}
    await know(plans.transactions, LeaseChanged(**changed), a_lease(unit_label="9Z"))
    await agree(plans.transactions, {"due_day": 5})
    before = await plans.rows()

    applied = await plans.apply()

    assert applied.code == 1
    assert "unit 1A, 2026-12-01 to 2026-12-31" in applied.err
    assert (
        "the total was $1,575.00 and is $1,675.00, it was due on 2026-12-01 and is on 2026-12-05"
        in applied.err
    )
    assert "unit 9Z, 2026-12-01 to 2026-12-31" in applied.err
    assert "Nothing was issued: the world has changed since the plan was made, 3 differences." in applied.err
    assert await plans.rows() == before


async def test_a_plan_of_which_something_was_billed_meanwhile_is_refused_whole(plans: Plans) -> None:
    await plans.save()
    changed = plans.leases[0].model_dump() | {"version": 2, "rent_cents": 160_000}
    await know(plans.transactions, LeaseChanged(**changed))
    await bill(plans.transactions, period="2026-12")

    applied = await plans.apply()

    assert applied.code == 1
    assert applied.err.count("is in the plan and would not be issued now") == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((*MONTH, "--save", "plan.json"), "--save keeps the plan of a dry run"),
        ((*MONTH, "--apply", "plan.json"), "--apply takes all it needs from the plan"),
        (("generate-monthly-invoices", "--apply", "no-such-plan.json"), "no-such-plan.json cannot be read"),
    ],
)
async def test_options_that_make_no_sense_together_are_a_usage_problem(
    plans: Plans, words: tuple[str, ...], said: str
) -> None:
    ran = await plans.run(*words)

    assert ran.code == 2
    assert said in ran.err


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"format": "propman billing plan 9"}, "format: is not 'propman billing plan 1'"),
        ({"invoices": [{"lease_id": "x"}]}, "invoices[0].lease_id: 'x' is not an id"),
        ({"colour": "red"}, "colour: is not a field"),
    ],
)
async def test_a_file_that_is_no_plan_is_a_usage_problem(
    plans: Plans, changes: dict[str, Any], said: str
) -> None:
    await plans.save()
    plans.file.write_text(json.dumps(json.loads(plans.file.read_text()) | changes))

    ran = await plans.apply()

    assert ran.code == 2
    assert said in ran.err
