"""Holds in the ledger: no fee falls inside, and they end by themselves."""

import json
from dataclasses import dataclass
from datetime import date
from uuid import UUID

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from services.billing.cli import app
from services.billing.domain.holds import HoldRefused, PlacedHold, Scope
from services.billing.handlers.holds import HoldUnknown, Window, end_hold, place_hold
from services.billing.schema import holds
from services.billing.store import HoldStore
from shared.identity import new_id
from shared.messaging.transaction import Transactions
from tests.billing.late_ledger import FIFTY, TEN_A_DAY, LateLedger, a_policy
from tests.billing.office import Office
from tests.support.messages import count_rows


@pytest.fixture
async def ledger(transactions: Transactions) -> LateLedger:
    """An account in New York."""
    return await LateLedger(transactions).open()


async def hold(
    ledger: LateLedger, scope: Scope, scope_id: UUID, first: str, last: str | None = None
) -> PlacedHold:
    window = Window(
        scope, scope_id, "dispute", date.fromisoformat(first), date.fromisoformat(last) if last else None
    )
    async with ledger.transactions.command("test") as tx:
        placed, _ = await place_hold(tx, window, reason="Broken heating", by="Kim")
    return placed


async def end(ledger: LateLedger, placed: PlacedHold, on: str) -> None:
    async with ledger.transactions.command("test") as tx:
        await end_hold(tx, placed.hold_id, date.fromisoformat(on))


async def days(ledger: LateLedger, invoice: UUID) -> list[str]:
    """Days on which a fee stands, after what was taken back."""
    sums: dict[str, int] = {}
    for _, day, cents in await ledger.lines(invoice):
        sums[day] = sums.get(day, 0) + cents
    return [day for day, cents in sorted(sums.items()) if cents]


@pytest.mark.parametrize("scope", ["property", "lease", "invoice"])
async def test_no_fee_falls_inside_a_hold_and_fees_go_on_after_it(ledger: LateLedger, scope: Scope) -> None:
    invoice = await ledger.invoice(policy=a_policy(TEN_A_DAY))
    ids = {"property": ledger.property_id, "lease": ledger.account_id, "invoice": invoice}
    await hold(ledger, scope, ids[scope], "2025-03-08", "2025-03-10")

    await ledger.run("2025-03-12")

    assert await days(ledger, invoice) == ["2025-03-07", "2025-03-11", "2025-03-12"]


async def test_a_hold_is_of_its_own_invoice_only(ledger: LateLedger) -> None:
    held = await ledger.invoice()
    other = await ledger.invoice("2025-04-01")
    await hold(ledger, "invoice", held, "2025-03-01")

    await ledger.run("2025-04-10")

    assert (await days(ledger, held), await days(ledger, other)) == ([], ["2025-04-07"])


async def test_a_hold_placed_afterwards_has_the_next_run_take_back_what_fell_inside(
    ledger: LateLedger,
) -> None:
    invoice = await ledger.invoice(policy=a_policy(FIFTY))
    await ledger.run("2025-03-07")
    assert await ledger.row(invoice, "next_check_on") == (None,)

    await hold(ledger, "lease", ledger.account_id, "2025-03-05")
    await ledger.run("2025-03-20")

    assert await days(ledger, invoice) == []
    assert await ledger.row(invoice, "fee_cents", "next_check_on") == (0, None)


async def test_a_hold_that_is_ended_lets_fees_come_when_they_are_due(ledger: LateLedger) -> None:
    invoice = await ledger.invoice()
    placed = await hold(ledger, "lease", ledger.account_id, "2025-03-03")
    await ledger.run("2025-03-20")
    assert await ledger.row(invoice, "next_check_on") == (None,)

    await end(ledger, placed, "2025-03-10")
    await ledger.run("2025-03-20")

    assert await days(ledger, invoice) == ["2025-03-15"]  # one day of grace was used before the hold


async def test_a_hold_with_an_end_needs_nobody_to_end_it(ledger: LateLedger) -> None:
    invoice = await ledger.invoice()
    await hold(ledger, "lease", ledger.account_id, "2025-03-03", "2025-03-10")

    await ledger.run("2025-03-02")
    assert await ledger.row(invoice, "next_check_on") == (date(2025, 3, 15),)
    await ledger.run("2025-03-15")

    assert await days(ledger, invoice) == ["2025-03-15"]


async def test_the_same_hold_again_places_no_second(ledger: LateLedger) -> None:
    first = await hold(ledger, "lease", ledger.account_id, "2025-03-03")

    second = await hold(ledger, "lease", ledger.account_id, "2025-03-03", "2025-03-09")

    assert second == first
    assert await count_rows(ledger.transactions, holds) == 1


async def test_what_billing_does_not_know_cannot_be_held(ledger: LateLedger) -> None:
    with pytest.raises(HoldRefused, match="billing knows no invoice"):
        await hold(ledger, "invoice", new_id(), "2025-03-03")


async def test_an_end_is_only_ever_brought_forward(ledger: LateLedger) -> None:
    placed = await hold(ledger, "lease", ledger.account_id, "2025-03-03", "2025-03-20")

    await end(ledger, placed, "2025-03-10")

    with pytest.raises(HoldRefused, match="it has ended already, on 2025-03-10"):
        await end(ledger, placed, "2025-03-11")
    with pytest.raises(HoldRefused, match="it begins on 2025-03-03"):
        await end(ledger, placed, "2025-03-02")


