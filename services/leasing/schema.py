"""The tables of leasing."""

from typing import Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from shared.db import NAMING
from shared.messaging import tables

metadata: Final = sa.MetaData(naming_convention=NAMING)
for _table in tables.metadata.tables.values():
    _table.to_metadata(metadata)

properties: Final = sa.Table(
    "properties",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("name_key", sa.Text, nullable=False, unique=True),
    sa.Column("address", sa.Text, nullable=False),
    sa.Column("time_zone", sa.Text, nullable=False),
    sa.Column("latitude", sa.Double),
    sa.Column("longitude", sa.Double),
    sa.Column("currency", sa.Text, nullable=False),
)

units: Final = sa.Table(
    "units",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("property_id", sa.Uuid, sa.ForeignKey("properties.id"), nullable=False),
    sa.Column("label", sa.Text, nullable=False),
    sa.Column("label_key", sa.Text, nullable=False),
    sa.UniqueConstraint("property_id", "label_key"),
)

tenants: Final = sa.Table(
    "tenants",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("email", sa.Text),
    sa.Column("email_key", sa.Text, unique=True),
    sa.Column("phone", sa.Text),
    sa.Column("locale", sa.Text, nullable=False),
    sa.Column("channel", sa.Text, nullable=False),
    sa.Column("time_zone", sa.Text),
    sa.CheckConstraint("channel in ('email', 'sms', 'in_app')", name="channel"),
)

