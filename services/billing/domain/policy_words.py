"""Policies as people type them: grace_days=5, nsf_fee=25.00, late_fee_rules=flat:50+daily:5,max_days=10."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from services.billing.domain.policy_fields import BY_NAME, Form
from shared.documents import BadDocument, Mistake, Unfit, json_fault
from shared.money import BadAmount, parse_cents

_YES: Final = {"yes": True, "true": True, "on": True, "no": False, "false": False, "off": False}
_NOTHING: Final = {"none", "null"}
_CENTS: Final = "_cents"
_SEVERAL_CAPS: Final = ("lesser_of", "greater_of")


def read_assignments(words: Sequence[str]) -> dict[str, Any]:
    """The document that some "KEY=VALUE" describe, for `read_layer` to judge.

    A key that ends in _cents may be written without it, and its value as money. Raises `BadDocument` with
    every one that cannot be understood.
    """
    found: dict[str, Any] = {}
    mistakes: list[Mistake] = []
    for word in words:
        name, assigned, value = word.partition("=")
        name = name.strip().replace("-", "_")
        try:
            if not assigned or not name:
                raise Unfit("is not KEY=VALUE, such as grace_days=5")
            key, read = _reader(name)
            if key in found:
                raise Unfit("is given twice")
            found[key] = read(value.strip())
        except ValueError as reason:
            mistakes.append(Mistake(name or word, str(reason)))
    if mistakes:
        raise BadDocument(mistakes)
    return found


def key_named(name: str) -> str:
    """The field that a person means by a name; a name that is none stays as it is."""
    plain = name.strip().replace("-", "_")
    return plain + _CENTS if plain not in BY_NAME and plain + _CENTS in BY_NAME else plain


def in_short(name: str, value: Any) -> str:
    """A field's JSON as a person would type it; empty lists and nothing are "none"."""
    if value is None or value == []:
        return "none"
    form = BY_NAME[name].form
    if form == "rules":
        return _rules_in_short(value)
    if form == "cap":
        return _cap_in_short(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def _reader(name: str) -> tuple[str, Callable[[str], Any]]:
    key = key_named(name)
    if key != name:
        return key, _money
    return key, _READERS[BY_NAME[name].form] if name in BY_NAME else str


def _money(value: str) -> int:
    try:
        return parse_cents(value)
    except BadAmount as reason:
        raise Unfit(str(reason)) from None


def _whole(value: str) -> Any:
    """A number; whatever is none is left to the field's own reader, which says what it should be."""
    try:
        return None if value in _NOTHING else int(value)
    except ValueError:
        return value


def _yes_or_no(value: str) -> Any:
    return _YES.get(value.casefold(), value)


def _text(value: str) -> Any:
    return None if value in _NOTHING else value.removesuffix("%").strip()


def _listed(read: Callable[[str], Any]) -> Callable[[str], Any]:
    def items(value: str) -> list[Any]:
        plain = value.removeprefix("[").removesuffix("]")
        return [] if plain in _NOTHING | {""} else [read(item.strip()) for item in plain.split(",")]

    return items


def _rules(value: str) -> Any:
    if value.startswith(("[", "{")):
        found = _json(value)
        return found if isinstance(found, list) else [found]
    return [] if value in _NOTHING | {""} else [_rule(part.strip()) for part in value.split("+")]


def _rule(words: str) -> dict[str, Any]:
    """One rule as kind:amount,option=value: the amount is money, or a percentage."""
    kind, given, rest = words.partition(":")
    if not given:
        raise Unfit(f"{words!r} is not kind:amount, such as flat:50 or daily:1%")
    amount, *options = (part.strip() for part in rest.split(","))
    found = {"kind": kind.strip()} | _amount(amount)
    for option in options:
        name, assigned, value = option.partition("=")
        if not assigned:
            raise Unfit(f"{option!r} is not an option such as max_days=10")
        found[name.strip()] = _whole(value.strip())
    return found


def _cap(value: str) -> Any:
    if value.startswith("{"):
        return _json(value)
    if value in _NOTHING:
        return None
    kind, given, rest = value.partition(":")
    if not given:
        return _plain_cap(value)
    if kind in _SEVERAL_CAPS:
        return {"kind": kind, "of": [_plain_cap(part.strip()) for part in rest.split(",")]}
    return {"kind": kind} | _amount(rest)


def _plain_cap(words: str) -> dict[str, Any]:
    return {"kind": "percent_of_rent" if words.endswith("%") else "money"} | _amount(words)


def _amount(words: str) -> dict[str, Any]:
    return {"percent": words[:-1].strip()} if words.endswith("%") else {"amount_cents": _money(words)}


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Unfit(f"is not JSON: {json_fault(error)}") from None


_READERS: Final[Mapping[Form, Callable[[str], Any]]] = {
    "whole": _whole,
    "yes_or_no": _yes_or_no,
    "text": _text,
    "wholes": _listed(_whole),
    "texts": _listed(str),
    "rules": _rules,
    "cap": _cap,
}


def _rules_in_short(rules: Sequence[Mapping[str, Any]]) -> str:
    if any("tiers" in rule for rule in rules):
        return json.dumps(rules)
    return "+".join(map(_rule_in_short, rules))


def _rule_in_short(rule: Mapping[str, Any]) -> str:
    options = [
        f"{name}={value}" for name, value in rule.items() if name not in {"kind", "percent", "amount_cents"}
    ]
    return ",".join([f"{rule['kind']}:{_amount_in_short(rule)}", *options])


def _cap_in_short(cap: Mapping[str, Any]) -> str:
    parts = cap.get("of", [])
    if cap["kind"] in _SEVERAL_CAPS and all(part["kind"] in {"money", "percent_of_rent"} for part in parts):
        return f"{cap['kind']}:{','.join(map(_amount_in_short, parts))}"
    if cap["kind"] in {"money", "percent_of_rent"}:
        return _amount_in_short(cap)
    if "percent" in cap:
        return f"{cap['kind']}:{_amount_in_short(cap)}"
    return json.dumps(cap)


def _amount_in_short(document: Mapping[str, Any]) -> str:
    if "percent" in document:
        return f"{document['percent']}%"
    cents = document["amount_cents"]
    return f"{cents // 100}.{cents % 100:02d}" if cents % 100 else str(cents // 100)
