"""Cleaning up forgets the weather of places that nobody asks about any more."""

from datetime import timedelta
from uuid import UUID

import pytest
import sqlalchemy as sa

from services.weather.handlers import router
from services.weather.schema import answers, observations, runs
from shared.clock import SystemClock
from shared.identity import new_id
from tests.support.cleaning import clean
from tests.support.databases import TestDatabases

pytestmark = pytest.mark.servers


async def test_old_observations_answers_and_runs_go_and_younger_ones_stay(databases: TestDatabases) -> None:
    now = SystemClock().now()
    old, young = now - timedelta(days=40), now - timedelta(days=1)
    places: list[UUID] = [new_id(), new_id()]
    async with databases.transactions("weather") as transactions:
        async with transactions.engine.begin() as connection:
            for place, at in zip(places, (old, young), strict=True):
                seen = {"location_id": place, "source": "nws", "observed": True, "fetched_at": at}
                await connection.execute(
                    sa.insert(observations).values(seen | {"starts_at": at, "ends_at": at})
                )
                said = {"location_id": place, "feed": "nws_alerts", "hash": "1", "body": ""}
                await connection.execute(sa.insert(answers).values(said | {"first_at": at, "last_at": at}))
                run = {"run_id": place, "trigger": "t", "check": "alerts", "as_of": at, "expected": 0}
                await connection.execute(sa.insert(runs).values(run | {"started_at": at, "finished_at": at}))

        outcome, _ = await clean(transactions, router, now)

        one = {"examined": 1, "removed": 1, "kept": 0}
        assert [outcome.parts[kind] for kind in ("observations", "answers", "runs")] == [one] * 3
        async with transactions.engine.connect() as connection:
            assert list(await connection.scalars(sa.select(observations.c.location_id))) == places[1:]
