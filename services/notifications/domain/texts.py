"""What fits into a text message: its letters made plain, its segments counted. 3GPP TS 23.038."""

import unicodedata
from typing import Final

_BASIC: Final = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED: Final = frozenset("^{}\\[~]|€\f")
"""Each takes two septets: the escape, and itself."""

_PLAIN: Final = str.maketrans(
    {
        "°": "",
        "–": "-",  # noqa: RUF001 - the letters that a word processor puts in
        "—": "-",
        "‘": "'",  # noqa: RUF001
        "’": "'",  # noqa: RUF001
        "“": '"',
        "”": '"',
        "…": "...",
        "•": "-",
        "\u00a0": " ",
        "\u202f": " ",
        "\u2009": " ",
        "\t": " ",
    }
)
_ELLIPSIS: Final = "..."


def plain_text(text: str) -> str:
    """The same text in the letters of GSM-7 where that loses no meaning: "95°F" becomes "95F".

    Accents the alphabet lacks are dropped (á becomes a); what has no plain form stays as it is.
    """
    lines = [" ".join(line.split(" ")) for line in text.translate(_PLAIN).replace("\r\n", "\n").split("\n")]
    return "".join(_nearest(letter) for letter in "\n".join(line.rstrip() for line in lines)).strip()


def _nearest(letter: str) -> str:
    if letter in _BASIC or letter in _EXTENDED:
        return letter
    base = unicodedata.normalize("NFKD", letter)
    stripped = "".join(part for part in base if not unicodedata.combining(part))
    return stripped if stripped and all(part in _BASIC for part in stripped) else letter


def segments(text: str) -> int:
    """How many text messages this takes: 160 or 153 septets each, or 70 or 67 units of UCS-2."""
    if all(letter in _BASIC or letter in _EXTENDED for letter in text):
        sizes = [2 if letter in _EXTENDED else 1 for letter in text]
        return _count(sizes, 160, 153)
    return _count([2 if ord(letter) > 0xFFFF else 1 for letter in text], 70, 67)


def _count(sizes: list[int], alone: int, joined: int) -> int:
    """No letter is cut in two, so a segment may end with room to spare."""
    if sum(sizes) <= alone:
        return 1
    count, used = 1, 0
    for size in sizes:
        if used + size > joined:
            count, used = count + 1, 0
        used += size
    return count


def shortened(text: str, most: int) -> str:
    """A text cut at a word so that it takes at most so many segments."""
    if segments(text) <= most:
        return text
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        fits = segments(text[:middle].rstrip() + _ELLIPSIS) <= most
        low, high = (middle, high) if fits else (low, middle - 1)
    cut = text[:low]
    at_word = cut.rpartition(" ")[0] if " " in cut[-20:] else cut
    return at_word.rstrip() + _ELLIPSIS
