"""Billing's facts, policies, tenants' records, the reward ledger; inbox, outbox, dead letters, heartbeats."""

from alembic import op

from shared import heartbeats
from shared.messaging.tables import V1

revision = "0001"
down_revision = None

COPIES = (
    """create table properties (
        property_id uuid primary key, version bigint not null, name text not null,
        time_zone text not null)""",
    """create table leases (
        lease_id uuid primary key, version bigint not null, account_id uuid not null,
        property_id uuid not null, tenant_ids uuid[] not null, frequency text not null)""",
)

FACTS = (
    """create table invoices (
        invoice_id uuid primary key, number text not null, lease_id uuid not null, account_id uuid not null,
        property_id uuid not null, tenant_ids uuid[] not null, period text not null,
        issued_on date not null, due_on date not null, currency text not null,
        total_cents bigint not null, rent_cents bigint not null, first_fee_on date, starts_on date)""",
    "create index ix_invoices_account_id on invoices (account_id)",
    "create index ix_invoices_tenant_ids on invoices using gin (tenant_ids)",
    "create table standings (invoice_id uuid primary key, revision bigint not null, covered_on date)",
    "create table voids (invoice_id uuid primary key, voided_on date not null)",
    """create table payments (
        payment_id uuid primary key, account_id uuid not null, lease_id uuid not null,
        property_id uuid not null, tenant_ids uuid[] not null, received_on date not null,
        amount_cents bigint not null, currency text not null, method text not null)""",
    "create index ix_payments_account_id on payments (account_id)",
    "create index ix_payments_tenant_ids on payments using gin (tenant_ids)",
    """create table reversals (
        reversal_id uuid primary key, payment_id uuid not null, account_id uuid not null,
        known_on date not null, amount_cents bigint not null, nsf_fee_cents bigint not null)""",
    "create index ix_reversals_account_id on reversals (account_id)",
    """create table fees (
        fee_id uuid primary key, account_id uuid not null, invoice_id uuid not null,
        counts_on date not null, amount_cents bigint not null)""",
    "create index ix_fees_account_id on fees (account_id)",
)

DECISIONS = (
    """create table policies (
        scope_id uuid not null, version integer not null, effective_on date not null, terms jsonb not null,
        reason text not null, set_by text not null, set_at timestamptz not null,
        primary key (scope_id, version))""",
    """create table denials (
        tenant_id uuid not null, rule text not null, period text not null, reason text not null,
        decided_by text not null, decided_at timestamptz not null, primary key (tenant_id, rule, period))""",
)

RECORD = (
    "create table tenants (tenant_id uuid primary key, streak integer not null default 0, judged_on date)",
    """create table months (
        tenant_id uuid not null, period text not null, verdict text not null, why text not null,
        streak integer not null, property_id uuid not null, primary key (tenant_id, period))""",
)

LEDGER = (
    """create table entries (
        entry_id uuid primary key, tenant_id uuid not null, currency text not null, sequence integer not null,
        kind text not null check (kind in ('granted', 'revoked', 'redeemed', 'restored')),
        kind_of_rule text, rule text not null, period text not null, turn integer not null,
        amount_cents bigint not null check (amount_cents > 0),
        balance_cents bigint not null, shortfall_cents bigint not null, missing_cents bigint not null,
        property_id uuid not null, lease_id uuid not null, months integer, paid_ahead_cents bigint,
        granted_entry_id uuid, cause text, cause_period text, reason text, decided_by text,
        posted_on date not null, posted_at timestamptz not null,
        constraint uq_entries_tenant_currency_sequence unique (tenant_id, currency, sequence),
        -- A tenant is granted a rule's reward for a month once: again only after it was revoked.
        constraint uq_entries_tenant_rule_period_turn unique (tenant_id, rule, period, kind, turn),
        constraint ck_entries_never_below_zero
            check (balance_cents >= 0 and shortfall_cents >= 0 and least(balance_cents, shortfall_cents) = 0),
        constraint ck_entries_missing check (missing_cents between 0 and amount_cents))""",
    """create function refuse_change() returns trigger language plpgsql as $$
        begin raise exception 'the reward ledger is only added to'; end $$""",
    """create trigger entries_are_only_added before update on entries
        for each row execute function refuse_change()""",
    """create table redemptions (
        redemption_id uuid primary key, tenant_id uuid not null, account_id uuid not null,
        lease_id uuid not null, property_id uuid not null, currency text not null,
        amount_cents bigint not null check (amount_cents > 0),
        against text not null check (against in ('rent', 'fees', 'off_ledger')),
        automatic boolean not null, redeemed_on date not null,
        restored_cents bigint not null default 0 check (restored_cents between 0 and amount_cents),
        restored_on date, refusal text)""",
    "create index ix_redemptions_account_id on redemptions (account_id)",
)

WORK = (
    """create table runs (
        run_id uuid primary key, trigger text not null, as_of timestamptz not null,
        chunks_expected integer not null, chunks_done integer not null default 0, examined integer not null,
        granted integer not null default 0, revoked integer not null default 0,
        redeemed integer not null default 0, failed integer not null default 0,
        problems text[] not null default '{}', started_at timestamptz not null, finished_at timestamptz)""",
)


def upgrade() -> None:
    for statement in (*COPIES, *FACTS, *DECISIONS, *RECORD, *LEDGER, *WORK, *V1, *heartbeats.V1):
        op.execute(statement)
