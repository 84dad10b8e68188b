"""Leases' copies, invoices, payments and runs; inbox, outbox and dead letters."""

from alembic import op

from shared.messaging.tables import V1

revision = "0001"
down_revision = None

BILLING = (
    """create table properties (
        property_id uuid primary key, version bigint not null, name text not null,
        time_zone text not null, currency text not null)""",
    """create table leases (
        lease_id uuid primary key, version bigint not null, property_id uuid not null,
        unit_id uuid not null, unit_label text not null, tenant_ids uuid[] not null,
        time_zone text not null, currency text not null, rent_cents bigint not null,
        charges jsonb not null, starts_on date not null, ends_on date,
        due_day smallint not null check (due_day between 1 and 31))""",
    "create index ix_leases_property_id on leases (property_id)",
    """create table invoices (
        invoice_id uuid primary key, number text not null unique, lease_id uuid not null,
        property_id uuid not null, unit_id uuid not null, unit_label text not null,
        tenant_ids uuid[] not null, period text not null, kind text not null default 'rent',
        issued_on date not null, due_on date not null, currency text not null,
        total_cents bigint not null, paid_cents bigint not null default 0,
        state text not null default 'open' check (state in ('open', 'paid', 'void')),
        created_at timestamptz not null)""",
    # A voided invoice does not block another for the same month; any other does.
    """create unique index uq_invoices_lease_period_kind on invoices (lease_id, period, kind)
        where state <> 'void'""",
    "create index ix_invoices_property_period on invoices (property_id, period)",
    """create table invoice_lines (
        invoice_id uuid not null references invoices, position smallint not null, kind text not null,
        description text not null, amount_cents bigint not null, primary key (invoice_id, position))""",
    "create table invoice_numbers (year smallint primary key, last bigint not null)",
    """create table payments (
        payment_id uuid primary key, reference text not null unique,
        invoice_id uuid not null references invoices, amount_cents bigint not null check (amount_cents > 0),
        applied_cents bigint not null check (applied_cents between 0 and amount_cents),
        currency text not null, method text not null, received_on date not null,
        recorded_at timestamptz not null)""",
    "create index ix_payments_invoice_id on payments (invoice_id)",
    """create table runs (
        run_id uuid primary key, trigger text not null, as_of timestamptz not null,
        chunks_expected integer not null, chunks_done integer not null default 0,
        examined integer not null, created integer not null default 0, skipped integer not null,
        failed integer not null default 0, problems text[] not null default '{}',
        started_at timestamptz not null, finished_at timestamptz)""",
)


def upgrade() -> None:
    """Create every table."""
    for statement in (*V1, *BILLING):
        op.execute(statement)
