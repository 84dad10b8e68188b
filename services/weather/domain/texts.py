"""The provider's words, made fit for a message: plain, short enough, never markup."""

import re
from typing import Final

LONGEST_DESCRIPTION: Final = 2_000
LONGEST_SUMMARY: Final = 140

_TO_GSM: Final = str.maketrans(
    {
        "\u00b0": "",  # degree sign
        "\u2013": "-",  # dashes
        "\u2014": "-",
        "\u2018": "'",  # curly quotes
        "\u2019": "'",
        "\u201c": '"',
        "\u201d": '"',
        "\u2026": "...",
        "\u00a0": " ",
    }
)
"""What is not in the alphabet of SMS and would more than halve what fits in one: 95°F becomes 95F."""


def plain(text: str | None) -> str:
    """A provider's text without control characters and blanks at its ends; None is nothing."""
    if text is None:
        return ""
    kept = "".join(letter for letter in text if letter.isprintable() or letter == "\n")
    return kept.strip()


def description(text: str | None) -> str:
    """A long text, cut at the end of a sentence or word."""
    return shortened(plain(text), LONGEST_DESCRIPTION)


def summary(*candidates: str | None) -> str:
    """One plain line for a text message, of the first candidate that says something."""
    said = next((found for text in candidates if (found := plain(text))), "")
    line = re.sub(r"\s+", " ", said).translate(_TO_GSM)
    return shortened(line, LONGEST_SUMMARY)


def shortened(text: str, longest: int) -> str:
    """A text of at most so many characters, cut where a sentence or at least a word ends."""
    if len(text) <= longest:
        return text
    head = text[: longest - 3]
    sentence = max(head.rfind(". "), head.rfind(".\n"))
    if sentence > longest // 2:
        return head[: sentence + 1]
    word = max(head.rfind(" "), head.rfind("\n"))
    return (head[:word] if word > longest // 2 else head).rstrip() + "..."
