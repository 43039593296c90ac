"""Tables of the keys that a file may have: what the reader accepts and what the JSON Schema says are one."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import msgspec

Shape = Mapping[str, Any]
"""What a value must be, as a fragment of a JSON Schema."""


class Key(msgspec.Struct, frozen=True):
    """One key of a mapping: what it means (one sentence), what its value is, whether it must be there."""

    says: str
    shape: Shape
    required: bool = False


Table = Mapping[str, Key]
"""The keys of one mapping. It is what `Section.only` is given."""

_DURATION = r"^(?!$)(\d+y)?(\d+w)?(\d+d)?(\d+h)?(\d+m)?(\d+s)?(\d+ms)?$"


def text(pattern: str = "") -> Shape:
    """A text; numbers and words such as `off` are taken as they are written, unless a pattern is given."""
    return {"type": "string", "pattern": pattern} if pattern else {"type": ["string", "number", "boolean"]}


def boolean() -> Shape:
    """Yes or no, in any of YAML's words for it."""
    return {"type": "boolean"}


def date() -> Shape:
    return {"type": "string", "format": "date", "pattern": r"^\d{4}-\d{2}-\d{2}$"}


def duration(*, zero: bool = False) -> Shape:
    """A duration as Prometheus writes it; `zero` says that 0 will do."""
    written: Shape = {"type": "string", "pattern": _DURATION, "examples": ["30s", "5m", "1h30m"]}
    return {"anyOf": [written, {"enum": [0, "0"]}]} if zero else written


def number(low: float | None = None) -> Shape:
    return {"type": "number"} if low is None else {"type": "number", "minimum": low}


def whole(low: int, high: int) -> Shape:
    return {"type": "integer", "minimum": low, "maximum": high}


def choice(words: Collection[str]) -> Shape:
    return {"enum": list(words)}


def many(item: Shape, *, least: int = 0, unique: bool = False) -> Shape:
    """A list."""
    shape: dict[str, Any] = {"type": "array", "items": item}
    if least:
        shape["minItems"] = least
    if unique:
        shape["uniqueItems"] = True
    return shape


def mapping(table: Table, *, one_of: Collection[str] = ()) -> Shape:
    """A mapping with the keys of a table, and exactly one of the keys in `one_of`."""
    shape: dict[str, Any] = {
        "type": "object",
        "additionalProperties": False,
        "properties": {name: {"description": key.says, **key.shape} for name, key in table.items()},
    }
    required = [name for name, key in table.items() if key.required]
    if required:
        shape["required"] = required
    if one_of:
        shape["oneOf"] = [{"required": [name]} for name in one_of]
    return shape


def free(value: Shape) -> Shape:
    """A mapping whose keys are names of the writer's own."""
    return {"type": "object", "additionalProperties": value}
