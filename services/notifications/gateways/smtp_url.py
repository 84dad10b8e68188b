"""Where the mail server is, from one URL. Standard library only, so that settings stay quick to read."""

from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Final, Literal
from urllib.parse import parse_qs, unquote, urlsplit

StartTls = Literal["auto", "required", "off"]

_PORTS: Final = {"smtp": 587, "smtps": 465}
_STARTTLS: Final[dict[str, StartTls]] = {"auto": "auto", "required": "required", "off": "off"}


class BadSmtpUrl(ValueError):
    """A URL that does not say where a mail server is; its text never shows the password."""


@dataclass(frozen=True, slots=True)
class MailServer:
    """A mail server and how to talk to it."""

    host: str
    port: int
    tls: bool = False
    start_tls: StartTls = "auto"
    user: str | None = None
    password: str | None = field(default=None, repr=False)


def parse_smtp_url(url: str) -> MailServer:
    """Read smtp://[user:password@]host[:port][?starttls=auto|required|off] or smtps://….

    A password never travels in the clear to another machine unless `starttls=off` says so.
    """
    parts = urlsplit(url)
    if parts.scheme not in _PORTS:
        raise BadSmtpUrl("must begin with smtp:// or smtps://")
    try:
        port = parts.port
    except ValueError:
        raise BadSmtpUrl("has a port that is not a number below 65536") from None
    if not parts.hostname:
        raise BadSmtpUrl("names no host, as in smtp://mail.example.com:587")
    wanted = parse_qs(parts.query).get("starttls", [""])[-1]
    if wanted and wanted not in _STARTTLS:
        raise BadSmtpUrl("starttls must be auto, required or off")
    careful: StartTls = "required" if parts.password and not _is_local(parts.hostname) else "auto"
    return MailServer(
        host=parts.hostname,
        port=port or _PORTS[parts.scheme],
        tls=parts.scheme == "smtps",
        start_tls=_STARTTLS.get(wanted, careful),
        user=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
    )


def _is_local(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
