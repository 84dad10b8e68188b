"""The schedules of late fees, payment reminders and autopay; heartbeats."""

from alembic import op

from shared import heartbeats

revision = "0002"
down_revision = "0001"

# Hourly, as monthly-billing is: each property is judged at its own date, and what was judged costs nothing.
SEED = """insert into schedules
    (id, key, trigger, cron, time_zone, expected, next_run_at, created_at, updated_at)
    select id::uuid, key, trigger, minute || ' * * * *', 'UTC', '{billing}',
        date_trunc('hour', now() - make_interval(mins => minute), 'UTC')
            + make_interval(mins => 60 + minute), now(), now()
    from (values
        ('7c0a94de-21f8-5c36-8f0b-6c6174656665', 'late-fees', 'scheduler.late_fees_due.v1', 15),
        ('1e9b1c52-3f0d-5d8e-9a41-72656d696e64', 'payment-reminders',
            'scheduler.payment_reminders_due.v1', 25),
        ('a54d6f0b-8b7c-5e0f-b2d6-6175746f7061', 'autopay', 'scheduler.autopay_due.v1', 20)
    ) as seed (id, key, trigger, minute)
    on conflict do nothing"""


def upgrade() -> None:
    for statement in (SEED, *heartbeats.V1):
        op.execute(statement)
