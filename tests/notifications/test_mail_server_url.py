"""Where the mail server is, and what of the settings is refused at the start."""

import pytest
from pydantic import ValidationError

from services.notifications.gateways.smtp_url import BadSmtpUrl, MailServer, parse_smtp_url
from services.notifications.settings import Settings

BASE = {
    "database_url": "postgresql://u:p@h/d",
    "broker_url": "amqp://h/",
    "smtp_url": "smtp://127.0.0.1:1025",
}


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("smtp://127.0.0.1:1025", MailServer("127.0.0.1", 1025)),
        ("smtp://mail.example.com", MailServer("mail.example.com", 587)),
        ("smtps://mail.example.com", MailServer("mail.example.com", 465, tls=True)),
        ("smtp://[::1]:25?starttls=off", MailServer("::1", 25, start_tls="off")),
        (
            "smtp://me%40x:p%2Fw@mail.example.com:2525",
            MailServer("mail.example.com", 2525, start_tls="required", user="me@x", password="p/w"),
        ),
        ("smtp://u:p@localhost:25", MailServer("localhost", 25, user="u", password="p")),
        (
            "smtp://u:p@mail.example.com?starttls=off",
            MailServer("mail.example.com", 587, start_tls="off", user="u", password="p"),
        ),
    ],
)
def test_a_url_says_where_and_how_and_a_password_goes_abroad_only_encrypted(
    url: str, server: MailServer
) -> None:
    assert parse_smtp_url(url) == server


@pytest.mark.parametrize(
    "url",
    ["http://mail.example.com", "smtp://", "smtp://h:99999", "smtp://h:x", "smtp://h?starttls=maybe", ""],
)
def test_a_url_that_names_no_mail_server_is_refused(url: str) -> None:
    with pytest.raises(BadSmtpUrl):
        parse_smtp_url(url)


def test_a_password_is_not_shown() -> None:
    assert "s3same" not in repr(parse_smtp_url("smtp://u:s3same@h"))
    assert "s3same" not in repr(Settings.model_validate(BASE | {"smtp_url": "smtp://u:s3same@h"}))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("smtp_url", "mail.example.com"),
        ("sender_address", "nobody"),
        ("sender_address", "a@example.com\r\nBcc: b@example.com"),
        ("sender_name", "Prop\nman"),
        ("after_crash", "shrug"),
        ("concurrency", 0),
        ("lease_seconds", 0),
    ],
)
def test_a_setting_that_makes_no_sense_ends_the_start(name: str, value: object) -> None:
    with pytest.raises(ValidationError, match=name):
        Settings.model_validate(BASE | {name: value})
