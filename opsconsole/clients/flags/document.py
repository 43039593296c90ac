"""A definition file as text with the place of every flag in it, so that one can be changed while all else stays
byte for byte.

JSON is read as flagd reads it; YAML as Go's yaml.v3 does: `on` and `off` are strings, only `true` and `false`
are booleans. Aliases, merge keys and a key given twice are refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import yaml

from opsconsole.errors import FlagError
from opsconsole.text import SafeText, safe

_SPACE = re.compile(r"[ \t\r\n]*")
_JSON = json.JSONDecoder()


class Member(msgspec.Struct, frozen=True):
    """One field of a flag: where its name ends and where its value is, as offsets into the text."""

    name_end: int
    start: int
    end: int


class FlagNode(msgspec.Struct, frozen=True, kw_only=True):
    """One flag: its definition and the span of it in the text.

    `first` is where the first field's name begins; `column` how far the definition is indented; `block` is
    true for YAML without braces.
    """

    value: dict[str, Any]
    start: int
    end: int
    first: int
    column: int
    block: bool
    members: dict[str, Member]


class Format(msgspec.Struct, frozen=True, kw_only=True):
    """What a definition file looks like. `table` is the field that the flags are in, "" when the whole file is
    nothing else; `example` shows a flag. `check` raises FlagError for a flag that its own reader would not take:
    it is given the flag's name, its definition and its place, file:line."""

    name: str
    table: str
    example: str
    check: Callable[[SafeText, dict[str, Any], str], None]

    def flags(self, data: Any) -> Any:
        """The mapping of flags in the whole."""
        return data[self.table] if self.table else data


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """A parsed file. `data` is the whole, `flags` the place of each flag."""

    format: Format
    text: str
    is_yaml: bool
    data: dict[str, Any]
    flags: dict[str, FlagNode]

    def line(self, offset: int) -> int:
        """The line, from 1, that an offset is on."""
        return self.text.count("\n", 0, offset) + 1

    def with_flag(self, key: str, flag: object) -> dict[str, Any]:
        """The whole with one flag's definition in place of the present one."""
        table = {**self.format.flags(self.data), key: flag}
        return {**self.data, self.format.table: table} if self.format.table else table

    def slice(self, key: str) -> str:
        """One flag's definition as written; YAML begins with its indentation so that it can be read alone."""
        node = self.flags[key]
        return (" " * node.column if self.is_yaml else "") + self.text[node.start : node.end]

    def replaced(self, key: str, definition: str) -> str:
        """The whole text with one flag's definition, as `slice` gives it, in place of the present one."""
        node = self.flags[key]
        if self.is_yaml:
            definition = _indented(definition, node.column)
        return self.text[: node.start] + definition + self.text[node.end :]


def parse(text: str, *, is_yaml: bool, where: str, format: Format) -> Document:
    """Read a definition file. Raises FlagError with file:line for anything that its own reader would not take."""
    if not text.strip():
        raise FlagError("the file is empty", where=where, hint="an empty file makes every flag vanish")
    try:
        document = (_parse_yaml if is_yaml else _parse_json)(text, where, format)
    except RecursionError:
        raise FlagError("the file is nested too deeply", where=where) from None
    line, at = 1, 0
    for key, node in document.flags.items():  # in the order of the text: each line is counted once
        line, at = line + text.count("\n", at, node.start), node.start
        format.check(safe(key, 80), node.value, f"{where}:{line}")
    return document


def parse_definition(text: str, *, is_yaml: bool) -> object:
    """One flag's definition by itself, as `Document.slice` gives it. Raises FlagError."""
    where = "the kept definition"
    try:
        if not is_yaml:
            return json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
        loader = _Loader(text + "\n")
        return _value(loader, _compose(loader), where)
    except (ValueError, yaml.YAMLError, RecursionError) as error:
        raise FlagError(f"cannot be read: {safe(str(error), 200)}", where=where) from error


def _indented(definition: str, column: int) -> str:
    body = definition.lstrip(" ")
    shift = column - (len(definition) - len(body))
    if shift == 0:
        return body
    first, *rest = body.split("\n")
    moved = [_shifted(line, shift) for line in rest]
    return "\n".join([first, *moved])


def _shifted(line: str, by: int) -> str:
    if not line.strip():
        return line
    return " " * by + line if by > 0 else line[min(-by, len(line) - len(line.lstrip(" "))) :]


# JSON


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {safe(twice, 80)} is given twice")
    return found


def _no_constant(word: str) -> object:
    raise ValueError(f"{word} is not JSON")


