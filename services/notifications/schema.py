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
    sa.Column("kind", sa.Text, nullable=False, server_default="tenant"),
    sa.Column("phone_e164", sa.Text),
    sa.Column("webhook_url", sa.Text),
    sa.Column("webhook_secret", sa.Text),
    sa.Column("sms_consent_at", _MOMENT),
    sa.Column("sms_consent_source", sa.Text),
    sa.Index("ix_contacts_phone_e164", "phone_e164"),
    sa.Index("ix_contacts_email", sa.text("lower(email)")),
)
"""Tenants as leasing describes them, and people and systems the office added (`external`).

`tenant_id` is the person's id here and in every table below, also where that person is no tenant.
"""

preferences: Final = sa.Table(
    "preferences",
    metadata,
    sa.Column("tenant_id", sa.Uuid, primary_key=True),
    sa.Column("category", sa.Text, primary_key=True),
    sa.Column("channel", sa.Text, primary_key=True),
    sa.Column("enabled", sa.Boolean, nullable=False),
    sa.Column("updated_at", _MOMENT, nullable=False),
)

quiet_hours: Final = sa.Table(
    "quiet_hours",
    metadata,
    sa.Column("tenant_id", sa.Uuid, primary_key=True),
    sa.Column("channel", sa.Text, primary_key=True),
    sa.Column("starts", sa.Time, nullable=False),
    sa.Column("ends", sa.Time, nullable=False),
    sa.Column("updated_at", _MOMENT, nullable=False),
)

suppressions: Final = sa.Table(
    "suppressions",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("channel", sa.Text, nullable=False),
    sa.Column("address", sa.Text, nullable=False),
    sa.Column("scope", sa.Text, nullable=False, server_default="all"),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("until", _MOMENT),
    sa.Column("created_at", _MOMENT, nullable=False),
    sa.Column("lifted_at", _MOMENT),
    sa.Column("lifted_by", sa.Text),
    sa.Index(
        "uq_suppressions_open",
        "channel",
        "address",
        "scope",
        unique=True,
        postgresql_where=sa.text("lifted_at is null"),
    ),
)
"""Closed addresses, in small letters; one that was opened again is kept, with when and by whom."""

groups: Final = sa.Table(
    "groups",
    metadata,
    sa.Column("group_id", sa.Uuid, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("created_at", _MOMENT, nullable=False),
    sa.Index("uq_groups_name", sa.text("lower(name)"), unique=True),
)
"""Groups whose members somebody named; those that follow a rule have no row."""

group_members: Final = sa.Table(
    "group_members",
    metadata,
    sa.Column("group_id", sa.Uuid, sa.ForeignKey("groups.group_id", ondelete="CASCADE"), primary_key=True),
    sa.Column(
        "tenant_id", sa.Uuid, sa.ForeignKey("contacts.tenant_id", ondelete="CASCADE"), primary_key=True
    ),
)

subscriptions: Final = sa.Table(
    "subscriptions",
    metadata,
    sa.Column("group_id", sa.Uuid, sa.ForeignKey("groups.group_id", ondelete="CASCADE"), primary_key=True),
    sa.Column("event", sa.Text, primary_key=True, index=True),
    sa.Column("channels", ARRAY(sa.Text), nullable=False, server_default="{}"),
)
"""Which group hears of which event; no channels means each member's own."""

premises: Final = sa.Table(
    "premises",
    metadata,
    sa.Column("subject_id", sa.Uuid, primary_key=True),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("said_at", _MOMENT, nullable=False),
)
"""What became of the invoices and alerts that messages are about; the newest word counts."""

delivery_events: Final = sa.Table(
    "delivery_events",
    metadata,
    sa.Column("provider", sa.Text, primary_key=True),
    sa.Column("event_key", sa.Text, primary_key=True),
    sa.Column("delivery_id", sa.Uuid, nullable=False),
    sa.Column("received_at", _MOMENT, nullable=False),
)
"""What providers told us, once each however often they say it."""

inbound_texts: Final = sa.Table(
    "inbound_texts",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("provider_id", sa.Text, nullable=False, unique=True),
    sa.Column("phone", sa.Text, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("answer", sa.Text, nullable=False),
    sa.Column("received_at", _MOMENT, nullable=False),
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
    sa.Column("unit_label", sa.Text),
)
"""`unit_label` is null of a lease that was heard of before it was kept, until leasing says it again."""

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
    sa.Column("criticality", sa.SmallInteger, nullable=False, server_default="0"),
    sa.Column("expires_at", _MOMENT),
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
    sa.Column("digest_key", sa.Text),
    sa.Column("merged_into", sa.Uuid),
    sa.Column("rendered", JSONB),
    sa.Column("read_at", _MOMENT),
    sa.Column("archived_at", _MOMENT),
    sa.UniqueConstraint("notification_id", "channel"),
    sa.Index(
        "ix_deliveries_due",
        "channel",
        "next_attempt_at",
        postgresql_where=sa.text("state in ('queued', 'retry_wait')"),
    ),
    sa.Index(
        "ix_deliveries_digest",
        "digest_key",
        "channel",
        postgresql_where=sa.text("state = 'queued' and digest_key is not null"),
    ),
    sa.Index("ix_deliveries_merged_into", "merged_into", postgresql_where=sa.text("merged_into is not null")),
    sa.Index(
        "ix_deliveries_doubtful", "updated_at", postgresql_where=sa.text("state in ('unknown', 'bounced')")
    ),
    sa.Index("ix_deliveries_inbox", "tenant_id", "id", postgresql_where=sa.text("channel = 'in_app'")),
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
