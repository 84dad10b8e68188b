"""Checking the fields of a value one by one, so that all mistakes are reported at once."""

import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar, cast

from services.leasing.domain.refusals import Invalid, Wrong

D = TypeVar("D")

Check = Callable[[Any], Any]
"""Returns the value as it is kept; raises `ValueError` with the reason that completes "<field> …"."""


def checked(details: D, checks: Mapping[str, Check]) -> D:
    """The details as they are kept, or `Invalid` with everything that is wrong with them."""
    kept: dict[str, Any] = {}
    wrong: list[Wrong] = []
    for field, check in checks.items():
        try:
            kept[field] = check(getattr(details, field))
        except ValueError as reason:
            wrong.append(Wrong(field, str(reason)))
    if wrong:
        raise Invalid(wrong)
    dataclass: Any = details
    return cast("D", replace(dataclass, **kept))


def line_of_text(text: str, *, longest: int = 200, optional: bool = False) -> str:
    """Text that fits on one line; a line break could start a new header in a mail."""
    if any(unicodedata.category(letter) == "Cc" for letter in text):
        raise ValueError("has a line break or another control character")
    kept = text.strip()
    if not kept and not optional:
        raise ValueError("is missing")
    if len(kept) > longest:
        raise ValueError(f"is longer than {longest} characters")
    return kept


def text_of_lines(text: str, *, longest: int) -> str:
    """Text of several lines; nothing else that would move a terminal's cursor."""
    kept = text.replace("\r\n", "\n").strip()
    if any(unicodedata.category(letter) == "Cc" and letter not in "\n\t" for letter in kept):
        raise ValueError("has a control character")
    if len(kept) > longest:
        raise ValueError(f"is longer than {longest} characters")
    return kept


def natural_key(text: str) -> str:
    """What two spellings of the same name have in common."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())
