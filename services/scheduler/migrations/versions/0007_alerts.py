"""Alerts: what the watchdog found, once for as long as it lasts."""

from alembic import op

revision = "0007"
down_revision = "0006"

STATEMENTS = (
    """create table alerts (
        id uuid constraint pk_alerts primary key, kind text not null, about text not null,
        detail text not null, state text not null
            constraint ck_alerts_state check (state in ('raised', 'acknowledged', 'resolved')),
        raised_at timestamptz not null, seen_at timestamptz not null, acknowledged_at timestamptz,
        acknowledged_by text, note text, resolved_at timestamptz)""",
    "create unique index uq_alerts_open on alerts (kind, about) where state <> 'resolved'",
    "create index ix_alerts_raised_at on alerts (raised_at)",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
