"""Backfills of which only so many runs are under way at a time; the others wait for their turn."""

from alembic import op

revision = "0012"
down_revision = "0011"

STATEMENTS = (
    """create table backfills (
        id uuid constraint pk_backfills primary key,
        schedule_id uuid constraint fk_backfills_schedule_id references schedules on delete set null,
        schedule_key text not null,
        max_in_flight integer not null constraint ck_backfills_max_in_flight check (max_in_flight > 0),
        requested_by text, created_at timestamptz not null, cancelled_at timestamptz, cancelled_by text)""",
    "create index ix_backfills_schedule_id on backfills (schedule_id)",
    # One run of the schedule's own waits per zone; of a backfill as many as there are.
    "drop index uq_occurrences_queued",
    """create unique index uq_occurrences_queued on occurrences (schedule_id, zone)
        where state = 'queued' and origin <> 'backfill'""",
    "create index ix_occurrences_backfill on occurrences (seq) where origin = 'backfill'",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
