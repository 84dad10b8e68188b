"""The three tables that every service's database has: inbox, outbox, dead letters."""

from typing import Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

OUTBOX_CHANNEL: Final = "propman_outbox"
"""The NOTIFY channel that wakes the relay."""

metadata: Final = sa.MetaData()

inbox: Final = sa.Table(
    "inbox",
    metadata,
    sa.Column("consumer", sa.Text, primary_key=True),
    sa.Column("message_id", sa.Uuid, primary_key=True),
    sa.Column("correlation_id", sa.Uuid, nullable=False),
    sa.Column("processed_at", sa.DateTime(timezone=True), nullable=False),
)

outbox: Final = sa.Table(
    "outbox",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("message_id", sa.Uuid, nullable=False),
    sa.Column("topic", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("correlation_id", sa.Uuid, nullable=False),
    sa.Column("causation_id", sa.Uuid),
    sa.Column("traceparent", sa.Text),
    sa.Column("must_be_heard", sa.Boolean, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("next_attempt_at", sa.DateTime(timezone=True)),
    sa.Column("last_error", sa.Text),
)

dead_letters: Final = sa.Table(
    "dead_letters",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("queue", sa.Text, nullable=False),
    sa.Column("message_id", sa.Text, nullable=False),
    sa.Column("topic", sa.Text, nullable=False),
    sa.Column("correlation_id", sa.Text),
    sa.Column("headers", JSONB, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("error", sa.Text, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("first_failed_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("died_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("state", sa.Text, nullable=False, server_default="open"),
    sa.Column("resolved_at", sa.DateTime(timezone=True)),
    sa.Column("resolution", sa.Text),
)

V1: Final = (
    """create table inbox (
        consumer text not null, message_id uuid not null, correlation_id uuid not null,
        processed_at timestamptz not null, primary key (consumer, message_id))""",
    "create index ix_inbox_correlation_id on inbox (correlation_id)",
    """create table outbox (
        id bigint generated always as identity primary key, message_id uuid not null,
        topic text not null, subject text not null, correlation_id uuid not null, causation_id uuid,
        traceparent text, must_be_heard boolean not null, body bytea not null,
        occurred_at timestamptz not null, attempts integer not null default 0,
        next_attempt_at timestamptz, last_error text)""",
    "create index ix_outbox_failing on outbox (subject, id) where next_attempt_at is not null",
    "alter table outbox set (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000)",
    f"""create function announce_outbox() returns trigger language plpgsql as $$
        begin perform pg_notify('{OUTBOX_CHANNEL}', ''); return null; end $$""",
    """create trigger announce_outbox after insert on outbox
        for each statement execute function announce_outbox()""",
    """create table dead_letters (
        id uuid primary key, queue text not null, message_id text not null, topic text not null,
        correlation_id text, headers jsonb not null, body bytea not null, reason text not null,
        error text not null, attempts integer not null, first_failed_at timestamptz not null,
        died_at timestamptz not null, state text not null default 'open'
            check (state in ('open', 'replayed', 'discarded')),
        resolved_at timestamptz, resolution text)""",
    "create index ix_dead_letters_open on dead_letters (died_at) where state = 'open'",
    "create unique index uq_dead_letters_open on dead_letters (queue, message_id) where state = 'open'",
)
"""The statements of the first migration of these tables; later changes are a V2, never an edit."""
