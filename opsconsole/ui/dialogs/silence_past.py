"""The line of the silence form that says what it would have hidden in the last week."""

from __future__ import annotations

from rich.text import Text
from textual.widgets import Static

from opsconsole.model.matchers import Matchers
from opsconsole.model.pastradius import DAYS, Past, beside_now
from opsconsole.model.severity import Severity
from opsconsole.render.glyphs import SEVERITY_STYLES
from opsconsole.render.theme import Theme
from opsconsole.state.past import ask_past
from opsconsole.ui.services import Services

MOST_NAMES = 3
"""Critical alerts that are named."""


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


def past_text(theme: Theme, past: Past) -> Text:
    """`last 7 days: 12 alerts (2 critical: HighErrorRate, PoolDown; 10 warning)`, or why it is not known and
    what is known nevertheless."""
    text = Text(f"last {DAYS} days: ", style=theme["unknown" if past.why else "strong"])
    if past.why:
        text.append(f"not known: {past.why}")
        if not past.total:
            return text
        text.append("; known: ")
    text.append(f"{past.total:,} alert{'' if past.total == 1 else 's'}")
    if not past.total:
        return text
    parts = [Text(f"{number:,} {severity.word}") for severity, number in past.counts.items()]
    if past.criticals:
        left = len(past.criticals) - MOST_NAMES
        names = ", ".join(past.criticals[:MOST_NAMES]) + (f" and {left} more names" if left > 0 else "")
        parts[0] = Text(f"{parts[0]}: {names}", theme[SEVERITY_STYLES[Severity.CRITICAL]])
    text.append(" (").append_text(_joined(parts, bool(past.criticals))).append(")")
    return text


def _joined(parts: list[Text], names_first: bool) -> Text:
    """The parts with commas between; after names a semicolon."""
    joined = Text()
    for index, part in enumerate(parts):
        if index:
            joined.append("; " if index == 1 and names_first else ", ")
        joined.append_text(part)
    return joined
