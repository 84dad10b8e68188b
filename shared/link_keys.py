"""Links that open something without a password: their tokens are in no message, no log and no database.

Such a link is issued with a random ticket. The ticket travels in facts and is kept; the token in the address
is what HMAC-SHA256 (RFC 2104) makes of it under a key that only the issuer and whoever writes the mail have
in their settings. The issuer keeps the token's hash, so that it recognises links whatever has become of the
key.
"""

import base64
import hmac
import secrets
from collections.abc import Sequence
from hashlib import sha256
from typing import Annotated, Final
from uuid import UUID

from pydantic import AfterValidator, BeforeValidator, SecretStr
from pydantic_settings import NoDecode

SHORTEST_KEY: Final = 32
VARIABLE: Final = "PROPMAN_LINK_KEY"
_PURPOSE: Final = b"propman link 1\n"


class WrongKey(Exception):
    """None of our keys makes the token that a link was issued with."""


class LinkKeys:
    """The keys of one deployment, the newest first; it says nothing of them when it is printed."""

    __slots__ = ("_keys",)

    def __init__(self, keys: Sequence[bytes]) -> None:
        """Raises `ValueError` without a key."""
        if not keys:
            raise ValueError("there is no key to make links with")
        self._keys = tuple(keys)

    def token(self, ticket: str) -> str:
        """The token of a link that is issued now."""
        return _token(self._keys[0], ticket)

    def token_again(self, ticket: str, check: str) -> str:
        """The token a link was issued with; raises `WrongKey` rather than make a link that opens nothing."""
        for key in self._keys:
            token = _token(key, ticket)
            if check_of(digest(token)) == check:
                return token
        raise WrongKey(f"{VARIABLE} is not the one that the link was issued with")


def new_ticket() -> str:
    """256 random bits, as text."""
    return secrets.token_urlsafe(32)


def digest(token: str) -> bytes:
    """What is kept of a token; a token has 256 bits, so that no salt and no slowness is needed."""
    return sha256(token.encode()).digest()


def check_of(kept: bytes) -> str:
    """Eight digits by which a wrong key is noticed before a dead link is sent; too few to help a guesser."""
    return kept.hex()[:8]


def is_token(token: str, kept: bytes) -> bool:
    """Whether somebody has the token, compared in constant time."""
    return hmac.compare_digest(digest(token), kept)


def _token(key: bytes, ticket: str) -> str:
    made = hmac.new(key, _PURPOSE + ticket.encode(), sha256).digest()
    return base64.urlsafe_b64encode(made).rstrip(b"=").decode()


def _in_parts(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _long_enough(keys: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
    if any(len(key.get_secret_value()) < SHORTEST_KEY for key in keys):
        raise ValueError(f"must have at least {SHORTEST_KEY} characters: `openssl rand -hex 32`")
    return keys


LinkKeySetting = Annotated[
    tuple[SecretStr, ...], NoDecode, BeforeValidator(_in_parts), AfterValidator(_long_enough)
]
"""One key, or several by commas, the newest first: an older one is kept until its last link has run out."""


def keys_of(setting: tuple[SecretStr, ...]) -> LinkKeys | None:
    """The keys that a deployment has; None where it has none."""
    return LinkKeys([key.get_secret_value().encode() for key in setting]) if setting else None


def address_of(url: str, link_id: UUID, token: str) -> str:
    """The whole address of a link."""
    return f"{url}/{link_id.hex}.{token}"