def _parse_json(text: str, where: str, format: Format) -> Document:
    try:
        data = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise FlagError(f"not valid JSON: {error.msg}", where=f"{where}:{error.lineno}") from error
    except ValueError as error:
        raise FlagError(f"not valid JSON: {safe(str(error), 200)}", where=where) from error
    _need_flags(data, where, format)
    start = _skip(text, 0)
    if format.table:
        start = next(span.start for key, _, span in _members(text, start) if key == format.table)
    flags: dict[str, FlagNode] = {}
    for key, _, span in _members(text, start):
        value = format.flags(data)[key]
        if not isinstance(value, dict):
            line = text.count("\n", 0, span.start) + 1
            raise FlagError(f"flag {safe(key, 80)} must be a mapping", where=f"{where}:{line}")
        fields = list(_members(text, span.start))
        flags[key] = FlagNode(
            value=value,
            start=span.start,
            end=span.end,
            first=fields[0][1] if fields else span.start + 1,
            column=0,
            block=False,
            members={name: field for name, _, field in fields},
        )
    return Document(format=format, text=text, is_yaml=False, data=data, flags=flags)


def _members(text: str, at: int) -> Iterator[tuple[str, int, Member]]:
    """The members of the valid JSON object that begins at `at`: name, where the name begins, spans."""
    at = _skip(text, at + 1)
    while text[at] != "}":
        begin = at
        name, at = _JSON.raw_decode(text, at)
        name_end = at
        start = _skip(text, _skip(text, at) + 1)
        _, at = _JSON.raw_decode(text, start)
        yield name, begin, Member(name_end, start, at)
        at = _skip(text, at)
        if text[at] == ",":
            at = _skip(text, at + 1)


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _need_flags(data: object, where: str, format: Format) -> None:
    if not isinstance(data, dict) or not isinstance(data.get(format.table, None if format.table else {}), dict):
        needs = f"a mapping `{format.table}`" if format.table else "to be a mapping of flags"
        raise FlagError(
            f"not a {format.name} definition: it needs {needs}", where=where, hint=f"as in {format.example}"
        )


# YAML


class _Loader(yaml.SafeLoader):
    """YAML 1.2 core scalars, as Go's yaml.v3 resolves them."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - PyYAML's own


for _tag, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("null", r"~|null|Null|NULL|", "~nN\0"),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", "-+0123456789"),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", "-+.0123456789"),
    ("merge", r"<<", "<"),
):
    _starts = ["" if char == "\0" else char for char in _first]
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(rf"^(?:{_pattern})$"), _starts)


def _compose(loader: _Loader) -> yaml.Node:
    node = loader.get_single_node()
    if node is None:
        raise ValueError("nothing in it")
    return node


def _parse_yaml(text: str, where: str, format: Format) -> Document:
    try:
        _refuse_aliases(text, where)
        loader = _Loader(text)
        root = _compose(loader)
        data = _value(loader, root, where)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        problem = safe(error.problem or str(error), 200)
        raise FlagError(f"not valid YAML: {problem}", where=f"{where}:{line}") from error
    except (yaml.YAMLError, ValueError) as error:
        raise FlagError(f"not valid YAML: {safe(str(error), 200)}", where=where) from error
    _need_flags(data, where, format)
    assert isinstance(data, dict)
    assert isinstance(root, yaml.MappingNode)
    if format.table:
        root = next(table for top, table in root.value if top.value == format.table)
    flags = {
        key.value: _flag_node(text, key.value, node, format.flags(data)[key.value], where)
        for key, node in root.value
    }
    return Document(format=format, text=text, is_yaml=True, data=data, flags=flags)


def _refuse_aliases(text: str, where: str) -> None:
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.AliasEvent):
            line = event.start_mark.line + 1 if event.start_mark else 0
            raise FlagError("aliases are not supported in a flag file", where=f"{where}:{line}")


def _flag_node(text: str, key: str, node: yaml.Node, value: object, where: str) -> FlagNode:
    line = node.start_mark.line + 1
    if not isinstance(node, yaml.MappingNode) or not isinstance(value, dict):
        raise FlagError(f"flag {safe(key, 80)} must be a mapping", where=f"{where}:{line}")
    return FlagNode(
        value=value,
        start=node.start_mark.index,
        end=_end(text, node),
        first=node.value[0][0].start_mark.index if node.value else node.start_mark.index + 1,
        column=node.start_mark.column,
        block=not node.flow_style,
        members={
            name.value: Member(name.end_mark.index, field.start_mark.index, _end(text, field))
            for name, field in node.value
        },
    )


def _end(text: str, node: yaml.Node) -> int:
    """Where a node's own text ends: PyYAML ends a block at the next token, past blanks and comments."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _end(text, last[1] if isinstance(node, yaml.MappingNode) else last)
    start, end = node.start_mark.index, node.end_mark.index
    return start + len(text[start:end].rstrip())


def _value(loader: _Loader, node: yaml.Node, where: str) -> object:
    """The JSON-compatible value of a node; names of a mapping are always strings."""
    if isinstance(node, yaml.SequenceNode):
        return [_value(loader, item, where) for item in node.value]
    if not isinstance(node, yaml.MappingNode):
        return loader.construct_object(node)
    found: dict[str, object] = {}
    for key, item in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode) or key.tag == "tag:yaml.org,2002:merge":
            raise FlagError("only plain keys are supported in a flag file", where=f"{where}:{line}")
        if key.value in found:
            raise FlagError(f"the key {safe(key.value, 80)} is given twice", where=f"{where}:{line}")
        found[key.value] = _value(loader, item, where)
    return found
