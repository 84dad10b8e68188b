"""Tell every service where the servers are: one file of KEY=VALUE lines, `.local/propman.env`."""

import secrets
from pathlib import Path
from urllib.parse import unquote, urlsplit

from propman.dev.state import write_private
from propman.dev.urls import GIVEN_KEY, GivenServers, ServerUrls
from shared.cli.environment import parse_environment

HEADING = "# Written by `propman dev start`. Passwords are kept when it is written again.\n"


def write_environment(
    urls: ServerUrls, path: Path, services: list[str], given: GivenServers | None = None
) -> None:
    """Write the addresses, with one database and one role per service; other lines of the file stay."""
    kept = read_environment(path)
    known = {
        "PROPMAN_POSTGRES_URL": urls.postgres_url,
        "PROPMAN_RABBITMQ_URL": urls.rabbitmq_url,
        "PROPMAN_RABBITMQ_MANAGEMENT_URL": urls.rabbitmq_management_url,
        "NOTIFICATIONS_SMTP_URL": urls.smtp_url,
        **_signing(kept),
        GIVEN_KEY: ",".join((given or GivenServers()).names),
    }
    for name in services:
        key = f"{name.upper()}_DATABASE_URL"
        known[key] = _database_url(urls.postgres_url, name, kept.get(key))
    lines = [f"{key}={value}\n" for key, value in (known | _others(kept, known)).items()]
    path.parent.mkdir(parents=True, exist_ok=True)
    write_private(path, HEADING + "".join(lines))


def read_environment(path: Path) -> dict[str, str]:
    """Read such a file; an absent one is empty."""
    return parse_environment(path.read_text(encoding="utf-8")) if path.exists() else {}


def _signing(kept: dict[str, str]) -> dict[str, str]:
    """Signing links that can be opened on this machine; who has set either keeps what they set."""
    return {
        "LEASING_PUBLIC_URL": kept.get("LEASING_PUBLIC_URL", "http://127.0.0.1:8101"),
        "PROPMAN_LINK_KEY": kept.get("PROPMAN_LINK_KEY", secrets.token_urlsafe(32)),
    }


def _others(kept: dict[str, str], known: dict[str, str]) -> dict[str, str]:
    return {key: value for key, value in kept.items() if key not in known}


def _database_url(admin_url: str, service: str, former: str | None) -> str:
    parts = urlsplit(admin_url)
    known = urlsplit(former).password if former else None
    password = unquote(known) if known else secrets.token_urlsafe(18)
    place = parts.netloc.rpartition("@")[2]
    return f"postgresql://propman_{service}:{password}@{place}/propman_{service}"
