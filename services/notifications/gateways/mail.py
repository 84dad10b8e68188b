"""One e-mail as bytes. Whatever could break out of a header is refused here, whoever wrote it."""

from binascii import b2a_qp
from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address, BaseHeader, HeaderRegistry, UnstructuredHeader
from email.message import EmailMessage
from email.policy import SMTP, Policy
from email.utils import format_datetime
from typing import Final
from uuid import UUID

from typing_extensions import override


class _OneLine(UnstructuredHeader, BaseHeader):
    """A header with an address of the web: no longer a link once it is folded or encoded (RFC 2369, 2047)."""

    max_count = 1

    @override
    def fold(self, *, policy: Policy) -> str:
        return f"{self.name}: {self}{policy.linesep}"


_HEADERS: Final = HeaderRegistry()
_HEADERS.map_to_type("List-Unsubscribe", _OneLine)
_POLICY: Final = SMTP.clone(cte_type="7bit", header_factory=_HEADERS)  # no server is too old for 7 bits


class Unsendable(Exception):
    """A text that cannot be made into a valid e-mail."""


@dataclass(frozen=True, slots=True)
class Mail:
    """An e-mail to one recipient, in both its forms."""

    delivery_id: UUID
    recipient: str
    subject: str
    text: str
    html: str
    written_at: datetime
    unsubscribe: str | None = None
    """An https address where one POST ends this kind of mail (RFC 8058)."""


@dataclass(frozen=True, slots=True)
class Sender:
    """Who our e-mails come from."""

    address: str
    name: str

    @property
    def domain(self) -> str:
        """What is behind the @."""
        return self.address.rpartition("@")[2]


def message_id(delivery_id: UUID, sender: Sender) -> str:
    """The same for every attempt, so that receivers recognise a message that comes again."""
    return f"<{delivery_id}@{sender.domain}>"


def mail_bytes(mail: Mail, sender: Sender) -> bytes:
    """The message as it goes over the wire; raises `Unsendable`.

    Headers are the library's, which refuses what is none. The two parts are put together here: they have
    nothing to refuse, and the library takes three times as long for them as for everything else.
    """
    message = EmailMessage(policy=_POLICY)
    try:
        message["From"] = Address(display_name=sender.name, addr_spec=sender.address)
        message["To"] = Address(addr_spec=mail.recipient)
        message["Subject"] = mail.subject
    except ValueError as error:  # a line break in a header, or an address that is none
        raise Unsendable(str(error)) from error
    message["Date"] = format_datetime(mail.written_at)
    message["Message-ID"] = message_id(mail.delivery_id, sender)
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office answers, please
    if mail.unsubscribe:
        message["List-Unsubscribe"] = f"<{mail.unsubscribe}>"
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    headers = message.as_bytes().removesuffix(b"\r\n")
    return headers + _alternatives(mail.delivery_id.hex, mail.text, mail.html)


def _alternatives(boundary: str, text: str, html: str) -> bytes:
    """Both forms in quoted-printable, from MIME-Version to the end; no line of them can end a part.

    The boundary has `=_` in it, which quoted-printable never writes (RFC 2045, section 6.7).
    """
    mark = f"=_{boundary}".encode()
    parts = [b'MIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary="' + mark + b'"\r\n\r\n']
    for kind, content in ((b"plain", text), (b"html", html)):
        parts.append(b"--" + mark + b"\r\nContent-Type: text/" + kind + b'; charset="utf-8"\r\n')
        parts.append(b"Content-Transfer-Encoding: quoted-printable\r\n\r\n")
        parts.append(_quoted(content))
        parts.append(b"\r\n")
    parts.append(b"--" + mark + b"--\r\n")
    return b"".join(parts)


def _quoted(content: str) -> bytes:
    lines = content.replace("\r\n", "\n").replace("\r", "\n").encode()
    return b2a_qp(lines, istext=True).replace(b"\n", b"\r\n")
