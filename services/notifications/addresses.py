"""Addresses as people write them, made into the one form that can be used; None for what cannot."""

from typing import Final

import email_validator
import phonenumbers

from services.notifications.domain.contacts import is_address

HOME_REGION: Final = "US"
"""Where a number without a country code is taken to be."""


def e164(text: str | None) -> str | None:
    """A telephone number as E.164 writes it; None where no such number can exist."""
    try:
        number = phonenumbers.parse(text or "", HOME_REGION)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def mailbox(text: str | None) -> str | None:
    """An e-mail address as it can be put into an envelope; a domain with other letters gets its ASCII form.

    What is no address is left as it was: the delivery says so, and a person can mend it.
    """
    if not text or is_address(text):
        return text
    try:
        found = email_validator.validate_email(text, check_deliverability=False, test_environment=True)
    except email_validator.EmailNotValidError:
        return text
    return found.ascii_email or text


def typed_mailbox(text: str | None) -> str | None:
    """An address that a person gives us now, in the form that can be used; None for what is none.

    Its domain has a dot, as mail on the Internet wants it (RFC 5321, section 2.3.5): `ann@example` is a slip
    of the finger, and whoever made it is still there to mend it.
    """
    found = mailbox(text) or ""
    return found if is_address(found) and "." in found.rpartition("@")[2] else None
