"""Matchers: `name="value"` with =, !=, =~ and !~, as Alertmanager reads them.

The grammar is the classic one (names `[a-zA-Z_:][a-zA-Z0-9_:]*`) plus quoted names as in Alertmanager
>= 0.27. Regular expressions are RE2, anchored at both ends as ^(?:pattern)$, so that `.` is not a newline. A
missing label is the empty string.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Protocol, cast

import msgspec

from opsconsole.errors import UsageError
from opsconsole.text import safe


class Matcher(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """One matcher in the shape of the v2 API. `value` is raw; for a regex it is the unanchored pattern."""

    name: str
    value: str
    is_regex: bool = False
    is_equal: bool = True

    @property
    def op(self) -> str:
        return {(False, True): "=", (False, False): "!=", (True, True): "=~", (True, False): "!~"}[
            self.is_regex, self.is_equal
        ]

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether a label set satisfies this matcher. Raises UsageError for a bad regex."""
        value = labels.get(self.name, "")
        hit = compile_regex(self.value).fullmatch(value) is not None if self.is_regex else value == self.value
        return hit is self.is_equal

    def __str__(self) -> str:
        """As amtool prints it: the value always quoted."""
        name = self.name if _NAME_ONLY.fullmatch(self.name) else quote(self.name)
        return f"{name}{self.op}{quote(self.value)}"


Matchers = tuple[Matcher, ...]

_NAME_ONLY = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*", re.ASCII)
_OP = re.compile(r"\s*(=~|!~|!=|=)\s*")
_UNQUOTED = re.compile(r"[^\s,{}\"\\=!~][^\s,{}\"]*")


class Pattern(Protocol):
    """A compiled RE2 pattern."""

    def fullmatch(self, text: str) -> object | None: ...


@lru_cache(maxsize=512)
def compile_regex(pattern: str) -> Pattern:
    """The RE2 pattern, to be used with `fullmatch`. Raises UsageError with what RE2 says is wrong."""
    import re2

    options = re2.Options()
    options.log_errors = False
    try:
        return cast("Pattern", re2.compile(pattern, options))
    except re2.error as error:
        raise UsageError(
            f"bad regular expression {safe(pattern, 80)}: {safe(str(error), 200)}",
            hint="the dialect is RE2: no look-ahead and no back-references",
        ) from None


def quote(value: str) -> str:
    """A value in double quotes with `\\`, `"` and newline escaped, as the matcher grammar reads them."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def format_matchers(matchers: Sequence[Matcher]) -> str:
    """`{a="b",c=~"d"}`."""
    return "{" + ",".join(str(m) for m in matchers) + "}"


def match_all(matchers: Sequence[Matcher], labels: Mapping[str, str]) -> bool:
    """Whether every matcher is satisfied."""
    return all(m.matches(labels) for m in matchers)


def matches_everything(matchers: Sequence[Matcher]) -> bool:
    """Whether no matcher excludes the empty label set: Alertmanager refuses such a silence."""
    return all(m.matches({}) for m in matchers)


def exact_matchers(labels: Mapping[str, str]) -> Matchers:
    """Equality matchers for exactly this label set, in name order. Empty values are left out: a missing
    label and an empty one are the same to Alertmanager."""
    return tuple(Matcher(name, value) for name, value in sorted(labels.items()) if value)


def parse_matchers(text: str) -> Matchers:
    """Parse `a="b", c=~"d"` with or without braces.

    Raises UsageError naming the position of the first character that does not fit.
    """
    text = text.strip()
    offset = 0
    if text.startswith("{"):
        if not text.endswith("}"):
            raise UsageError(f"matchers {safe(text, 80)}: the closing }} is missing")
        text, offset = text[1:-1], 1
    found: list[Matcher] = []
    at = 0
    while at < len(text):
        matcher, at = _one(text, at, offset)
        found.append(matcher)
        rest = re.compile(r"\s*(,\s*|$)").match(text, at)
        if rest is None:
            raise _bad(text, at, offset, "a comma")
        at = rest.end()
    return tuple(found)


def _one(text: str, at: int, offset: int) -> tuple[Matcher, int]:
    at += len(text[at:]) - len(text[at:].lstrip())
    if text[at : at + 1] == '"':
        name, at = _quoted(text, at, offset)
    else:
        found = _NAME_ONLY.match(text, at)
        if found is None:
            raise _bad(text, at, offset, "a label name")
        name, at = found.group(), found.end()
    op = _OP.match(text, at)
    if op is None:
        raise _bad(text, at, offset, "one of = != =~ !~")
    at = op.end()
    if text[at : at + 1] == '"':
        value, at = _quoted(text, at, offset)
    else:
        bare = _UNQUOTED.match(text, at)
        value, at = (bare.group(), bare.end()) if bare else ("", at)
    matcher = Matcher(name, value, is_regex="~" in op[1], is_equal=not op[1].startswith("!"))
    if matcher.is_regex:
        compile_regex(matcher.value)
    return matcher, at


def _quoted(text: str, at: int, offset: int) -> tuple[str, int]:
    out: list[str] = []
    i = at + 1
    while i < len(text):
        char = text[i]
        if char == '"':
            return "".join(out), i + 1
        if char == "\\":
            i += 1
            escape = text[i : i + 1]
            if not escape:
                break
            # Alertmanager reads any other backslash as itself: `10\.0` needs no doubling.
            out.append({"n": "\n", "\\": "\\", '"': '"'}.get(escape, f"\\{escape}"))
        else:
            out.append(char)
        i += 1
    raise _bad(text, at, offset, "a closing quote")


def _bad(text: str, at: int, offset: int, expected: str) -> UsageError:
    found = f"found {safe(text[at : at + 20])!r}" if at < len(text) else "found the end"
    return UsageError(
        f"matchers: expected {expected} at character {at + offset + 1}, {found}",
        hint='write them as severity="critical",job=~"api.*"',
    )
