"""What became of the things that messages are about: invoices paid, voided or opened again, alerts over.

Of a work order it is the newest version that tenants were told of.
"""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from services.notifications.domain.kinds import PREMISED
from services.notifications.schema import notifications, premises
from shared.db import insert_rows


async def note(
    connection: AsyncConnection, subjects: Collection[UUID], state: str, said_at: datetime
) -> None:
    """Remember the newest word on some things; an older one changes nothing."""
    statement = insert_rows(premises, ("subject_id", "state", "said_at"))
    ordered = sorted(set(subjects))
    await connection.execute(
        statement.on_conflict_do_update(
            index_elements=[premises.c.subject_id],
            set_={"state": statement.excluded.state, "said_at": statement.excluded.said_at},
            where=premises.c.said_at < statement.excluded.said_at,
        ),
        {"subject_id": ordered, "state": [state] * len(ordered), "said_at": [said_at] * len(ordered)},
    )


async def standing(connection: AsyncConnection, subjects: Collection[UUID]) -> Mapping[str, str]:
    """What became of these, by id as text; nothing of those we heard nothing of."""
    rows = await connection.execute(
        sa.select(premises.c.subject_id, premises.c.state).where(premises.c.subject_id.in_(list(subjects)))
    )
    return {str(row.subject_id): row.state for row in rows}


_STANDING: Final = """(
    select jsonb_object_agg(premises.subject_id, premises.state) from premises
    where premises.subject_id in (
        select cast(found #>> '{}' as uuid) from (
            select jsonb_path_query(notifications.context, '$.**.invoice_id')
            union all select jsonb_path_query(notifications.context, '$.**.incident_id')
            union all select jsonb_path_query(notifications.context, '$.work_order_id')
            union all select jsonb_path_query(notifications.context, '$.link_id')) as about(found)))"""


def standing_of_notice() -> sa.ColumnElement[Any]:
    """The same for the things that a notification of a query is about; only looked up where it matters."""
    found = sa.literal_column(_STANDING, type_=JSONB)
    return sa.case((notifications.c.template.in_(sorted(PREMISED)), found))
