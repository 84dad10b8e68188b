"""Why something was not sent, or not yet, in words."""

from collections.abc import Mapping
from typing import Final

WORDS: Final[Mapping[str, str]] = {
    "no_address": "there is no address for this channel",
    "bad_address": "the address cannot be used",
    "shared_address": "somebody who is told the same has this address too, and got the copy",
    "by_another_channel": "this person is told by another channel",
    "no_consent": "this person did not agree to text messages",
    "category_off": "this person switched this kind of message off",
    "channel_off": "this person switched this channel off",
    "quiet_hours": "it waits for the end of the quiet hours where the person or the property is",
    "cooldown": "this person was just told of the same thing; the newest word of it goes out a little later",
    "digest": "it waits, or went out, together with others of its kind",
    "expired": "it had become useless before it could be sent",
    "expired_in_quiet_hours": "it would have been useless by the end of the quiet hours",
    "invoice_paid": "the invoice was paid before it was sent",
    "invoice_voided": "the invoice was cancelled before it was sent",
    "alert_cleared": "the danger was over before it was sent",
    "alert_replaced": "a more serious alert took its place",
    "alert_updated": "newer news of the same alert took its place",
    "work_order_changed": "newer news of the same work order took its place",
    "stage_passed": "it announced a due date that had passed",
    "stop": "this number said STOP",
    "unsubscribe": "this address unsubscribed from this kind of message",
    "hard_bounce": "the mailbox does not exist",
    "complaint": "this address complained of our mail",
    "invalid": "the number does not exist or takes no texts",
    "blocked": "the carrier blocks this number for now",
    "manual": "somebody of the office closed this address",
    "channel_not_set_up": "no provider is set up for this channel",
    "not_renderable": "the template is wrong or lacks a value: `propman notifications template check`",
    "too_long": "the text takes more text messages than are allowed",
    "worker_lost": "the process that was sending it ended without a word",
    "no_answer_after_data": "the mail server had it and did not answer: it may have arrived",
    "no_answer": "the provider had it and did not answer: it may have arrived",
    "provider_error": "the provider failed after it had it: it may have arrived",
    "not_found_at_provider": "the provider was asked and does not know it",
    "unreachable": "the provider cannot be reached; nothing was sent, it goes out by itself",
    "authentication_refused": "the mail server refuses our password",
    "sender_refused": "the mail server refuses our sender address",
    "sms_our_fault": "the provider refuses our account or our number",
    "sms_bad_number": "the number does not exist or takes no texts",
    "sms_opted_out": "this number said STOP",
    "sms_blocked": "the carrier blocks this number for now",
    "sms_forbidden": "texts to this place or this kind of number are not allowed",
    "sms_content": "the text itself was refused; the same would be refused again",
    "sms_unreachable": "the handset was off or out of reach",
    "sms_expired": "it could not be delivered while it mattered",
    "recipient_refused": "the mail server refused the recipient",
    "recipient_postponed": "the mail server wants the recipient later",
    "message_refused": "the mail server refused the message",
    "message_postponed": "the mail server wants the message later",
}


def in_words(reason: str | None) -> str:
    """What a reason means; one without words of its own is shown as it is."""
    if reason is None:
        return ""
    return WORDS.get(reason, reason.replace("_", " "))
