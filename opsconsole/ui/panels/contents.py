"""What is inside a panel: its data as rows of exact width, by kind. Pure but for the renderer's cache."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, tzinfo

import msgspec
from rich.text import Text

from opsconsole.model.panels import PanelData, PanelState, headline_series, legend_of, step_of
from opsconsole.model.playbook import Panel, PanelKind, Threshold
from opsconsole.model.series import Series
from opsconsole.model.verdicts import Level, badness
from opsconsole.render import numbers
from opsconsole.render.bars import Bar
from opsconsole.render.charts import (
    ChartSeries,
    Mark,
    ThresholdLine,
    bars,
    gauge,
    line_chart,
    sparkline,
    table,
    threshold_lines,
)
from opsconsole.render.glyphs import UNICODE, Glyphs
from opsconsole.render.row import block, line
from opsconsole.render.theme import DARK, Theme
from opsconsole.text import SafeText, safe, trusted

FLAG = "flag"

_ASCENDING = ("bottomk(", "sort(")
"""How an expression begins whose smallest values are wanted first."""


class Window(msgspec.Struct, frozen=True):
    """The time axis: `start` and `end` in seconds since the epoch, on whole steps so that it stands still
    between them."""

    start: float
    end: float
    step: float


def window_of(length: float, now: float) -> Window:
    """The last `length` seconds, ending at the step that has begun."""
    step = step_of(length)
    end = math.floor(now / step) * step
    return Window(end - length, end, step)


class Look(msgspec.Struct, frozen=True, eq=False, kw_only=True):
    """How everything is drawn: theme, glyphs and time zone."""

    theme: Theme = DARK
    glyphs: Glyphs = UNICODE
    zone: tzinfo = UTC


def chart_series(panel: Panel, data: PanelData) -> tuple[ChartSeries, ...]:
    """Every series of every query with its legend; those of the headline first, so that they are on top."""
    found: list[tuple[bool, ChartSeries]] = []
    for query, result in zip(panel.queries, data.results, strict=False):
        headline = bool(panel.headline) and query.legend == panel.headline
        for series in result.series:
            legend = legend_of(query.legend, series.labels)
            found.append((not headline, ChartSeries(legend, series.times, series.values)))
    return tuple(series for _, series in sorted(found, key=lambda pair: pair[0]))


def contents(
    panel: Panel,
    data: PanelData,
    state: PanelState,
    *,
    width: int,
    height: int,
    window: Window,
    marks: Sequence[Mark],
    look: Look,
) -> tuple[Text, ...]:
    """Exactly `height` rows of `width` cells of the panel's data."""
    if width <= 0 or height <= 0:
        return ()
    if panel.kind is PanelKind.GAUGE:
        return gauge(
            state.value,
            width=width,
            height=height,
            minimum=panel.minimum or 0.0,
            maximum=panel.maximum if panel.maximum is not None else _full_of(panel),
            unit=panel.unit,
            level=_level(panel, state.value),
            theme=look.theme,
            glyphs=look.glyphs,
        )
    if panel.kind is PanelKind.BARS:
        items = [Bar(name, value, _level(panel, value)) for name, value in _latest(panel, data)]
        return bars(
            items[: _kept(panel, height)],
            width=width,
            height=height,
            unit=panel.unit,
            theme=look.theme,
            glyphs=look.glyphs,
        )
    if panel.kind is PanelKind.TABLE:
        return _table(panel, data, width, height, look)
    if panel.kind is PanelKind.NUMBER or height < 2:
        return _number(panel, data, state, width, height, look)
    return line_chart(
        chart_series(panel, data),
        width=width,
        height=height,
        start=window.start,
        end=window.end,
        thresholds=threshold_lines(panel.thresholds) if height >= 3 else _worst_line(panel),
        marks=marks,
        unit=panel.unit,
        minimum=panel.minimum,
        maximum=panel.maximum,
        step=window.step,
        tz=look.zone,
        theme=look.theme,
        glyphs=look.glyphs,
    )


def legend_line(panel: Panel, data: PanelData | None, look: Look) -> list[tuple[SafeText, SafeText]]:
    """The panel's series with their latest values, for its bottom border; only line charts have one."""
    if data is None or panel.kind is not PanelKind.LINE:
        return []
    found = chart_series(panel, data)
    if len(found) < 2:
        return []
    return [(s.legend, numbers.value(s.values[-1] if s.values else None, panel.unit, look.glyphs)) for s in found]


