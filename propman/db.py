"""`propman db`: a database and a least-privileged role per service, and their migrations."""

from dataclasses import asdict, dataclass

from sqlalchemy.engine import make_url

from propman.administration import create_database, grant_runtime_rights
from propman.broker import declare_topology
from propman.catalog import app_module, service_names
from propman.settings import AdministrationSettings, SystemSettings
from shared.cli import CommandError, JsonOption, print_json, print_table, progress, service_app, success
from shared.db import create_engine, current_revision, migrate, newest_revision

app = service_app("db", "Databases, roles and migrations of all services.")


@dataclass(frozen=True, slots=True)
class SchemaStatus:
    """How one service's database stands."""

    service: str
    database: str
    revision: str | None
    newest: str | None

    @property
    def state(self) -> str:
        """One word for people."""
        if self.revision is None:
            return "empty"
        return "current" if self.revision == self.newest else "behind"


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
    queues = await declare_topology(SystemSettings().rabbitmq_url.get_secret_value())
    success(f"{queues} queues are declared and bound.")


async def migrate_service(service: str) -> tuple[str | None, str | None]:
    """Migrate one service's database as its administrator and renew the running role's rights."""
    url = make_url(service_url(service))
    admin = make_url(AdministrationSettings().postgres_url.get_secret_value())
    target = admin.set(database=url.database).render_as_string(hide_password=False)
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
        print_json([asdict(item) | {"state": item.state} for item in found])
    else:
        print_table(
            ["service", "database", "revision", "newest", "state"],
            [
                [item.service, item.database, item.revision or "-", item.newest or "-", item.state]
                for item in found
            ],
        )
    if any(item.state != "current" for item in found):
        raise CommandError("Not every database is current.", remedy="Run `propman db migrate`.")


async def schema_status(service: str) -> SchemaStatus:
    """One service's revision, read as its own role."""
    url = service_url(service)
    engine = create_engine(url, application="status", pool_size=1)
    try:
        async with engine.connect() as connection:
            revision = await current_revision(connection)
    finally:
        await engine.dispose()
    newest = newest_revision(app_module(service).MIGRATIONS)
    return SchemaStatus(service, str(make_url(url).database), revision, newest)


def service_url(service: str) -> str:
    """The database URL of one service, from its own settings."""
    return app_module(service).Settings().database_url.get_secret_value()


def _step(before: str | None, after: str | None) -> str:
    return f"already at {after}" if before == after else f"{before or 'nothing'} -> {after}"
