"""The schedule of rewards: every night, and rewards takes part in cleaning up."""

from alembic import op

revision = "0009"
down_revision = "0008"

# Every day, not only when a month begins: a payment that bounces on the 20th takes back what it earned then.
# At each property's night where this database hears of every property from the first on; else at 10:15 in
# UTC, which is night in all of the United States. After downtime once is enough: it replays everything.
SEED = """insert into schedules
    (id, key, trigger, spec, expected, catch_up, overlap, run_timeout, next_run_at, defined_at, created_at,
        updated_at)
    select '7a1d4c86-2e5f-5b9a-9c3e-726577617264', 'rewards', 'scheduler.rewards_due.v1', spec, '{rewards}',
        'latest', 'skip', interval '6 hours', next_run_at, now(), now(), now()
    from (values
        (true, '{"kind": "cron", "expr": "15 2 * * *", "timezone": "@property"}'::jsonb, null),
        (false, '{"kind": "cron", "expr": "15 10 * * *", "timezone": "UTC"}', date_trunc('day',
            now() - interval '10 hours 15 minutes', 'UTC') + interval '1 day 10 hours 15 minutes')
    ) as seed (is_new, spec, next_run_at)
    where is_new = (not exists (select from occurrences))
    on conflict do nothing"""

CLEANS_UP_TOO = """update schedules set expected = array_append(expected, 'rewards')
    where key = 'cleanup' and not 'rewards' = any (expected)"""


def upgrade() -> None:
    for statement in (SEED, CLEANS_UP_TOO):
        op.execute(statement)
