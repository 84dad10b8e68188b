"""The tables of notifications; the migrations make them."""

from typing import Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from shared.db import NAMING
from shared.messaging import tables

WAKE_CHANNEL: Final = "propman_deliveries"
"""The NOTIFY channel that wakes the senders."""

metadata: Final = sa.MetaData(naming_convention=NAMING)
for _table in tables.metadata.sorted_tables:
    _table.to_metadata(metadata)

_MOMENT: Final = sa.DateTime(timezone=True)

contacts: Final = sa.Table(
    "contacts",
    metadata,
    sa.Column("tenant_id", sa.Uuid, primary_key=True),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("name", sa.Text, nullable=False, server_default=""),
    sa.Column("email", sa.Text),
    sa.Column("phone", sa.Text),
    sa.Column("locale", sa.Text, nullable=False, server_default="en"),
    sa.Column("channel", sa.Text, nullable=False, server_default="email"),
    sa.Column("time_zone", sa.Text),
    sa.Column("updated_at", _MOMENT, nullable=False),
)

properties: Final = sa.Table(
    "properties",
    metadata,
    sa.Column("property_id", sa.Uuid, primary_key=True),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("time_zone", sa.Text, nullable=False),
    sa.Column("updated_at", _MOMENT, nullable=False),
)

leases: Final = sa.Table(
    "leases",
    metadata,
    sa.Column("lease_id", sa.Uuid, primary_key=True),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("property_id", sa.Uuid, nullable=False),
    sa.Column("tenant_ids", ARRAY(sa.Uuid), nullable=False),
    sa.Column("starts_on", sa.Date, nullable=False),
    sa.Column("ends_on", sa.Date),
    sa.Column("updated_at", _MOMENT, nullable=False),
)

notifications: Final = sa.Table(
    "notifications",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("category", sa.Text, nullable=False),
    sa.Column("template", sa.Text, nullable=False),
    sa.Column("tenant_id", sa.Uuid),
    sa.Column("dedup_key", sa.Text(collation="C"), nullable=False, unique=True),
    sa.Column("source_message_id", sa.Uuid, nullable=False),
    sa.Column("correlation_id", sa.Uuid, nullable=False),
    sa.Column("context", JSONB, nullable=False),
    sa.Column("created_at", _MOMENT, nullable=False),
    sa.Index("ix_notifications_tenant_id_id", "tenant_id", "id"),
)

deliveries: Final = sa.Table(
    "deliveries",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("notification_id", sa.Uuid, nullable=False),
    sa.Column("tenant_id", sa.Uuid),
    sa.Column("channel", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("reason", sa.Text),
    sa.Column("address", sa.Text),
    sa.Column("attempt_count", sa.Integer, nullable=False, server_default="0"),
    sa.Column("next_attempt_at", _MOMENT),
    sa.Column("expires_at", _MOMENT),
    sa.Column("locked_by", sa.Uuid),
    sa.Column("locked_until", _MOMENT),
    sa.Column("provider_message_id", sa.Text),
    sa.Column("sent_at", _MOMENT),
    sa.Column("last_error", sa.Text),
    sa.Column("updated_at", _MOMENT, nullable=False),
    sa.UniqueConstraint("notification_id", "channel"),
    sa.Index(
        "ix_deliveries_due", "next_attempt_at", postgresql_where=sa.text("state in ('queued', 'retry_wait')")
    ),
    sa.Index("ix_deliveries_sending", "locked_until", postgresql_where=sa.text("state = 'sending'")),
    sa.Index("ix_deliveries_awaiting", "tenant_id", postgresql_where=sa.text("state = 'awaiting_contact'")),
)

delivery_history: Final = sa.Table(
    "delivery_history",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("delivery_id", sa.Uuid, nullable=False, index=True),
    sa.Column("at", _MOMENT, nullable=False),
    sa.Column("event", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("reason", sa.Text),
    sa.Column("detail", sa.Text),
)
