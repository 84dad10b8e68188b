"""Properties, units, tenants and leases; inbox, outbox and dead letters."""

from alembic import op

from shared.messaging.tables import V1

revision = "0001"
down_revision = None

TABLES = (
    """create table properties (
        id uuid constraint pk_properties primary key, version integer not null,
        name text not null, name_key text not null constraint uq_properties_name_key unique,
        address text not null, time_zone text not null,
        latitude double precision, longitude double precision, currency text not null)""",
    """create table units (
        id uuid constraint pk_units primary key,
        property_id uuid not null constraint fk_units_property_id references properties,
        label text not null, label_key text not null,
        constraint uq_units_property_id_label_key unique (property_id, label_key))""",
    """create table tenants (
        id uuid constraint pk_tenants primary key, version integer not null,
        name text not null, email text, email_key text constraint uq_tenants_email_key unique,
        phone text, locale text not null,
        channel text not null constraint ck_tenants_channel check (channel in ('email', 'sms', 'in_app')),
        time_zone text)""",
    """create table leases (
        id uuid constraint pk_leases primary key, version integer not null,
        unit_id uuid not null constraint fk_leases_unit_id references units,
        rent_cents bigint not null constraint ck_leases_rent check (rent_cents > 0),
        charges jsonb not null, starts_on date not null, ends_on date,
        due_day smallint not null constraint ck_leases_due_day check (due_day between 1 and 31),
        state text not null constraint ck_leases_state check (state in ('active', 'ended')),
        constraint ck_leases_dates check (ends_on >= starts_on),
        constraint uq_leases_unit_id_starts_on unique (unit_id, starts_on))""",
    """create table lease_tenants (
        lease_id uuid constraint fk_lease_tenants_lease_id references leases,
        tenant_id uuid constraint fk_lease_tenants_tenant_id references tenants,
        position smallint not null, constraint pk_lease_tenants primary key (lease_id, tenant_id))""",
    "create index ix_lease_tenants_tenant_id on lease_tenants (tenant_id)",
)


def upgrade() -> None:
    for statement in (*V1, *TABLES):
        op.execute(statement)
