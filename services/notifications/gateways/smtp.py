"""The mail server, over a connection that is kept open. What it does becomes one of our outcomes."""

import asyncio
import re
from contextlib import suppress
from typing import Final

import aiosmtplib
from typing_extensions import override

from services.notifications.domain.attempts import Outcome, Result
from services.notifications.domain.suppressions import Why
from services.notifications.gateways.carrier import Carrier, CarrierDown, Parcel
from services.notifications.gateways.mail import Mail, Sender, Unsendable, mail_bytes
from services.notifications.gateways.smtp_url import MailServer, StartTls

_START_TLS: Final[dict[StartTls, bool | None]] = {"auto": None, "required": True, "off": False}
_LEADING_DOT: Final = re.compile(rb"(?m)^\.")
_ADDRESS: Final = re.compile(r"[^\s<>]+@[^\s<>]+")
_QUEUE_ID: Final = re.compile(r"queued as <?([\w.@-]+)>?", re.IGNORECASE)
_NO_SUCH_MAILBOX: Final = re.compile(r"\b5\.1\.(?:1|2|3|6|10)\b")
"""RFC 3463 and RFC 7505: about the address itself. A 5.7.x is about policy and closes nothing."""
_CLOSING: Final = 421
"""The server is about to close the connection; it is no judgement of the message."""


class SmtpMailer(Carrier):
    """One connection to one mail server; not for use by two tasks at once."""

    def __init__(self, server: MailServer, sender: Sender, *, timeout: float = 20.0) -> None:
        """Connects when first asked; `timeout` is for each answer of the server."""
        self._server = server
        self._sender = sender
        self._timeout = timeout
        self._client: aiosmtplib.SMTP | None = None

    @override
    async def connect(self) -> None:
        await self._connected()

    async def _connected(self) -> aiosmtplib.SMTP:
        if self._client is not None and self._client.is_connected:
            return self._client
        server = self._server
        client = aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            username=server.user,
            password=server.password,
            use_tls=server.tls,
            start_tls=None if server.tls else _START_TLS[server.start_tls],
            local_hostname=self._sender.domain,
            timeout=self._timeout,
        )
        try:
            async with asyncio.timeout(self._timeout):
                await client.connect()
        except aiosmtplib.SMTPAuthenticationError as error:
            client.close()
            raise CarrierDown("authentication_refused", _reply(error)) from error
        except aiosmtplib.SMTPResponseException as error:
            client.close()
            raise CarrierDown("connection_refused", _reply(error)) from error
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
            client.close()
            raise CarrierDown("unreachable", type(error).__name__) from error
        self._client = client
        return client

    @override
    async def send(self, parcel: Parcel) -> Outcome:
        mail = Mail(
            parcel.delivery_id,
            parcel.address,
            parcel.subject,
            parcel.text,
            parcel.html,
            parcel.written_at,
            parcel.unsubscribe,
        )
        try:
            content = mail_bytes(mail, self._sender)
        except Unsendable as error:
            return Outcome(Result.REFUSED, "unsendable", _without_addresses(str(error)))
        try:
            client = await self._connected()
        except CarrierDown as down:
            return Outcome(Result.NOT_HANDED_OVER, down.reason, down.detail)
        conversation = _Conversation(client, self._sender.address, self._timeout)
        outcome = await conversation.hold(mail.recipient, content)
        if outcome.result is not Result.ACCEPTED:
            await self._begin_anew(client)
        return outcome

    @override
    async def close(self) -> None:
        client, self._client = self._client, None
        if client is None:
            return
        with suppress(aiosmtplib.SMTPException, OSError, TimeoutError):
            await client.quit(timeout=2)
        client.close()

    async def _begin_anew(self, client: aiosmtplib.SMTP) -> None:
        """Make the server forget a half-spoken message; a connection that cannot is given up."""
        try:
            await client.rset(timeout=self._timeout)
        except (aiosmtplib.SMTPException, OSError, TimeoutError):
            client.close()
            self._client = None


class _Conversation:
    """One e-mail on an open connection, and how far it got."""

    def __init__(self, client: aiosmtplib.SMTP, sender: str, timeout: float) -> None:
        self._client = client
        self._sender = sender
        self._timeout = timeout
        self._handed_over = False

    async def hold(self, recipient: str, content: bytes) -> Outcome:
        try:
            async with asyncio.timeout(self._timeout):
                return await self._speak(recipient, content)
        except aiosmtplib.SMTPResponseException as error:
            return self._not_understood(error)
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
            self._client.close()
            if self._handed_over:
                return Outcome(Result.AMBIGUOUS, "no_answer_after_data", type(error).__name__)
            return Outcome(Result.NOT_HANDED_OVER, "connection_lost", type(error).__name__)

    async def _speak(self, recipient: str, content: bytes) -> Outcome:
        try:
            await self._client.mail(self._sender)
            await self._client.rcpt(recipient)
        except aiosmtplib.SMTPSenderRefused as error:
            return _sender_refused(error)
        except aiosmtplib.SMTPRecipientRefused as error:
            return _refused("recipient", error.code, error.message)
        go_ahead = await self._client.execute_command(b"DATA")
        if go_ahead.code != 354:
            return _refused("data", go_ahead.code, go_ahead.message)
        answer = await self._hand_over(content)
        if answer.code != 250:
            return _refused("message", answer.code, answer.message, answered=True)
        named = _QUEUE_ID.search(answer.message)
        return Outcome(Result.ACCEPTED, "accepted", _detail(answer.code, answer.message), named and named[1])

    async def _hand_over(self, content: bytes) -> aiosmtplib.SMTPResponse:
        """The content, by hand: aiosmtplib's `data` does not say whether a loss came before it or after."""
        protocol = self._client.protocol
        if protocol is None:
            raise aiosmtplib.SMTPServerDisconnected("Connection lost")
        protocol.write(_LEADING_DOT.sub(b"..", content) + b".\r\n")
        self._handed_over = True
        return await protocol.read_response(timeout=self._timeout)

    def _not_understood(self, error: aiosmtplib.SMTPResponseException) -> Outcome:
        """An answer that is no SMTP, or one to EHLO: about the server, unless the content was out."""
        result = Result.AMBIGUOUS if self._handed_over else Result.NOT_HANDED_OVER
        return Outcome(result, "server_error", _reply(error))


def _sender_refused(error: aiosmtplib.SMTPResponseException) -> Outcome:
    """Our own address is the same in every message, so a permanent no to it is not about this one."""
    if error.code >= 500 or error.code == _CLOSING:
        return Outcome(Result.NOT_HANDED_OVER, "sender_refused", _reply(error))
    return Outcome(Result.POSTPONED, "sender_postponed", _reply(error))


def _refused(what: str, code: int, message: str, *, answered: bool = False) -> Outcome:
    if code == _CLOSING and not answered:
        return Outcome(Result.NOT_HANDED_OVER, "server_closing", _detail(code, message))
    if code >= 500:
        closes = Why.HARD_BOUNCE if what == "recipient" and _NO_SUCH_MAILBOX.search(message) else None
        return Outcome(Result.REFUSED, f"{what}_refused", _detail(code, message), closes=closes)
    return Outcome(Result.POSTPONED, f"{what}_postponed", _detail(code, message))


def _reply(error: aiosmtplib.SMTPResponseException) -> str:
    return _detail(error.code, error.message)


def _detail(code: int, message: str) -> str:
    return f"{code} {_without_addresses(message)}"[:300]


def _without_addresses(text: str) -> str:
    return _ADDRESS.sub("<address>", " ".join(text.split()))
