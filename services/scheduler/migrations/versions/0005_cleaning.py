"""Cleaning up: a schedule every night, what each service did of each kind, and what was forgotten."""

from alembic import op

revision = "0005"
down_revision = "0004"

STATEMENTS = (
    "alter table occurrence_outcomes add parts jsonb not null default '{}'",
    """create table forgotten (
        schedule_id uuid constraint pk_forgotten primary key
            constraint fk_forgotten_schedule_id references schedules on delete cascade,
        until timestamptz not null)""",
    # The key of a run that nobody gave a key was a bare id, and looked like one that somebody gave.
    """update occurrences set seq = 'auto:' || seq where origin = 'manual'
        and seq ~ '^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$'""",
)

# At night, and nothing is made up for: the next night finds what this one left.
SEED = """insert into schedules
    (id, key, trigger, spec, expected, catch_up, overlap, run_timeout, next_run_at, created_at, updated_at)
    values ('0c5f2e71-9b3d-5e06-8a1f-636c65616e75', 'cleanup', 'scheduler.cleanup_due.v1',
        '{"kind": "cron", "expr": "30 3 * * *", "timezone": "UTC"}',
        '{billing,leasing,notifications,scheduler,weather}', 'skip', 'skip', interval '6 hours',
        date_trunc('day', now() - interval '3 hours 30 minutes', 'UTC') + interval '1 day 3 hours 30 minutes',
        now(), now())
    on conflict do nothing"""


def upgrade() -> None:
    for statement in (*STATEMENTS, SEED):
        op.execute(statement)
