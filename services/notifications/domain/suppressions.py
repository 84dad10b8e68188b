"""Addresses that must not be written to, and the words by which people say so."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

EVERYTHING: Final = "all"
"""The scope of a suppression that covers every category."""

BLOCKED_FOR: Final = timedelta(days=30)
"""How long a number that a carrier blocked is left alone (Twilio 30004)."""


class Why(StrEnum):
    """What closed an address."""

    HARD_BOUNCE = "hard_bounce"
    COMPLAINT = "complaint"
    STOP = "stop"
    UNSUBSCRIBE = "unsubscribe"
    INVALID = "invalid"
    BLOCKED = "blocked"
    MANUAL = "manual"


@dataclass(frozen=True, slots=True)
class Suppression:
    """One address of one channel that is closed, for a category or for everything."""

    channel: str
    reason: Why
    scope: str = EVERYTHING
    until: datetime | None = None

    def covers(self, channel: str, category: str, at: datetime) -> bool:
        """Whether it forbids a message of this category on this channel now."""
        return (
            self.channel == channel
            and self.scope in {EVERYTHING, category}
            and (self.until is None or at < self.until)
        )


class Answer(StrEnum):
    """What somebody's text message to us asks for."""

    STOP = "stop"
    START = "start"
    HELP = "help"
    REVIEW = "review"
    """It may be a wish to hear no more, in words of their own: for a person to read."""
    OTHER = "other"


# The words that revoke consent by themselves: 47 CFR 64.1200(a)(10), and Twilio's own list.
_STOP: Final = frozenset(
    {"stop", "quit", "end", "revoke", "optout", "cancel", "unsubscribe", "stopall", "alto", "parar", "baja"}
)
_START: Final = frozenset({"start", "unstop", "yes", "si"})
_HELP: Final = frozenset({"help", "info", "ayuda"})
_WISH: Final = re.compile(
    r"\b(stop|unsubscribe|opt ?out|no more|remove me|do ?n.?t (text|message|contact)"
    r"|no me (env[ií]e|escriba|mande)\w*|d[eé]jen? de|ya no)\b"
)


def read_answer(text: str) -> Answer:
    """What an incoming text asks for; only a message that is nothing but the word acts by itself."""
    plain = re.sub(r"[^a-záéíóúñ' ]", "", text.lower()).strip()
    word = plain.replace(" ", "").replace("í", "i")
    if word in _STOP:
        return Answer.STOP
    if word in _START:
        return Answer.START
    if word in _HELP:
        return Answer.HELP
    return Answer.REVIEW if _WISH.search(plain) else Answer.OTHER
