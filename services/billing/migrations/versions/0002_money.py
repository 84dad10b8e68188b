"""Policies, accounts, fees, allocations, reversals, autopay and reminders. Keeps every row there is."""

from alembic import op

from shared import heartbeats

revision = "0002"
down_revision = "0001"

COPIES = (
    """alter table leases
        add column account_id uuid,
        add column frequency text not null default 'monthly'
            constraint ck_leases_frequency check (frequency in ('monthly', 'weekly', 'four_weekly')),
        add column rent_changes jsonb not null default '[]',
        add column free_periods text[] not null default '{}',
        add column rolls_over boolean not null default false,
        add column renewal_of uuid""",
    "update leases set account_id = lease_id",
    "alter table leases alter column account_id set not null",
    "create index ix_leases_account_id on leases (account_id)",
    "create index ix_leases_renewal_of on leases (renewal_of) where renewal_of is not null",
)

POLICIES = (
    """create table policies (
        scope text not null constraint ck_policies_scope check (scope in ('portfolio', 'property', 'lease')),
        scope_id uuid not null, version integer not null, effective_on date not null, terms jsonb not null,
        reason text, set_by text not null, set_at timestamptz not null,
        constraint pk_policies primary key (scope, scope_id, version))""",
    """create table terms (
        terms_id uuid constraint pk_terms primary key, document jsonb not null)""",
    # What was issued before there were policies: no fee, and everything else as it then was.
    """insert into terms (terms_id, document) values ('6b9f1f0e-54a5-5c0e-8a57-7465726d7330', '{}')""",
    """create table holds (
        hold_id uuid constraint pk_holds primary key,
        scope text not null constraint ck_holds_scope check (scope in ('property', 'lease', 'invoice')),
        scope_id uuid not null,
        kind text not null constraint ck_holds_kind
            check (kind in ('dispute', 'moratorium', 'payment_plan', 'emergency')),
        starts_on date not null, ends_on date constraint ck_holds_dates check (ends_on >= starts_on),
        reason text not null, placed_by text not null, placed_at timestamptz not null,
        origin text not null default 'manual')""",
    "create index ix_holds_scope_id on holds (scope_id)",
    """create table weather_incidents (
        incident_id uuid constraint pk_weather_incidents primary key, revision integer not null)""",
)

ACCOUNTS = (
    """create table accounts (
        account_id uuid constraint pk_accounts primary key, currency text not null,
        credit_cents bigint not null default 0 constraint ck_accounts_credit check (credit_cents >= 0))""",
    """insert into accounts (account_id, currency)
        select lease_id, max(currency) from (
            select lease_id, currency from leases union all select lease_id, currency from invoices) known
        group by lease_id""",
)

