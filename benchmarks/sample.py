"""What is sent and stored by the first three parts: one fact of about 512 bytes, one row for each."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from shared.contracts.base import Cents, Fact
from shared.db import columnar, insert_rows
from shared.identity import new_id
from shared.messaging.envelope import Received
from shared.messaging.router import Router
from shared.messaging.tables import V1
from shared.messaging.transaction import Tx

CONSUMER: Final = "benchmarks"
BODY_BYTES: Final = 512
TABLES: Final = (
    *V1,
    """create table items (item_id uuid primary key, label text not null, amount_cents bigint not null)""",
)

_COLUMNS: Final = ("item_id", "label", "amount_cents")
_items: Final = sa.Table(
    "items",
    sa.MetaData(),
    sa.Column("item_id", sa.Uuid, primary_key=True),
    sa.Column("label", sa.Text),
    sa.Column("amount_cents", sa.BigInteger),
)
_INSERT_ONE: Final = insert(_items)
_INSERT_ALL: Final = insert_rows(_items, _COLUMNS)

single: Final = Router(CONSUMER)
batched: Final = Router(CONSUMER)


class ItemMeasured(Fact, subject="item_id"):
    """Something of the size of an invoice."""

    item_id: UUID
    label: str
    amount_cents: Cents
    padding: str = ""


def a_body() -> bytes:
    """One message of the size we measure with."""
    bare = ItemMeasured(item_id=new_id(), label="Apartment 12B", amount_cents=150_000)
    missing = BODY_BYTES - len(bare.model_dump_json())
    return bare.model_copy(update={"padding": "x" * missing}).model_dump_json().encode()


@single.on(ItemMeasured)
async def keep_item(item: ItemMeasured, tx: Tx) -> None:
    """Write one row."""
    row = {"item_id": item.item_id, "label": item.label, "amount_cents": item.amount_cents}
    await tx.connection.execute(_INSERT_ONE, row)


@batched.on_batch(ItemMeasured)
async def keep_items(items: Sequence[Received[ItemMeasured]], tx: Tx) -> None:
    """Write a row for each, in one statement."""
    rows = [item.body.model_dump(include=set(_COLUMNS)) for item in items]
    await tx.connection.execute(_INSERT_ALL, columnar(rows, _COLUMNS))
