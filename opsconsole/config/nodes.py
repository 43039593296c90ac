"""From bytes to a tree of nodes that know their lines. Nothing is constructed, nothing is followed.

The YAML that is read here is the plain kind: one document, no anchors, aliases, merge keys or tags, no key
twice. Each breach is a problem with its line, and reading goes on where it can.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any

import msgspec
import yaml

from opsconsole.errors import ConfigError, Problem
from opsconsole.text import safe

MAX_BYTES = 1_000_000
"""Size above which a file is not read."""

MAX_DEPTH = 32
"""Nesting above which a file is not read further."""

Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})


class Kind(Enum):
    """What a node is; BAD nodes have been reported and are passed over in silence."""

    TEXT = "text"
    LIST = "a list"
    MAP = "a mapping"
    BAD = "bad"


class Node(msgspec.Struct):
    """One node. `value` is the text as written; `plain` is true without quotes; `line` starts at 1."""

    kind: Kind
    line: int
    value: str = ""
    plain: bool = False
    items: list[Node] = []
    pairs: list[tuple[Node, Node]] = []

    @property
    def is_null(self) -> bool:
        return self.kind is Kind.TEXT and self.plain and self.value in _NULLS

    @property
    def described(self) -> str:
        """What it is, for a message that wanted something else."""
        if self.is_null:
            return "empty"
        return f"`{safe(self.value, 40)}`" if self.kind is Kind.TEXT else self.kind.value


class Problems:
    """The problems of one file, collected."""

    def __init__(self, file: str) -> None:
        self.file = safe(file)
        self.found: list[Problem] = []

    def add(self, line: int, key: str, message: str, hint: str = "") -> None:
        """Note one problem; every text is made safe here."""
        self.found.append(Problem(self.file, line, safe(key, 200), safe(message, 500), safe(hint, 500)))

    def check(self, hint: str = "") -> None:
        """Raise ConfigError with everything found, in the order of the lines, if anything was."""
        if self.found:
            raise ConfigError(tuple(sorted(self.found, key=lambda p: p.line)), hint=hint)


def read_bytes(path: Path, problems: Problems) -> bytes | None:
    """The file's content; None after noting why it cannot be read or that it is too large."""
    try:
        with path.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        problems.add(0, "", "there is no such file")
        return None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "not a usable path"
        problems.add(0, "", f"cannot be read: {reason}")
        return None
    if len(raw) > MAX_BYTES:
        problems.add(0, "", f"is larger than {MAX_BYTES:,} bytes")
        return None
    return raw


def decode(raw: bytes, problems: Problems) -> str | None:
    """The text; None after noting the line on which it stops being UTF-8."""
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        problems.add(line, "", f"is not UTF-8 text (byte 0x{raw[error.start]:02x})", "save it as UTF-8")
        return None


def parse(text: str, problems: Problems, first_line: int = 1, *, shared: bool = False) -> Node | None:
    """The tree of the text's one document; None when it is empty or after noting that it is not YAML. With
    `shared`, for files of others, anchors and aliases are followed: one node then stands in several places."""
    odd = _UNPRINTABLE.search(text)
    if odd is not None:
        line = text.count("\n", 0, odd.start()) + first_line
        problems.add(line, "", f"has a character that YAML does not allow: {safe(odd[0])}")
        return None
    try:
        return _Builder(problems, first_line, shared).build(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = ", ".join(part for part in (error.context, error.problem) if part)
        problems.add(mark.line + first_line if mark else 0, "", f"is not valid YAML: {what}")
    except yaml.YAMLError as error:
        problems.add(0, "", f"is not valid YAML: {error}")
    return None


class _TooDeep(Exception):
    pass


class _Builder:
    """Builds nodes from parser events, so that depth and aliases are seen before anything grows."""

    def __init__(self, problems: Problems, first_line: int, shared: bool) -> None:
        self._problems = problems
        self._first = first_line
        self._shared = shared
        self._anchors: dict[str, Node] = {}

    def build(self, text: str) -> Node | None:
        events: Iterator[Any] = yaml.parse(text, Loader=Loader)
        root: Node | None = None
        documents = 0
        try:
            for event in events:
                if isinstance(event, yaml.DocumentStartEvent):
                    documents += 1
                    if documents > 1:
                        self._problems.add(
                            self._line(event), "", "has a second document", "one file, one document"
                        )
                        return root
                elif isinstance(event, yaml.NodeEvent):
                    root = self._node(event, events, 0)
        except _TooDeep:
            return None
        return None if root is None or root.is_null else root

    def _line(self, event: Any) -> int:
        return int(event.start_mark.line) + self._first

    def _node(self, event: Any, events: Iterator[Any], depth: int) -> Node:
        line = self._line(event)
        if depth > MAX_DEPTH:
            self._problems.add(line, "", f"is nested deeper than {MAX_DEPTH} levels")
            raise _TooDeep
        if isinstance(event, yaml.AliasEvent):
            known = self._anchors.get(str(event.anchor))
            if known is not None:
                return msgspec.structs.replace(known, line=line)
            self._problems.add(line, "", f"uses the alias *{event.anchor}", "write the value out")
            return Node(Kind.BAD, line)
        self._plainness(event, line)
        node = self._filled(event, line, events, depth)
        if self._shared and event.anchor:
            self._anchors[event.anchor] = node
        return node

    def _filled(self, event: Any, line: int, events: Iterator[Any], depth: int) -> Node:
        if isinstance(event, yaml.ScalarEvent):
            return Node(
                Kind.TEXT, line, value=event.value, plain=not event.style
            )  # the C parser says "" for plain
        if isinstance(event, yaml.SequenceStartEvent):
            return Node(Kind.LIST, line, items=self._items(events, depth))
        return Node(Kind.MAP, line, pairs=self._pairs(events, depth))

    def _plainness(self, event: Any, line: int) -> None:
        if event.anchor and not self._shared:
            self._problems.add(
                line, "", f"uses the anchor &{event.anchor}", "write the value out where it is used"
            )
        if event.tag:
            self._problems.add(line, "", f"uses the tag {event.tag}", "leave the tag out")

    def _items(self, events: Iterator[Any], depth: int) -> list[Node]:
        items: list[Node] = []
        for event in events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            items.append(self._node(event, events, depth + 1))
        return items

    def _pairs(self, events: Iterator[Any], depth: int) -> list[tuple[Node, Node]]:
        pairs: list[tuple[Node, Node]] = []
        seen: dict[str, int] = {}
        for event in events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            key = self._node(event, events, depth + 1)
            value = self._node(next(events), events, depth + 1)
            if self._usable_key(key, seen):
                pairs.append((key, value))
        return pairs

    def _usable_key(self, key: Node, seen: dict[str, int]) -> bool:
        if key.kind is Kind.BAD:
            return False
        if key.kind is not Kind.TEXT or key.is_null:
            self._problems.add(key.line, "", f"a key must be text, this is {key.described}")
            return False
        if key.plain and key.value == "<<" and not self._shared:
            self._problems.add(key.line, "<<", "merge keys are not used here", "write the values out")
            return False
        if key.value in seen:
            self._problems.add(
                key.line, key.value, "this key is here twice", f"it was first on line {seen[key.value]}"
            )
            return False
        seen[key.value] = key.line
        return True
