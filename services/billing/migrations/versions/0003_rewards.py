"""Redeemed rewards are booked as payments, and what is said of an account's rent has an order."""

from alembic import op

revision = "0003"
down_revision = "0002"

STATEMENTS = (
    # A constant default: no row is rewritten, however many there are.
    "alter table accounts add column revision bigint not null default 0",
    "alter table payments add column fees_only boolean not null default false",
    """create table reward_bookings (
        redemption_id uuid constraint pk_reward_bookings primary key, account_id uuid not null,
        booked_cents bigint not null check (booked_cents >= 0),
        refused_cents bigint not null check (refused_cents >= 0), booked_at timestamptz not null)""",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
