"""What `.local/propman.env` tells the services."""

from pathlib import Path

import pytest

from propman.dev import GivenServers, ServerUrls
from propman.dev.environment import read_environment, write_environment

URLS = ServerUrls(
    postgres_url="postgresql://propman_admin:pw@127.0.0.1:5000/postgres",
    rabbitmq_url="amqp://propman:pw@127.0.0.1:5001/",
    rabbitmq_management_url="http://propman:pw@127.0.0.1:5002",
    smtp_url="smtp://127.0.0.1:5003",
    mail_dir=Path("mail"),
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / ".local" / "propman.env"


def test_each_service_gets_a_database_and_a_role_of_its_own(path: Path) -> None:
    write_environment(URLS, path, ["billing", "leasing"])

    settings = read_environment(path)
    password = settings["BILLING_DATABASE_URL"].split(":")[2].split("@")[0]
    assert settings["BILLING_DATABASE_URL"] == (
        f"postgresql://propman_billing:{password}@127.0.0.1:5000/propman_billing"
    )
    assert password not in settings["LEASING_DATABASE_URL"]
    assert path.stat().st_mode & 0o777 == 0o600


def test_writing_again_keeps_passwords_and_lines_of_others(path: Path) -> None:
    write_environment(URLS, path, ["billing"])
    path.write_text(path.read_text() + "NOTIFICATIONS_SENDER=office@example.org\n")
    before = read_environment(path)

    write_environment(URLS, path, ["billing"])

    assert read_environment(path) == before


def test_servers_we_started_are_not_taken_for_given_ones(path: Path) -> None:
    write_environment(URLS, path, [])
    settings = read_environment(path)

    assert GivenServers.from_environment(settings, settings) == GivenServers()


def test_a_given_server_stays_in_use_at_the_next_start(path: Path) -> None:
    given = GivenServers.from_environment({"PROPMAN_POSTGRES_URL": URLS.postgres_url})
    write_environment(URLS, path, [], given)
    settings = read_environment(path)

    assert GivenServers.from_environment(settings, settings) == given


def test_a_given_broker_has_its_management_on_the_usual_port() -> None:
    given = GivenServers.from_environment({"PROPMAN_RABBITMQ_URL": "amqp://me:pw@mq.example:5672/"})

    assert given.rabbitmq_management_url == "http://me:pw@mq.example:15672"
    assert given.names == ["rabbitmq"]
