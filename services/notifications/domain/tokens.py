"""Links and tokens that only we can make: what they say is readable, that they say it is signed.

HMAC-SHA256 (RFC 2104) over purpose and content, compared in constant time.
"""

import base64
import binascii
import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha1, sha256
from typing import Final

_MAC_BYTES: Final = 16
"""128 bits of the tag: RFC 2104, section 5, allows no fewer than half of the hash."""


class BadToken(Exception):
    """A token that we did not make, not for this, or that has run out."""


def sign(key: bytes, purpose: str, content: Mapping[str, str], expires_at: datetime | None = None) -> str:
    """A token that says `content`, for one purpose."""
    said = dict(content)
    if expires_at is not None:
        said["exp"] = str(int(expires_at.timestamp()))
    body = _text(json.dumps(said, separators=(",", ":"), sort_keys=True).encode())
    return f"{body}.{_text(_mac(key, purpose, body))}"


def read(key: bytes, purpose: str, token: str, at: datetime) -> dict[str, str]:
    """What a token says; raises `BadToken`."""
    body, _, mac = token.partition(".")
    try:
        genuine = hmac.compare_digest(_bytes(mac), _mac(key, purpose, body))
        said = json.loads(_bytes(body)) if genuine else None
    except (ValueError, binascii.Error, UnicodeEncodeError) as error:
        raise BadToken("the token is not one of ours") from error
    if not isinstance(said, dict):
        raise BadToken("the token is not one of ours")
    if "exp" in said and datetime.fromtimestamp(int(said.pop("exp")), UTC) <= at:
        raise BadToken("the token has run out")
    return said


def mac(key: bytes, purpose: str, subject: object) -> str:
    """A short proof that goes beside an id in an address."""
    return _text(_mac(key, purpose, str(subject)))


def is_mac(key: bytes, purpose: str, subject: object, given: str) -> bool:
    """Whether a proof is ours."""
    return hmac.compare_digest(mac(key, purpose, subject).encode(), given.encode())


def webhook_signature(secret: str, timestamp: int, body: bytes) -> str:
    """What a receiver compares: the time of sending is signed too, so that an old call cannot be replayed."""
    signed = hmac.new(secret.encode(), f"{timestamp}.".encode() + body, sha256)
    return f"t={timestamp},v1={signed.hexdigest()}"


def is_twilio_signature(token: str, url: str, fields: Mapping[str, str], given: str) -> bool:
    """Whether Twilio signed a request: HMAC-SHA1 of the address and the sorted fields, in base64.

    Proxies add or drop the port of the public address, so that both spellings are tried.
    """
    said = "".join(f"{name}{fields[name]}" for name in sorted(fields))
    candidates = (
        base64.b64encode(hmac.new(token.encode(), (address + said).encode(), sha1).digest())
        for address in _spellings(url)
    )
    matches = [hmac.compare_digest(candidate, given.encode()) for candidate in candidates]
    return any(matches)  # every one was compared: the time does not tell which it was


def _spellings(url: str) -> list[str]:
    scheme, _, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    name, colon, _port = host.rpartition(":")
    without = name if colon and not host.endswith("]") else host
    standard = {"https": "443", "http": "80"}.get(scheme, "443")
    return list(
        dict.fromkeys(
            [url, f"{scheme}://{without}{slash}{path}", f"{scheme}://{without}:{standard}{slash}{path}"]
        )
    )


def _mac(key: bytes, purpose: str, content: str) -> bytes:
    return hmac.new(key, f"{purpose}\n{content}".encode(), sha256).digest()[:_MAC_BYTES]


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
