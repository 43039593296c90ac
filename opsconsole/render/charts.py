"""Line charts with axes, thresholds, marks and shading; one Text a row, every row of exact width."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, tzinfo
from functools import lru_cache
from typing import Literal

import msgspec
from rich.style import Style
from rich.text import Span, Text

from opsconsole.model.playbook import Threshold
from opsconsole.model.verdicts import Level
from opsconsole.render import axes, braille, numbers, plot
from opsconsole.render.bars import bars, gauge, sparkline, table
from opsconsole.render.braille import ASCII_MARKERS, LARGEST, Canvas, Curve, Frame
from opsconsole.render.glyphs import LEVEL_STYLES, UNICODE, Glyphs
from opsconsole.render.row import NOTHING, Row, block, clean, fit, line, width_of
from opsconsole.render.theme import DARK, Theme
from opsconsole.text import SafeText, trusted

__all__ = [
    "ChartSeries",
    "Mark",
    "Shade",
    "ThresholdLine",
    "bars",
    "gauge",
    "line_chart",
    "sparkline",
    "table",
    "threshold_lines",
]

_RUNS = re.compile(rb"([^\0])\1*")
_THRESHOLD = 128
_GUIDE = 255
_MAX_SERIES = 100
_MIN_FOR_LABELS = 20
_CACHE = 256


class ChartSeries(msgspec.Struct, frozen=True):
    """One line: its legend, times (seconds since the epoch, ascending) and values. NaN is a hole. `style` is
    a theme style name; "" takes the theme's colour for its place."""

    legend: SafeText
    times: tuple[float, ...]
    values: tuple[float, ...]
    style: str = ""


class ThresholdLine(msgspec.Struct, frozen=True):
    """A horizontal line at `value` with a word (`warn`, `crit`) in a theme style."""

    value: float
    word: SafeText
    style: str = "warning"


class Mark(msgspec.Struct, frozen=True):
    """Something that happened at a time: a glyph on the time axis and a faint line above it. An empty glyph
    is the flag glyph."""

    at: float
    glyph: str = ""
    style: str = "flag"


class Shade(msgspec.Struct, frozen=True):
    """A stretch of time with a background, such as an alert's `for:`; `word` stands on its top row."""

    start: float
    end: float
    word: SafeText = NOTHING
    style: str = "shade"


class _Spec(msgspec.Struct, frozen=True, kw_only=True):
    series: tuple[ChartSeries, ...]
    width: int
    height: int
    start: float
    end: float
    thresholds: tuple[ThresholdLine, ...]
    marks: tuple[Mark, ...]
    shades: tuple[Shade, ...]
    unit: str
    minimum: float | None
    maximum: float | None
    step: float
    legend: bool
    engine: str


def threshold_lines(thresholds: Iterable[Threshold]) -> tuple[ThresholdLine, ...]:
    """The lines of a panel's thresholds."""
    words = {Level.CRITICAL: trusted("crit"), Level.WARNING: trusted("warn")}
    return tuple(
        ThresholdLine(t.bound, words.get(t.level, trusted("unkn")), LEVEL_STYLES[t.level]) for t in thresholds
    )


def line_chart(
    series: Sequence[ChartSeries],
    *,
    width: int,
    height: int,
    start: float,
    end: float,
    thresholds: Sequence[ThresholdLine] = (),
    marks: Sequence[Mark] = (),
    shades: Sequence[Shade] = (),
    unit: str = "none",
    minimum: float | None = None,
    maximum: float | None = None,
    step: float = 0.0,
    legend: bool = False,
    engine: Literal["braille", "plotext"] = "braille",
    tz: tzinfo = UTC,
    theme: Theme = DARK,
    glyphs: Glyphs = UNICODE,
) -> tuple[Text, ...]:
    """A chart of exactly `height` rows of `width` cells.

    `step` is the distance of points in seconds; points more than one and a half steps apart are not joined.
    0 takes the median distance. The first series is on top of the others. The same arguments give the very
    same rows again while they are among the last charts drawn; do not change them.
    """
    spec = _Spec(
        series=tuple(series),
        width=max(0, width),
        height=max(0, height),
        start=start,
        end=end,
        thresholds=tuple(thresholds),
        marks=tuple(marks),
        shades=tuple(shades),
        unit=unit,
        minimum=minimum,
        maximum=maximum,
        step=step,
        legend=legend,
        engine=engine,
    )
    return _cached(spec, tz, theme, glyphs)


