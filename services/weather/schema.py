"""The tables of weather's own database."""

from typing import Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from shared.db import NAMING

metadata: Final = sa.MetaData(naming_convention=NAMING)
_MOMENT: Final = sa.DateTime(timezone=True)

properties: Final = sa.Table(
    "properties",
    metadata,
    sa.Column("property_id", sa.Uuid, primary_key=True),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("time_zone", sa.Text, nullable=False),
    sa.Column("location_id", sa.Uuid),
)

locations: Final = sa.Table(
    "locations",
    metadata,
    sa.Column("location_id", sa.Uuid, primary_key=True),
    sa.Column("latitude", sa.Numeric(6, 4), nullable=False),
    sa.Column("longitude", sa.Numeric(7, 4), nullable=False),
    sa.Column("nws_supported", sa.Boolean),
    sa.Column("grid", sa.Text),
    sa.Column("zones", ARRAY(sa.Text), nullable=False, server_default="{}"),
    sa.Column("stations", ARRAY(sa.Text), nullable=False, server_default="{}"),
    sa.Column("station_choice", sa.Integer, nullable=False, server_default="0"),
    sa.Column("resolved_at", _MOMENT),
)

feeds: Final = sa.Table(
    "feeds",
    metadata,
    sa.Column("location_id", sa.Uuid, primary_key=True),
    sa.Column("check", sa.Text, primary_key=True),
    sa.Column("asked_at", _MOMENT, nullable=False),
    sa.Column("healthy_at", _MOMENT),
    sa.Column("stale_since", _MOMENT),
    sa.Column("told_at", _MOMENT),
    sa.Column("problem", sa.Text),
    sa.Column("doubtful", sa.Boolean, nullable=False, server_default=sa.false()),
)

answers: Final = sa.Table(
    "answers",
    metadata,
    sa.Column("location_id", sa.Uuid, primary_key=True),
    sa.Column("feed", sa.Text, primary_key=True),
    sa.Column("hash", sa.Text, primary_key=True),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("etag", sa.Text),
    sa.Column("last_modified", sa.Text),
    sa.Column("first_at", _MOMENT, nullable=False),
    sa.Column("last_at", _MOMENT, nullable=False),
)

