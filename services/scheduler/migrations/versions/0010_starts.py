"""By when a run has to have begun, when it did, and whether that was late."""

from alembic import op

revision = "0010"
down_revision = "0009"

STATEMENTS = (
    "alter table schedules add start_deadline interval",
    """alter table occurrences add start_by timestamptz, add started_at timestamptz,
        add unstarted boolean not null default false""",
    """create index ix_occurrences_start_by on occurrences (start_by)
        where state = 'waiting' and started_at is null and not unstarted""",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
