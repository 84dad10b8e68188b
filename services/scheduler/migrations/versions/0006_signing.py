"""The schedule of signing links: every hour those that have run out are expired, and signers reminded."""

from alembic import op

revision = "0006"
down_revision = "0005"

# A link runs out by itself, at its instant; that it is said up to an hour later harms nobody.
SEED = """insert into schedules
    (id, key, trigger, spec, expected, overlap, run_timeout, next_run_at, created_at, updated_at)
    values ('6b9aabe0-43d9-5f62-a888-7790fbabc58e', 'signing-link-expiry',
        'scheduler.signing_link_expiry_due.v1',
        '{"kind": "cron", "expr": "35 * * * *", "timezone": "UTC"}', '{leasing}', 'allow', null,
        date_trunc('hour', now() - interval '35 minutes', 'UTC') + interval '95 minutes', now(), now())
    on conflict do nothing"""


def upgrade() -> None:
    op.execute(SEED)
