"""The panels of the Flags screen, errors and latency, with a flag's changes on their time axis."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.text import Text
from textual.screen import Screen

from opsconsole.model.flags import Flag, FlagChange
from opsconsole.model.panels import PanelData, PanelState, panel_state
from opsconsole.model.playbook import Panel
from opsconsole.model.reading import Reading
from opsconsole.render.charts import Mark, line_chart, threshold_lines
from opsconsole.render.panel import panel_box
from opsconsole.render.row import NOTHING
from opsconsole.render.times import clock, format_duration
from opsconsole.state.snapshot import Snapshot
from opsconsole.text import SafeText, safe
from opsconsole.ui.panels.chart import WAITING, figure, stale_note
from opsconsole.ui.panels.contents import Look, Window, chart_series, no_answer, window_of
from opsconsole.ui.panels.ranges import RangeReading
from opsconsole.ui.screens.flag_story import last_change
from opsconsole.ui.services import Services

_RANGES = (0.0, 3600.0, 21_600.0, 86_400.0)
"""What `turn` goes through: 0 is the panel's own range, or the hour around a change that lies before it."""

_CLOSE = (900.0, 1800.0, 3600.0)


WIDE = 100
"""The columns from which two charts stand side by side."""


class FlagCharts:
    """The charts side by side where there is room, else one of them, and `turn_panel` goes to the next."""

    def __init__(self, services: Services, screen: Screen[None], changed: Callable[[], None]) -> None:
        self._charts = [FlagChart(services, screen, changed, place) for place in range(2)]
        self._first = 0
        self._drawn: tuple[tuple[Text, ...], ...] = ()
        self._rows: tuple[Text, ...] = ()

    def turn(self) -> None:
        """Go on to the next range."""
        for chart in self._charts:
            chart.turn()

    def turn_panel(self) -> None:
        """Show the next panel where there is room for one."""
        self._first += 1

    def rows(
        self,
        panels: Sequence[tuple[str, Panel]],
        flag: Flag | None,
        snapshot: Snapshot,
        width: int,
        height: int,
    ) -> tuple[Text, ...]:
        """The boxes of these panels (with their keys `system/id`) in so many cells."""
        shown, hint = list(enumerate(panels))[: len(self._charts)], NOTHING
        if width < WIDE and len(shown) > 1:
            following = shown[(self._first + 1) % len(shown)][1][1]
            shown, hint = [shown[self._first % len(shown)]], safe(f"tab {following.title}", 60)
        each = width // max(1, len(shown))
        widths = [each] * (len(shown) - 1) + [width - each * (len(shown) - 1)]
        boxes = tuple(
            self._charts[place].rows(key, panel, flag, snapshot, cells, height, hint)
            for (place, (key, panel)), cells in zip(shown, widths, strict=True)
        )
        if any(a is not b for a, b in zip(boxes, self._drawn, strict=False)) or len(boxes) != len(self._drawn):
            self._drawn = boxes
            self._rows = boxes[0] if len(boxes) == 1 else tuple(_beside(*row) for row in zip(*boxes, strict=True))
        return self._rows