INVOICES = (
    """alter table invoices
        add column account_id uuid, add column period_starts_on date, add column period_ends_on date,
        add column terms_id uuid, add column rent_cents bigint, add column charge_cents bigint,
        add column fee_cents bigint not null default 0, add column paid_on date, add column rent_paid_on date,
        add column overdue_on date,
        add column next_check_on date, add column next_reminder_on date,
        add column voided_on date, add column void_reason text, add column voided_by text""",
    """alter table invoice_lines
        add column bucket text not null default 'charge'
            constraint ck_invoice_lines_bucket check (bucket in ('rent', 'charge', 'fee')),
        add column formula text, add column rule text, add column counts_on date, add column reason text,
        add column posted_by text, add column posted_at timestamptz""",
    "update invoice_lines set bucket = 'rent' where kind = 'rent'",
    "create index ix_invoice_lines_fees on invoice_lines (invoice_id) where bucket = 'fee'",
    """update invoices set
        account_id = lease_id, period_starts_on = to_date(period, 'YYYY-MM'),
        period_ends_on = (to_date(period, 'YYYY-MM') + interval '1 month' - interval '1 day')::date,
        terms_id = '6b9f1f0e-54a5-5c0e-8a57-7465726d7330',
        rent_cents = coalesce((select sum(amount_cents) from invoice_lines
            where invoice_lines.invoice_id = invoices.invoice_id and bucket = 'rent'), 0),
        next_check_on = case when state = 'open' then due_on + 1 end,
        next_reminder_on = case when state = 'open' then due_on + 1 end,
        paid_on = case when state = 'paid' then coalesce((select max(received_on) from payments
            where payments.invoice_id = invoices.invoice_id and applied_cents > 0), issued_on) end""",
    "update invoices set charge_cents = total_cents - rent_cents",
    """alter table invoices
        alter column account_id set not null, alter column period_starts_on set not null,
        alter column period_ends_on set not null, alter column terms_id set not null,
        alter column rent_cents set not null, alter column charge_cents set not null,
        add constraint ck_invoices_total check (total_cents = rent_cents + charge_cents + fee_cents),
        add constraint ck_invoices_paid check (paid_cents between 0 and greatest(total_cents, 0)),
        add constraint fk_invoices_terms_id foreign key (terms_id) references terms""",
    "drop index uq_invoices_lease_period_kind",
    # A voided invoice does not block another for the same period; any other does.
    """create unique index uq_invoices_lease_id_period_starts_on_kind
        on invoices (lease_id, period_starts_on, kind) where state <> 'void'""",
    "create index ix_invoices_account_id on invoices (account_id)",
    # What may have to be judged today, and none of what need not be: the runs read nothing else.
    """create index ix_invoices_next_check_on on invoices (next_check_on) where next_check_on is not null""",
    """create index ix_invoices_next_reminder_on on invoices (next_reminder_on)
        where next_reminder_on is not null""",
    """create table billed_charges (
        lease_id uuid not null, code text not null, occurs_on date not null,
        invoice_id uuid not null references invoices,
        constraint pk_billed_charges primary key (lease_id, code, occurs_on))""",
    "create index ix_billed_charges_invoice_id on billed_charges (invoice_id)",
    """create table waivers (
        waiver_id uuid constraint pk_waivers primary key, invoice_id uuid not null references invoices,
        amount_cents bigint constraint ck_waivers_amount check (amount_cents > 0),
        waived_on date not null, reason text not null, waived_by text not null,
        waived_at timestamptz not null)""",
    "create index ix_waivers_invoice_id on waivers (invoice_id)",
)

PAYMENTS = (
    """alter table payments
        add column account_id uuid, add column note text, add column recorded_by text,
        add column reversed_cents bigint not null default 0
            constraint ck_payments_reversed check (reversed_cents between 0 and amount_cents),
        alter column invoice_id drop not null""",
    """update payments set account_id = (
        select account_id from invoices where invoices.invoice_id = payments.invoice_id)""",
    "alter table payments alter column account_id set not null",
    "create index ix_payments_account_id on payments (account_id)",
    "create index ix_payments_received_on on payments (received_on)",
    """alter table payments add constraint ck_payments_divided
        check (applied_cents + reversed_cents <= amount_cents)""",
    """create table payment_reversals (
        reversal_id uuid constraint pk_payment_reversals primary key,
        reference text not null constraint uq_payment_reversals_reference unique,
        payment_id uuid not null references payments,
        kind text not null constraint ck_payment_reversals_kind
            check (kind in ('returned', 'charged_back', 'refunded', 'entered_in_error')),
        amount_cents bigint not null constraint ck_payment_reversals_amount check (amount_cents > 0),
        known_on date not null, reason text not null, recorded_at timestamptz not null, recorded_by text)""",
    "create index ix_payment_reversals_payment_id on payment_reversals (payment_id)",
    """create table allocations (
        account_id uuid not null, payment_id uuid not null references payments,
        invoice_id uuid not null references invoices,
        bucket text not null constraint ck_allocations_bucket check (bucket in ('rent', 'charge', 'fee')),
        effective_on date not null, amount_cents bigint not null,
        constraint pk_allocations primary key (payment_id, invoice_id, bucket, effective_on))""",
    "create index ix_allocations_account_id on allocations (account_id)",
    "create index ix_allocations_invoice_id on allocations (invoice_id)",
    # Rent first, then charges, in the order the money came: what was applied stays applied.
    """insert into allocations
        (account_id, payment_id, invoice_id, bucket, effective_on, amount_cents)
        select account_id, payment_id, invoice_id, bucket, received_on, amount from (
            select paid.account_id, paid.payment_id, paid.invoice_id, paid.received_on, part.bucket,
                case part.bucket
                    when 'rent' then least(upto, rent_cents) - least(upto - applied_cents, rent_cents)
                    else greatest(upto - rent_cents, 0) - greatest(upto - applied_cents - rent_cents, 0)
                end as amount
            from (
                select payments.*, invoices.rent_cents, sum(payments.applied_cents) over (
                    partition by payments.invoice_id
                    order by payments.received_on, payments.reference collate "C") as upto
                from payments join invoices on invoices.invoice_id = payments.invoice_id) paid
            cross join (values ('rent'), ('charge')) as part (bucket)) parts
        where amount > 0""",
    """update invoices set rent_paid_on = covered.paid_on from (
        select invoice_id, max(effective_on) as paid_on, sum(amount_cents) as amount
        from allocations where bucket = 'rent' group by invoice_id) covered
        where covered.invoice_id = invoices.invoice_id and covered.amount = rent_cents""",
    """update accounts set credit_cents = coalesce((
        select sum(amount_cents - applied_cents) from payments
        where payments.account_id = accounts.account_id), 0)""",
)

