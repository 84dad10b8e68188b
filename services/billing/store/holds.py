"""Holds, and which invoices they cover."""

from collections.abc import Collection
from dataclasses import asdict
from datetime import date
from typing import Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.billing.domain.holds import PlacedHold, Scope
from services.billing.schema import holds, invoices, leases, properties, weather_incidents

_FIELDS: Final = tuple(PlacedHold.__dataclass_fields__)
_TARGETS: Final = {
    "property": properties.c.property_id,
    "lease": leases.c.lease_id,
    "invoice": invoices.c.invoice_id,
}
_SCOPED: Final = {
    "property": invoices.c.property_id,
    "lease": invoices.c.lease_id,
    "invoice": invoices.c.invoice_id,
}


LAST_REVISION: Final = 2**31 - 1
"""Of an incident of which nothing more is taken."""


class HoldStore:
    """Reads and writes over one open transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def knows(self, scope: Scope, scope_id: UUID) -> bool:
        """Whether billing has the property, lease or invoice at all."""
        query = sa.select(sa.literal(1)).where(_TARGETS[scope] == scope_id)
        return await self._connection.scalar(query) is not None

    async def add(self, hold: PlacedHold) -> bool:
        """Place a hold; False where the same one is there already."""
        statement = insert(holds).values(asdict(hold)).on_conflict_do_nothing().returning(holds.c.hold_id)
        return await self._connection.scalar(statement) is not None

    async def find(self, hold_id: UUID, *, lock: bool = False) -> PlacedHold | None:
        """One hold."""
        query = sa.select(*(holds.c[name] for name in _FIELDS)).where(holds.c.hold_id == hold_id)
        row = (await self._connection.execute(query.with_for_update() if lock else query)).one_or_none()
        return PlacedHold(**row._mapping) if row else None  # noqa: SLF001 - its public name

    async def end(self, hold: PlacedHold) -> None:
        """Keep a hold's last day."""
        statement = sa.update(holds).where(holds.c.hold_id == hold.hold_id).values(ends_on=hold.ends_on)
        await self._connection.execute(statement)

    async def put(self, hold: PlacedHold) -> None:
        """Keep a hold as it now is, whether it was there or not."""
        statement = insert(holds).values(asdict(hold))
        changing = {name: statement.excluded[name] for name in ("starts_on", "ends_on", "reason")}
        await self._connection.execute(
            statement.on_conflict_do_update(index_elements=["hold_id"], set_=changing)
        )

    async def remove(self, hold_id: UUID) -> None:
        """Take away a hold that never began."""
        await self._connection.execute(sa.delete(holds).where(holds.c.hold_id == hold_id))

    async def newer_incident(self, incident_id: UUID, revision: int) -> bool:
        """Note a revision of a weather incident; False where it, or a newer one, was taken already."""
        statement = insert(weather_incidents).values(incident_id=incident_id, revision=revision)
        newer = statement.on_conflict_do_update(
            index_elements=["incident_id"],
            set_={"revision": statement.excluded.revision},
            where=weather_incidents.c.revision < statement.excluded.revision,
        ).returning(weather_incidents.c.incident_id)
        return await self._connection.scalar(newer) is not None

    async def close_incidents(self, incident_ids: Collection[UUID]) -> None:
        """Take nothing more of incidents that another took the place of."""
        for incident_id in sorted(incident_ids):
            await self.newer_incident(incident_id, LAST_REVISION)

    async def listed(self, *, on: date | None, scope_id: UUID | None, limit: int) -> list[PlacedHold]:
        """Holds in order of their first day, newest first; with `on`, those that are not over by then."""
        query = sa.select(*(holds.c[name] for name in _FIELDS))
        if on is not None:
            query = query.where(sa.or_(holds.c.ends_on.is_(None), holds.c.ends_on >= on))
        if scope_id is not None:
            query = query.where(holds.c.scope_id == scope_id)
        rows = await self._connection.execute(
            query.order_by(holds.c.starts_on.desc(), holds.c.hold_id).limit(limit)
        )
        return [PlacedHold(**row._mapping) for row in rows]  # noqa: SLF001 - its public name

    async def held(self, invoice_ids: Collection[UUID], on: date) -> set[UUID]:
        """Those of these invoices that a hold covers on a day, on themselves, their lease or property."""
        covers = sa.and_(holds.c.starts_on <= on, sa.or_(holds.c.ends_on.is_(None), holds.c.ends_on >= on))
        of_these = [
            sa.and_(holds.c.scope == scope, holds.c.scope_id == column) for scope, column in _SCOPED.items()
        ]
        ids = sa.bindparam("ids", list(invoice_ids), type_=ARRAY(sa.Uuid))
        query = (
            sa.select(invoices.c.invoice_id)
            .where(invoices.c.invoice_id == sa.any_(ids))
            .where(sa.exists().where(covers, sa.or_(*of_these)))
        )
        return set(await self._connection.scalars(query))

    async def accounts(self, scope: Scope, scope_id: UUID) -> list[UUID]:
        """The accounts that have invoices a hold would be about."""
        query = sa.select(invoices.c.account_id).where(_SCOPED[scope] == scope_id).distinct()
        return list(await self._connection.scalars(query))

    async def look_again(self, scope: Scope, scope_id: UUID) -> int:
        """Have the invoices a hold is about judged by the next run; how many they are.

        Left alone are voided ones, and those that were paid in time and never had a fee. One that is not
        due yet is looked at on the day after its due date anyway.
        """
        in_time = sa.and_(
            invoices.c.state == "paid", invoices.c.paid_on <= invoices.c.due_on, invoices.c.fee_cents == 0
        )
        statement = (
            sa.update(invoices)
            .where(_SCOPED[scope] == scope_id, invoices.c.state != "void", ~in_time)
            .values(next_check_on=invoices.c.due_on + sa.literal(1))
        )
        return (await self._connection.execute(statement)).rowcount
