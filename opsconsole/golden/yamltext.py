"""YAML for people: what is short on one line, text quoted only where it must be."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

WIDTH = 112

_PLAIN = re.compile(r"[A-Za-z_](?:[A-Za-z0-9_ .%/-]*[A-Za-z0-9_%/])?")
_WORDS_OF_YAML = frozenset(["y", "n", "yes", "no", "on", "off", "true", "false", "null", "none", "nan", "inf"])


class Raw(str):
    """A value that is written as it is: a number, a duration, a date."""

    __slots__ = ()


Tree: TypeAlias = "str | Raw | Mapping[str, Tree] | Sequence[Tree] | None"
"""Text, lists and mappings. Keys whose value is None are left out."""


def yaml_lines(tree: Mapping[str, Tree], indent: int = 0) -> Iterator[str]:
    """The lines of a block mapping, indented by `indent` cells."""
    pad = " " * indent
    for key, value in tree.items():
        if value is None:
            continue
        head = f"{pad}{scalar(key)}:"
        inline = flow(value)
        if isinstance(value, str) or (inline and len(head) + len(inline) < WIDTH):
            yield f"{head} {inline}"
        elif isinstance(value, Mapping):
            yield head
            yield from yaml_lines(value, indent + 2)
        else:
            yield head
            for item in value:
                yield from _item(item, indent + 2)


def flow(value: Tree) -> str:
    """The value on one line; "" when it holds a mapping or list that holds another, which reads better as a
    block."""
    if value is None:
        return ""
    if isinstance(value, str):
        return scalar(value)
    if isinstance(value, Mapping):
        kept = {key: one for key, one in value.items() if one is not None}
        if any(isinstance(one, Mapping) or (not isinstance(one, str) and _deep(one)) for one in kept.values()):
            return ""
        return "{" + ", ".join(f"{scalar(key)}: {flow(one)}" for key, one in kept.items()) + "}"
    return "" if _deep(value) else "[" + ", ".join(flow(one) for one in value) + "]"


def scalar(text: str) -> str:
    """One value or key: plain where YAML takes it for this text, else quoted."""
    if isinstance(text, Raw):
        return str(text)
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS_OF_YAML:
        return text
    if text.isprintable() and "\ufeff" not in text:
        return "'" + text.replace("'", "''") + "'"
    return '"' + "".join(_escaped(char) for char in text) + '"'


def duration(seconds: float) -> Raw:
    """Seconds as Prometheus writes them: `1h30m`, `500ms`."""
    left = round(seconds * 1000)
    parts = []
    for size, unit in ((86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1000, "s"), (1, "ms")):
        count, left = divmod(left, size)
        parts += [f"{count}{unit}"] if count else []
    return Raw("".join(parts) or "0s")


def number(value: float) -> Raw:
    """A number that reads back as the same."""
    return Raw(str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value))


def _item(value: Tree, indent: int) -> Iterator[str]:
    pad = " " * indent
    inline = flow(value)
    if not isinstance(value, Mapping) or (inline and indent + len(inline) + 2 < WIDTH):
        yield f"{pad}- {inline}"
        return
    lines = yaml_lines(value, indent + 2)
    yield f"{pad}- {next(lines).lstrip()}"
    yield from lines


def _deep(value: object) -> bool:
    return isinstance(value, Sequence) and any(not isinstance(one, str) for one in value)


def _escaped(char: str) -> str:
    if char in '"\\':
        return f"\\{char}"
    if char.isprintable() and char != "\ufeff":
        return char
    return f"\\U{ord(char):08x}"
