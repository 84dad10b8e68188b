"""The first tables of notifications."""

from typing import Final

from alembic import op

from shared.messaging import tables

revision: str = "0001"
down_revision: str | None = None

_OWN: Final = (
    """create table contacts (
        tenant_id uuid constraint pk_contacts primary key, version integer not null,
        name text not null default '', email text, phone text, locale text not null default 'en',
        channel text not null default 'email', time_zone text, updated_at timestamptz not null)""",
    """create table properties (
        property_id uuid constraint pk_properties primary key, version integer not null,
        name text not null, time_zone text not null, updated_at timestamptz not null)""",
    """create table leases (
        lease_id uuid constraint pk_leases primary key, version integer not null,
        property_id uuid not null, tenant_ids uuid[] not null, starts_on date not null, ends_on date,
        updated_at timestamptz not null)""",
    """create table notifications (
        id uuid constraint pk_notifications primary key, category text not null, template text not null,
        tenant_id uuid, dedup_key text collate "C" not null constraint uq_notifications_dedup_key unique,
        source_message_id uuid not null, correlation_id uuid not null, context jsonb not null,
        created_at timestamptz not null)""",
    "create index ix_notifications_tenant_id_id on notifications (tenant_id, id)",
    # No foreign key to notifications: both rows are only ever written together, in one transaction, and
    # its check would run once for each of the two deliveries of every invoice.
    """create table deliveries (
        id uuid constraint pk_deliveries primary key, notification_id uuid not null, tenant_id uuid,
        channel text not null constraint ck_deliveries_channel check (channel in ('email', 'in_app', 'sms')),
        state text not null constraint ck_deliveries_state check (state in ('awaiting_contact', 'queued',
            'sending', 'retry_wait', 'unknown', 'sent', 'delivered', 'failed_permanent', 'failed_expired',
            'skipped')),
        reason text, address text, attempt_count integer not null default 0, next_attempt_at timestamptz,
        expires_at timestamptz, locked_by uuid, locked_until timestamptz, provider_message_id text,
        sent_at timestamptz, last_error text, updated_at timestamptz not null,
        constraint uq_deliveries_notification_id_channel unique (notification_id, channel))""",
    """create index ix_deliveries_due on deliveries (next_attempt_at)
        where state in ('queued', 'retry_wait')""",
    "create index ix_deliveries_sending on deliveries (locked_until) where state = 'sending'",
    "create index ix_deliveries_awaiting on deliveries (tenant_id) where state = 'awaiting_contact'",
    """create function announce_deliveries() returns trigger language plpgsql as $$
        begin
            if exists (select from added where state = 'queued') then
                perform pg_notify('propman_deliveries', '');
            end if;
            return null;
        end $$""",
    # On insert only: a sender updates rows all the time and would wake itself for ever.
    """create trigger announce_deliveries after insert on deliveries referencing new table as added
        for each statement execute function announce_deliveries()""",
    """create table delivery_history (
        id bigint generated always as identity constraint pk_delivery_history primary key,
        delivery_id uuid not null, at timestamptz not null, event text not null, state text not null,
        reason text, detail text)""",
    "create index ix_delivery_history_delivery_id on delivery_history (delivery_id)",
)


def upgrade() -> None:
    for statement in (*tables.V1, *_OWN):
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("restore a backup: a first migration is not taken back")
