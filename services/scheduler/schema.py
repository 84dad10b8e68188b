"""The tables of the scheduler's own database."""

from typing import Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from shared.db import NAMING

WAKE_CHANNEL: Final = "propman_schedules"
"""The NOTIFY channel that wakes the due loop: a schedule is new or different, or a run has ended."""

metadata: Final = sa.MetaData(naming_convention=NAMING)

schedules: Final = sa.Table(
    "schedules",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("key", sa.Text, nullable=False, unique=True),
    sa.Column("trigger", sa.Text, nullable=False),
    sa.Column("spec", JSONB, nullable=False),
    sa.Column("payload", JSONB, nullable=False),
    sa.Column("expected", ARRAY(sa.Text), nullable=False),
    sa.Column("state", sa.Text, nullable=False, server_default="active"),
    sa.Column("next_run_at", sa.DateTime(timezone=True)),
    sa.Column("delay", sa.Interval, nullable=False, server_default="0"),
    sa.Column("runs", sa.Integer, nullable=False, server_default="0"),
    sa.Column("last_run_at", sa.DateTime(timezone=True)),
    sa.Column("error_count", sa.Integer, nullable=False, server_default="0"),
    sa.Column("last_error", sa.Text),
    sa.Column("retry_at", sa.DateTime(timezone=True)),
    sa.Column("spec_version", sa.Integer, nullable=False, server_default="1"),
    sa.Column("defined_at", sa.DateTime(timezone=True)),
    sa.Column("next_zone", sa.Text),
    sa.Column("paused_by", sa.Text),
    sa.Column("paused_reason", sa.Text),
    sa.Column("paused_until", sa.DateTime(timezone=True)),
    # The policies; domain/rules.py says what each means.
    sa.Column("start_at", sa.DateTime(timezone=True)),
    sa.Column("end_at", sa.DateTime(timezone=True)),
    sa.Column("max_runs", sa.Integer),
    sa.Column("excluded", ARRAY(sa.Date), nullable=False, server_default="{}"),
    sa.Column("exclude_weekends", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("on_excluded", sa.Text, nullable=False, server_default="skip"),
    sa.Column("jitter", sa.Interval, nullable=False, server_default="0"),
    sa.Column("catch_up", sa.Text, nullable=False, server_default="latest"),
    sa.Column("catch_up_window", sa.Interval, nullable=False, server_default="31 days"),
    sa.Column("catch_up_max", sa.Integer, nullable=False, server_default="100"),
    sa.Column("grace", sa.Interval, nullable=False, server_default="60 seconds"),
    sa.Column("overlap", sa.Text, nullable=False, server_default="skip"),
    sa.Column("run_timeout", sa.Interval, server_default="1 hour"),
    sa.Column("start_deadline", sa.Interval),
    sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
)

schedule_zones: Final = sa.Table(
    "schedule_zones",
    metadata,
    sa.Column("schedule_id", sa.Uuid, sa.ForeignKey("schedules.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("zone", sa.Text, primary_key=True),
    sa.Column("next_run_at", sa.DateTime(timezone=True)),
    sa.Column("delay", sa.Interval, nullable=False, server_default="0"),
    sa.Column("runs", sa.Integer, nullable=False, server_default="0"),
    sa.Column("last_run_at", sa.DateTime(timezone=True)),
)
"""How far a schedule that follows the properties has come in each zone."""

properties: Final = sa.Table(
    "properties",
    metadata,
    sa.Column("property_id", sa.Uuid, primary_key=True),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("time_zone", sa.Text, nullable=False),
)

zones: Final = sa.Table(
    "zones",
    metadata,
    sa.Column("zone", sa.Text, primary_key=True),
    sa.Column("since", sa.DateTime(timezone=True), nullable=False),
)
"""The zones that some property is in, each since the scheduler heard of the first one there."""

occurrences: Final = sa.Table(
    "occurrences",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("schedule_id", sa.Uuid, sa.ForeignKey("schedules.id", ondelete="SET NULL")),
    sa.Column("schedule_key", sa.Text, nullable=False),
    sa.Column("trigger", sa.Text, nullable=False),
    sa.Column("spec_version", sa.Integer, nullable=False),
    sa.Column("zone", sa.Text, nullable=False),
    sa.Column("scheduled_for", sa.DateTime(timezone=True), nullable=False),
    sa.Column("scheduled_local", sa.Text, nullable=False),
    sa.Column("origin", sa.Text, nullable=False),
    sa.Column("seq", sa.Text, nullable=False, server_default=""),
    sa.Column("payload", JSONB, nullable=False),
    sa.Column("expected", ARRAY(sa.Text), nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("reason", sa.Text),
    sa.Column("coalesced", sa.Integer, nullable=False, server_default="1"),
    sa.Column("coalesced_from", sa.DateTime(timezone=True)),
    sa.Column("dry_run", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("requested_by", sa.Text),
    sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("announced_at", sa.DateTime(timezone=True)),
    sa.Column("deadline_at", sa.DateTime(timezone=True)),
    sa.Column("start_by", sa.DateTime(timezone=True)),
    sa.Column("started_at", sa.DateTime(timezone=True)),
    sa.Column("unstarted", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("finished_at", sa.DateTime(timezone=True)),
)

occurrence_outcomes: Final = sa.Table(
    "occurrence_outcomes",
    metadata,
    sa.Column(
        "occurrence_id", sa.Uuid, sa.ForeignKey("occurrences.id", ondelete="CASCADE"), primary_key=True
    ),
    sa.Column("consumer", sa.Text, primary_key=True),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("counts", JSONB, nullable=False),
    sa.Column("problems", ARRAY(sa.Text), nullable=False),
    sa.Column("parts", JSONB, nullable=False, server_default="{}"),
    sa.Column("finished_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
)

forgotten: Final = sa.Table(
    "forgotten",
    metadata,
    sa.Column("schedule_id", sa.Uuid, sa.ForeignKey("schedules.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("until", sa.DateTime(timezone=True), nullable=False),
)
"""Up to which instant the history of a schedule was cleaned up."""

alerts: Final = sa.Table(
    "alerts",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("about", sa.Text, nullable=False),
    sa.Column("detail", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("raised_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("acknowledged_at", sa.DateTime(timezone=True)),
    sa.Column("acknowledged_by", sa.Text),
    sa.Column("note", sa.Text),
    sa.Column("resolved_at", sa.DateTime(timezone=True)),
)

service_reports: Final = sa.Table(
    "service_reports",
    metadata,
    sa.Column("service", sa.Text, primary_key=True),
    sa.Column("said_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("processes", sa.Integer, nullable=False),
    sa.Column("lost", sa.Integer, nullable=False),
    sa.Column("outbox", sa.Integer, nullable=False),
    sa.Column("outbox_oldest", sa.Interval, nullable=False),
    sa.Column("unroutable", sa.Integer, nullable=False),
    sa.Column("dead_letters", sa.Integer, nullable=False),
    sa.Column("queues", ARRAY(sa.Text), nullable=False),
)
"""What each service said of itself last."""

backlogs: Final = sa.Table(
    "backlogs",
    metadata,
    sa.Column("queue", sa.Text, primary_key=True),
    sa.Column("ready", sa.Integer, nullable=False),
    sa.Column("since", sa.DateTime(timezone=True), nullable=False),
    sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("lowest", sa.Integer, nullable=False),
    sa.Column("lowest_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("deaf_since", sa.DateTime(timezone=True)),
)
"""What waits in the queues of the services, as the watchdog saw it last."""

backfills: Final = sa.Table(
    "backfills",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("schedule_id", sa.Uuid, sa.ForeignKey("schedules.id", ondelete="SET NULL")),
    sa.Column("schedule_key", sa.Text, nullable=False),
    sa.Column("max_in_flight", sa.Integer, nullable=False),
    sa.Column("requested_by", sa.Text),
    sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("cancelled_at", sa.DateTime(timezone=True)),
    sa.Column("cancelled_by", sa.Text),
)
"""Ranges that somebody has filled; the id is the `seq` of their occurrences."""
