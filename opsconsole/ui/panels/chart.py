"""One panel on the screen: redrawn only when its data, its size, its state or its time axis changed."""

from __future__ import annotations

from rich.text import Text
from textual.message import Message

from opsconsole.model.panels import PanelData, PanelState, panel_state
from opsconsole.model.playbook import Panel, PanelKind
from opsconsole.model.reading import Freshness, Reading
from opsconsole.model.verdicts import Level
from opsconsole.render import numbers
from opsconsole.render.panel import panel_box
from opsconsole.render.times import ago, clock
from opsconsole.state.snapshot import Snapshot
from opsconsole.text import SafeText, safe, trusted
from opsconsole.ui.lines import Lines
from opsconsole.ui.panels.contents import (
    Look,
    Window,
    contents,
    flag_marks,
    legend_line,
    no_answer,
    window_of,
)
from opsconsole.ui.services import Services

WAITING: Reading[PanelData] = Reading()


class ChartPanel(Lines):
    """A panel in its box. `key` is `system/panel-id`."""

    class Pressed(Message):
        """The panel was clicked."""

        def __init__(self, key: str) -> None:
            super().__init__()
            self.key = key

    def __init__(self, services: Services, key: str, panel: Panel) -> None:
        super().__init__()
        self.key = key
        self.panel = panel
        self._look = Look(theme=services.theme, glyphs=services.glyphs, zone=services.zone)
        self._snapshot: Snapshot | None = None
        self._focused = False
        self._drawn: tuple[object, ...] = ()

    def show_snapshot(self, snapshot: Snapshot, *, focused: bool) -> None:
        """Draw the panel's part of a snapshot."""
        self._snapshot, self._focused = snapshot, focused
        self._draw()

    def set_focused(self, focused: bool) -> None:
        """Draw the border with or without the focus."""
        self._focused = focused
        self._draw()

    def on_resize(self) -> None:
        self._draw()

    def on_click(self) -> None:
        self.post_message(self.Pressed(self.key))

    def _draw(self) -> None:
        snapshot, (width, height) = self._snapshot, self.size
        if snapshot is None or width < 2 or height < 2:
            return
        reading = snapshot.panels.get(self.key, WAITING)
        state = panel_state(self.panel, reading, snapshot.now)
        window = window_of(self.panel.window, snapshot.now)
        marks = flag_marks(snapshot.changes, window)
        note = stale_note(reading, state, snapshot.now)
        wanted = (reading.data, state, window, marks, note, self._focused, width, height)
        if wanted == self._drawn:
            return
        self._drawn = wanted
        data = reading.data
        if data is None:
            body = no_answer(state.reason, width - 2, height - 2, self._look)
        else:
            body = contents(
                self.panel,
                data,
                state,
                width=width - 2,
                height=height - 2,
                window=window,
                marks=marks,
                look=self._look,
            )
        self.show(self._boxed(state, body, data, window, note, width, height))

    def _boxed(
        self,
        state: PanelState,
        body: tuple[Text, ...],
        data: PanelData | None,
        window: Window,
        note: SafeText,
        width: int,
        height: int,
    ) -> tuple[Text, ...]:
        title = self.panel.title
        return panel_box(
            safe(f"{self._look.glyphs.pointer} {title}") if self._focused else title,
            figure(self.panel, state, self._look),
            state.level,
            body,
            self._footer(data, window),
            width,
            height,
            note,
            focused=self._focused,
            theme=self._look.theme,
            glyphs=self._look.glyphs,
        )

    def _footer(self, data: PanelData | None, window: Window) -> SafeText:
        parts = [f"{name} {value}" for name, value in legend_line(self.panel, data, self._look)]
        changes = self._snapshot.changes if self._snapshot is not None else ()
        latest = max((c.at for c in changes if window.start <= c.at <= window.end), default=None)
        if latest is not None and self.panel.kind is PanelKind.LINE:
            parts.insert(0, f"{self._look.glyphs.flag} {clock(latest, self._look.zone)}")
        return safe("  ".join(parts))


def stale_note(reading: Reading[PanelData], state: PanelState, now: float) -> SafeText:
    """Why a panel is not known, in a word or two for its border: `stale 42s`, or the reason; "" when it is."""
    if state.level is not Level.UNKNOWN:
        return trusted("")
    freshness, age = reading.freshness(now), reading.age(now)
    if freshness in {Freshness.STALE, Freshness.FAILED} and age is not None:
        return trusted(f"stale {ago(age)}")
    if freshness is Freshness.FAILED and reading.failure is not None:
        return safe(reading.failure.kind)
    if freshness is Freshness.WAITING:
        return trusted("waiting")
    return trusted("partial") if reading.warnings else safe(state.reason)


def figure(panel: Panel, state: PanelState, look: Look) -> SafeText:
    """The headline's name and value: `p95 1.24 s`; "" when there is no value and that is fine."""
    if state.value is None and state.level is Level.OK:
        return trusted("")
    value = numbers.value(state.value, panel.unit, look.glyphs)
    several = panel.headline and len(panel.queries) > 1
    return safe(f"{panel.headline} {value}") if several else value
