"""Places, what is asked of them, thresholds, incidents; inbox, outbox, dead letters, heartbeats."""

from alembic import op

from shared import heartbeats
from shared.messaging.tables import V1

revision = "0001"
down_revision = None

WEATHER = (
    """create table properties (
        property_id uuid primary key, version bigint not null, name text not null,
        time_zone text not null, location_id uuid)""",
    "create index ix_properties_location_id on properties (location_id)",
    """create table locations (
        location_id uuid primary key, latitude numeric(6, 4) not null, longitude numeric(7, 4) not null,
        nws_supported boolean, grid text, zones text[] not null default '{}',
        stations text[] not null default '{}', station_choice integer not null default 0,
        resolved_at timestamptz, unique (latitude, longitude))""",
    """create table feeds (
        location_id uuid not null, "check" text not null, asked_at timestamptz not null,
        healthy_at timestamptz, stale_since timestamptz, told_at timestamptz, problem text,
        doubtful boolean not null default false, primary key (location_id, "check"))""",
    """create table answers (
        location_id uuid not null, feed text not null, hash text not null, body text not null,
        etag text, last_modified text, first_at timestamptz not null, last_at timestamptz not null,
        primary key (location_id, feed, hash))""",
    "create index ix_answers_last_at on answers (last_at)",
    # One place is asked for one thing once at a time, however many triggers and people ask.
    """create table checks (
        location_id uuid not null, "check" text not null check ("check" in ('alerts', 'conditions')),
        run_id uuid not null, property_id uuid, cold boolean not null default false,
        requested_at timestamptz not null, correlation_id uuid not null,
        attempts integer not null default 0, taken_until timestamptz,
        primary key (location_id, "check"))""",
    "create index ix_checks_requested_at on checks (requested_at)",
    """create table runs (
        run_id uuid primary key, trigger text not null, "check" text not null, as_of timestamptz not null,
        expected integer not null, done integer not null default 0, raised integer not null default 0,
        updated integer not null default 0, cleared integer not null default 0,
        skipped integer not null default 0, failed integer not null default 0,
        problems text[] not null default '{}', started_at timestamptz not null, finished_at timestamptz)""",
    """create table thresholds (
        threshold_id uuid primary key, property_id uuid, metric text not null, level text not null,
        raise_at double precision not null, clear_at double precision not null,
        hours double precision not null, raise_count integer not null, clear_count integer not null,
        min_hold_seconds integer not null, cooldown_seconds integer not null,
        changed_at timestamptz not null,
        constraint uq_thresholds_property_metric_level
            unique nulls not distinct (property_id, metric, level))""",
    """create table vigils (
        property_id uuid not null, category text not null, breaches integer not null,
        grave_breaches integer not null, clears integer not null, level text, metric text,
        opened_at timestamptz, closed_at timestamptz, closed_level text, clear_count integer not null,
        min_hold_seconds integer not null, cooldown_seconds integer not null,
        primary key (property_id, category))""",
    """create table observations (
        location_id uuid not null, source text not null, starts_at timestamptz not null,
        observed boolean not null, ends_at timestamptz not null, temperature double precision,
        humidity double precision, wind double precision, gust double precision,
        precipitation double precision, probability double precision, cape double precision,
        code integer, fetched_at timestamptz not null,
        primary key (location_id, source, starts_at, observed))""",
    """create table incidents (
        incident_id uuid primary key, property_id uuid not null, key text not null, key_parts text not null,
        category text not null, level text not null, family text not null, source text not null,
        event text not null, words jsonb not null, measured jsonb, told jsonb,
        people_told boolean not null, opened_at timestamptz not null, onset_at timestamptz,
        ends_at timestamptz, expires_at timestamptz, sent_at timestamptz, seen text[] not null,
        missed integer not null, revision integer not null, suppressed_by uuid, superseded_by uuid,
        closed_at timestamptz, reason text,
        constraint ck_incidents_closed check ((closed_at is null) = (reason is null)))""",
    # The second lock against doubles, under whatever message and in whatever replica.
    """create unique index uq_incidents_open on incidents (property_id, key_parts)
        where closed_at is null""",
    "create index ix_incidents_property_closed on incidents (property_id, closed_at)",
    """create table incident_revisions (
        incident_id uuid not null references incidents, revision integer not null, kind text not null,
        level text not null, changes text[] not null, quiet boolean not null, reason text,
        at timestamptz not null, primary key (incident_id, revision))""",
)


def upgrade() -> None:
    """Create every table."""
    for statement in (*V1, *heartbeats.V1, *WEATHER):
        op.execute(statement)