class FlagChart:
    """Draws one panel in a box, and asks for another range of it when a change lies outside its own. `changed`
    is called on the screen when such an answer is there. `place` tells it from the others of the screen."""

    def __init__(
        self, services: Services, screen: Screen[None], changed: Callable[[], None], place: int = 0
    ) -> None:
        self._look = Look(theme=services.theme, glyphs=services.glyphs, zone=services.zone)
        self._other = RangeReading(services, screen, changed, group=f"range {place}")
        self._range = 0.0
        self._drawn: tuple[object, ...] = ()
        self._rows: tuple[Text, ...] = ()

    def turn(self) -> None:
        """Go on to the next range."""
        self._range = _RANGES[(_RANGES.index(self._range) + 1) % len(_RANGES)]

    def rows(
        self,
        key: str,
        panel: Panel,
        flag: Flag | None,
        snapshot: Snapshot,
        width: int,
        height: int,
        hint: SafeText = NOTHING,
    ) -> tuple[Text, ...]:
        """The box in so many cells, with a hint in its frame; the same tuple as last time when it would show the
        same."""
        change = last_change(snapshot, flag.key) if flag is not None else None
        window, own = self._window(panel, change, snapshot.now)
        current = snapshot.panels.get(key, WAITING)
        reading = current if own else self._other.get(panel, window)
        state = panel_state(panel, current, snapshot.now)
        marks = _marks(flag, snapshot, window)
        note = stale_note(current, state, snapshot.now)
        wanted = (reading, state, window, marks, note, width, height, self._range, key, hint)
        if wanted[1:] != self._drawn[1:] or not self._same(reading, snapshot.now):
            self._drawn = wanted
            curve = self._curve(panel, reading, window, marks, snapshot.now, (width - 2, height - 2))
            self._rows = self._box(panel, state, self._footer(change, hint), window, curve, note, (width, height))
        return self._rows

    def _box(
        self,
        panel: Panel,
        state: PanelState,
        footer: SafeText,
        window: Window,
        curve: tuple[Text, ...],
        note: SafeText,
        size: tuple[int, int],
    ) -> tuple[Text, ...]:
        look = self._look
        return panel_box(
            safe(f"{panel.title} · {format_duration(window.end - window.start)}"),
            figure(panel, state, look),
            state.level,
            curve,
            footer,
            *size,
            note,
            theme=look.theme,
            glyphs=look.glyphs,
        )

    def _footer(self, change: FlagChange | None, hint: SafeText) -> SafeText:
        mark = f"{self._look.glyphs.flag} {clock(change.at, self._look.zone)}" if change else ""
        return safe("   ".join(filter(None, (mark, hint))))

    def _same(self, reading: Reading[PanelData], now: float) -> bool:
        """Whether a reading shows what the one drawn shows; its time alone changes nothing."""
        old = self._drawn[0]
        if not isinstance(old, Reading) or old.data != reading.data:
            return False
        return reading.data is not None or old.why(now) == reading.why(now)

    def _curve(
        self,
        panel: Panel,
        reading: Reading[PanelData],
        window: Window,
        marks: tuple[Mark, ...],
        now: float,
        size: tuple[int, int],
    ) -> tuple[Text, ...]:
        width, height = size
        if reading.data is None:
            return no_answer(reading.why(now), width, height, self._look)
        return line_chart(
            chart_series(panel, reading.data),
            width=width,
            height=height,
            start=window.start,
            end=window.end,
            thresholds=threshold_lines(panel.thresholds),
            marks=marks,
            unit=panel.unit,
            minimum=panel.minimum,
            maximum=panel.maximum,
            step=window.step,
            tz=self._look.zone,
            theme=self._look.theme,
            glyphs=self._look.glyphs,
        )

    def _window(self, panel: Panel, change: FlagChange | None, now: float) -> tuple[Window, bool]:
        """The time axis, and whether the snapshot's own data covers it."""
        if self._range:
            return window_of(self._range, now), self._range == panel.window
        own = window_of(panel.window, now)
        if change is not None and change.at >= own.start:
            # As much before the change as after it, at least, but no more of the past than that needs.
            length = next((r for r in _CLOSE if r >= 2 * (now - change.at)), panel.window)
            return Window(own.end - min(length, panel.window), own.end, own.step), True
        if change is None:
            return own, True
        return window_of(3600.0, min(now, change.at + 1800.0)), False


def _beside(*parts: Text) -> Text:
    row = Text(no_wrap=True, end="")
    for part in parts:
        row.append_text(part)
    return row


def _marks(flag: Flag | None, snapshot: Snapshot, window: Window) -> tuple[Mark, ...]:
    return tuple(
        Mark(change.at)
        for change in snapshot.changes
        if flag is not None and change.key == flag.key and window.start <= change.at <= window.end
    )