checks: Final = sa.Table(
    "checks",
    metadata,
    sa.Column("location_id", sa.Uuid, primary_key=True),
    sa.Column("check", sa.Text, primary_key=True),
    sa.Column("run_id", sa.Uuid, nullable=False),
    sa.Column("property_id", sa.Uuid),
    sa.Column("cold", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("requested_at", _MOMENT, nullable=False),
    sa.Column("correlation_id", sa.Uuid, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("taken_until", _MOMENT),
)

runs: Final = sa.Table(
    "runs",
    metadata,
    sa.Column("run_id", sa.Uuid, primary_key=True),
    sa.Column("trigger", sa.Text, nullable=False),
    sa.Column("check", sa.Text, nullable=False),
    sa.Column("as_of", _MOMENT, nullable=False),
    sa.Column("expected", sa.Integer, nullable=False),
    sa.Column("done", sa.Integer, nullable=False, server_default="0"),
    sa.Column("raised", sa.Integer, nullable=False, server_default="0"),
    sa.Column("updated", sa.Integer, nullable=False, server_default="0"),
    sa.Column("cleared", sa.Integer, nullable=False, server_default="0"),
    sa.Column("skipped", sa.Integer, nullable=False, server_default="0"),
    sa.Column("failed", sa.Integer, nullable=False, server_default="0"),
    sa.Column("problems", ARRAY(sa.Text), nullable=False, server_default="{}"),
    sa.Column("started_at", _MOMENT, nullable=False),
    sa.Column("finished_at", _MOMENT),
)

thresholds: Final = sa.Table(
    "thresholds",
    metadata,
    sa.Column("threshold_id", sa.Uuid, primary_key=True),
    sa.Column("property_id", sa.Uuid),
    sa.Column("metric", sa.Text, nullable=False),
    sa.Column("level", sa.Text, nullable=False),
    sa.Column("raise_at", sa.Double, nullable=False),
    sa.Column("clear_at", sa.Double, nullable=False),
    sa.Column("hours", sa.Double, nullable=False),
    sa.Column("raise_count", sa.Integer, nullable=False),
    sa.Column("clear_count", sa.Integer, nullable=False),
    sa.Column("min_hold_seconds", sa.Integer, nullable=False),
    sa.Column("cooldown_seconds", sa.Integer, nullable=False),
    sa.Column("changed_at", _MOMENT, nullable=False),
)

vigils: Final = sa.Table(
    "vigils",
    metadata,
    sa.Column("property_id", sa.Uuid, primary_key=True),
    sa.Column("category", sa.Text, primary_key=True),
    sa.Column("breaches", sa.Integer, nullable=False),
    sa.Column("grave_breaches", sa.Integer, nullable=False),
    sa.Column("clears", sa.Integer, nullable=False),
    sa.Column("level", sa.Text),
    sa.Column("metric", sa.Text),
    sa.Column("opened_at", _MOMENT),
    sa.Column("closed_at", _MOMENT),
    sa.Column("closed_level", sa.Text),
    sa.Column("clear_count", sa.Integer, nullable=False),
    sa.Column("min_hold_seconds", sa.Integer, nullable=False),
    sa.Column("cooldown_seconds", sa.Integer, nullable=False),
)

observations: Final = sa.Table(
    "observations",
    metadata,
    sa.Column("location_id", sa.Uuid, primary_key=True),
    sa.Column("source", sa.Text, primary_key=True),
    sa.Column("starts_at", _MOMENT, primary_key=True),
    sa.Column("observed", sa.Boolean, primary_key=True),
    sa.Column("ends_at", _MOMENT, nullable=False),
    sa.Column("temperature", sa.Double),
    sa.Column("humidity", sa.Double),
    sa.Column("wind", sa.Double),
    sa.Column("gust", sa.Double),
    sa.Column("precipitation", sa.Double),
    sa.Column("probability", sa.Double),
    sa.Column("cape", sa.Double),
    sa.Column("code", sa.Integer),
    sa.Column("fetched_at", _MOMENT, nullable=False),
)

incidents: Final = sa.Table(
    "incidents",
    metadata,
    sa.Column("incident_id", sa.Uuid, primary_key=True),
    sa.Column("property_id", sa.Uuid, nullable=False),
    sa.Column("key", sa.Text, nullable=False),
    sa.Column("key_parts", sa.Text, nullable=False),
    sa.Column("category", sa.Text, nullable=False),
    sa.Column("level", sa.Text, nullable=False),
    sa.Column("family", sa.Text, nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("event", sa.Text, nullable=False),
    sa.Column("words", JSONB, nullable=False),
    sa.Column("measured", JSONB),
    sa.Column("told", JSONB),
    sa.Column("people_told", sa.Boolean, nullable=False),
    sa.Column("opened_at", _MOMENT, nullable=False),
    sa.Column("onset_at", _MOMENT),
    sa.Column("ends_at", _MOMENT),
    sa.Column("expires_at", _MOMENT),
    sa.Column("sent_at", _MOMENT),
    sa.Column("seen", ARRAY(sa.Text), nullable=False),
    sa.Column("missed", sa.Integer, nullable=False),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("suppressed_by", sa.Uuid),
    sa.Column("superseded_by", sa.Uuid),
    sa.Column("closed_at", _MOMENT),
    sa.Column("reason", sa.Text),
)

incident_revisions: Final = sa.Table(
    "incident_revisions",
    metadata,
    sa.Column("incident_id", sa.Uuid, primary_key=True),
    sa.Column("revision", sa.Integer, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("level", sa.Text, nullable=False),
    sa.Column("changes", ARRAY(sa.Text), nullable=False),
    sa.Column("quiet", sa.Boolean, nullable=False),
    sa.Column("reason", sa.Text),
    sa.Column("at", _MOMENT, nullable=False),
)