@lru_cache(maxsize=_CACHE)
def _cached(spec: _Spec, tz: tzinfo, theme: Theme, glyphs: Glyphs) -> tuple[Text, ...]:
    values = [v for s in spec.series for v in s.values if -LARGEST < v < LARGEST]
    if not values or not spec.end > spec.start or spec.width < 1 or spec.height < 1:
        return _no_data(spec.width, spec.height, theme, glyphs)
    legend_rows = 1 if spec.legend and spec.height >= 5 else 0
    axis_rows = 1 if spec.height - legend_rows >= 4 else 0
    frame, labels = _frame(spec, values, spec.height - legend_rows - axis_rows)
    rows = _body(spec, frame, labels, theme, glyphs, on_axis=axis_rows > 0)
    if axis_rows:
        rows.append(_axis(spec, frame, tz, theme, glyphs))
    if legend_rows:
        rows.append(_legend(spec, theme, glyphs))
    return block(rows, spec.width, spec.height)


def _no_data(width: int, height: int, theme: Theme, glyphs: Glyphs) -> tuple[Text, ...]:
    rows = [line("", width) for _ in range(height)]
    if rows:
        rows[(height - 1) // 2] = line("no data", width, theme["unknown"], glyphs, centre=True)
    return tuple(rows)


def _frame(spec: _Spec, values: list[float], height: int) -> tuple[Frame, dict[int, str]]:
    """The frame of the drawing and the labels of its rows."""
    low, high = axes.value_range(
        values, [t.value for t in spec.thresholds if abs(t.value) < LARGEST], spec.minimum, spec.maximum
    )
    if spec.width < _MIN_FOR_LABELS or height < 2:
        return Frame(spec.width, height, spec.start, spec.end, low, high), {}
    found = axes.ticks(low, high, max(1, min(5, (height - 1) // 2)), spec.unit)
    low, high = found[0], found[-1]
    frame = Frame(1, height, spec.start, spec.end, low, high)
    labels = {frame.row_of(tick): axes.label(tick, spec.unit) for tick in found}
    gutter = min(max(len(text) for text in labels.values()) + 1, spec.width // 3)
    return frame._replace(width=spec.width - gutter), labels


def _canvas(spec: _Spec, frame: Frame, glyphs: Glyphs) -> Canvas:
    curves = [Curve(s.times, s.values, _gap(s.times, spec.step)) for s in spec.series[:_MAX_SERIES]]
    if glyphs.ascii:
        return braille.draw_ascii(curves, frame)
    return plot.draw(curves, frame) if spec.engine == "plotext" else braille.draw(curves, frame)


def _gap(times: Sequence[float], step: float) -> float:
    if step <= 0 and len(times) > 1:
        apart = sorted(map(float.__sub__, map(float, times[1:]), map(float, times)))
        step = apart[len(apart) // 2]
    return 1.5 * step if step > 0 else float("inf")


def _body(
    spec: _Spec, frame: Frame, labels: dict[int, str], theme: Theme, glyphs: Glyphs, *, on_axis: bool
) -> list[Text]:
    canvas = _canvas(spec, frame, glyphs)
    styles = {i + 1: _series_style(s, i, theme) for i, s in enumerate(spec.series[:_MAX_SERIES])}
    styles[_GUIDE] = theme["guide"]
    lines = _threshold_rows(spec, frame)
    for index, threshold in enumerate(spec.thresholds[: _GUIDE - _THRESHOLD]):
        styles[_THRESHOLD + index] = theme.drawn(threshold.style)
    guides = sorted({c for c in (frame.column_of(m.at) for m in spec.marks) if 0 <= c < frame.width})
    shades = _shade_columns(spec, frame)
    gutter = spec.width - frame.width
    rows = []
    for index in range(frame.height):
        chars, owners = canvas.rows[index], canvas.owners[index]
        words = [(a, s.word) for (a, b), s in zip(shades, spec.shades, strict=True) if b > a and not index]
        bottom = guides if not on_axis and index == frame.height - 1 else []
        if index in lines or guides or any(word for _, word in words):
            chars, owners = _underlay(chars, owners, _Under(lines.get(index), spec, guides, bottom, words), glyphs)
        spans = [
            Span(found.start() + gutter, found.end() + gutter, styles[found[1][0]])
            for found in _RUNS.finditer(owners)
        ]
        spans += [
            Span(a + gutter, b + gutter, theme[shade.style])
            for (a, b), shade in zip(shades, spec.shades, strict=True)
            if b > a
        ]
        if gutter:
            text = fit(labels.get(index, ""), gutter - 1, right=True, more=glyphs.more) + " "
            chars = clean(text, glyphs) + chars
            spans.append(Span(0, gutter, theme["axis"]))
        rows.append(Text(chars, no_wrap=True, end="", spans=spans))
    return rows


class _Under(msgspec.Struct):
    """What goes into the blank cells of one row of a chart."""

    threshold: int | None
    spec: _Spec
    guides: list[int]
    bottom: list[int]
    words: list[tuple[int, SafeText]]


def _underlay(row: str, owned: bytes, under: _Under, glyphs: Glyphs) -> tuple[str, bytes]:
    chars, owners = list(row), bytearray(owned)
    width = len(chars)
    for column in under.guides:
        if not owners[column]:
            chars[column], owners[column] = glyphs.guide, _GUIDE
    for column in under.bottom:
        chars[column], owners[column] = glyphs.flag, _GUIDE
    for column, word in under.words:
        _write(chars, owners, column, clean(word, glyphs), _GUIDE)
    if under.threshold is not None:
        mark = _THRESHOLD + under.threshold
        for column in range(width):
            if not owners[column]:
                chars[column], owners[column] = glyphs.threshold, mark
        shown = f" {clean(under.spec.thresholds[under.threshold].word, glyphs)} "
        _write(chars, owners, _room(owners, mark, len(shown)), shown, mark)
    return "".join(chars), bytes(owners)


def _write(chars: list[str], owners: bytearray, at: int, word: str, mark: int) -> None:
    """Put a word of narrow characters at a column, or left of it where it would not fit; it is cut at the
    right edge. Wide ones are left out."""
    if width_of(word) != len(word):
        return
    at = min(at, max(0, len(chars) - len(word)))
    for column, char in enumerate(word[: len(chars) - at], at):
        chars[column], owners[column] = char, mark


def _room(owners: bytearray, mark: int, size: int) -> int:
    """The rightmost column where a word fits on its own line, else the left edge."""
    found = bytes(owners).rfind(bytes([mark]) * (size + 2))
    return found + 1 if found >= 0 else 0


def _threshold_rows(spec: _Spec, frame: Frame) -> dict[int, int]:
    """Row -> threshold index; of two in one row the more severe."""
    rows: dict[int, int] = {}
    for index, threshold in enumerate(spec.thresholds[: _GUIDE - _THRESHOLD]):
        if not frame.low <= threshold.value <= frame.high:
            continue
        row = frame.row_of(threshold.value)
        if row not in rows or threshold.style == "critical":
            rows[row] = index
    return rows


def _shade_columns(spec: _Spec, frame: Frame) -> list[tuple[int, int]]:
    found = []
    for shade in spec.shades:
        if shade.end < spec.start or shade.start > spec.end or shade.end < shade.start:
            found.append((0, 0))
            continue
        first = frame.column_of(max(shade.start, spec.start))
        found.append((first, frame.column_of(min(shade.end, spec.end)) + 1))
    return found


def _series_style(series: ChartSeries, index: int, theme: Theme) -> Style:
    return theme[series.style] if series.style else theme.series(index)


def _axis(spec: _Spec, frame: Frame, tz: tzinfo, theme: Theme, glyphs: Glyphs) -> Text:
    """The time axis: marks first, then the labels that they leave room for."""
    chars, owners = [" "] * frame.width, bytearray(frame.width)
    styles = {_GUIDE: theme["axis"]}
    for index, mark in enumerate(spec.marks[: _GUIDE - 1]):
        column = frame.column_of(mark.at)
        if 0 <= column < frame.width:
            glyph = clean(mark.glyph or glyphs.flag, glyphs)
            chars[column] = glyph if width_of(glyph) == len(glyph) == 1 else glyphs.flag
            owners[column] = index + 1
            styles[index + 1] = theme[mark.style]
    for at, text in axes.time_labels(spec.start, spec.end, frame.width, tz):
        column = min(max(0, frame.column_of(at) - len(text) // 2), frame.width - len(text))
        if column >= 0 and not any(owners[max(0, column - 1) : column + len(text) + 1]):
            _write(chars, owners, column, text, _GUIDE)
    gutter = spec.width - frame.width
    spans = [
        Span(found.start() + gutter, found.end() + gutter, styles[found[1][0]])
        for found in _RUNS.finditer(bytes(owners))
    ]
    return Text(" " * gutter + "".join(chars), no_wrap=True, end="", spans=spans)


def _legend(spec: _Spec, theme: Theme, glyphs: Glyphs) -> Text:
    """Each series with its latest value; an unknown one is shown as such."""
    row = Row(spec.width, glyphs)
    for index, series in enumerate(spec.series):
        sign = ASCII_MARKERS[index % len(ASCII_MARKERS)] if glyphs.ascii else "━"
        last = series.values[-1] if series.values else None
        text = numbers.value(last, spec.unit, glyphs)
        legend = clean(series.legend, glyphs)
        if row.left < width_of(legend) + len(text) + 4:
            row.add(f"+{len(spec.series) - index}", theme["dim"])
            break
        row.add(f"{sign} ", _series_style(series, index, theme))
        row.add(f"{legend} ", theme["dim"])
        row.add(f"{text}  ")
    return row.done()