async def test_a_hold_that_is_not_there_cannot_be_ended(ledger: LateLedger) -> None:
    with pytest.raises(HoldUnknown):
        async with ledger.transactions.command("test") as tx:
            await end_hold(tx, new_id(), date(2025, 3, 3))


async def test_others_can_ask_which_invoices_are_held_on_a_day(ledger: LateLedger) -> None:
    held, free = await ledger.invoice(), await ledger.invoice("2025-04-01")
    await hold(ledger, "invoice", held, "2025-03-03", "2025-03-05")

    async with ledger.transactions.engine.connect() as connection:
        store = HoldStore(connection)
        found = [await store.held([held, free], date(2025, 3, day)) for day in (2, 3, 5, 6)]

    assert found == [set(), {held}, {held}, set()]


@dataclass
class Desk(Office):
    """Billing's commands, on a database with one account."""

    ledger: LateLedger


@pytest.fixture
async def desk(office: Office) -> Desk:
    return Desk(office.transactions, office.environment, await LateLedger(office.transactions).open())


async def test_a_person_places_lists_and_ends_a_hold(desk: Desk) -> None:
    lease = str(desk.ledger.account_id)
    words = (
        "--kind",
        "payment-plan",
        "--from",
        "2025-03-05",
        "--reason",
        "Pays in three parts",
        "--by",
        "Kim",
    )

    dry = await desk.do("holds", "place", "--lease", lease, *words, "--dry-run")
    untouched = await count_rows(desk.ledger.transactions, holds)
    placed = await desk.run("holds", "place", "--lease", lease, *words, "--json")
    again = await desk.do("holds", "place", "--lease", lease, *words)
    listed = await desk.do("holds", "list", "--json")
    ended = await desk.do("holds", "end", placed.json["hold_id"], "--on", "2025-04-05")

    assert [ran.code for ran in (dry, placed, again, listed, ended)] == [0] * 5
    assert ("would be held" in dry.err, untouched) == (True, 0)
    assert "Already held" in again.err
    [item] = listed.json
    assert (item["kind"], item["scope"], item["placed_by"], item["ends_on"]) == (
        "payment_plan",
        "lease",
        "Kim",
        None,
    )
    assert (await desk.do("holds", "list", "--json")).json == []
    assert (await desk.do("holds", "list", "--all")).out.count("Pays in three parts") == 1


async def test_a_hold_that_makes_no_sense_is_refused_on_one_line(desk: Desk) -> None:
    lease = ("--lease", str(desk.ledger.account_id))
    words = ("--from", "2025-03-05", "--reason", "x")

    nothing = await desk.do("holds", "place", "--kind", "dispute", *words)
    kind = await desk.do("holds", "place", *lease, "--kind", "holiday", *words)
    backwards = await desk.do("holds", "place", *lease, "--kind", "dispute", *words, "--to", "2025-03-04")
    absent = await desk.do("holds", "end", str(new_id()))

    assert [ran.code for ran in (nothing, kind, backwards, absent)] == [2, 2, 2, 2]
    assert all(ran.err.count("\n") == 1 for ran in (nothing, kind, backwards, absent))
    assert await count_rows(desk.ledger.transactions, holds) == 0


async def test_the_reasons_of_a_fee_are_told_with_what_was_posted(desk: Desk) -> None:
    invoice = await desk.ledger.invoice()
    await desk.ledger.run("2025-03-07")

    told = (await desk.do("explain", "fee", str(invoice), "--on", "2025-03-31", "--json")).json
    seen = await desk.run("explain", "fee", str(invoice))

    assert (told["first_fee_on"], told["total_fee_cents"]) == ("2025-03-07", 5_000)
    assert [line["rule"] for line in told["posted"]] == ["flat.1"]
    assert "Rule 1 (flat): on 2025-03-07, fixed amount = $50.00." in told["explain"]
    assert "the first possible fee is on 2025-03-07" in seen.out
    assert seen.err == ""


async def test_why_there_is_no_fee_is_told_and_what_is_still_to_be_posted(desk: Desk) -> None:
    invoice = await desk.ledger.invoice()

    early = (await desk.do("explain", "fee", str(invoice), "--on", "2025-03-03", "--json")).json
    behind = await desk.do("explain", "fee", str(invoice))

    assert early["total_fee_cents"] == 0
    assert "Rule 1 (flat): no fee. It may begin on 2025-03-07." in early["explain"]
    assert "What was posted differs from what is owed" in behind.err


async def test_a_void_or_unknown_invoice_has_no_reasons(desk: Desk) -> None:
    invoice = await desk.ledger.invoice()
    async with desk.ledger.transactions.engine.begin() as connection:
        await connection.execute(sa.text("update invoices set state = 'void', next_check_on = null"))

    void = await desk.do("explain", "fee", str(invoice))
    unknown = await desk.do("explain", "fee", "INV-2025-424242")

    assert (void.code, unknown.code) == (1, 2)
    assert "is void" in void.err


def test_the_laws_are_listed_and_shown_without_any_server() -> None:
    listed, shown, unknown = (
        CliRunner().invoke(app, ["jurisdictions", *words])
        for words in (("list", "--json"), ("show", "NY"), ("show", "atlantis"))
    )

    laws = json.loads(listed.stdout)
    assert len(laws) == 9
    assert all(item["citation"] and item["source"] and item["effective_on"] for item in laws)
    assert "N.Y. Real Property Law § 238-a(2)" in shown.stdout
    assert (unknown.exit_code, unknown.stderr.count("\n")) == (2, 1)
