"""A schedule that has been announced and waits for its next instant wakes nobody.

Each replica that hears of a change looks for work. None can have slept past an instant that has moved away;
so what wakes them is a schedule that is new or defined anew, or that may be due earlier than it was.
"""

from alembic import op

revision = "0013"
down_revision = "0012"

STATEMENTS = (
    "drop trigger announce_schedules on schedules",
    """create trigger announce_new_schedules after insert on schedules
        for each row execute function announce_schedules()""",
    # `is not true`: where there is no next run before or after, nobody knows which is the earlier.
    """create trigger announce_schedules after update on schedules for each row
        when ((old.next_run_at + old.delay <= new.next_run_at + new.delay and new.retry_at is null
            and old.state = new.state and old.spec_version = new.spec_version
            and old.paused_until is not distinct from new.paused_until) is not true)
        execute function announce_schedules()""",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
