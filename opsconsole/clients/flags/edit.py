"""The text of a flag file after a rollback or a restore, with all else left byte for byte."""

from __future__ import annotations

import difflib
import json
import textwrap
from collections.abc import Mapping
from typing import Any

from opsconsole.clients.flags.base import canonical
from opsconsole.clients.flags.document import Document, FlagNode, Member, parse, parse_definition
from opsconsole.errors import FlagError
from opsconsole.text import SafeText, safe, safe_block

_NARROW = 100


def definition_of(document: Document, key: str) -> str:
    """One flag's definition as written; as JSON where YAML's layout says something only in its place (a block
    that keeps the blank lines after it)."""
    written, value = document.slice(key), document.flags[key].value
    try:
        alone = parse_definition(written, is_yaml=document.is_yaml)
    except FlagError:
        alone = None
    return written if canonical(alone) == canonical(value) else json.dumps(value, ensure_ascii=False)


def with_fields(document: Document, key: str, wanted: Mapping[str, Any], where: str) -> Document:
    """The whole with one flag as `wanted`, which has all the fields that there are now; only those that
    change are touched."""
    node = document.flags[key]
    edits: list[tuple[int, int, str]] = []
    for name, value in wanted.items():
        if name in node.value and canonical(node.value[name]) == canonical(value):
            continue
        text = json.dumps(value, ensure_ascii=not document.is_yaml)
        member = node.members.get(name)
        if member is None:
            edits.append(_insertion(document, node, name, text))
        else:
            edits.extend(_replacement(document, member, text))
    text = document.text
    for start, end, new in sorted(edits, reverse=True):
        text = text[:start] + new + text[end:]
    return _checked(document, key, text, wanted, where)


def with_definition(document: Document, key: str, definition: str, where: str) -> Document:
    """The whole with one flag's definition, in the words of `Document.slice`, put in its place."""
    wanted = parse_definition(definition, is_yaml=document.is_yaml)
    return _checked(document, key, document.replaced(key, definition), wanted, where)


def unified_diff(key: str, before: str, after: str, *, is_yaml: bool) -> SafeText:
    """A unified diff of two definitions; on one line each, they are spread out when one is long."""
    spread = any("\n" not in text and len(text) > _NARROW for text in (before, after))
    old, new = (_lines(text, is_yaml, spread=spread) for text in (before, after))
    name = safe(key, 80)
    lines = difflib.unified_diff(old, new, f"{name} (now)", f"{name} (then)", lineterm="")
    return safe_block("\n".join(lines))


def _lines(text: str, is_yaml: bool, *, spread: bool) -> list[str]:
    if "\n" not in text and spread:
        text = json.dumps(parse_definition(text, is_yaml=is_yaml), indent=2, ensure_ascii=False)
    if not is_yaml and "\n" in text:
        first, _, rest = text.partition("\n")
        closing = len(rest.rsplit("\n", 1)[-1]) - len(rest.rsplit("\n", 1)[-1].lstrip())
        text = " " * closing + first + "\n" + rest
    return textwrap.dedent(text).splitlines()


def _insertion(document: Document, node: FlagNode, name: str, text: str) -> tuple[int, int, str]:
    """A new first field, set apart from the next one as that is from what stands before it."""
    field = f"{name}: {text}" if document.is_yaml else f'"{name}": {text}'
    if node.block:
        newline = "\r\n" if "\r\n" in document.text else "\n"
        return node.first, node.first, f"{field}{newline}{' ' * node.column}"
    gap = document.text[node.start + 1 : node.first]
    return node.first, node.first, f"{field},{gap or ' '}"


def _replacement(document: Document, member: Member, text: str) -> list[tuple[int, int, str]]:
    """A new value; one that stands on lines of its own moves up behind its name."""
    between = document.text[member.name_end : member.start]
    empty = member.start == member.end
    if not document.is_yaml or ("\n" not in between and not empty):
        return [(member.start, member.end, text)]
    colon = document.text.index(":", member.name_end) + 1
    moved = (colon, colon, f" {text}")
    if empty:
        return [moved]
    line_end = document.text.index("\n", colon)
    if document.text[line_end - 1] == "\r":
        line_end -= 1
    return [moved, (line_end, member.end, "")]


def _checked(document: Document, key: str, text: str, wanted: object, where: str) -> Document:
    """What the text says, if reading it gives exactly what is wanted and leaves all else; for YAML whose layout
    does not allow the edit, the definition on one line instead."""
    candidates = [text]
    if document.is_yaml:
        node = document.flags[key]
        flow = json.dumps(wanted, ensure_ascii=False)
        candidates.append(document.text[: node.start] + flow + document.text[node.end :])
    expected = canonical(document.with_flag(key, wanted))
    for candidate in candidates:
        try:
            result = parse(candidate, is_yaml=document.is_yaml, where=where, format=document.format)
        except FlagError:
            continue
        if canonical(result.data) == expected:
            return result
    raise FlagError(
        f"flag {safe(key, 80)} cannot be changed without touching the rest of the file; nothing was written",
        where=f"{where}:{document.line(document.flags[key].start)}",
        hint="change it by hand",
    )
