"""One panel on the whole screen: a chart of a chosen range, every series with its value, and the queries."""

from __future__ import annotations

from typing import ClassVar

import msgspec
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import BindingType

from opsconsole.actions.focus import Focus
from opsconsole.actions.keys import Scope
from opsconsole.model.panels import PanelData, PanelState, panel_state
from opsconsole.model.playbook import Panel, PanelKind
from opsconsole.model.reading import Reading
from opsconsole.render import numbers
from opsconsole.render.charts import line_chart, threshold_lines
from opsconsole.render.panel import panel_box
from opsconsole.render.row import Row, wrapped
from opsconsole.render.times import clock, format_duration
from opsconsole.state.snapshot import Snapshot
from opsconsole.text import SafeText, safe, safe_block, trusted
from opsconsole.ui.bindings import bindings_for
from opsconsole.ui.dialogs.text_view import copy_text
from opsconsole.ui.lines import Lines
from opsconsole.ui.panels.chart import WAITING, figure, stale_note
from opsconsole.ui.panels.contents import (
    Look,
    Window,
    chart_series,
    contents,
    flag_marks,
    no_answer,
    window_of,
)
from opsconsole.ui.panels.ranges import RangeReading
from opsconsole.ui.screens.base import ConsoleScreen
from opsconsole.ui.services import Services

RANGES = (900.0, 3600.0, 21_600.0, 86_400.0)
"""The ranges that `w` goes through, in seconds."""

_CHARTS = frozenset({PanelKind.LINE, PanelKind.NUMBER, PanelKind.GAUGE})