leases: Final = sa.Table(
    "leases",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("unit_id", sa.Uuid, sa.ForeignKey("units.id"), nullable=False),
    sa.Column("rent_cents", sa.BigInteger, nullable=False),
    sa.Column("charges", JSONB, nullable=False),
    sa.Column("starts_on", sa.Date, nullable=False),
    sa.Column("ends_on", sa.Date),
    sa.Column("due_day", sa.SmallInteger, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("frequency", sa.Text, nullable=False, server_default="monthly"),
    sa.Column("rent_changes", JSONB, nullable=False, server_default="[]"),
    sa.Column("free_periods", ARRAY(sa.Text), nullable=False, server_default="{}"),
    sa.Column("rolls_over", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("renewal_of", sa.Uuid, sa.ForeignKey("leases.id"), unique=True),
    sa.Column("account_id", sa.Uuid, sa.ForeignKey("leases.id")),
    sa.UniqueConstraint("unit_id", "starts_on"),
    sa.CheckConstraint("rent_cents > 0", name="rent"),
    sa.CheckConstraint("ends_on >= starts_on", name="dates"),
    sa.CheckConstraint("due_day between 1 and 31", name="due_day"),
    sa.CheckConstraint("state in ('active', 'ended')", name="state"),
    sa.CheckConstraint("frequency in ('monthly', 'weekly', 'four_weekly')", name="frequency"),
    sa.CheckConstraint("not rolls_over or (ends_on is not null and state = 'active')", name="rolls_over"),
)

lease_tenants: Final = sa.Table(
    "lease_tenants",
    metadata,
    sa.Column("lease_id", sa.Uuid, sa.ForeignKey("leases.id"), primary_key=True),
    sa.Column("tenant_id", sa.Uuid, sa.ForeignKey("tenants.id"), primary_key=True, index=True),
    sa.Column("position", sa.SmallInteger, nullable=False),
)

work_orders: Final = sa.Table(
    "work_orders",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("number", sa.Text, nullable=False, unique=True),
    sa.Column("reference", sa.Text, unique=True),
    sa.Column("property_id", sa.Uuid, sa.ForeignKey("properties.id"), nullable=False),
    sa.Column("unit_id", sa.Uuid, sa.ForeignKey("units.id")),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("description", sa.Text, nullable=False),
    sa.Column("category", sa.Text, nullable=False),
    sa.Column("priority", sa.Text, nullable=False),
    sa.Column("reported_by", sa.Uuid, sa.ForeignKey("tenants.id")),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("assignee_name", sa.Text),
    sa.Column("assignee_email", sa.Text),
    sa.Column("scheduled_from", sa.DateTime(timezone=True)),
    sa.Column("scheduled_until", sa.DateTime(timezone=True)),
    sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("closed_at", sa.DateTime(timezone=True)),
    sa.CheckConstraint("priority in ('emergency', 'high', 'normal', 'low')", name="priority"),
    sa.CheckConstraint("state in ('open', 'assigned', 'scheduled', 'done', 'cancelled')", name="state"),
    sa.CheckConstraint(
        "(scheduled_from is null) = (scheduled_until is null) and scheduled_from < scheduled_until",
        name="window",
    ),
    sa.CheckConstraint("state <> 'scheduled' or scheduled_from is not null", name="scheduled"),
    sa.CheckConstraint(
        "state not in ('assigned', 'scheduled') or assignee_name is not null", name="assigned"
    ),
    sa.CheckConstraint("(state in ('done', 'cancelled')) = (closed_at is not null)", name="closed"),
)

work_order_history: Final = sa.Table(
    "work_order_history",
    metadata,
    sa.Column("work_order_id", sa.Uuid, sa.ForeignKey("work_orders.id"), primary_key=True),
    sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("by", sa.Text, nullable=False),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("reason", sa.Text),
    sa.Column("changes", JSONB, nullable=False),
)

work_order_numbers: Final = sa.Table(
    "work_order_numbers",
    metadata,
    sa.Column("year", sa.SmallInteger, primary_key=True, autoincrement=False),
    sa.Column("last", sa.Integer, nullable=False),
)


_MOMENT: Final = sa.DateTime(timezone=True)

signature_requests: Final = sa.Table(
    "signature_requests",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("lease_id", sa.Uuid, sa.ForeignKey("leases.id"), nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("reason", sa.Text),
    sa.Column("document", sa.Text, nullable=False),
    sa.Column("content_hash", sa.Text, nullable=False),
    sa.Column("sent_at", _MOMENT, nullable=False),
    sa.Column("closed_at", _MOMENT),
    sa.Column("signed_on", sa.Date),
    sa.Index("ix_signature_requests_lease_id", "lease_id", "sent_at"),
    sa.Index("uq_signature_requests_out", "lease_id", unique=True, postgresql_where=sa.text("state = 'out'")),
)

signers: Final = sa.Table(
    "signers",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("request_id", sa.Uuid, sa.ForeignKey("signature_requests.id"), nullable=False),
    sa.Column("position", sa.SmallInteger, nullable=False),
    sa.Column("role", sa.Text, nullable=False),
    sa.Column("tenant_id", sa.Uuid, sa.ForeignKey("tenants.id"), index=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("email", sa.Text, nullable=False),
    sa.Column("locale", sa.Text, nullable=False),
    sa.Column("signed_at", _MOMENT),
    sa.Column("signed_name", sa.Text),
    sa.Column("ip", sa.Text),
    sa.Column("user_agent", sa.Text),
    sa.UniqueConstraint("request_id", "position"),
)

signing_links: Final = sa.Table(
    "signing_links",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("signer_id", sa.Uuid, sa.ForeignKey("signers.id"), nullable=False),
    sa.Column("number", sa.SmallInteger, nullable=False),
    sa.Column("sent_to", sa.Text, nullable=False),
    sa.Column("url", sa.Text, nullable=False),
    sa.Column("ticket", sa.Text, nullable=False),
    sa.Column("token_hash", sa.LargeBinary, nullable=False),
    sa.Column("issued_at", _MOMENT, nullable=False),
    sa.Column("expires_at", _MOMENT, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("reason", sa.Text),
    sa.Column("closed_at", _MOMENT),
    sa.Column("remind_at", ARRAY(_MOMENT), nullable=False, server_default="{}"),
    sa.Column("next_reminder_at", _MOMENT),
    sa.Column("reminders", sa.SmallInteger, nullable=False, server_default="0"),
    sa.Column("asked_at", _MOMENT),
    sa.UniqueConstraint("signer_id", "number"),
    sa.Index(
        "uq_signing_links_pending", "signer_id", unique=True, postgresql_where=sa.text("state = 'pending'")
    ),
    sa.Index("ix_signing_links_expiry", "expires_at", postgresql_where=sa.text("state = 'pending'")),
)
"""A link for each time a signer was asked; of its token only the hash is kept."""
