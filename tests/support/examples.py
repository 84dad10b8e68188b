"""An example of any contract, made from its annotations; the start of a golden file."""

import re
from datetime import UTC, date, datetime
from types import NoneType
from typing import Any, Literal, TypeVar, get_args, get_origin
from uuid import UUID, uuid5

from pydantic import AwareDatetime, BaseModel
from pydantic.fields import FieldInfo

M = TypeVar("M", bound=BaseModel)

NAMESPACE = UUID("5f0c6e0a-6f0e-5d53-9f6e-676f6c64656e")
TEXTS = ("2026-09", "USD")  # for the patterns that contracts use
PLAIN: dict[Any, Any] = {
    bool: True,
    int: 3,
    float: 40.5,
    date: date(2026, 9, 1),
    AwareDatetime: datetime(2026, 9, 1, 12, 30, tzinfo=UTC),
}


def example_of(contract: type[M]) -> M:
    """An instance with every field given, the same each time."""
    fields = contract.model_fields.items()
    return contract.model_validate({name: _given(name, field) for name, field in fields})


def _given(name: str, field: FieldInfo) -> Any:
    patterns = [found for item in field.metadata if (found := getattr(item, "pattern", None))]
    if patterns:
        return next(text for text in TEXTS if re.match(patterns[0], text))
    return _value(name, field.annotation)


def _value(name: str, kind: Any) -> Any:
    if kind in PLAIN:
        return PLAIN[kind]
    if kind is UUID:
        return uuid5(NAMESPACE, name)
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return example_of(kind)
    return _composed(name, kind) if get_args(kind) else name.replace("_", " ")


def _composed(name: str, kind: Any) -> Any:
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Literal:
        return inner[0]
    if origin is dict:
        return {name: _value(name, inner[1])}
    if origin in {tuple, list}:
        return (_value(name, inner[0]),)
    if hasattr(kind, "__metadata__"):
        return _given(name, FieldInfo.from_annotation(kind))
    return _value(name, next(item for item in inner if item is not NoneType))
