"""The schedules of weather: official alerts every three minutes, conditions every fifteen."""

from alembic import op

revision = "0003"
down_revision = "0002"

# A tornado warning lives for half an hour; what is measured and forecast is renewed every quarter of an hour.
SEED = """insert into schedules
    (id, key, trigger, cron, time_zone, payload, expected, next_run_at, created_at, updated_at)
    select id::uuid, key, 'scheduler.weather_check_due.v1', '*/' || minutes || ' * * * *', 'UTC',
        jsonb_build_object('check', kind), '{weather}',
        date_bin(make_interval(mins => minutes), now(), timestamptz '2026-01-01 00:00Z')
            + make_interval(mins => minutes), now(), now()
    from (values
        ('3b1f6c58-9d0e-5b7a-8a54-616c65727473', 'weather-alerts', 'alerts', 3),
        ('d2c47a90-6e15-5f3c-9c0d-636f6e646974', 'weather-conditions', 'conditions', 15)
    ) as seed (id, key, kind, minutes)
    on conflict do nothing"""


def upgrade() -> None:
    op.execute(SEED)