AUTOPAY = (
    """create table autopay_enrolments (
        enrolment_id uuid constraint pk_autopay_enrolments primary key, account_id uuid not null,
        gateway text not null, customer_ref text not null, method_ref text not null,
        enrolled_on date not null, ended_on date, ended_reason text)""",
    """create unique index uq_autopay_enrolments_account_id on autopay_enrolments (account_id)
        where ended_on is null""",
    """create table autopay_charges (
        charge_id uuid constraint pk_autopay_charges primary key,
        enrolment_id uuid not null references autopay_enrolments, account_id uuid not null,
        invoice_id uuid not null references invoices, attempt smallint not null,
        amount_cents bigint not null constraint ck_autopay_charges_amount check (amount_cents > 0),
        currency text not null, scheduled_on date not null,
        state text not null constraint ck_autopay_charges_state check
            (state in ('planned', 'claimed', 'processing', 'succeeded', 'failed', 'unknown', 'dropped')),
        gateway_ref text constraint uq_autopay_charges_gateway_ref unique, failure text, retry_on date,
        correlation_id uuid not null, claimed_by text, claimed_until timestamptz, next_try_at timestamptz,
        tries smallint not null default 0, created_at timestamptz not null, updated_at timestamptz not null,
        constraint uq_autopay_charges_invoice_id_attempt unique (invoice_id, attempt))""",
    # What a worker has to do something about, and none of what is over.
    """create index ix_autopay_charges_next_try_at on autopay_charges (next_try_at)
        where state in ('planned', 'claimed', 'processing', 'unknown')""",
    "create index ix_autopay_charges_account_id on autopay_charges (account_id)",
    # `news` waits for the payment that it is about, where that is not booked yet.
    """create table webhook_events (
        gateway text not null, event_id text not null, event_type text not null, reference text, news jsonb,
        created_at timestamptz not null,
        outcome text not null constraint ck_webhook_events_outcome
            check (outcome in ('done', 'ignored', 'not_ours', 'waiting')),
        received_at timestamptz not null, constraint pk_webhook_events primary key (gateway, event_id))""",
    """create index ix_webhook_events_reference on webhook_events (gateway, reference)
        where outcome = 'waiting'""",
)

REMINDERS = (
    """create table reminders (
        invoice_id uuid not null references invoices, due_on date not null, stage smallint not null,
        state text not null constraint ck_reminders_state check (state in ('said', 'collapsed', 'dropped')),
        reason text, decided_on date not null, decided_at timestamptz not null,
        constraint pk_reminders primary key (invoice_id, due_on, stage))""",
    # One message a day for each tenant, however many invoices and runs there are.
    """create table reminder_messages (
        reminder_id uuid constraint pk_reminder_messages primary key,
        tenant_id uuid not null, said_on date not null)""",
)


def upgrade() -> None:
    """Add what is new, and give every row that exists its place in it."""
    for statement in (
        *COPIES,
        *POLICIES,
        *ACCOUNTS,
        *INVOICES,
        *PAYMENTS,
        *AUTOPAY,
        *REMINDERS,
        *heartbeats.V1,
    ):
        op.execute(statement)
