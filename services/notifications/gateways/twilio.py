"""Text messages through Twilio's REST API. Posting one is not idempotent, so that silence is not a no."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final
from uuid import UUID

import httpx
from typing_extensions import override

from services.notifications.domain.attempts import Outcome, Result
from services.notifications.domain.sms_outcomes import refused, validity_seconds
from services.notifications.gateways.carrier import Carrier, CarrierDown, Parcel
from services.notifications.gateways.webhook import retry_after

API: Final = "https://api.twilio.com"
_CLOCKS_DIFFER: Final = timedelta(minutes=2)
_PAGE: Final = 100


@dataclass(frozen=True, slots=True)
class Account:
    """Whose texts these are, and from which number or pool of numbers."""

    sid: str
    user: str
    """The account's sid or, better, that of an API key."""
    password: str = field(repr=False)
    sender: str = ""
    """A number in E.164, or a messaging service (MG…)."""
    base_url: str = API

    @property
    def messages(self) -> str:
        """The path of its messages."""
        return f"/2010-04-01/Accounts/{self.sid}/Messages.json"


@dataclass(frozen=True, slots=True)
class Found:
    """A message that Twilio knows."""

    sid: str
    status: str


class Twilio(Carrier):
    """One account over a connection that is kept open; not for use by two tasks at once."""

    def __init__(
        self,
        account: Account,
        *,
        callback: Callable[[UUID], str] | None = None,
        timeout: float = 10.0,
    ) -> None:
        """`callback` makes the address at which Twilio reports what became of a delivery."""
        self._account = account
        self._callback = callback
        self._timeout = timeout
        self._client: httpx.AsyncClient | None = None

    def _open(self) -> httpx.AsyncClient:
        if self._client is None:
            account = self._account
            self._client = httpx.AsyncClient(
                base_url=account.base_url, auth=(account.user, account.password), timeout=self._timeout
            )
        return self._client

    @override
    async def connect(self) -> None:
        try:
            answer = await self._open().get(f"/2010-04-01/Accounts/{self._account.sid}.json")
        except httpx.HTTPError as error:
            raise CarrierDown("unreachable", type(error).__name__) from error
        if answer.status_code in {401, 403, 404}:
            raise CarrierDown("sms_our_fault", _detail(answer))
        if answer.status_code >= 500:
            raise CarrierDown("provider_error", _detail(answer))

    @override
    async def send(self, parcel: Parcel) -> Outcome:
        try:
            answer = await self._open().post(self._account.messages, data=self._form(parcel))
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            return Outcome(Result.NOT_HANDED_OVER, "unreachable", type(error).__name__)
        except httpx.HTTPError as error:  # it was on its way: Twilio may have made the message, or not
            return Outcome(Result.AMBIGUOUS, "no_answer", type(error).__name__)
        if answer.status_code in {200, 201}:
            return Outcome(Result.ACCEPTED, "accepted", _detail(answer), _json(answer).get("sid"))
        return refused(answer.status_code, _code(answer), _detail(answer), retry_after(answer))

    def _form(self, parcel: Parcel) -> dict[str, str]:
        account = self._account
        whose = "MessagingServiceSid" if account.sender.startswith("MG") else "From"
        form = {
            "To": parcel.address,
            whose: account.sender,
            "Body": parcel.sms,
            "ValidityPeriod": str(validity_seconds((parcel.expires_at - parcel.at).total_seconds())),
        }
        if self._callback is not None:
            # Twilio itself calls again only when it cannot connect; the fragment asks for more.
            form["StatusCallback"] = f"{self._callback(parcel.delivery_id)}#rc=5&rp=all"
        return form

    async def find(self, to: str, body: str, since: datetime) -> Found | None:
        """The message with this text to this number that was made since; raises `CarrierDown`.

        How it is found out whether a post that got no answer has made one.
        """
        wanted = {"To": to, "DateSent>": f"{since.astimezone(UTC):%Y-%m-%d}", "PageSize": str(_PAGE)}
        try:
            answer = await self._open().get(self._account.messages, params=wanted)
        except httpx.HTTPError as error:
            raise CarrierDown("unreachable", type(error).__name__) from error
        if not answer.is_success:
            raise CarrierDown("provider_error", _detail(answer))
        for message in _json(answer).get("messages", []):
            if message.get("body") == body and _created(message) >= since - _CLOCKS_DIFFER:
                return Found(str(message["sid"]), str(message["status"]))
        return None

    @override
    async def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()


def _json(answer: httpx.Response) -> dict[str, Any]:
    try:
        found = answer.json()
    except (json.JSONDecodeError, UnicodeDecodeError):
        return {}
    return found if isinstance(found, dict) else {}


def _code(answer: httpx.Response) -> int | None:
    """The error code, in Twilio's own form and in that of RFC 9457, which newer services use."""
    code = _json(answer).get("code")
    return int(code) if isinstance(code, int | str) and str(code).isdigit() else None


def _detail(answer: httpx.Response) -> str:
    """What was said, without the number it was said of."""
    code = _code(answer)
    return f"HTTP {answer.status_code}{f', code {code}' if code else ''}"


def _created(message: dict[str, Any]) -> datetime:
    try:
        return parsedate_to_datetime(str(message.get("date_created")))
    except (TypeError, ValueError):
        return datetime.fromtimestamp(0, UTC)
