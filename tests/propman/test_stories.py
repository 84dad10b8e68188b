"""A story is found by any of its parts."""

from uuid import UUID

import pytest
import sqlalchemy as sa

from propman.trace import part_of_story
from services.notifications.handlers import router
from services.notifications.schema import deliveries, notifications
from services.notifications.store.tracing import story_of
from shared.clock import SystemClock
from shared.contracts.leasing import LeaseActivated
from shared.identity import new_id
from shared.messaging.dead_letters import bury, new_dead_letter
from shared.messaging.envelope import Delivery
from tests.notifications.office import a_payment
from tests.support.builders import a_lease
from tests.support.databases import TestDatabases
from tests.support.messages import deliver, delivery_for

pytestmark = pytest.mark.servers


async def test_a_message_that_was_handled_and_what_it_led_to_are_parts_of_its_story(
    databases: TestDatabases,
) -> None:

    message, story = new_id(), new_id()
    async with databases.transactions("notifications") as transactions:
        await deliver(transactions, router, a_payment(new_id()), message_id=message, correlation_id=story)

        async with transactions.engine.connect() as connection:
            notification: UUID | None = await connection.scalar(sa.select(notifications.c.id))
            delivery: UUID | None = await connection.scalar(sa.select(deliveries.c.id).limit(1))
            assert notification is not None
            assert delivery is not None
            assert await part_of_story(connection, message) == story
            assert [await story_of(connection, part) for part in (notification, delivery)] == [story, story]
            assert await part_of_story(connection, new_id()) is None


async def test_a_dead_letter_is_a_part_of_the_story_of_its_message(databases: TestDatabases) -> None:
    message, story = new_id(), new_id()
    lease: LeaseActivated = a_lease()
    dead: Delivery = delivery_for(lease, message, story)
    letter = new_dead_letter(
        dead, queue="q", reason="defect", error="no", envelope=None, at=SystemClock().now()
    )
    async with databases.transactions("notifications") as transactions:
        async with transactions.engine.begin() as connection:
            await bury(connection, letter)

        async with transactions.engine.connect() as connection:
            assert await part_of_story(connection, letter.id) == story
            assert await part_of_story(connection, message) == story
