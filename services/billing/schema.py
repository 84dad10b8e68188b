"""The tables of billing's own database."""

from typing import Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from shared.db import NAMING

metadata: Final = sa.MetaData(naming_convention=NAMING)

CHARGES_CHANNEL: Final = "propman_autopay_charges"
"""Where PostgreSQL tells the collectors that there are charges to be made."""

# What leasing says.

properties: Final = sa.Table(
    "properties",
    metadata,
    sa.Column("property_id", sa.Uuid, primary_key=True),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("time_zone", sa.Text, nullable=False),
    sa.Column("currency", sa.Text, nullable=False),
)

leases: Final = sa.Table(
    "leases",
    metadata,
    sa.Column("lease_id", sa.Uuid, primary_key=True),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("account_id", sa.Uuid, nullable=False),
    sa.Column("property_id", sa.Uuid, nullable=False),
    sa.Column("unit_id", sa.Uuid, nullable=False),
    sa.Column("unit_label", sa.Text, nullable=False),
    sa.Column("tenant_ids", ARRAY(sa.Uuid), nullable=False),
    sa.Column("time_zone", sa.Text, nullable=False),
    sa.Column("currency", sa.Text, nullable=False),
    sa.Column("frequency", sa.Text, nullable=False, server_default="monthly"),
    sa.Column("rent_cents", sa.BigInteger, nullable=False),
    sa.Column("rent_changes", JSONB, nullable=False, server_default="[]"),
    sa.Column("free_periods", ARRAY(sa.Text), nullable=False, server_default="{}"),
    sa.Column("charges", JSONB, nullable=False),
    sa.Column("starts_on", sa.Date, nullable=False),
    sa.Column("ends_on", sa.Date),
    sa.Column("rolls_over", sa.Boolean, nullable=False, server_default="false"),
    sa.Column("renewal_of", sa.Uuid),
    sa.Column("due_day", sa.SmallInteger, nullable=False),
)

# What is agreed about billing.

