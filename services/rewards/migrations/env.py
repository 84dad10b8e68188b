"""Alembic's entry; the work is in `shared.db`."""

from alembic import context

from services.rewards.schema import metadata
from shared.db import run_migrations

run_migrations(context, metadata)
