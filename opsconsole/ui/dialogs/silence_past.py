"""The line of the silence form that says what it would have hidden in the last week."""

from __future__ import annotations

from rich.text import Text
from textual.widgets import Static

from opsconsole.model.matchers import Matchers
from opsconsole.model.pastradius import DAYS, Past, beside_now
from opsconsole.render.past import past_text
from opsconsole.state.past import ask_past
from opsconsole.ui.services import Services


class PastLine(Static):
    """Asks Prometheus in the background; a new question takes the place of the one before."""

    def __init__(self, services: Services) -> None:
        super().__init__("", id="past-text", markup=False)
        self._services = services
        self._matchers: Matchers | None = None
        self._past: Past | None = None
        self._hidden: int | None = None

    def ask(self, matchers: Matchers) -> None:
        """Show what these matchers would have hidden, as soon as that is known."""
        if matchers == self._matchers and (self._past is None or not self._past.why):
            return
        self._matchers, self._past, self._hidden = matchers, None, None
        self.update(Text(f"last {DAYS} days: asking Prometheus…", style=self._services.theme["dim"]))
        self.run_worker(self._ask(matchers), group="past", exclusive=True, exit_on_error=False)

    def clear(self) -> None:
        """Ask nothing: there are no matchers."""
        self._matchers = self._past = self._hidden = None
        self.workers.cancel_group(self, "past")
        self.update("")

    def hidden_now(self, matchers: Matchers, count: int | None) -> None:
        """How many alerts these matchers hide now, by Alertmanager; None when that is not known."""
        if matchers == self._matchers:
            self._hidden = count
            self._draw()

    async def _ask(self, matchers: Matchers) -> None:
        past = await ask_past(self._services.engine.ask, matchers)
        if matchers == self._matchers:
            self._past = past
            self._draw()

    def _draw(self) -> None:
        if self._past is not None:
            self.update(past_text(self._services.theme, beside_now(self._past, self._hidden)))
