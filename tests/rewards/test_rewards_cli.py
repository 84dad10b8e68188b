"""The commands of rewards: what they do, what a dry run leaves alone, and what they refuse in words."""

import pytest
import sqlalchemy as sa

from services.rewards.schema import names
from shared.contracts.leasing import TenantContactChanged
from shared.identity import new_id
from tests.rewards.desk import ELM, SALLY, Desk, issued, months, on_time, reopened, sally

pytestmark = pytest.mark.servers

WHO = ("--tenant", str(SALLY))
BECAUSE = ("--reason", "the boiler", "--by", "Olga")


async def test_a_dry_run_shows_what_the_real_run_does_and_writes_nothing(desk: Desk) -> None:
    await desk.hear(*on_time(months(1, 6)))
    before = await desk.rows()

    shown = await desk.json("calculate-rewards", "--dry-run")
    assert await desk.rows() == before
    done = await desk.json("calculate_rewards")  # as the old system spelt it

    assert (shown["granted"], shown["entries"]) == (2, done["entries"])
    assert (await desk.json("calculate-rewards", *WHO))["granted"] == 0


async def test_another_day_is_only_for_a_dry_run(desk: Desk) -> None:
    await desk.hear(*on_time(months(1, 3)))

    refused = await desk.do("calculate-rewards", "--as-of", "2026-02-15")
    shown = await desk.json("calculate-rewards", "--as-of", "2026-02-15", "--dry-run")

    assert (refused.code, shown["granted"]) == (2, 0)


async def test_balance_ledger_and_explanation_agree(desk: Desk) -> None:
    await desk.hear(*on_time(months(1, 3)), issued("2026-04"))
    await desk.evaluate("2026-04-05")

    [balance] = await desk.json("balance", *WHO)
    [entry] = await desk.json("ledger", *WHO)
    march, april = [await desk.json("explain", *WHO, "--month", month) for month in ("2026-03", "2026-04")]

    assert (balance["balance_cents"], balance["streak"], entry["period"]) == (3_000, 0, "2026-03")
    assert "streak:3 earns $30.00." in march["explanation"]
    assert (april["verdict"], april["why"]) == ("late", "unpaid")
    assert "streak:3 earns nothing: the month is late." in april["explanation"]


async def test_a_person_gives_takes_back_and_redeems_under_their_name(desk: Desk) -> None:
    given = await desk.json("grant", *WHO, "--amount", "25.00", "--reference", "x", *BECAUSE)
    used = await desk.json("redeem", *WHO, "--amount", "10.00")
    taken = await desk.json("revoke", given["entry_id"], *BECAUSE)

    assert (given["balance_cents"], used["balance_cents"]) == (2_500, 1_500)
    assert (taken["balance_cents"], taken["shortfall_cents"], taken["missing_cents"]) == (0, 1_000, 1_000)
    assert [entry["decided_by"] for entry in await desk.json("ledger", *WHO)][::2] == ["Olga", "Olga"]


async def test_what_is_refused_says_what_to_do_next(desk: Desk) -> None:
    before = await desk.rows()
    more = await desk.do("redeem", *WHO, "--amount", "10.00")
    none = await desk.do("revoke", str(SALLY), *BECAUSE)
    law = await desk.do("policy", "set", "discount_is_fee=yes", "--property", str(ELM), *BECAUSE)
    word = await desk.do("policy", "set", "streaks=banana", *BECAUSE)
    names = await desk.do("policy", "set", "redemption=cash", "grace=yes", *BECAUSE)

    assert [found.code for found in (more, none, law, word, names)] == [1, 1, 1, 2, 2]
    assert {len(found.err.splitlines()) for found in (more, none, law, word, names)} == {1}
    assert "counts as a late fee" in law.err
    assert "'banana' is not a tier such as 6:50.00 or 6:50.00:once. See `" in word.err
    assert "redemption: 'cash' is none of" in names.err
    assert "grace: is not a field of this document" in names.err
    assert await desk.rows() == before


async def test_a_policy_is_set_shown_and_remembered(desk: Desk) -> None:
    words = ("streaks=6:50.00+12:120.00:once", "redemption=fees", "auto_apply=yes")

    await desk.json("policy", "set", *words, "--property", str(ELM), *BECAUSE)

    shown = await desk.json("policy", "show", "--property", str(ELM))
    assert shown["streaks"][1] == {"months": 12, "amount_cents": 12_000, "pays": "once"}
    assert (shown["redemption"], shown["auto_apply"], shown["co_tenants"]) == ("fees", True, "split")
    history = await desk.json("policy", "history", "--property", str(ELM))
    assert [(item["version"], item["set_by"]) for item in history] == [(1, "Olga")]
    told = " ".join((await desk.do("policy", "history", "--property", str(ELM))).out.split())
    assert "{" not in told
    assert "6 months on time: $50.00" in told


