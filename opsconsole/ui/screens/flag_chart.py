"""The panel of the Flags screen: errors or what the playbook chose, with a flag's changes on its time axis."""

from __future__ import annotations

from collections.abc import Callable

from rich.text import Text
from textual.screen import Screen

from opsconsole.model.flags import Flag, FlagChange
from opsconsole.model.panels import PanelData, PanelState, panel_state
from opsconsole.model.playbook import Panel
from opsconsole.model.reading import Reading
from opsconsole.render.charts import Mark, line_chart, threshold_lines
from opsconsole.render.panel import panel_box
from opsconsole.render.times import clock, format_duration
from opsconsole.state.snapshot import Snapshot
from opsconsole.text import SafeText, safe, trusted
from opsconsole.ui.panels.chart import WAITING, figure, stale_note
from opsconsole.ui.panels.contents import Look, Window, chart_series, no_answer, window_of
from opsconsole.ui.panels.ranges import RangeReading
from opsconsole.ui.screens.flag_story import last_change
from opsconsole.ui.services import Services

_RANGES = (0.0, 3600.0, 21_600.0, 86_400.0)
"""What `turn` goes through: 0 is the panel's own range, or the hour around a change that lies before it."""

_CLOSE = (900.0, 1800.0, 3600.0)


class FlagChart:
    """Draws one panel in a box, and asks for another range of it when a change lies outside its own. `changed`
    is called on the screen when such an answer is there."""

    def __init__(self, services: Services, screen: Screen[None], changed: Callable[[], None]) -> None:
        self._look = Look(theme=services.theme, glyphs=services.glyphs, zone=services.zone)
        self._other = RangeReading(services, screen, changed)
        self._range = 0.0
        self._drawn: tuple[object, ...] = ()

    def turn(self) -> None:
        """Go on to the next range."""
        self._range = _RANGES[(_RANGES.index(self._range) + 1) % len(_RANGES)]

    def rows(
        self, key: str, panel: Panel, flag: Flag | None, snapshot: Snapshot, width: int, height: int
    ) -> tuple[Text, ...] | None:
        """The box in so many cells; None when it would show what it showed last time."""
        change = last_change(snapshot, flag.key) if flag is not None else None
        window, own = self._window(panel, change, snapshot.now)
        current = snapshot.panels.get(key, WAITING)
        reading = current if own else self._other.get(panel, window)
        state = panel_state(panel, current, snapshot.now)
        marks = _marks(flag, snapshot, window)
        note = stale_note(current, state, snapshot.now)
        wanted = (reading, state, window, marks, note, width, height, self._range)
        if wanted[1:] == self._drawn[1:] and self._same(reading, snapshot.now):
            return None
        self._drawn = wanted
        curve = self._curve(panel, reading, window, marks, snapshot.now, (width - 2, height - 2))
        return self._box(panel, state, change, window, curve, note, (width, height))

    def _box(
        self,
        panel: Panel,
        state: PanelState,
        change: FlagChange | None,
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
            trusted(f"{look.glyphs.flag} {clock(change.at, look.zone)}") if change else trusted(""),
            *size,
            note,
            theme=look.theme,
            glyphs=look.glyphs,
        )

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


def _marks(flag: Flag | None, snapshot: Snapshot, window: Window) -> tuple[Mark, ...]:
    return tuple(
        Mark(change.at)
        for change in snapshot.changes
        if flag is not None and change.key == flag.key and window.start <= change.at <= window.end
    )
