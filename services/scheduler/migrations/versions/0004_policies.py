"""Schedules of every kind with their policies; what waits, times out or is left out, in history."""

from alembic import op

revision = "0004"
down_revision = "0003"

# What is there keeps its meaning: a cron becomes its document, and runs may still overlap without a timeout.
STATEMENTS = (
    """alter table schedules
        add spec jsonb,
        add delay interval not null default '0',
        add runs integer not null default 0,
        add start_at timestamptz, add end_at timestamptz,
        add max_runs integer constraint ck_schedules_max_runs check (max_runs > 0),
        add excluded date[] not null default '{}', add exclude_weekends boolean not null default false,
        add on_excluded text not null default 'skip'
            constraint ck_schedules_on_excluded check (on_excluded in ('skip', 'next_business_day')),
        add jitter interval not null default '0',
        add catch_up text not null default 'latest'
            constraint ck_schedules_catch_up check (catch_up in ('latest', 'all', 'earliest', 'skip')),
        add catch_up_window interval not null default '31 days',
        add catch_up_max integer not null default 100
            constraint ck_schedules_catch_up_max check (catch_up_max > 0),
        add grace interval not null default '60 seconds',
        add overlap text not null default 'allow'
            constraint ck_schedules_overlap check (overlap in ('skip', 'queue_one', 'allow')),
        add run_timeout interval,
        add paused_by text, add paused_reason text, add paused_until timestamptz""",
    """update schedules set
        spec = jsonb_build_object('kind', 'cron', 'expr', cron, 'timezone', time_zone),
        runs = (select count(*) from occurrences
                 where schedule_id = schedules.id and origin in ('schedule', 'catch_up')
                   and state <> 'missed')""",
    """alter table schedules
        alter spec set not null, alter next_run_at drop not null,
        alter overlap set default 'skip', alter run_timeout set default '1 hour',
        drop column cron, drop column time_zone,
        drop constraint ck_schedules_state,
        add constraint ck_schedules_state
            check (state in ('active', 'paused', 'error', 'ended', 'archived')),
        add constraint ck_schedules_next_run_at
            check (next_run_at is not null or state not in ('active', 'error'))""",
    "drop index ix_schedules_due",
    "create index ix_schedules_due on schedules (next_run_at) where state in ('active', 'error')",
    """alter table occurrences
        add deadline_at timestamptz, add announced_at timestamptz,
        drop constraint ck_occurrences_state,
        add constraint ck_occurrences_state check (state in ('queued', 'waiting', 'succeeded',
            'succeeded_late', 'partial', 'failed', 'timed_out', 'missed', 'skipped'))""",
    "update occurrences set announced_at = created_at where state <> 'missed'",
    """create unique index uq_occurrences_backfilled on occurrences (schedule_id, zone, scheduled_for, seq)
        where origin = 'backfill'""",
    "create index ix_occurrences_open on occurrences (schedule_id) where state in ('queued', 'waiting')",
    "create index ix_occurrences_deadline on occurrences (deadline_at) where state = 'waiting'",
    "create unique index uq_occurrences_queued on occurrences (schedule_id) where state = 'queued'",
    """create function announce_schedules() returns trigger language plpgsql as $$
        begin perform pg_notify('propman_schedules', ''); return null; end $$""",
    """create trigger announce_schedules after insert or update on schedules
        for each row execute function announce_schedules()""",
    # By row and not by statement: an update of no row would wake the loop that made it, for ever.
    """create trigger announce_occurrences after update of state on occurrences
        for each row when (old.state is distinct from new.state) execute function announce_schedules()""",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
