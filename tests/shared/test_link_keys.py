"""Links without passwords: the token is made from a ticket under a key, and recognised by its hash."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.link_keys import LinkKeys, WrongKey, check_of, digest, is_token, new_ticket

OLD, NEW = LinkKeys([b"o" * 32]), LinkKeys([b"n" * 32])
BOTH = LinkKeys([b"n" * 32, b"o" * 32])


def test_a_token_is_what_openssl_makes_of_the_ticket() -> None:
    # printf 'propman link 1\nticket' | openssl dgst -sha256 -hmac oooooooooooooooooooooooooooooooo -binary | basenc --base64url
    assert OLD.token("ticket") == "jjUnPUkBIP0jK9GTL-vNaRypEmlARIk6eAxpgp1Fh6Q"


def test_tickets_are_random_and_long() -> None:
    tickets = {new_ticket() for _ in range(1_000)}

    assert (len(tickets), {len(ticket) for ticket in tickets}) == (1_000, {43})


@given(st.text(), st.text())
def test_only_the_token_itself_is_recognised(ticket: str, other: str) -> None:
    token = OLD.token(ticket)

    assert is_token(token, digest(token))
    assert is_token(other, digest(token)) is (other == token)


@given(st.text())
def test_the_check_finds_the_key_a_link_was_issued_with(ticket: str) -> None:
    check = check_of(digest(OLD.token(ticket)))

    assert BOTH.token_again(ticket, check) == OLD.token(ticket)
    with pytest.raises(WrongKey):
        NEW.token_again(ticket, check)


def test_a_key_is_not_shown_and_none_is_no_key() -> None:
    assert "o" * 32 not in repr(OLD) + str(OLD)
    with pytest.raises(ValueError, match="no key"):
        LinkKeys([])
