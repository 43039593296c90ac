"""Rows of exact width: the one place that measures, cuts and pads text."""

from __future__ import annotations

from collections.abc import Iterable

from rich.cells import cell_len, set_cell_size
from rich.style import Style
from rich.text import Span, Text

from opsconsole.render.glyphs import UNICODE, Glyphs
from opsconsole.text import safe, trusted

_BLANK = Style()
_NOT_DIM = Style(dim=False)

NOTHING = trusted("")
"""No text; the default of optional ones."""


def clean(text: str, glyphs: Glyphs = UNICODE) -> str:
    """The text as it may stand in a row: nothing that acts, nothing that changes its neighbour's width, and
    only ASCII (others as `\\uXXXX`) when the glyphs are."""
    if text.isascii():
        return text if text.isprintable() else safe(text)
    if not text.isprintable() or "\ufe0f" in text:
        text = safe(text)
    return text.encode("ascii", "backslashreplace").decode("ascii") if glyphs.ascii else text


def width_of(text: str) -> int:
    """How many cells the text takes."""
    return len(text) if text.isascii() else cell_len(text)


def fit(text: str, width: int, *, right: bool = False, more: str = "…") -> str:
    """The text padded or cut to exactly `width` cells; a cut one ends in `more`."""
    if width <= 0:
        return ""
    size = len(text) if text.isascii() else cell_len(text)
    if size <= width:
        pad = " " * (width - size)
        return pad + text if right else text + pad
    return set_cell_size(text, width - 1) + more


class Row:
    """Collects styled pieces and makes a Text of exactly `width` cells of them.

    `base` is the style under all pieces; on a reversed one only bold pieces keep their colour, which is then
    that of the ground. The Text has no line end and parses no markup.
    """

    __slots__ = ("_base", "_chars", "_glyphs", "_loud", "_parts", "_spans", "_width", "cells")

    def __init__(self, width: int, glyphs: Glyphs = UNICODE, base: Style = _BLANK) -> None:
        self._width = max(0, width)
        self._glyphs = glyphs
        self._base = base
        self._loud = bool(base.reverse)
        self._parts: list[str] = []
        self._spans: list[Span] = []
        self._chars = 0
        self.cells = 0

    @property
    def left(self) -> int:
        """Cells that are still free; negative when too much was added."""
        return self._width - self.cells

    def add(self, text: str, style: Style | None = None, width: int = -1, *, right: bool = False) -> None:
        """Add a piece in its own width, or padded or cut to `width` cells."""
        if not (text.isascii() and text.isprintable()):
            text = clean(text, self._glyphs)
        if width >= 0:
            text = fit(text, width, right=right, more=self._glyphs.more)
            self.cells += width
        else:
            self.cells += len(text) if text.isascii() else cell_len(text)
        start = self._chars
        self._chars = start + len(text)
        self._parts.append(text)
        if style is not None and text:
            if self._loud:
                style = _on_reverse(style)
            self._spans.append(Span(start, self._chars, style))

    def extend(self, pieces: Iterable[tuple[str, Style | None]]) -> None:
        """Add several pieces in their own width."""
        for text, style in pieces:
            self.add(text, style)

    def space(self, cells: int = 1) -> None:
        """Add blank cells; none when `cells` is not positive."""
        if cells > 0:
            self._parts.append(" " * cells)
            self._chars += cells
            self.cells += cells

    def done(self) -> Text:
        """The row, padded or cut to its width."""
        if self.cells < self._width:
            self._parts.append(" " * (self._width - self.cells))
            plain = "".join(self._parts)
        elif self.cells > self._width:
            plain = fit("".join(self._parts), self._width, more=self._glyphs.more)
            end = len(plain)
            self._spans = [Span(s.start, min(s.end, end), s.style) for s in self._spans if s.start < end]
        else:
            plain = "".join(self._parts)
        return Text(plain, style=self._base, no_wrap=True, end="", spans=self._spans)


def _on_reverse(style: Style) -> Style:
    # A colour would be that of the ground, and dim would dim it: patches. Only a bold piece may stand out.
    if style.dim:
        style += _NOT_DIM
    return style.without_color if style.color is not None and not style.bold else style


def selected(row: Text, width: int, base: Style) -> Text:
    """A row that was made on a plain ground as it is on `base`, padded to `width` cells."""
    spans = [
        Span(span.start, span.end, _on_reverse(span.style) if base.reverse else span.style)
        for span in row.spans
        if isinstance(span.style, Style)
    ]
    return Text(fit(row.plain, width), style=base, no_wrap=True, end="", spans=spans)


def line(
    text: str, width: int, style: Style | None = None, glyphs: Glyphs = UNICODE, *, centre: bool = False
) -> Text:
    """One row with one piece, at the left or centred."""
    row = Row(width, glyphs)
    if centre:
        row.space((width - width_of(clean(text, glyphs))) // 2)
    row.add(text, style)
    return row.done()


def block(rows: Iterable[Text], width: int, height: int) -> tuple[Text, ...]:
    """Exactly `height` rows: the first ones, then blank ones."""
    kept = list(rows)[: max(0, height)]
    kept += [line("", width) for _ in range(height - len(kept))]
    return tuple(kept)


def wrapped(text: str, width: int, limit: int, glyphs: Glyphs = UNICODE) -> list[str]:
    """The text broken into at most `limit` lines of at most `width` cells, at spaces where that goes; the
    last line ends in the `more` glyph when something was left out."""
    words = [word for word in clean(text.replace("\n", " "), glyphs).split(" ") if word]
    lines: list[str] = []
    current = ""
    for word in words:
        joined = f"{current} {word}" if current else word
        if current and width_of(joined) > width:
            lines.append(current)
            current = word
        else:
            current = joined
    lines.append(current)
    if len(lines) > limit:
        lines = [*lines[: limit - 1], " ".join(lines[limit - 1 :])]
    return [fit(entry, width, more=glyphs.more).rstrip() for entry in lines]
