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