async def test_an_explanation_says_what_was_posted_and_taken_back(desk: Desk) -> None:
    await desk.hear(*on_time(months(1, 3)))
    await desk.evaluate()
    await desk.hear(reopened("2026-03"))
    await desk.evaluate()

    said = await desk.do("explain", *WHO, "--month", "2026-03")

    assert "revoked: streak:3 (unpaid, 2026-03)" in said.out


async def test_a_decision_without_a_reason_points_to_the_help_of_its_own_command(desk: Desk) -> None:
    await desk.hear(issued("2026-03"))

    granted = await desk.do("grant", *WHO, "--amount", "5", "--reason", " ")
    revoked = await desk.do("revoke", str(new_id()), "--reason", "")

    assert "a reason is needed. See `propman rewards grant --help`." in granted.err
    assert "a reason is needed. See `propman rewards revoke --help`." in revoked.err


async def test_one_tenant_is_one_tenant(desk: Desk) -> None:
    await desk.hear(sally(), *on_time(months(1, 3)))

    shown = await desk.do("calculate-rewards", "--dry-run")

    assert "1 granted, for 1 tenant." in shown.err


async def test_people_read_names_and_nothing_else_of_a_tenant_is_kept(desk: Desk) -> None:
    await desk.hear(sally(), *on_time(months(1, 3)))
    shown = await desk.do("calculate-rewards", "--dry-run")
    await desk.evaluate()

    balance, ledger, why = [
        await desk.do(*words, *WHO) for words in (["balance"], ["ledger"], ["explain", "--month", "2026-03"])
    ]

    assert all("Streak Sally" in text for text in (shown.out, balance.out, ledger.err, why.err))
    assert (await desk.json("balance"))[0]["name"] == "Streak Sally"
    assert set(names.columns.keys()) == {"tenant_id", "version", "name"}


async def test_an_older_name_changes_nothing_and_a_newer_one_does(desk: Desk) -> None:
    married = TenantContactChanged(**sally(version=3, name="Sally Streak").model_dump())

    await desk.hear(married, sally(version=2))

    async with desk.transactions.engine.connect() as connection:
        assert await connection.scalar(sa.select(names.c.name)) == "Sally Streak"


async def test_a_tenant_who_was_not_announced_is_shown_by_id(desk: Desk) -> None:
    await desk.hear(*on_time(months(1, 3)))
    await desk.evaluate()

    shown = await desk.do("balance")

    assert "(not announced)" in shown.out
    assert str(SALLY) in shown.out
    assert (await desk.json("balance"))[0]["name"] is None


@pytest.mark.parametrize("words", [["balance"], ["ledger"], ["explain", "--month", "2026-03"]])
async def test_a_mistyped_tenant_is_told_apart_from_one_without_rewards(desk: Desk, words: list[str]) -> None:
    await desk.hear(sally())

    mistyped = await desk.do(*words, "--tenant", str(new_id()))
    nothing = await desk.do(*words, *WHO)

    assert (mistyped.code, nothing.code) == (2, 0)
    assert "See `propman leasing tenants list`" in mistyped.err


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--amount", "-5", "--reason", "x"], 2, "Write an amount such as 25.00."),
        (["--amount", "0", "--reason", "x"], 2, "Write an amount such as 25.00."),
        (["--amount", "5", "--reason", " "], 2, "a reason is needed"),
        (["--amount", "5", "--reason", "x", "--currency", "XXQ"], 2, "billed in USD, not in XXQ"),
        (["--amount", "5", "--reason", "x", "--reference", "used"], 1, "Give another --reference."),
    ],
)
async def test_a_grant_that_cannot_be_says_what_to_write_instead(
    desk: Desk, words: list[str], code: int, said: str
) -> None:
    await desk.hear(issued("2026-03"))
    await desk.json("grant", *WHO, "--amount", "7", "--reference", "used", *BECAUSE)
    before = await desk.rows()

    refused = await desk.do("grant", *WHO, *words)

    assert (refused.code, len(refused.err.splitlines())) == (code, 1)
    assert said in refused.err
    assert await desk.rows() == before
