"""What providers said, word for word, and how well each place can be asked."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.weather.schema import answers, feeds

KEPT: Final = timedelta(days=30)
FORECASTS_KEPT: Final = timedelta(days=2)
"""A forecast grid is 100 kB and new every hour; what was said of it is in the incidents."""
TELL_AFTER: Final = timedelta(hours=3)
"""After so long without a healthy answer the operator is told."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One body, as it was stored."""

    feed: str
    body: str
    hash: str
    etag: str | None = None
    last_modified: str | None = None


@dataclass(frozen=True, slots=True)
class Feed:
    """How well one kind of question about a place is answered."""

    location_id: UUID
    check: str
    asked_at: datetime
    healthy_at: datetime | None
    stale_since: datetime | None
    told_at: datetime | None
    problem: str | None
    doubtful: bool


class AnswerStore:
    """Reads and writes over one open transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def keep(self, location_id: UUID, answer: Answer, at: datetime) -> None:
        """Store a body; one that says the same again only moves its time."""
        statement = insert(answers).values(
            location_id=location_id,
            feed=answer.feed,
            hash=answer.hash,
            body=answer.body,
            etag=answer.etag,
            last_modified=answer.last_modified,
            first_at=at,
            last_at=at,
        )
        renewed = {name: statement.excluded[name] for name in ("body", "etag", "last_modified", "last_at")}
        await self._connection.execute(
            statement.on_conflict_do_update(index_elements=["location_id", "feed", "hash"], set_=renewed)
        )

    async def latest(self, location_id: UUID, feed: str) -> Answer | None:
        """The newest body of a feed."""
        query = (
            sa.select(answers.c.feed, answers.c.body, answers.c.hash, answers.c.etag, answers.c.last_modified)
            .where(answers.c.location_id == location_id, answers.c.feed == feed)
            .order_by(answers.c.last_at.desc())
            .limit(1)
        )
        row = (await self._connection.execute(query)).one_or_none()
        return Answer(*row) if row else None

    async def prune(self, now: datetime) -> int:
        """Forget alerts that nobody heard for thirty days, and forecasts of the day before yesterday."""
        alerts = answers.c.feed == "nws_alerts"
        oldest = sa.case((alerts, sa.literal(now - KEPT)), else_=sa.literal(now - FORECASTS_KEPT))
        statement = sa.delete(answers).where(answers.c.last_at < oldest).returning(answers.c.feed)
        return len(list(await self._connection.scalars(statement)))

    async def feed(self, location_id: UUID, check: str) -> Feed | None:
        """How one kind of question about a place is answered."""
        query = sa.select(feeds).where(feeds.c.location_id == location_id, feeds.c.check == check)
        row = (await self._connection.execute(query)).one_or_none()
        return _feed(row) if row else None

    async def feeds(self) -> list[Feed]:
        """All of them."""
        rows = await self._connection.execute(sa.select(feeds).order_by("location_id", "check"))
        return [_feed(row) for row in rows]

    async def stale_counts(self) -> dict[str, int]:
        """How many places are without a healthy answer, by kind of question."""
        query = (
            sa.select(feeds.c.check, sa.func.count())
            .where(feeds.c.stale_since.is_not(None))
            .group_by(feeds.c.check)
        )
        return {row[0]: row[1] for row in await self._connection.execute(query)}

    async def ever_healthy(self) -> bool:
        """Whether official alerts were ever read: before that, everything is old news."""
        query = sa.select(sa.exists().where(feeds.c.check == "alerts", feeds.c.healthy_at.is_not(None)))
        return bool(await self._connection.scalar(query))

    async def healthy(self, location_id: UUID, check: str, at: datetime, *, doubtful: bool = False) -> None:
        """It was answered well."""
        await self._set(
            location_id,
            check,
            {
                "asked_at": at,
                "healthy_at": at,
                "stale_since": None,
                "told_at": None,
                "problem": None,
                "doubtful": doubtful,
            },
        )

    async def failed(self, location_id: UUID, check: str, at: datetime, problem: str) -> Feed:
        """It was not; data is stale since the last good answer, or since the first question."""
        statement = insert(feeds).values(
            location_id=location_id, check=check, asked_at=at, stale_since=at, problem=problem
        )
        since = sa.func.coalesce(feeds.c.stale_since, feeds.c.healthy_at, at)
        row = (
            await self._connection.execute(
                statement.on_conflict_do_update(
                    index_elements=["location_id", "check"],
                    set_={"asked_at": at, "stale_since": since, "problem": problem},
                ).returning(feeds)
            )
        ).one()
        return _feed(row)

    async def told(self, location_id: UUID, check: str, at: datetime) -> None:
        """The operator knows of it."""
        await self._set(location_id, check, {"asked_at": at, "told_at": at})

    async def _set(self, location_id: UUID, check: str, values: dict[str, object]) -> None:
        statement = insert(feeds).values(location_id=location_id, check=check, **values)
        await self._connection.execute(
            statement.on_conflict_do_update(index_elements=["location_id", "check"], set_=values)
        )


def _feed(row: sa.Row[Any]) -> Feed:
    return Feed(**{name: getattr(row, name) for name in Feed.__dataclass_fields__})