def _kept(panel: Panel, height: int) -> int:
    """How many rows to draw: in a low panel the first ones, instead of a line that counts the others."""
    return min(panel.top, height) if height < 4 else panel.top


def _full_of(panel: Panel) -> float:
    return 1.0 if panel.unit == "ratio" else max([100.0, *(t.bound for t in panel.thresholds)])


def _level(panel: Panel, value: float | None) -> Level:
    if value is None:
        return Level.UNKNOWN
    crossed = [t.level for t in panel.thresholds if t.crossed(value)]
    return max(crossed, key=badness, default=Level.OK)


def _latest(panel: Panel, data: PanelData) -> list[tuple[SafeText, float | None]]:
    """Each series' legend and latest value, the largest first unless the smallest are asked for, unknown ones
    last."""
    found = [
        (legend_of(query.legend, series.labels), series.last)
        for query, result in zip(panel.queries, data.results, strict=False)
        for series in result.series
    ]
    sign = 1.0 if all(query.expr.startswith(_ASCENDING) for query in panel.queries) else -1.0
    return sorted(found, key=lambda pair: (pair[1] is None, sign * (pair[1] or 0.0), pair[0]))


def _table(panel: Panel, data: PanelData, width: int, height: int, look: Look) -> tuple[Text, ...]:
    rows = [
        (name, numbers.value(value, panel.unit, look.glyphs))
        for name, value in _latest(panel, data)[: _kept(panel, height)]
    ]
    if not rows:
        return block([line("nothing to show", width, look.theme["dim"], look.glyphs)], width, height)
    header: tuple[SafeText, ...] = ()
    return table(header, rows, width=width, height=height, right=(1,), theme=look.theme, glyphs=look.glyphs)


def _number(
    panel: Panel, data: PanelData, state: PanelState, width: int, height: int, look: Look
) -> tuple[Text, ...]:
    """A sparkline of the headline on the last row; with room, the figure large above it."""
    series = _worst_series(panel, headline_series(panel, data), state.value)
    values = list(series.values) if series is not None else []
    spark = sparkline(
        _resampled(values, width),
        width=width,
        minimum=panel.minimum,
        theme=look.theme,
        glyphs=look.glyphs,
    )
    rows: list[Text] = []
    if height >= 2 and panel.kind is PanelKind.NUMBER:
        rows += [line("", width)] * ((height - 2) // 2)
        rows.append(line(numbers.value(state.value, panel.unit, look.glyphs), width, look.theme["value"]))
        rows += [line("", width)] * (height - 1 - len(rows))
    return block([*rows, spark], width, height)


def _worst_series(panel: Panel, series: Sequence[Series], value: float | None) -> Series | None:
    """The series whose latest value is the panel's value, else the first."""
    return next((s for s in series if s.last == value), series[0] if series else None)


def _resampled(values: Sequence[float], width: int) -> list[float | None]:
    """At most `width` values over the whole window: of each stretch the one farthest from zero."""
    if len(values) <= width or width <= 0:
        return [None if math.isnan(v) else v for v in values]
    out: list[float | None] = []
    for i in range(width):
        part = [v for v in values[len(values) * i // width : len(values) * (i + 1) // width] if v == v]
        out.append(max(part, key=abs) if part else None)
    return out


def _worst_line(panel: Panel) -> tuple[ThresholdLine, ...]:
    worst: Sequence[Threshold] = sorted(panel.thresholds, key=lambda t: badness(t.level))[-1:]
    return threshold_lines(worst)


def flag_marks(changes: Sequence[object], window: Window) -> tuple[Mark, ...]:
    """The flag changes inside the window, for the time axis."""
    times = (getattr(change, "at", 0.0) for change in changes)
    return tuple(Mark(at) for at in times if window.start <= at <= window.end)


def no_answer(reason: str, width: int, height: int, look: Look) -> tuple[Text, ...]:
    """Rows for a panel of which nothing is known, with the reason."""
    words = safe(reason) or trusted("not asked yet")
    rows = [line("", width) for _ in range((height - 1) // 2)]
    rows.append(line(words, width, look.theme["unknown"], look.glyphs, centre=True))
    return block(rows, width, height)
