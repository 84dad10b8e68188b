"""`propman db`: a database and a least-privileged role per service, and their migrations."""

import asyncio
from dataclasses import asdict, dataclass
from typing import Final, Literal

from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncConnection

from propman.administration import create_database, grant_runtime_rights
from propman.broker import declare_topology, queues_in_words
from propman.catalog import app_module, service_names
from propman.settings import AdministrationSettings, SystemSettings
from shared.cli import (
    CommandError,
    JsonOption,
    print_json,
    print_table,
    progress,
    service_app,
    success,
    warning,
)
from shared.db import create_engine, current_revision, has_tables, known_revisions, migrate

app = service_app("db", "Databases, roles and migrations of all services.")


State = Literal["current", "behind", "empty", "unmarked", "unknown"]

MIGRATE: Final = "Run `propman db migrate`."


@dataclass(frozen=True, slots=True)
class SchemaStatus:
    """How one service's database stands."""

    service: str
    database: str
    revision: str | None
    newest: str
    state: State

    @property
    def in_words(self) -> str:
        """What it is, for people; the same in `db status`, `db migrate` and `doctor`."""
        return {
            "current": "current",
            "behind": f"behind the code: at {self.revision}, which needs {self.newest}",
            "empty": "empty: nothing was migrated yet",
            "unmarked": "without a revision though it has tables: its alembic_version was emptied",
            "unknown": f"at a revision that this version does not know: {self.revision}",
        }[self.state]

    @property
    def remedy(self) -> str:
        """What to do about it; a migration cannot begin where nobody knows what is there."""
        by_hand = (
            "restore a backup, or as an administrator write the revision that its tables are at back into"
            f" alembic_version (this version's is {self.newest})."
        )
        return {
            "current": "",
            "behind": MIGRATE,
            "empty": MIGRATE,
            "unmarked": f"{by_hand[0].upper()}{by_hand[1:]}",
            "unknown": f"Run the version that migrated it, if that was a newer one; else {by_hand}",
        }[self.state]


@app.command()
async def init() -> None:
    r"""Create each service's database and role, and take from everybody else the right to connect.

    Needs PROPMAN_POSTGRES_URL (a role that may create databases and roles) and each service's
    *_DATABASE_URL, which names the role and its password. Safe to repeat; a changed password is set.

    \b
    Example:
      propman db init && propman db migrate
    """
    created = await initialise()
    success(f"Databases and roles are ready: {', '.join(created)}.")


async def initialise() -> list[str]:
    """Create what is missing; returns the names of the databases."""
    admin = AdministrationSettings().postgres_url.get_secret_value()
    return [await create_database(admin, service_url(service)) for service in service_names()]


@app.command("migrate")
async def migrate_command() -> None:
    r"""Bring every database to the newest revision, then declare the queues. Safe to repeat and to race.

    \b
    Example:
      propman db migrate
    """
    with progress(len(service_names()), "Migrating") as bar:
        for service in service_names():
            before, after = await migrate_service(service)
            bar.advance(1)
            success(f"{service}: {_step(before, after)}")
    await declare_topology(SystemSettings().rabbitmq_url.get_secret_value())
    success(f"{queues_in_words()} are declared and bound.")


async def migrate_service(service: str) -> tuple[str | None, str | None]:
    """Migrate one service's database as its administrator and renew the running role's rights."""
    url = make_url(service_url(service))
    admin = make_url(AdministrationSettings().postgres_url.get_secret_value())
    target = admin.set(database=url.database).render_as_string(hide_password=False)
    found = await _read_status(target, service)
    if found.remedy not in {"", MIGRATE}:
        raise CommandError(f"The database of {service} is {found.in_words}.", remedy=found.remedy)
    revisions = await migrate(target, app_module(service).MIGRATIONS)
    await grant_runtime_rights(target, str(url.username))
    return revisions


@app.command()
async def status(as_json: JsonOption = False) -> None:
    r"""Show each database's revision and the one this version needs; exit 1 if any is not current.

    \b
    Examples:
      propman db status
      propman db status --json
    """
    found = [await schema_status(service) for service in service_names()]
    if as_json:
        print_json([asdict(item) for item in found])
    else:
        print_table(
            ["service", "database", "revision", "newest", "state"],
            [[item.service, item.database, item.revision or "-", item.newest, item.state] for item in found],
        )
    _require_current(found)


def _require_current(found: list[SchemaStatus]) -> None:
    """Say what is not as it should be; raises `CommandError`."""
    odd = [item for item in found if item.remedy not in {"", MIGRATE}]
    for item in odd[1:]:
        warning(f"The database of {item.service} is {item.in_words}. {item.remedy}")
    if odd:
        raise CommandError(f"The database of {odd[0].service} is {odd[0].in_words}.", remedy=odd[0].remedy)
    if any(item.state != "current" for item in found):
        raise CommandError("Not every database is current.", remedy=MIGRATE)


async def schema_status(service: str) -> SchemaStatus:
    """One service's revision, read as its own role."""
    return await _read_status(service_url(service), service)


async def _read_status(url: str, service: str) -> SchemaStatus:
    engine = create_engine(url, application="status", pool_size=1)
    try:
        async with engine.connect() as connection:
            return await status_in(connection, service)
    finally:
        await engine.dispose()


async def status_in(connection: AsyncConnection, service: str) -> SchemaStatus:
    """How the database at the other end of a connection stands."""
    # Tables first: whoever migrates meanwhile commits the first of them together with its revision.
    begun = await has_tables(connection)
    revision = await current_revision(connection)
    known = await asyncio.to_thread(known_revisions, app_module(service).MIGRATIONS)
    database = str(connection.engine.url.database)
    return SchemaStatus(service, database, revision, known[0], _state(revision, known, begun=begun))


def _state(revision: str | None, known: list[str], *, begun: bool) -> State:
    if revision is None:
        return "unmarked" if begun else "empty"
    if revision not in known:
        return "unknown"
    return "current" if revision == known[0] else "behind"


def service_url(service: str) -> str:
    """The database URL of one service, from its own settings."""
    return app_module(service).Settings().database_url.get_secret_value()


def _step(before: str | None, after: str | None) -> str:
    return f"already at {after}" if before == after else f"{before or 'nothing'} -> {after}"
