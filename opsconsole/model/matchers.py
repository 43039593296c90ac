"""Matchers: `name="value"` with =, !=, =~ and !~, as Alertmanager reads them.

The grammar is the classic one, and where that does not fit the UTF-8 one of Alertmanager >= 0.27, as there.
Regular expressions are RE2 as Go knows it, anchored at both ends as ^(?:pattern)$; `.` is not a newline. A
missing label is the empty string.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Protocol, cast

import msgspec

from opsconsole.errors import UsageError
from opsconsole.model.matcher_grammar import (
    CLASSIC_NAME,
    Misread,
    Written,
    classic_matcher,
    classic_matchers,
    utf8_matchers,
)
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
        hit = compile_regex(self.value).search(value) is not None if self.is_regex else value == self.value
        return hit is self.is_equal

    def __str__(self) -> str:
        """As amtool prints it: the value always quoted."""
        name = self.name if CLASSIC_NAME.fullmatch(self.name) else quote(self.name)
        return f"{name}{self.op}{quote(self.value)}"


Matchers = tuple[Matcher, ...]

_HINT = 'write them as severity="critical",job=~"api.*"'
_ESCAPED = re.compile(r"\\Q.*?(?:\\E|\Z)|\\(.)", re.DOTALL)


class Pattern(Protocol):
    """A compiled RE2 pattern that is anchored: `search` and `fullmatch` find the same in all but patterns
    that close the group they are put into (`a)|(b`), which Alertmanager searches for."""

    @property
    def groupindex(self) -> Mapping[str, int]: ...

    def search(self, text: str) -> object | None: ...

    def fullmatch(self, text: str) -> object | None: ...


@lru_cache(maxsize=512)
def compile_regex(pattern: str) -> Pattern:
    """The RE2 pattern, anchored as Alertmanager does. Raises UsageError with what RE2 says is wrong."""
    import re2

    options = re2.Options()
    options.log_errors = False
    # Go's limit is on the size of the program and far above RE2's 8 MiB: \pL{1000} is fine there.
    options.max_mem = 64 << 20
    reason: object
    try:
        found = cast("Pattern", re2.compile(f"^(?:{pattern})$", options))
    except (re2.error, UnicodeError) as error:
        said = error.args[0] if error.args else ""
        reason = said.decode("utf-8", "replace") if isinstance(said, bytes) else error
    else:
        # What the RE2 of C++ takes and the one of Go does not.
        if any(m[1] == "C" for m in _ESCAPED.finditer(pattern)):
            reason = "invalid escape sequence: \\C"
        elif not all(name.isascii() for name in found.groupindex):
            reason = "invalid named capture"
        else:
            return found
    raise UsageError(
        f"bad regular expression {safe(pattern, 80)}: {safe(str(reason), 200)}",
        hint="the dialect is RE2: no look-ahead and no back-references",
    )


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


def parse_matcher(text: str, *, utf8: bool = True) -> Matcher:
    """Parse one matcher as the `filter` parameter and amtool's arguments are read: without braces or commas.

    With `utf8` as Alertmanager >= 0.27 does; without as an older one. Raises UsageError.
    """
    if utf8 and (text.startswith("{") or text.endswith("}")):
        raise UsageError(f"one matcher takes no braces: {safe(text, 80)}", hint=_HINT)
    found = _parse(text, lambda text: [classic_matcher(text)], utf8)
    if len(found) != 1:
        raise UsageError(f"expected one matcher, found {len(found)}", hint=_HINT)
    return found[0]


def parse_matchers(text: str, *, utf8: bool = True) -> Matchers:
    """Parse `a="b", c=~"d"` with or without braces, as routes and inhibition rules are read.

    The classic grammar goes first, as in Alertmanager, and with `utf8` (>= 0.27) the other one second. Raises
    UsageError naming the position of the first character that does not fit.
    """
    return _parse(text, classic_matchers, utf8)


def _parse(text: str, classic: Callable[[str], list[Written]], utf8: bool) -> Matchers:
    if not text.isascii() and any("\ud800" <= c <= "\udfff" for c in text):
        raise UsageError(f"matchers {safe(text, 80)}: not valid UTF-8")
    failed: tuple[int, UsageError] | None = None
    for read in (classic, utf8_matchers) if utf8 else (classic,):
        try:
            return _built(read(text))
        except Misread as error:
            reason = error.at, _bad(text, error)
        except UsageError as error:
            reason = len(text) + 1, error
        # The reading that came further is the one that was meant.
        if failed is None or reason[0] > failed[0]:
            failed = reason
    assert failed is not None
    raise failed[1]


def _built(written: list[Written]) -> Matchers:
    found = tuple(Matcher(n, v, is_regex="~" in op, is_equal=not op.startswith("!")) for n, op, v in written)
    for matcher in found:
        if matcher.is_regex:
            compile_regex(matcher.value)
    return found


def _bad(text: str, error: Misread) -> UsageError:
    found = f"found {safe(text[error.at : error.at + 20])!r}" if error.at < len(text) else "found the end"
    return UsageError(f"matchers: expected {error.expected} at character {error.at + 1}, {found}", hint=_HINT)
