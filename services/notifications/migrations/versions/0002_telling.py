"""Preferences, suppressions, groups, text messages, digests; heartbeats."""

from typing import Final

import sqlalchemy as sa
from alembic import op

from services.notifications.addresses import e164
from shared import heartbeats

revision: str = "0002"
down_revision: str | None = "0001"

_STATEMENTS: Final = (
    """alter table contacts
        add column kind text not null default 'tenant'
            constraint ck_contacts_kind check (kind in ('tenant', 'external')),
        add column phone_e164 text, add column webhook_url text, add column webhook_secret text,
        add column sms_consent_at timestamptz, add column sms_consent_source text""",
    "create index ix_contacts_phone_e164 on contacts (phone_e164)",
    "create index ix_contacts_email on contacts (lower(email))",
    """create table preferences (
        tenant_id uuid not null, category text not null, channel text not null, enabled boolean not null,
        updated_at timestamptz not null,
        constraint pk_preferences primary key (tenant_id, category, channel))""",
    """create table quiet_hours (
        tenant_id uuid not null, channel text not null, starts time not null, ends time not null,
        updated_at timestamptz not null, constraint pk_quiet_hours primary key (tenant_id, channel))""",
    """create table suppressions (
        id uuid constraint pk_suppressions primary key, channel text not null, address text not null,
        scope text not null default 'all', reason text not null, source text not null, until timestamptz,
        created_at timestamptz not null, lifted_at timestamptz, lifted_by text)""",
    """create unique index uq_suppressions_open on suppressions (channel, address, scope)
        where lifted_at is null""",
    """create table groups (
        group_id uuid constraint pk_groups primary key, name text not null,
        created_at timestamptz not null)""",
    "create unique index uq_groups_name on groups (lower(name))",
    """create table group_members (
        group_id uuid not null constraint fk_group_members_group_id references groups on delete cascade,
        tenant_id uuid not null constraint fk_group_members_tenant_id references contacts on delete cascade,
        constraint pk_group_members primary key (group_id, tenant_id))""",
    """create table subscriptions (
        group_id uuid not null constraint fk_subscriptions_group_id references groups on delete cascade,
        event text not null, channels text[] not null default '{}',
        constraint pk_subscriptions primary key (group_id, event))""",
    "create index ix_subscriptions_event on subscriptions (event)",
    """create table premises (
        subject_id uuid constraint pk_premises primary key, state text not null,
        said_at timestamptz not null)""",
    """create table delivery_events (
        provider text not null, event_key text not null, delivery_id uuid not null,
        received_at timestamptz not null, constraint pk_delivery_events primary key (provider, event_key))""",
    """create table inbound_texts (
        id uuid constraint pk_inbound_texts primary key,
        provider_id text not null constraint uq_inbound_texts_provider_id unique,
        phone text not null, body text not null, answer text not null, received_at timestamptz not null)""",
    """alter table notifications
        add column criticality smallint not null default 0, add column expires_at timestamptz""",
    """alter table deliveries
        add column digest_key text, add column merged_into uuid, add column rendered jsonb,
        add column read_at timestamptz, add column archived_at timestamptz,
        drop constraint ck_deliveries_channel, drop constraint ck_deliveries_state,
        add constraint ck_deliveries_channel
            check (channel in ('email', 'in_app', 'sms', 'webhook', 'console')),
        add constraint ck_deliveries_state check (state in ('awaiting_contact', 'queued', 'sending',
            'retry_wait', 'unknown', 'sent', 'delivered', 'failed_permanent', 'failed_expired', 'skipped',
            'suppressed', 'canceled', 'merged', 'bounced', 'complained'))""",
    "drop index ix_deliveries_due",
    """create index ix_deliveries_due on deliveries (channel, next_attempt_at)
        where state in ('queued', 'retry_wait')""",
    """create index ix_deliveries_digest on deliveries (digest_key, channel)
        where state = 'queued' and digest_key is not null""",
    """create index ix_deliveries_merged_into on deliveries (merged_into)
        where merged_into is not null""",
    """create index ix_deliveries_doubtful on deliveries (updated_at)
        where state in ('unknown', 'bounced')""",
    "create index ix_deliveries_inbox on deliveries (tenant_id, id) where channel = 'in_app'",
)


def upgrade() -> None:
    for statement in (*_STATEMENTS, *heartbeats.V1):
        op.execute(statement)
    connection = op.get_bind()
    known = connection.execute(sa.text("select tenant_id, phone from contacts where phone is not null"))
    for tenant_id, phone in known.all():
        connection.execute(
            sa.text("update contacts set phone_e164 = :phone where tenant_id = :tenant_id"),
            {"phone": e164(phone), "tenant_id": tenant_id},
        )


def downgrade() -> None:
    raise NotImplementedError("restore a backup: preferences and suppressions are not thrown away")
