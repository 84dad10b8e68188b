"""What services say of themselves, and what waits in their queues, for the watchdog."""

from alembic import op

revision = "0011"
down_revision = "0010"

STATEMENTS = (
    """create table service_reports (
        service text constraint pk_service_reports primary key, said_at timestamptz not null,
        processes integer not null, lost integer not null, outbox integer not null,
        outbox_oldest interval not null, unroutable integer not null, dead_letters integer not null,
        queues text[] not null)""",
    """create table backlogs (
        queue text constraint pk_backlogs primary key, ready integer not null, since timestamptz not null,
        seen_at timestamptz not null, lowest integer not null, lowest_at timestamptz not null,
        deaf_since timestamptz)""",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
