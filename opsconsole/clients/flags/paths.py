"""Paths into JSON: a JSON Pointer (`/data/0/name`) or names with dots between them (`data.name`); "" is all."""

from __future__ import annotations

import copy
from typing import Any


class Missing(Exception):
    """There is nothing at a path; the argument is the path as far as there is nothing."""


def parts(path: str) -> list[str]:
    """The names along a path."""
    if not path:
        return []
    if path.startswith("/"):
        return [name.replace("~1", "/").replace("~0", "~") for name in path[1:].split("/")]
    return path.split(".")


def find(value: Any, path: str) -> Any:
    """What is at a path. Raises Missing."""
    for name in parts(path):
        if isinstance(value, dict) and name in value:
            value = value[name]
        elif isinstance(value, list) and name.isascii() and name.isdigit() and int(name) < len(value):
            value = value[int(name)]
        else:
            raise Missing(path)
    return value


def with_value(value: Any, path: str, new: Any) -> Any:
    """A copy with something else at a path. Raises Missing when what it would be a member of is not there."""
    if not path:
        return new
    changed = copy.deepcopy(value)
    holder, name = _holder(changed, path)
    if isinstance(holder, list):
        find(holder, f"/{name}")
        holder[int(name)] = new
    else:
        holder[name] = new
    return changed


def without(value: Any, path: str) -> Any:
    """A copy without the member at a path; the same when it is not there."""
    changed = copy.deepcopy(value)
    try:
        holder, name = _holder(changed, path)
    except Missing:
        return changed
    if isinstance(holder, dict):
        holder.pop(name, None)
    return changed


def _holder(value: Any, path: str) -> tuple[Any, str]:
    *above, name = parts(path)
    for step in above:
        value = find(value, "/" + step.replace("~", "~0").replace("/", "~1"))
    if not isinstance(value, dict | list):
        raise Missing(path)
    return value, name
