"""The part of the silence form that says what the silence hides now."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from rich.text import Text
from textual.widgets import Static

from opsconsole.errors import OpsError
from opsconsole.model.alerts import Alert
from opsconsole.model.matchers import Matchers
from opsconsole.model.nearest import Nearest, nearest
from opsconsole.model.radius import Change, Radius, not_known
from opsconsole.render.glyphs import SEVERITY_STYLES
from opsconsole.ui.dialogs.ack import alert_lines
from opsconsole.ui.dialogs.base import paragraphs
from opsconsole.ui.services import Services

MOST_LINES = 20
"""Alerts that are shown one by one."""


class HidesNow(Static):
    """Asks Alertmanager what matchers hide and shows the answer; only the latest question counts."""

    def __init__(self, services: Services, cluster: str) -> None:
        super().__init__("", id="hides-text", markup=False)
        self._services = services
        self._cluster = cluster
        self._matchers: Matchers = ()
        self._radius: Radius | None = None
        self._offers: tuple[Nearest, ...] = ()

    def offer(self, matchers: Matchers) -> Nearest | None:
        """The nearest matchers that hide something, when these are on the screen and hide nothing."""
        return self._offers[0] if self._offers and matchers == self._matchers else None

    def shown(self, matchers: Matchers) -> Radius | None:
        """What is on the screen about these matchers."""
        return self._radius if matchers == self._matchers else None

    def clear(self) -> None:
        """Ask nothing: there are no matchers."""
        self._matchers, self._radius, self._offers = (), None, ()
        self.update("")

    async def ask(self, matchers: Matchers) -> Radius | None:
        """Ask and show; None when something else was asked meanwhile."""
        if matchers != self._matchers:
            self.update(Text("asking Alertmanager what it hides…", style=self._services.theme["dim"]))
        self._matchers, self._radius, self._offers = matchers, None, ()
        try:
            radius = await self._services.runner.preview(self._cluster, matchers)
        except OpsError as error:
            radius = not_known(error)
        offers = await self._near(matchers) if radius.known and not radius.alerts else ()
        if matchers != self._matchers:
            return None
        self._offers = offers
        self.show(radius)
        return radius

    def show(self, radius: Radius, change: Change | None = None) -> None:
        """Show an answer, and what is different from the one before."""
        self._radius = radius
        lines = [*change_lines(self._services, change), *radius_lines(self._services, radius)]
        self.update(paragraphs([*lines, *offer_lines(self._services, self._offers)]))

    async def _near(self, matchers: Matchers) -> tuple[Nearest, ...]:
        """Of the alerts of the list; none when that is not known."""
        services = self._services
        cluster = next((c for c in services.engine.snapshot.clusters if c.name == self._cluster), None)
        if cluster is None or not cluster.alerts.known(services.clock.now()):
            return ()
        # In a thread: there may be many alerts to compare.
        return await asyncio.to_thread(nearest, matchers, cluster.alerts.data or ())


def radius_lines(services: Services, radius: Radius, limit: int = MOST_LINES) -> list[Text]:
    """How many alerts of which severity a silence hides, then each, the critical ones first; or why that is
    not known, and what is known nevertheless."""
    theme, glyphs, count = services.theme, services.glyphs, len(radius.alerts)
    lines: list[Text] = []
    if not radius.known:
        text = Text(f"{glyphs.unknown} UNKNOWN what it hides: {radius.why}", style=theme["unknown"])
        lines.append(text)
        if not count:
            return lines
    head = counted_line(services, "hides now" if radius.known else "known", radius)
    worst_first = sorted(radius.alerts, key=lambda alert: (alert.severity, alert.since))
    return [*lines, head, *alert_lines(services, worst_first, limit=limit)]


def offer_lines(services: Services, offers: Sequence[Nearest]) -> list[Text]:
    """What the nearest matchers would hide and what they change, and the next ones in a line each."""
    lines: list[Text] = []
    dim = services.theme["dim"]
    for index, offer in enumerate(offers):
        if index:
            count = len(offer.alerts)
            lines.append(Text(f"or {', '.join(offer.changes)}: would hide {count:,}", style=dim))
            continue
        lines.append(counted_line(services, "nearest, ctrl+n takes it, would hide", Radius(offer.alerts)))
        lines += [Text(f"  {change}", style=services.theme["strong"]) for change in offer.changes]
    return lines


def counted_line(services: Services, label: str, radius: Radius) -> Text:
    """`hides now: 3 alerts`, and how many of which severity."""
    theme, count = services.theme, len(radius.alerts)
    line = Text(f"{label}: {count:,} alert{'' if count == 1 else 's'}", style=theme["strong"])
    for severity, number in radius.counts.items():
        shown = f"  {services.glyphs.severity(severity)} {number:,} {severity.word}"
        line.append(shown, theme[SEVERITY_STYLES[severity]])
    return line


def change_lines(services: Services, change: Change | None) -> list[Text]:
    """Which alerts came and which went since it was shown."""
    if change is None:
        return []
    return [
        *_moved(services, "came since", change.came, "+"),
        *_moved(services, "went since", change.went, "-"),
    ]


def _moved(services: Services, what: str, alerts: Sequence[Alert], mark: str) -> list[Text]:
    if not alerts:
        return []
    lines = [Text(f"{what}: {len(alerts):,}", style=services.theme["unknown"])]
    return lines + [Text(f"{mark} ").append_text(line) for line in alert_lines(services, alerts, limit=5)]
