"""Cleaning up billing forgets how runs went, and nothing that keeps one from happening twice."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from services.billing.handlers import router
from services.billing.schema import reminders, runs
from shared.clock import SystemClock
from shared.messaging.transaction import Transactions
from tests.billing.reminding import DUE, a_place, an_invoice, remind
from tests.support.cleaning import clean
from tests.support.messages import count_rows

pytestmark = pytest.mark.servers


async def test_cleaning_up_arms_no_reminder_again(transactions: Transactions) -> None:
    place = await a_place(transactions)
    await an_invoice(transactions, place)
    said = await remind(transactions, DUE - timedelta(days=3))
    assert len(said) == 1
    async with transactions.engine.begin() as connection:
        await connection.execute(
            sa.text("update runs set started_at = '2025-01-01', finished_at = '2025-01-01'")
        )
        await connection.execute(sa.text("update inbox set processed_at = '2025-01-01'"))

    outcome, _ = await clean(transactions, router, SystemClock().now(), older_than_days=1)
    again = await remind(transactions, DUE - timedelta(days=3))

    assert outcome.parts["runs"]["removed"] == 1
    assert outcome.parts["inbox"]["removed"] >= 2
    assert again == []
    assert await count_rows(transactions, reminders) >= 1


async def test_a_run_that_has_not_ended_stays(transactions: Transactions) -> None:
    await a_place(transactions)
    await remind(transactions, DUE)
    async with transactions.engine.begin() as connection:
        await connection.execute(sa.text("update runs set started_at = '2025-01-01', finished_at = null"))

    outcome, _ = await clean(transactions, router, SystemClock().now())

    assert outcome.parts["runs"] == {"examined": 1, "removed": 0, "kept": 1}
    assert await count_rows(transactions, runs) == 1
