"""Bars, gauges, sparklines and small tables; one Text a row, every row of exact width."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
from rich.style import Style
from rich.text import Text

from opsconsole.model.verdicts import Level
from opsconsole.render import numbers
from opsconsole.render.glyphs import LEVEL_STYLES, UNICODE, Glyphs
from opsconsole.render.row import NOTHING, Row, block, clean, fit, line, width_of
from opsconsole.render.theme import DARK, Theme
from opsconsole.text import SafeText

_BAR_MIN = 4


class Bar(msgspec.Struct, frozen=True):
    """One bar: its label, value (None is unknown) and what the value means."""

    label: SafeText
    value: float | None
    level: Level = Level.OK


def bar_text(share: float, width: int, glyphs: Glyphs = UNICODE) -> str:
    """A bar of `share` (0 to 1, clamped) of `width` cells, in eighths of a cell; not padded."""
    share = 0.0 if math.isnan(share) else min(1.0, max(0.0, share))
    parts = len(glyphs.bars)
    filled = int(share * width * parts + 0.5)
    if share > 0 and filled == 0:
        filled = 1
    whole, rest = divmod(filled, parts)
    return glyphs.bars[-1] * whole + (glyphs.bars[rest - 1] if rest else "")


def bars(
    items: Sequence[Bar],
    *,
    width: int,
    height: int,
    unit: str = "none",
    maximum: float | None = None,
    theme: Theme = DARK,
    glyphs: Glyphs = UNICODE,
) -> tuple[Text, ...]:
    """Horizontal bars, one a row, in the given order; the last row says how many did not fit.

    The longest bar is `maximum`, or the largest value. Negative values have no bar. Unknown ones have a
    word instead.
    """
    if not items:
        return _no_data(width, height, theme, glyphs)
    shown = list(items) if len(items) <= height else list(items[: max(0, height - 1)])
    known = [b.value for b in items if b.value is not None and math.isfinite(b.value)]
    top = maximum if maximum is not None and maximum > 0 else max(known, default=0.0)
    figures = [numbers.value(b.value, unit, glyphs) for b in shown]
    figure_width = min(max((width_of(f) for f in figures), default=0), max(0, width // 2))
    longest = max((width_of(clean(b.label, glyphs)) for b in shown), default=0)
    label_width = max(0, min(longest, (width - figure_width - 2) // 2))
    rows = []
    for item, figure in zip(shown, figures, strict=True):
        row = Row(width, glyphs)
        row.add(item.label, theme["dim"], label_width)
        row.space()
        room = max(0, width - label_width - figure_width - 2)
        if item.value is None or math.isnan(item.value):
            row.add("unknown", theme["unknown"], room)
        else:
            style = theme["series.0"] if item.level is Level.OK else theme.drawn(LEVEL_STYLES[item.level])
            row.add(bar_text(item.value / top if top > 0 else 0.0, room, glyphs), style, room)
        row.space()
        row.add(figure, theme["value"], figure_width, right=True)
        rows.append(row.done())
    if len(shown) < len(items):
        rows.append(line(f"and {len(items) - len(shown)} more", width, theme["dim"], glyphs))
    return block(rows, width, height)


def gauge(
    value: float | None,
    *,
    width: int,
    height: int,
    minimum: float = 0.0,
    maximum: float = 100.0,
    unit: str = "percent",
    level: Level = Level.OK,
    caption: SafeText = NOTHING,
    theme: Theme = DARK,
    glyphs: Glyphs = UNICODE,
) -> tuple[Text, ...]:
    """A filled bar between `minimum` and `maximum`, its ends labelled below when there is room, and a
    caption. An unknown value has an empty track with the word `unknown`."""
    rows: list[Text] = []
    bar = Row(width, glyphs)
    if value is None or math.isnan(value):
        bar.add("unknown", theme["unknown"])
        bar.add(glyphs.track * max(0, bar.left), theme["border"])
    else:
        spread = maximum - minimum
        text = bar_text((value - minimum) / spread if spread > 0 else 0.0, width, glyphs)
        bar.add(text, theme.drawn("series.0" if level is Level.OK else LEVEL_STYLES[level]))
        bar.add(glyphs.track * max(0, bar.left), theme["border"])
    rows += [bar.done()] * (2 if height >= 5 else 1)
    if height >= 3:
        low, high = numbers.value(minimum, unit, glyphs), numbers.value(maximum, unit, glyphs)
        ends = Row(width, glyphs)
        ends.add(low, theme["axis"])
        ends.add(high, theme["axis"], max(0, ends.left), right=True)
        rows.append(ends.done())
    if caption and height >= 2:
        rows.append(line(caption, width, theme["dim"], glyphs))
    above = max(0, (height - len(rows)) // 2)
    return block([line("", width)] * above + rows, width, height)


def sparkline(
    values: Sequence[float | None],
    *,
    width: int,
    minimum: float | None = None,
    maximum: float | None = None,
    style: str = "series.0",
    theme: Theme = DARK,
    glyphs: Glyphs = UNICODE,
) -> Text:
    """The latest `width` values, one a cell, the newest at the right; holes are blank."""
    row = Row(width, glyphs)
    kept = list(values)[-width:] if width > 0 else []
    known = [v for v in kept if v is not None and math.isfinite(v)]
    if not known:
        return line("no data", width, theme["unknown"], glyphs)
    low = minimum if minimum is not None else min(0.0, *known) if len(known) > 1 else min(0.0, known[0])
    high = maximum if maximum is not None else max(known)
    top = len(glyphs.sparks) - 1
    spread = high - low
    text = ""
    for value in kept:
        if value is None or not math.isfinite(value):
            text += " "
            continue
        share = (value - low) / spread if spread > 0 else 0.0
        text += glyphs.sparks[min(top, max(0, int(share * top + 0.5)))]
    row.space(width - len(text))
    row.add(text, theme[style])
    return row.done()


def table(
    header: Sequence[SafeText],
    rows: Sequence[Sequence[SafeText]],
    *,
    width: int,
    height: int,
    right: Sequence[int] = (),
    theme: Theme = DARK,
    glyphs: Glyphs = UNICODE,
) -> tuple[Text, ...]:
    """A table with a header; `right` are the columns to align right. Columns take the width they need; the
    widest gives way first. The last row says how many did not fit."""
    if not rows:
        return _no_data(width, height, theme, glyphs)
    room = max(0, height - (1 if header else 0))
    shown = rows if len(rows) <= room else rows[: max(0, room - 1)]
    widths = _column_widths([header, *shown], width, glyphs)
    aligned = frozenset(right)
    out = [_table_row(header, widths, aligned, width, theme["header"], glyphs)] if header else []
    out += [_table_row(cells, widths, aligned, width, None, glyphs) for cells in shown]
    if len(shown) < len(rows):
        out.append(line(f"and {len(rows) - len(shown)} more", width, theme["dim"], glyphs))
    return block(out, width, height)


def _column_widths(rows: Sequence[Sequence[SafeText]], width: int, glyphs: Glyphs) -> list[int]:
    count = max(len(row) for row in rows)
    widths = [
        max((width_of(clean(row[i], glyphs)) for row in rows if i < len(row)), default=0) for i in range(count)
    ]
    excess = sum(widths) + 2 * (count - 1) - width
    while excess > 0 and max(widths, default=0) > 1:
        widest = widths.index(max(widths))
        second = max([w for i, w in enumerate(widths) if i != widest], default=1)
        cut = min(excess, max(1, widths[widest] - max(second, 1)))
        widths[widest] -= cut
        excess -= cut
    return widths


def _table_row(
    cells: Sequence[SafeText],
    widths: Sequence[int],
    right: frozenset[int],
    width: int,
    style: Style | None,
    glyphs: Glyphs,
) -> Text:
    row = Row(width, glyphs)
    for index, size in enumerate(widths):
        if index:
            row.space(2)
        text = clean(cells[index] if index < len(cells) else "", glyphs)
        row.add(fit(text, size, right=index in right, more=glyphs.more), style)
    return row.done()


def _no_data(width: int, height: int, theme: Theme, glyphs: Glyphs) -> tuple[Text, ...]:
    rows = [line("", width) for _ in range(height)]
    if rows:
        rows[(height - 1) // 2] = line("no data", width, theme["unknown"], glyphs, centre=True)
    return tuple(rows)
