"""Dangerous weather holds late fees where the policy says so, and lets go by itself."""

from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from services.billing.handlers import router
from services.billing.schema import holds
from services.billing.store import PolicyStore
from shared.contracts.weather import (
    WeatherAlertCleared,
    WeatherAlertFact,
    WeatherAlertRaised,
    WeatherAlertUpdated,
)
from shared.identity import new_id
from shared.messaging.transaction import Transactions
from tests.billing.late_ledger import TEN_A_DAY, LateLedger, a_policy
from tests.billing.policies import a_version
from tests.support.messages import count_rows, deliver


@pytest.fixture
async def ledger(transactions: Transactions) -> LateLedger:
    """An account in New York, under a policy that holds in a weather emergency."""
    await agree(transactions, hold=True)
    return await LateLedger(transactions).open()


async def agree(transactions: Transactions, *, hold: bool) -> None:
    async with transactions.engine.begin() as connection:
        await PolicyStore(connection).add(a_version({"hold_in_weather_emergency": hold}))


def night(day: int) -> datetime:
    """Ten in the evening in New York, which is the next day in UTC."""
    return datetime(2025, 3, day + 1, 3, tzinfo=UTC)


def alert(ledger: LateLedger, kind: type[WeatherAlertFact] = WeatherAlertRaised, **changes: Any) -> Any:
    """A hurricane warning at the property, said on the evening of the 8th."""
    values: dict[str, Any] = {
        "incident_id": UUID(int=1),
        "property_id": ledger.property_id,
        "dedup_key": "nws:x",
        "revision": 1,
        "occurred_at": night(8),
        "category": "severe_weather",
        "level": "warning",
        "source": "nws",
        "official": True,
        "event_name": "Hurricane Warning",
        "time_zone": "America/New_York",
    }
    if kind is WeatherAlertCleared:
        values["reason"] = "expired"
    return kind(**values | changes)


async def hear(ledger: LateLedger, *facts: WeatherAlertFact) -> None:
    for fact in facts:
        await deliver(ledger.transactions, router, fact, message_id=new_id())


async def windows(ledger: LateLedger) -> list[tuple[date, date | None]]:
    query = sa.select(holds.c.starts_on, holds.c.ends_on).order_by(holds.c.starts_on)
    async with ledger.transactions.engine.connect() as connection:
        return [(row.starts_on, row.ends_on) for row in await connection.execute(query)]


async def test_fees_rest_from_the_warning_to_the_all_clear(ledger: LateLedger) -> None:
    invoice = await ledger.invoice(policy=a_policy(TEN_A_DAY))
    await ledger.run("2025-03-07")

    await hear(ledger, alert(ledger))
    await ledger.run("2025-03-10")
    await hear(ledger, alert(ledger, WeatherAlertCleared, revision=2, occurred_at=night(10)))
    await ledger.run("2025-03-11")

    assert await windows(ledger) == [(date(2025, 3, 8), date(2025, 3, 10))]
    assert [day for _, day, _ in await ledger.lines(invoice)] == ["2025-03-07", "2025-03-11"]


async def test_without_the_policy_weather_holds_nothing(transactions: Transactions) -> None:
    await agree(transactions, hold=False)
    ledger = await LateLedger(transactions).open()

    await hear(ledger, alert(ledger))

    assert await count_rows(transactions, holds) == 0


@pytest.mark.parametrize("level", ["advisory", "watch"])
async def test_only_what_concerns_health_and_safety_holds(ledger: LateLedger, level: str) -> None:
    await hear(ledger, alert(ledger, level=level))

    assert await windows(ledger) == []


async def test_a_watch_that_becomes_a_warning_holds_from_then_on(ledger: LateLedger) -> None:
    await hear(
        ledger,
        alert(ledger, level="watch"),
        alert(ledger, WeatherAlertUpdated, revision=2, occurred_at=night(9), ends_at=night(12)),
    )

    assert await windows(ledger) == [(date(2025, 3, 9), date(2025, 3, 12))]


async def test_a_warning_that_becomes_an_advisory_lets_go_on_that_day(ledger: LateLedger) -> None:
    await hear(
        ledger,
        alert(ledger, ends_at=night(20)),
        alert(ledger, WeatherAlertUpdated, revision=2, level="advisory", occurred_at=night(10)),
    )

    assert await windows(ledger) == [(date(2025, 3, 8), date(2025, 3, 10))]


async def test_facts_in_any_order_end_in_the_newest_revision(ledger: LateLedger) -> None:
    raised = alert(ledger)
    longer = alert(ledger, WeatherAlertUpdated, revision=2, ends_at=night(15))
    cleared = alert(ledger, WeatherAlertCleared, revision=3, occurred_at=night(10))

    await hear(ledger, longer, raised, cleared, longer, raised)

    assert await windows(ledger) == [(date(2025, 3, 8), date(2025, 3, 10))]


async def test_an_all_clear_that_comes_first_leaves_nothing_to_hold(ledger: LateLedger) -> None:
    await hear(ledger, alert(ledger, WeatherAlertCleared, revision=2), alert(ledger))

    assert await windows(ledger) == []


async def test_the_same_fact_twice_has_one_effect(ledger: LateLedger) -> None:
    await hear(ledger, alert(ledger), alert(ledger))

    assert await windows(ledger) == [(date(2025, 3, 8), None)]


async def test_a_warning_called_off_before_it_began_never_held(ledger: LateLedger) -> None:
    await hear(
        ledger,
        alert(ledger, onset_at=night(12)),
        alert(ledger, WeatherAlertCleared, revision=2, occurred_at=night(10)),
    )

    assert await windows(ledger) == []


async def test_an_incident_that_another_took_the_place_of_holds_no_longer(ledger: LateLedger) -> None:
    first, second = (
        alert(ledger),
        alert(ledger, incident_id=UUID(int=2), replaces=(UUID(int=1),), occurred_at=night(10)),
    )

    await hear(ledger, first, second, alert(ledger, WeatherAlertUpdated, revision=2, occurred_at=night(11)))

    assert await windows(ledger) == [
        (date(2025, 3, 8), date(2025, 3, 10)),
        (date(2025, 3, 10), None),
    ]
