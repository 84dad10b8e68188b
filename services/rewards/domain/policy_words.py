"""A policy as people type it: `streaks=6:50.00+12:120.00:once redemption=fees auto_apply=yes`."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from services.rewards.domain.policies import RewardPolicy
from shared.documents import BadDocument, Mistake, Unfit
from shared.money import BadAmount, format_cents, parse_cents

INHERIT: Final = "inherit"
NOTHING: Final = "none"
_YES_NO: Final = {"yes": True, "true": True, "no": False, "false": False}


def read_assignments(words: Iterable[str]) -> dict[str, Any]:
    """The document that words like `redemption=fees` mean; `inherit` is null, which means: as above.

    Raises `BadDocument` for what cannot be read at all; whether it makes sense is for `read_terms` to say.
    """
    found: dict[str, Any] = {}
    mistakes: list[Mistake] = []
    for word in words:
        name, equals, value = word.partition("=")
        name = name.strip().replace("-", "_")
        try:
            if not equals:
                raise Unfit("needs a value, as in redemption=fees")
            found[name] = None if value == INHERIT else _READERS.get(name, _plain)(value)
        except ValueError as reason:
            mistakes.append(Mistake(name, str(reason)))
    if mistakes:
        raise BadDocument(mistakes)
    return found


def in_words(policy: RewardPolicy, currency: str = "USD") -> dict[str, str]:
    """Each field of a policy in a sentence's worth of words."""
    streaks = [
        f"{tier.months} months on time: {format_cents(tier.amount_cents, currency)} ({tier.pays})"
        for tier in policy.streaks
    ]
    prepayments = [
        f"{format_cents(tier.ahead_cents, currency)} ahead:"
        f" {format_cents(tier.amount_cents, currency)} ({tier.pays})"
        for tier in policy.prepayments
    ]
    forbidden = " (credit against rent counts as a fee here)" if policy.uses != policy.redemption else ""
    return {
        "streaks": "; ".join(streaks) or NOTHING,
        "prepayments": "; ".join(prepayments) or NOTHING,
        "redemption": policy.uses + forbidden,
        "auto_apply": _yes_or_no(policy.auto_apply),
        "grace_counts": _yes_or_no(policy.grace_counts),
        "first_partial_month": _yes_or_no(policy.first_partial_month),
        "co_tenants": policy.co_tenants,
        "discount_is_fee": _yes_or_no(policy.discount_is_fee),
    }


def given_in_words(terms: Mapping[str, Any]) -> dict[str, str]:
    """Only what a version says, in the same words; None in it is `inherit`."""
    said = {name: value for name, value in terms.items() if value is not None}
    words = in_words(RewardPolicy(**said))
    return {name: words[name] if name in said else INHERIT for name in terms}


def _streaks(value: str) -> list[dict[str, Any]]:
    return [_tier(part, "6:50.00", months=_number) for part in _parts(value)]


def _prepayments(value: str) -> list[dict[str, Any]]:
    return [_tier(part, "500.00:10.00", ahead_cents=_money) for part in _parts(value)]


def _tier(part: str, example: str, **first: Callable[[str], int]) -> dict[str, Any]:
    words = part.split(":")
    if len(words) not in {2, 3}:
        raise Unfit(f"{part!r} is not a tier such as {example} or {example}:once")
    [(name, read)] = first.items()
    pays = {"pays": words[2]} if len(words) == 3 else {}
    return {name: read(words[0]), "amount_cents": _money(words[1]), **pays}


def _parts(value: str) -> list[str]:
    return [] if value in {"", NOTHING} else [part.strip() for part in value.split("+")]


def _number(text: str) -> int:
    if not text.isdecimal():
        raise Unfit(f"{text!r} is not a number of months")
    return int(text)


def _money(text: str) -> int:
    try:
        return parse_cents(text)
    except BadAmount as reason:
        raise Unfit(str(reason)) from reason


def _plain(value: str) -> str | bool:
    return _YES_NO.get(value.lower(), value)


def _yes_or_no(value: bool) -> str:
    return "yes" if value else "no"


_READERS: Final[dict[str, Callable[[str], Any]]] = {"streaks": _streaks, "prepayments": _prepayments}
