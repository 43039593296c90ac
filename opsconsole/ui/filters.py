"""The last door before the terminal: nothing that acts on it passes."""

from __future__ import annotations

from functools import lru_cache

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.filter import LineFilter

from opsconsole.text import safe


class TerminalGuard(LineFilter):
    """Takes control, bidirectional, zero-width and blank characters out of every line, and link styles.

    Text is safe when it enters the model; this covers what a widget may bring in by itself. In place of a
    character stand as many spaces as it has cells (mostly none), so that the width stays right.
    """

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        if all(s.control is None and _clean(s.text) and not _links(s.style) for s in segments):
            return segments
        return [Segment(_strip(s.text), _unlinked(s.style)) for s in segments]


@lru_cache(maxsize=8192)
def _clean(text: str) -> bool:
    return (text.isascii() and text.isprintable()) or safe(text) == text


def _strip(text: str) -> str:
    if _clean(text):
        return text
    out = ""
    for char in text:
        # With what stands before it, because it takes a stack of combining marks to make one of them unsafe.
        before = out[-_STACK:]
        out += char if safe(before + char) == before + char else " " * cell_len(char)
    return out


_STACK = 8
"""Characters before one that may decide whether it is safe."""


def _links(style: Style | None) -> bool:
    return style is not None and style.link is not None


def _unlinked(style: Style | None) -> Style | None:
    return style.update_link(None) if style is not None and style.link is not None else style
