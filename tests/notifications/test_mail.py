"""An e-mail as bytes: what must be in it, and what can never get into a header."""

from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import default
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notifications.gateways.mail import Mail, Sender, Unsendable, mail_bytes

SENDER = Sender("no-reply@propman.localhost", "Propman, Ltd.")


def a_mail(*, recipient: str = "ann@example.com", subject: str = "Hello") -> Mail:
    return Mail(
        UUID(int=7), recipient, subject, "Text ü\n", "<p>Text</p>", datetime(2026, 9, 1, 6, 0, tzinfo=UTC)
    )


@pytest.mark.parametrize("line_break", ["\n", "\r", "\r\n"])
def test_a_line_break_in_a_header_is_refused(line_break: str) -> None:
    with pytest.raises(Unsendable):
        mail_bytes(a_mail(subject=f"Hello{line_break}Bcc: all@example.com"), SENDER)
    with pytest.raises(Unsendable):
        mail_bytes(a_mail(recipient=f"ann@example.com{line_break}Bcc: all@example.com"), SENDER)


def test_the_same_mail_is_the_same_bytes_but_for_its_boundary() -> None:
    first, second = (message_from_bytes(mail_bytes(a_mail(), SENDER), policy=default) for _ in range(2))

    assert first["Message-ID"] == second["Message-ID"] == f"<{UUID(int=7)}@propman.localhost>"
    assert first["Date"] == second["Date"] == "Tue, 01 Sep 2026 06:00:00 +0000"


def test_every_line_is_plain_ascii_and_short_enough_for_any_server() -> None:
    content = mail_bytes(a_mail(subject="Ü" * 150), SENDER)

    assert content.isascii()
    assert max(len(line) for line in content.split(b"\r\n")) <= 998


def test_a_comma_in_our_name_does_not_become_a_second_sender() -> None:
    message = message_from_bytes(mail_bytes(a_mail(), SENDER), policy=default)

    assert [address.addr_spec for address in message["From"].addresses] == ["no-reply@propman.localhost"]


def test_a_mail_that_can_be_ended_says_where_one_post_ends_it_and_another_says_nothing() -> None:
    link = "https://notify.example.com/u/abc"
    ending = message_from_bytes(mail_bytes(replace(a_mail(), unsubscribe=link), SENDER), policy=default)
    required = message_from_bytes(mail_bytes(a_mail(), SENDER), policy=default)

    assert ending["List-Unsubscribe"] == f"<{link}>"
    assert ending["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert required["List-Unsubscribe"] is None


def test_the_address_that_ends_a_mail_goes_out_whole_however_long_it_is() -> None:
    link = f"https://notify.example.com/u/{'a' * 200}"

    content = mail_bytes(replace(a_mail(), unsubscribe=link), SENDER)

    assert f"\r\nList-Unsubscribe: <{link}>\r\n".encode() in content


def forms_of(content: bytes) -> list[str]:
    """The text and the HTML as a mail program shows them."""
    message = message_from_bytes(content, policy=default)
    return [part.get_content().replace("\r\n", "\n") for part in message.iter_parts()]


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\r")))
def test_any_text_arrives_as_it_was_written_in_both_forms(said: str) -> None:
    written = replace(a_mail(), text=f"{said}\n", html=f"<p>{said}</p>\n")

    assert forms_of(mail_bytes(written, SENDER)) == [written.text, written.html]


def test_no_line_of_a_text_can_end_its_part() -> None:
    said = f"--=_{UUID(int=7).hex}--\n.\nFrom here\n"

    assert forms_of(mail_bytes(replace(a_mail(), text=said), SENDER)) == [said, "<p>Text</p>"]


@pytest.mark.parametrize("said", ["x" * 5_000, "ü" * 5_000, "a. " * 2_000, "tail \t"])
def test_no_line_of_a_body_is_longer_than_a_server_takes(said: str) -> None:
    content = mail_bytes(replace(a_mail(), text=said), SENDER)

    body = content.partition(b"\r\n\r\n")[2]
    assert max(len(line) for line in body.split(b"\r\n")) <= 78
