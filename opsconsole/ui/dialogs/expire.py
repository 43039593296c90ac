"""Before silences are expired: which alerts come back."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.widgets import Static

from opsconsole.errors import OpsError
from opsconsole.model.radius import Radius, coming_back, not_known
from opsconsole.model.silences import Silence
from opsconsole.ui.dialogs.ack import alert_lines
from opsconsole.ui.dialogs.base import paragraphs, words
from opsconsole.ui.dialogs.confirm import ConfirmDialog
from opsconsole.ui.dialogs.silence_now import counted_line
from opsconsole.ui.services import Services

MOST_LINES = 10
"""Alerts that are shown one by one."""


class ExpireDialog(ConfirmDialog):
    """Gives True on enter. Below `lines` stands what comes back when all of `silences` end, asked of Alertmanager;
    not knowing keeps nobody from expiring them."""

    def __init__(
        self,
        services: Services,
        title: str,
        lines: Sequence[str | Text],
        silences: Sequence[Silence],
        *,
        verb: str = "expire it",
    ) -> None:
        super().__init__(services, title, lines, verb=verb)
        self._silences = tuple(silences)

    def inside(self) -> ComposeResult:
        with VerticalScroll(classes="dialog-body"):
            yield Static(self._body, markup=False)
            yield words("asking Alertmanager what comes back…", self.services.theme["dim"], id="comes-back")

    def on_mount(self) -> None:
        self.run_worker(self._ask(), group="comes-back", exit_on_error=False)

    async def _ask(self) -> None:
        found = await asyncio.gather(*(self._radius(silence) for silence in self._silences))
        lines = back_lines(self.services, found, {silence.id for silence in self._silences})
        self.query_one("#comes-back", Static).update(paragraphs(lines))

    async def _radius(self, silence: Silence) -> Radius:
        try:
            return await self.services.runner.preview(silence.cluster, silence.matchers)
        except OpsError as error:
            return not_known(error)


def back_lines(services: Services, found: Sequence[Radius], ending: set[str]) -> list[Text]:
    """How many alerts of which severity nothing else hides, then each, the critical ones first; and why that is
    not known when it is not."""
    theme = services.theme
    hidden = {alert.key: alert for radius in found for alert in radius.alerts}
    back = Radius(coming_back(hidden.values(), ending))
    why = next((radius.why for radius in found if not radius.known), "")
    lines: list[Text] = []
    if why:
        lines.append(Text(f"{services.glyphs.unknown} UNKNOWN what comes back: {why}", style=theme["unknown"]))
        if not back.alerts:
            return lines
    lines.append(counted_line(services, "known" if why else "comes back and may notify", back))
    worst_first = sorted(back.alerts, key=lambda alert: (alert.severity, alert.since))
    lines += alert_lines(services, worst_first, limit=MOST_LINES)
    still = sum(bool(ending & set(alert.status.silenced_by)) for alert in hidden.values()) - len(back.alerts)
    if still:
        noun = "alert stays" if still == 1 else "alerts stay"
        lines.append(Text(f"{still:,} {noun} hidden by another silence or inhibited", style=theme["dim"]))
    return lines
