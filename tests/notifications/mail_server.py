"""A real SMTP server (aiosmtpd) whose answers a test chooses."""

import asyncio
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any, Literal, Self

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session
from typing_extensions import override

Drop = Literal["before_data", "at_data", "after_data"]


class ObedientMailServer:
    """Keeps what it accepted in `messages`; says what `on_*` holds, as often as it is asked."""

    def __init__(self) -> None:
        self.messages: list[EmailMessage] = []
        self.on_recipient = "250 OK"
        self.on_message = "250 OK queued as <q-1>"
        self.on_sender = "250 OK"
        self.drop: Drop | None = None
        self.connections = 0
        self.port = 0
        self.password: str | None = None
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Transport] = set()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen; after a stop, on the same port."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._conversation, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Refuse connections and cut those that are open."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for transport in self._open:
            transport.abort()
        self._open.clear()
        await asyncio.sleep(0)

    @property
    def recipients(self) -> list[str]:
        """Who got an e-mail, in order."""
        return [str(message["To"]) for message in self.messages]

    @property
    def message_ids(self) -> list[str]:
        """Under which ids they came, in order."""
        return [str(message["Message-ID"]) for message in self.messages]

    def _conversation(self) -> SMTP:
        self.connections += 1
        server = self

        class Kept(SMTP):
            @override
            def connection_made(self, transport: Any) -> None:
                server._open.add(transport)
                super().connection_made(transport)

            @override
            async def smtp_DATA(self, arg: str) -> None:
                if server.drop == "before_data":
                    _cut(self)
                    return
                await super().smtp_DATA(arg)

        return Kept(
            self,
            hostname="test",
            loop=asyncio.get_running_loop(),
            auth_require_tls=False,
            authenticator=self._authenticate,
        )

    def _authenticate(
        self, _server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any
    ) -> AuthResult:
        return AuthResult(success=data.password.decode() == self.password, handled=False)

    async def handle_MAIL(  # noqa: N802 - aiosmtpd calls it so
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        envelope.mail_from = address
        return self.on_sender

    async def handle_RCPT(  # noqa: N802 - aiosmtpd calls it so
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.on_recipient.startswith("2"):
            envelope.rcpt_tos.append(address)
        return self.on_recipient

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd calls it so
        if self.on_message.startswith("2"):
            message = message_from_bytes(envelope.original_content or b"", policy=default)
            assert isinstance(message, EmailMessage)
            self.messages.append(message)
        if self.drop == "after_data":
            _cut(server)
        return self.on_message


def _cut(connection: SMTP) -> None:
    transport = connection.transport
    assert isinstance(transport, asyncio.Transport)
    transport.abort()