class PanelViewScreen(ConsoleScreen):
    """The panel with this key (`system/id`). The panel's own range comes with the snapshots; for others the
    whole range is asked for when a step has passed."""

    scope = Scope.OVERVIEW
    footer_ids = ("range", "copy", "back", "help", "palette", "quit")
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_for(Scope.OVERVIEW)]

    def __init__(self, services: Services, key: str, panel: Panel) -> None:
        super().__init__(services)
        self._key = key
        self._panel = panel
        self._range = panel.window
        self._other = RangeReading(services, self, lambda: self.show(self.snapshot))
        self._look = Look(theme=services.theme, glyphs=services.glyphs, zone=services.zone)
        self._drawn: tuple[object, ...] = ()

    def body(self) -> ComposeResult:
        yield Lines(id="panel_chart")
        yield Lines(id="panel_series")

    def watched(self) -> tuple[str, ...]:
        return (self._key,)

    def focus_now(self) -> Focus:
        return self.base_focus()

    def show(self, snapshot: Snapshot) -> None:
        window = window_of(self._range, snapshot.now)
        current = snapshot.panels.get(self._key, WAITING)
        reading = current if self._own_range else self._other.get(self._panel, window)
        below = self._below(reading, snapshot)
        self.query_one("#panel_series", Lines).show(below)
        width, height = self.app.size.width, max(6, self.app.size.height - 3 - len(below))
        state = panel_state(self._panel, current, snapshot.now)
        marks = flag_marks(snapshot.changes, window)
        why = reading.why(snapshot.now) if reading.data is None else ""
        note = stale_note(current, state, snapshot.now)
        wanted = (reading.data, why, state, note, window, marks, width, height, self._range)
        if wanted == self._drawn:
            return
        self._drawn = wanted
        self.query_one("#panel_chart", Lines).show(
            self._chart(reading, current, state, window, snapshot, width, height)
        )

    def do_range(self) -> None:
        longer = [r for r in RANGES if r > self._range]
        self._range = longer[0] if longer else RANGES[0]
        self.show(self.snapshot)

    def do_open(self) -> None:
        self.do_copy()

    def do_copy(self) -> None:
        copy_text(self.console_app, self.services, "Query", queries_of(self._panel))

    def do_back(self) -> None:
        self.dismiss()

    def do_dashboard(self) -> None:
        self.do_back()

    def do_ack(self) -> None:
        """No alert stands here; the registry's reason has been told."""

    @property
    def _own_range(self) -> bool:
        return self._range == self._panel.window and self._panel.kind is not PanelKind.GAUGE

    def _chart(
        self,
        reading: Reading[PanelData],
        current: Reading[PanelData],
        state: PanelState,
        window: Window,
        snapshot: Snapshot,
        width: int,
        height: int,
    ) -> tuple[Text, ...]:
        panel, look = self._panel, self._look
        inner, rows = width - 2, height - 2
        marks = flag_marks(snapshot.changes, window)
        data = reading.data
        if data is None:
            body = no_answer(reading.why(snapshot.now), inner, rows, look)
        elif panel.kind in _CHARTS:
            body = line_chart(
                chart_series(panel, data),
                width=inner,
                height=rows,
                start=window.start,
                end=window.end,
                thresholds=threshold_lines(panel.thresholds),
                marks=marks,
                unit=panel.unit,
                minimum=panel.minimum,
                maximum=panel.maximum,
                step=window.step,
                engine="plotext",
                tz=look.zone,
                theme=look.theme,
                glyphs=look.glyphs,
            )
        else:
            whole = msgspec.structs.replace(panel, top=max(panel.top, rows))
            body = contents(whole, data, state, width=inner, height=rows, window=window, marks=marks, look=look)
        title = safe(f"{panel.title} · {range_word(self._range)}")
        note = stale_note(current, state, snapshot.now)
        changes = [c for c in snapshot.changes if window.start <= c.at <= window.end]
        flags = "  ".join(f"{look.glyphs.flag} {clock(c.at, look.zone)} {safe(c.key, 40)}" for c in changes[-3:])
        return panel_box(
            title,
            figure(panel, state, look),
            state.level,
            body,
            safe(flags),
            width,
            height,
            note,
            theme=look.theme,
            glyphs=look.glyphs,
        )

    def _below(self, reading: Reading[PanelData], snapshot: Snapshot) -> list[Text]:
        """Which range, each series' latest value, the thresholds, the queries."""
        width = self.app.size.width
        theme, glyphs = self._look.theme, self._look.glyphs
        head = Row(width, glyphs)
        head.space()
        for seconds in sorted({*RANGES, self._panel.window}):
            chosen = seconds == self._range
            head.add(f" {range_word(seconds)} ", theme["active" if chosen else "dim"])
        lines = [head.done(), *self._series(reading, width)]
        if not self._own_range and reading.why(snapshot.now) and reading.data is not None:
            lines.append(self._said(reading.why(snapshot.now), "unknown", width))
        room = max(1, self.app.size.height // 5)
        each = max(2, min(6, (room + 4) // len(self._panel.queries)))
        for query in self._panel.queries:
            for index, part in enumerate(wrapped(" ".join(query.expr.split()), width - 14, each, glyphs)):
                row = Row(width, glyphs)
                row.space()
                row.add("" if index else query.legend or "query", theme["key"], 12)
                row.space()
                row.add(part, theme["dim"])
                lines.append(row.done())
        return lines[: room + 6]

    def _series(self, reading: Reading[PanelData], width: int) -> list[Text]:
        theme, glyphs = self._look.theme, self._look.glyphs
        if reading.data is None or self._panel.kind not in _CHARTS:
            return []
        found = chart_series(self._panel, reading.data)
        lines: list[Text] = []
        row = Row(width, glyphs)
        row.space()
        for index, series in enumerate(found[:24]):
            value = numbers.value(series.values[-1] if series.values else None, self._panel.unit, glyphs)
            name = series.legend or trusted("value")
            if row.cells + len(name) + len(value) + 5 > width and row.cells > 1:
                lines.append(row.done())
                row = Row(width, glyphs)
                row.space()
            row.add("━ " if not glyphs.ascii else "- ", theme.series(index))
            row.add(f"{name} ", theme["dim"])
            row.add(f"{value}   ")
        lines.append(row.done())
        return lines[:3]

    def _said(self, text: SafeText, style: str, width: int) -> Text:
        row = Row(width, self._look.glyphs)
        row.space()
        row.add(text, self._look.theme[style])
        return row.done()


def queries_of(panel: Panel) -> SafeText:
    """A panel's expressions, one after another, as they can be pasted into Prometheus."""
    return safe_block("\n\n".join(query.expr.strip() for query in panel.queries))


def range_word(seconds: float) -> SafeText:
    """A range as the keys name it: `15m`, `24h`."""
    hours = seconds / 3600
    return trusted(f"{hours:.0f}h") if hours >= 1 and hours == int(hours) else format_duration(seconds)
