"""How often rent falls due, its changes and free months, rolling over, renewals and their ledger.

Leases that exist are monthly, end on their last day, and are a ledger of their own. Their charges are monthly
and last as long as the lease, which is what a charge without those fields means.
"""

from alembic import op

from shared import heartbeats

revision = "0002"
down_revision = "0001"

STATEMENTS = (
    """alter table leases
        add column frequency text not null default 'monthly'
            constraint ck_leases_frequency check (frequency in ('monthly', 'weekly', 'four_weekly')),
        add column rent_changes jsonb not null default '[]',
        add column free_periods text[] not null default '{}',
        add column rolls_over boolean not null default false,
        add column renewal_of uuid constraint fk_leases_renewal_of references leases
            constraint uq_leases_renewal_of unique,
        add column account_id uuid constraint fk_leases_account_id references leases,
        add constraint ck_leases_rolls_over
            check (not rolls_over or (ends_on is not null and state = 'active'))""",
)


def upgrade() -> None:
    for statement in (*STATEMENTS, *heartbeats.V1):
        op.execute(statement)
