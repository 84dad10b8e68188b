"""first: messaging's tables, schedules, occurrences and their outcomes, and the seed schedule"""

from alembic import op

from shared.messaging.tables import V1

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

STATEMENTS = (
    """create table schedules (
        id uuid constraint pk_schedules primary key, key text not null, trigger text not null,
        cron text not null, time_zone text not null, payload jsonb not null default '{}',
        expected text[] not null default '{}',
        state text not null default 'active'
            constraint ck_schedules_state check (state in ('active', 'paused', 'error')),
        next_run_at timestamptz not null, last_run_at timestamptz,
        error_count integer not null default 0, last_error text, retry_at timestamptz,
        spec_version integer not null default 1,
        created_at timestamptz not null, updated_at timestamptz not null,
        constraint uq_schedules_key unique (key))""",
    "create index ix_schedules_due on schedules (next_run_at) where state <> 'paused'",
    """create table occurrences (
        id uuid constraint pk_occurrences primary key,
        schedule_id uuid constraint fk_occurrences_schedule_id references schedules on delete set null,
        schedule_key text not null, trigger text not null, spec_version integer not null,
        zone text not null, scheduled_for timestamptz not null, scheduled_local text not null,
        origin text not null
            constraint ck_occurrences_origin check (origin in ('schedule', 'catch_up', 'manual', 'backfill')),
        seq text not null default '', payload jsonb not null default '{}',
        expected text[] not null default '{}', state text not null
            constraint ck_occurrences_state
            check (state in ('waiting', 'succeeded', 'partial', 'failed', 'missed')),
        reason text, coalesced integer not null default 1, coalesced_from timestamptz,
        dry_run boolean not null default false, requested_by text,
        created_at timestamptz not null, finished_at timestamptz)""",
    """create unique index uq_occurrences_scheduled on occurrences (schedule_id, zone, scheduled_for)
        where origin in ('schedule', 'catch_up')""",
    """create unique index uq_occurrences_asked on occurrences (schedule_key, seq)
        where origin = 'manual'""",
    "create index ix_occurrences_history on occurrences (schedule_key, created_at desc)",
    "create index ix_occurrences_created_at on occurrences (created_at)",
    """create table occurrence_outcomes (
        occurrence_id uuid not null
            constraint fk_occurrence_outcomes_occurrence_id references occurrences on delete cascade,
        consumer text not null, state text not null
            constraint ck_occurrence_outcomes_state check (state in ('succeeded', 'partial', 'failed')),
        counts jsonb not null default '{}', problems text[] not null default '{}',
        finished_at timestamptz not null, recorded_at timestamptz not null,
        constraint pk_occurrence_outcomes primary key (occurrence_id, consumer))""",
)

# Hourly on purpose: each run bills the month it is at each property, so that every zone is billed within
# the hour of its own midnight, and a lease that was registered late is caught by the next run.
SEED = """insert into schedules
    (id, key, trigger, cron, time_zone, expected, next_run_at, created_at, updated_at)
    values ('6f1d2c3a-5b7e-5a41-9c80-6d6f6e74686c', 'monthly-billing', 'scheduler.monthly_billing_due.v1',
        '5 * * * *', 'UTC', '{billing}',
        date_trunc('hour', now() - interval '5 minutes', 'UTC') + interval '65 minutes', now(), now())"""


def upgrade() -> None:
    for statement in (*V1, *STATEMENTS, SEED):
        op.execute(statement)
