"""The frame of a panel: title, value and verdict in the top border, a footer in the bottom one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from rich.style import Style
from rich.text import Text

from opsconsole.model.verdicts import Level
from opsconsole.render.glyphs import LEVEL_STYLES, LEVEL_WORDS, UNICODE, Glyphs
from opsconsole.render.row import NOTHING, Row, block, clean, fit, line, width_of
from opsconsole.render.theme import DARK, Theme
from opsconsole.text import SafeText

_GOOD_TITLE, _MIN_TITLE = 14, 6


def panel_box(
    panel_title: SafeText,
    value_text: SafeText,
    level: Level,
    body_rows: Sequence[Text],
    footer: SafeText,
    width: int,
    height: int,
    stale_note: SafeText = NOTHING,
    *,
    focused: bool = False,
    theme: Theme = DARK,
    glyphs: Glyphs = UNICODE,
) -> tuple[Text, ...]:
    """A box of exactly `height` rows of `width` cells around `body_rows` (each `width - 2` cells).

    With `stale_note` (`stale 42s`, or any reason) or at level UNKNOWN the panel counts as not known: dashed
    border, the value struck and dim, the unknown glyph, and the note in words, whatever the level says.
    """
    if stale_note and level is not Level.UNKNOWN:
        level = Level.UNKNOWN
    known = level is not Level.UNKNOWN
    border = theme["border" if known else "border.unknown"]
    if focused:
        border = theme["border.focus"]
    if width < 4 or height < 2:
        text = f"{glyphs.level(level)} {panel_title} {value_text}"
        return block([line(text, width, theme[LEVEL_STYLES[level]], glyphs)], width, height)
    flat, upright = (glyphs.box[4], glyphs.box[5]) if known else (glyphs.box[6], glyphs.box[7])
    rows = [_top(panel_title, value_text, level, stale_note, width, border, flat, theme, glyphs)]
    inner = width - 2
    blank = Text(" " * inner, no_wrap=True, end="")
    for index in range(height - 2):
        body = body_rows[index] if index < len(body_rows) else blank
        rows.append(_side(body, upright, inner, border))
    rows.append(_bottom(footer, width, border, flat, theme, glyphs))
    return tuple(rows)


def _side(body: Text, upright: str, inner: int, border: Style) -> Text:
    row = Text(upright, style="", no_wrap=True, end="")
    row.stylize(border, 0, 1)
    row.append_text(body if body.cell_len == inner else _resized(body, inner))
    return row.append(upright, border)


def _resized(body: Text, width: int) -> Text:
    copy = body.copy()
    copy.truncate(width, overflow="crop", pad=True)
    return copy


def _top(
    title: SafeText,
    value: str,
    level: Level,
    note: SafeText,
    width: int,
    border: Style,
    flat: str,
    theme: Theme,
    glyphs: Glyphs,
) -> Text:
    """`┌ title ───── value glyph word ┐`, down to `┌title value glyph┐`; a good verdict has no word."""
    known = level is not Level.UNKNOWN
    row = Row(width, glyphs)
    row.add(glyphs.box[0], border)
    value_style = (theme["value"] if level is not Level.OK else None) if known else theme["value.old"]
    word = str(note) or LEVEL_WORDS[level]
    short = glyphs.level(level)
    verdict = short if level is Level.OK else f"{short} {word}"
    name = clean(title, glyphs)
    wording = _worded(width_of(name), clean(value, glyphs), clean(verdict, glyphs), short, known, width - 2)
    room = max(0, width - 2 - wording.cost)
    if room > 0:
        row.space(wording.ends)
        row.add(fit(name, min(width_of(name), room), more=glyphs.more), theme["title"])
        row.space()
    right = wording.right + wording.ends + 1
    row.add(flat * (width - row.cells - right - 1), border)
    row.space(width - right - row.cells)
    if wording.value:
        row.add(wording.value, value_style)
        row.space()
    row.add(wording.sign, theme[LEVEL_STYLES[level]])
    row.space(width - 1 - row.cells)
    row.add(glyphs.box[1], border)
    return row.done()


class _Wording(NamedTuple):
    """What stands beside a title: `ends` blank cells next to the corners, at least `gap` behind the title."""

    value: str
    sign: str
    ends: int
    gap: int

    @property
    def right(self) -> int:
        """The cells of value and verdict."""
        return width_of(self.sign) + (width_of(self.value) + 1 if self.value else 0)

    @property
    def cost(self) -> int:
        """The cells that the title cannot have."""
        return self.right + 2 * self.ends + self.gap


def _worded(title: int, value: str, sign: str, short: str, known: bool, room: int) -> _Wording:
    """The roomiest wording that leaves the title its cells: first the whole title, else enough
    of it, else what there is."""
    if not known:
        value_less = [_Wording("", sign, 1, 3), _Wording("", sign, 0, 1)]
        options = [_Wording(value, sign, 1, 3), *value_less]
    else:
        close = "".join(value.rsplit(" ", 1))
        options = [_Wording(value, sign, 1, 3)]
        for shown in (sign, short):
            options += [_Wording(close, shown, 1, 3), _Wording(close, shown, 1, 1), _Wording(close, shown, 0, 1)]
    tries = ((title, options), (min(title, _GOOD_TITLE), options), (min(title, _MIN_TITLE), options[::-1]))
    for cells, ordered in tries:
        found = next((o for o in ordered if o.cost + cells <= room), None)
        if found is not None:
            return found
    bare = _Wording("", sign, 1, 3)
    return bare if bare.cost <= room else _Wording("", short, 1, 3)


def _bottom(footer: SafeText, width: int, border: Style, flat: str, theme: Theme, glyphs: Glyphs) -> Text:
    row = Row(width, glyphs)
    row.add(glyphs.box[2], border)
    text = clean(footer, glyphs)
    if text and width >= 8:
        row.space()
        row.add(fit(text, min(width_of(text), width - 5), more=glyphs.more), theme["dim"])
        row.space()
    row.add(flat * (width - 1 - row.cells), border)
    row.add(glyphs.box[3], border)
    return row.done()