policies: Final = sa.Table(
    "policies",
    metadata,
    sa.Column("scope", sa.Text, primary_key=True),
    sa.Column("scope_id", sa.Uuid, primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("effective_on", sa.Date, nullable=False),
    sa.Column("terms", JSONB, nullable=False),
    sa.Column("reason", sa.Text),
    sa.Column("set_by", sa.Text, nullable=False),
    sa.Column("set_at", sa.DateTime(timezone=True), nullable=False),
)

terms: Final = sa.Table(
    "terms",
    metadata,
    sa.Column("terms_id", sa.Uuid, primary_key=True),
    sa.Column("document", JSONB, nullable=False),
)

holds: Final = sa.Table(
    "holds",
    metadata,
    sa.Column("hold_id", sa.Uuid, primary_key=True),
    sa.Column("scope", sa.Text, nullable=False),
    sa.Column("scope_id", sa.Uuid, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("starts_on", sa.Date, nullable=False),
    sa.Column("ends_on", sa.Date),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("placed_by", sa.Text, nullable=False),
    sa.Column("placed_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("origin", sa.Text, nullable=False, server_default="manual"),
)

weather_incidents: Final = sa.Table(
    "weather_incidents",
    metadata,
    sa.Column("incident_id", sa.Uuid, primary_key=True),
    sa.Column("revision", sa.Integer, nullable=False),
)

# What is owed.

accounts: Final = sa.Table(
    "accounts",
    metadata,
    sa.Column("account_id", sa.Uuid, primary_key=True),
    sa.Column("currency", sa.Text, nullable=False),
    sa.Column("credit_cents", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("revision", sa.BigInteger, nullable=False, server_default="0"),
)

invoices: Final = sa.Table(
    "invoices",
    metadata,
    sa.Column("invoice_id", sa.Uuid, primary_key=True),
    sa.Column("number", sa.Text, nullable=False, unique=True),
    sa.Column("account_id", sa.Uuid, nullable=False),
    sa.Column("lease_id", sa.Uuid, nullable=False),
    sa.Column("property_id", sa.Uuid, nullable=False),
    sa.Column("unit_id", sa.Uuid, nullable=False),
    sa.Column("unit_label", sa.Text, nullable=False),
    sa.Column("tenant_ids", ARRAY(sa.Uuid), nullable=False),
    sa.Column("period", sa.Text, nullable=False),
    sa.Column("period_starts_on", sa.Date, nullable=False),
    sa.Column("period_ends_on", sa.Date, nullable=False),
    sa.Column("kind", sa.Text, nullable=False, server_default="rent"),
    sa.Column("issued_on", sa.Date, nullable=False),
    sa.Column("due_on", sa.Date, nullable=False),
    sa.Column("currency", sa.Text, nullable=False),
    sa.Column("terms_id", sa.Uuid, nullable=False),
    sa.Column("total_cents", sa.BigInteger, nullable=False),
    sa.Column("rent_cents", sa.BigInteger, nullable=False),
    sa.Column("charge_cents", sa.BigInteger, nullable=False),
    sa.Column("fee_cents", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("paid_cents", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("paid_on", sa.Date),
    sa.Column("rent_paid_on", sa.Date),
    sa.Column("state", sa.Text, nullable=False, server_default="open"),
    sa.Column("overdue_on", sa.Date),
    sa.Column("next_check_on", sa.Date),
    sa.Column("next_reminder_on", sa.Date),
    sa.Column("voided_on", sa.Date),
    sa.Column("void_reason", sa.Text),
    sa.Column("voided_by", sa.Text),
    sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
)

invoice_lines: Final = sa.Table(
    "invoice_lines",
    metadata,
    sa.Column("invoice_id", sa.Uuid, primary_key=True),
    sa.Column("position", sa.SmallInteger, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("bucket", sa.Text, nullable=False, server_default="charge"),
    sa.Column("description", sa.Text, nullable=False),
    sa.Column("amount_cents", sa.BigInteger, nullable=False),
    sa.Column("formula", sa.Text),
    sa.Column("rule", sa.Text),
    sa.Column("counts_on", sa.Date),
    sa.Column("reason", sa.Text),
    sa.Column("posted_by", sa.Text),
    sa.Column("posted_at", sa.DateTime(timezone=True)),
)

billed_charges: Final = sa.Table(
    "billed_charges",
    metadata,
    sa.Column("lease_id", sa.Uuid, primary_key=True),
    sa.Column("code", sa.Text, primary_key=True),
    sa.Column("occurs_on", sa.Date, primary_key=True),
    sa.Column("invoice_id", sa.Uuid, nullable=False),
)

invoice_numbers: Final = sa.Table(
    "invoice_numbers",
    metadata,
    sa.Column("year", sa.SmallInteger, primary_key=True),
    sa.Column("last", sa.BigInteger, nullable=False),
)

waivers: Final = sa.Table(
    "waivers",
    metadata,
    sa.Column("waiver_id", sa.Uuid, primary_key=True),
    sa.Column("invoice_id", sa.Uuid, nullable=False),
    sa.Column("amount_cents", sa.BigInteger),
    sa.Column("waived_on", sa.Date, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("waived_by", sa.Text, nullable=False),
    sa.Column("waived_at", sa.DateTime(timezone=True), nullable=False),
)

# What was received.

payments: Final = sa.Table(
    "payments",
    metadata,
    sa.Column("payment_id", sa.Uuid, primary_key=True),
    sa.Column("reference", sa.Text, nullable=False, unique=True),
    sa.Column("account_id", sa.Uuid, nullable=False),
    sa.Column("invoice_id", sa.Uuid),
    sa.Column("amount_cents", sa.BigInteger, nullable=False),
    sa.Column("applied_cents", sa.BigInteger, nullable=False),
    sa.Column("reversed_cents", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("currency", sa.Text, nullable=False),
    sa.Column("method", sa.Text, nullable=False),
    sa.Column("received_on", sa.Date, nullable=False),
    sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("recorded_by", sa.Text),
    sa.Column("note", sa.Text),
    sa.Column("fees_only", sa.Boolean, nullable=False, server_default="false"),
)

reward_bookings: Final = sa.Table(
    "reward_bookings",
    metadata,
    sa.Column("redemption_id", sa.Uuid, primary_key=True),
    sa.Column("account_id", sa.Uuid, nullable=False),
    sa.Column("booked_cents", sa.BigInteger, nullable=False),
    sa.Column("refused_cents", sa.BigInteger, nullable=False),
    sa.Column("booked_at", sa.DateTime(timezone=True), nullable=False),
)

payment_reversals: Final = sa.Table(
    "payment_reversals",
    metadata,
    sa.Column("reversal_id", sa.Uuid, primary_key=True),
    sa.Column("reference", sa.Text, nullable=False, unique=True),
    sa.Column("payment_id", sa.Uuid, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("amount_cents", sa.BigInteger, nullable=False),
    sa.Column("known_on", sa.Date, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("recorded_by", sa.Text),
)

allocations: Final = sa.Table(
    "allocations",
    metadata,
    sa.Column("account_id", sa.Uuid, nullable=False),
    sa.Column("payment_id", sa.Uuid, primary_key=True),
    sa.Column("invoice_id", sa.Uuid, primary_key=True),
    sa.Column("bucket", sa.Text, primary_key=True),
    sa.Column("effective_on", sa.Date, primary_key=True),
    sa.Column("amount_cents", sa.BigInteger, nullable=False),
)

# Charged by itself.

autopay_enrolments: Final = sa.Table(
    "autopay_enrolments",
    metadata,
    sa.Column("enrolment_id", sa.Uuid, primary_key=True),
    sa.Column("account_id", sa.Uuid, nullable=False),
    sa.Column("gateway", sa.Text, nullable=False),
    sa.Column("customer_ref", sa.Text, nullable=False),
    sa.Column("method_ref", sa.Text, nullable=False),
    sa.Column("enrolled_on", sa.Date, nullable=False),
    sa.Column("ended_on", sa.Date),
    sa.Column("ended_reason", sa.Text),
)

autopay_charges: Final = sa.Table(
    "autopay_charges",
    metadata,
    sa.Column("charge_id", sa.Uuid, primary_key=True),
    sa.Column("enrolment_id", sa.Uuid, nullable=False),
    sa.Column("account_id", sa.Uuid, nullable=False),
    sa.Column("invoice_id", sa.Uuid, nullable=False),
    sa.Column("attempt", sa.SmallInteger, nullable=False),
    sa.Column("amount_cents", sa.BigInteger, nullable=False),
    sa.Column("currency", sa.Text, nullable=False),
    sa.Column("scheduled_on", sa.Date, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("gateway_ref", sa.Text),
    sa.Column("failure", sa.Text),
    sa.Column("retry_on", sa.Date),
    sa.Column("correlation_id", sa.Uuid, nullable=False),
    sa.Column("claimed_by", sa.Text),
    sa.Column("claimed_until", sa.DateTime(timezone=True)),
    sa.Column("next_try_at", sa.DateTime(timezone=True)),
    sa.Column("tries", sa.SmallInteger, nullable=False, server_default="0"),
    sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
)

webhook_events: Final = sa.Table(
    "webhook_events",
    metadata,
    sa.Column("gateway", sa.Text, primary_key=True),
    sa.Column("event_id", sa.Text, primary_key=True),
    sa.Column("event_type", sa.Text, nullable=False),
    sa.Column("reference", sa.Text),
    sa.Column("news", JSONB),
    sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("outcome", sa.Text, nullable=False),
    sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
)

# What was said, and what was done.

reminders: Final = sa.Table(
    "reminders",
    metadata,
    sa.Column("invoice_id", sa.Uuid, primary_key=True),
    sa.Column("due_on", sa.Date, primary_key=True),
    sa.Column("stage", sa.SmallInteger, primary_key=True),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("reason", sa.Text),
    sa.Column("decided_on", sa.Date, nullable=False),
    sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False),
)

reminder_messages: Final = sa.Table(
    "reminder_messages",
    metadata,
    sa.Column("reminder_id", sa.Uuid, primary_key=True),
    sa.Column("tenant_id", sa.Uuid, nullable=False),
    sa.Column("said_on", sa.Date, nullable=False),
)

runs: Final = sa.Table(
    "runs",
    metadata,
    sa.Column("run_id", sa.Uuid, primary_key=True),
    sa.Column("trigger", sa.Text, nullable=False),
    sa.Column("as_of", sa.DateTime(timezone=True), nullable=False),
    sa.Column("chunks_expected", sa.Integer, nullable=False),
    sa.Column("chunks_done", sa.Integer, nullable=False, server_default="0"),
    sa.Column("examined", sa.Integer, nullable=False),
    sa.Column("created", sa.Integer, nullable=False, server_default="0"),
    sa.Column("skipped", sa.Integer, nullable=False),
    sa.Column("failed", sa.Integer, nullable=False, server_default="0"),
    sa.Column("problems", ARRAY(sa.Text), nullable=False, server_default="{}"),
    sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("finished_at", sa.DateTime(timezone=True)),
)
