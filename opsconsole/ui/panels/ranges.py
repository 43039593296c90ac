"""A panel over another range than its own: asked for when needed, kept until a step has passed."""

from __future__ import annotations

from collections.abc import Callable

from textual.screen import Screen

from opsconsole.errors import SourceError
from opsconsole.model.panels import PanelData
from opsconsole.model.playbook import Panel
from opsconsole.model.reading import Failure, Reading
from opsconsole.text import safe
from opsconsole.ui.panels.contents import Window
from opsconsole.ui.services import Services


class RangeReading:
    """The newest answer for one panel and window. `changed` is called on the screen when a new one is there.
    A question ends the one before it of the same `group`."""

    def __init__(
        self, services: Services, screen: Screen[None], changed: Callable[[], None], *, group: str = "range"
    ) -> None:
        self._services = services
        self._screen = screen
        self._changed = changed
        self._group = group
        self._wanted: tuple[Panel, Window] | None = None
        self._reading: Reading[PanelData] = Reading()

    def get(self, panel: Panel, window: Window) -> Reading[PanelData]:
        """What is known of this panel in this window, asking for it when it was not asked for yet. While a
        window only moves on, the answer before it stays."""
        if self._wanted != (panel, window):
            before = self._wanted
            same = before is not None and before[0] is panel and before[1].step == window.step
            if not same or before is None or abs(before[1].start - window.start) > window.end - window.start:
                self._reading = Reading()
            self._wanted = (panel, window)
            self._screen.run_worker(
                self._ask(panel, window), group=self._group, exclusive=True, exit_on_error=False
            )
        return self._reading

    async def _ask(self, panel: Panel, window: Window) -> None:
        now = self._services.engine.snapshot.now
        kept = Reading(data=self._reading.data, at=self._reading.at, limit=60.0 + 3 * window.step)
        try:
            results = [
                await self._services.engine.ask_range(
                    query.expr, start=window.start, end=window.end, step=window.step
                )
                for query in panel.queries
            ]
        except SourceError as error:
            failure = Failure(kind=error.kind, message=safe(error.message), hint=safe(error.hint))
            self._reading = kept.failed(failure, now)
        else:
            warnings = tuple(w for result in results for w in result.warnings)
            self._reading = kept.good(PanelData(tuple(results)), now, warnings)
        if self._screen.is_mounted:
            self._changed()
