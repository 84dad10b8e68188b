"""Schedules that follow the properties: their zones, and how far each schedule has come in each."""

from alembic import op

revision = "0008"
down_revision = "0007"

STATEMENTS = (
    """alter table schedules add defined_at timestamptz, add next_zone text,
        drop constraint ck_schedules_next_run_at,
        add constraint ck_schedules_next_run_at check (next_run_at is not null
            or state not in ('active', 'error') or spec ->> 'timezone' = '@property')""",
    "update schedules set defined_at = created_at",
    """create table schedule_zones (
        schedule_id uuid not null
            constraint fk_schedule_zones_schedule_id references schedules on delete cascade,
        zone text not null, next_run_at timestamptz, delay interval not null default '0',
        runs integer not null default 0, last_run_at timestamptz,
        constraint pk_schedule_zones primary key (schedule_id, zone))""",
    """create table properties (
        property_id uuid constraint pk_properties primary key,
        version integer not null, time_zone text not null)""",
    "create index ix_properties_time_zone on properties (time_zone)",
    """create table zones (zone text constraint pk_zones primary key, since timestamptz not null)""",
    """create trigger announce_zones after insert or delete on zones
        for each row execute function announce_schedules()""",
    "drop index uq_occurrences_queued",
    "create unique index uq_occurrences_queued on occurrences (schedule_id, zone) where state = 'queued'",
)

# The seeds go to the local times of each property where this database has announced nothing yet: it hears
# of every property from the first on. One that has announced something may know none of those there are, and
# goes on hourly for all zones, which bills the same. What an operator has edited, paused or given rules is
# theirs.
SEEDS = """update schedules set
        spec = seed.spec, catch_up = seed.catch_up, catch_up_window = seed.catch_up_window,
        overlap = 'skip', run_timeout = '1 hour', next_run_at = null, defined_at = now()
    from (values
        ('monthly-billing', '5 * * * *', 'all', interval '31 days',
            '{"kind": "monthly", "start_month": "2026-01", "every_months": 1, "day": 1, "time": "00:00",
              "timezone": "@property"}'::jsonb),
        ('late-fees', '15 * * * *', 'latest', '7 days',
            '{"kind": "cron", "expr": "0 9 * * *", "timezone": "@property"}'),
        ('autopay', '20 * * * *', 'latest', '7 days',
            '{"kind": "cron", "expr": "0 8 * * *", "timezone": "@property"}'),
        ('payment-reminders', '25 * * * *', 'latest', '1 day',
            '{"kind": "cron", "expr": "0 * * * *", "timezone": "@property"}')
    ) as seed (key, was, catch_up, catch_up_window, spec)
    where schedules.key = seed.key
        and schedules.spec = jsonb_build_object('kind', 'cron', 'expr', seed.was, 'timezone', 'UTC')
        and {unedited} and not exists (select from occurrences)"""

UNEDITED = """schedules.spec_version = 1 and schedules.state = 'active' and schedules.payload = {payload}
        and schedules.overlap = 'allow' and schedules.run_timeout is null
        and schedules.catch_up = 'latest' and schedules.catch_up_window = '31 days'
        and schedules.catch_up_max = 100 and schedules.grace = '60 seconds' and schedules.jitter = '0'
        and schedules.start_at is null and schedules.end_at is null and schedules.max_runs is null
        and schedules.excluded = '{{}}' and not schedules.exclude_weekends"""

# The month's rent is billed as the month begins. What comes later is caught through the day: weeks that
# begin, invoices issued ahead, leases that were registered meanwhile, properties that changed their zone.
DAILY = """insert into schedules
    (id, key, trigger, spec, payload, expected, state, next_run_at, defined_at, overlap, run_timeout,
     catch_up, catch_up_window, created_at, updated_at)
    select '0f5d3a6e-61b2-5c0e-8d47-6461696c7962', 'daily-billing', trigger,
        '{"kind": "cron", "expr": "5 0,12,23 * * *", "timezone": "@property"}', '{}', expected, 'active',
        null, now(), 'skip', '1 hour', 'latest', '7 days', now(), now()
    from schedules
    where key = 'monthly-billing' and spec ->> 'timezone' = '@property'
    on conflict do nothing"""

# Weather that is over is not asked for again.
WEATHER = """update schedules set catch_up = 'skip', overlap = 'skip', run_timeout = '10 minutes'
    from (values ('weather-alerts', '*/3 * * * *', 'alerts'),
                 ('weather-conditions', '*/15 * * * *', 'conditions')) as seed (key, was, kind)
    where schedules.key = seed.key
        and schedules.spec = jsonb_build_object('kind', 'cron', 'expr', seed.was, 'timezone', 'UTC')
        and {unedited}"""


def upgrade() -> None:
    seeds = SEEDS.replace("{unedited}", UNEDITED.format(payload="'{}'"))
    weather = WEATHER.format(unedited=UNEDITED.format(payload="jsonb_build_object('check', seed.kind)"))
    for statement in (*STATEMENTS, seeds, DAILY, weather):
        op.execute(statement)
