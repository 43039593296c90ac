"""SafeText: the one door for text that comes from outside.

Label values, annotations, error bodies, reason phrases, runbooks and flag names are written by whoever can
write a metric. `safe` makes every character that could act on a terminal visible instead of dropping it, so
nothing is lost and nothing acts.
"""

from __future__ import annotations

import re
import unicodedata
from typing import NewType

SafeText = NewType("SafeText", str)
"""Text without a character that acts on a terminal. Made only by `safe`, `safe_block` and `trusted`."""

_KEEP_ODD = frozenset("\u00a0\u2002\u2003\u2007\u2009\u202f\u3000")
"""Spaces that `str.isprintable` rejects although they only take up room."""

_INVISIBLE = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u3164\uffa0"
    + "".join(map(chr, [*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)]))
)
"""Letters and marks that Unicode calls default-ignorable: fillers, joiners and variation selectors. They take
no room and could hide a difference."""

_ODD = re.compile(r"[^ -~]+")

_MAX_COMBINING = 4
"""Combining marks in a row that are kept; the rest of a longer stack is made visible."""


def safe(raw: str, limit: int = 0) -> SafeText:
    """One line of safe text.

    Control characters (C0, C1, DEL), bidirectional and zero-width characters, surrogates and unassigned code
    points become a visible escape such as `\\x1b` or `\\u202e`; newlines and tabs become `\\n` and `\\t`.
    With `limit`, text longer than that many characters ends in a note of how many were left out.
    """
    cut = raw[:limit] if limit and len(raw) > limit else raw
    shown = cut if cut.isascii() and cut.isprintable() else _visible(cut, keep="")
    if len(cut) < len(raw):
        shown = f"{shown}… ({len(raw) - len(cut):,} more characters)"
    return SafeText(shown)


def safe_block(raw: str, limit: int = 0) -> SafeText:
    """Several lines of safe text: as `safe`, but newlines stay and tabs become spaces."""
    cut = raw[:limit] if limit and len(raw) > limit else raw
    unified = cut.replace("\r\n", "\n").expandtabs(4)
    shown = _visible(unified, keep="\n")
    if len(cut) < len(raw):
        shown = f"{shown}\n… ({len(raw) - len(cut):,} more characters)"
    return SafeText(shown)


def trusted(literal: str) -> SafeText:
    """Mark text written in this program as safe. Never for anything that was read or received."""
    return SafeText(literal)


def is_safe(text: str) -> bool:
    """Whether `text` would pass `safe` unchanged."""
    return text == safe(text)


def _visible(raw: str, keep: str) -> str:
    # Only what is not printable ASCII is looked at character by character: a megabyte takes a while.
    return _ODD.sub(lambda found: _shown(found.group(), keep), raw)


def _shown(raw: str, keep: str) -> str:
    out: list[str] = []
    marks = 0
    for char in raw:
        if unicodedata.category(char) in {"Mn", "Me"}:
            marks += 1
            kept = marks <= _MAX_COMBINING and char not in _INVISIBLE
            out.append(char if kept else _escape(char))
            continue
        marks = 0
        kept = char in keep or (char.isprintable() and char not in _INVISIBLE) or char in _KEEP_ODD
        out.append(char if kept else _escape(char))
    return "".join(out)


def _escape(char: str) -> str:
    named = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(char)
    if named:
        return named
    code = ord(char)
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
