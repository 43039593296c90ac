"""The strip "Firing now": the worst alerts under the panels."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

import msgspec
from rich.text import Text

from opsconsole.model.alertlist import AlertRow, distinguishing
from opsconsole.model.flagchanges import SUSPICIOUS
from opsconsole.model.flags import FlagChange
from opsconsole.model.severity import AlertState
from opsconsole.render.alerts import firing_row
from opsconsole.render.row import Row
from opsconsole.render.status import SourceStatus, empty_line
from opsconsole.render.times import ago
from opsconsole.state.snapshot import Snapshot
from opsconsole.text import SafeText, safe, trusted
from opsconsole.ui.bars import alert_sources
from opsconsole.ui.lines import Lines
from opsconsole.ui.services import Services

_WITH_EXTENDER = 140
"""The columns from which there is room for who extends an ack."""


class FiringStrip(Lines):
    """A box with a fixed number of rows, so that nothing under or above it moves when alerts come and go."""

    def __init__(self, services: Services) -> None:
        super().__init__()
        self._services = services
        self._rows: tuple[AlertRow, ...] = ()
        self._snapshot: Snapshot | None = None
        self._at = ""
        self.focused = False

    @property
    def row(self) -> AlertRow | None:
        """The alert under the cursor; None without alerts or without the focus."""
        if not self.focused or not self._rows:
            return None
        return next((r for r in self._rows if r.key == self._at), self._rows[0])

    def show_snapshot(self, snapshot: Snapshot, rows: int, width: int) -> None:
        """Draw the worst alerts of a snapshot in a box of `rows` rows and its borders."""
        old = self.row
        self._snapshot = snapshot
        self._rows = worst_rows(snapshot.rows, rows)
        if old is not None and all(r.key != old.key for r in self._rows):
            self._at = self._rows[0].key if self._rows else ""
        self._draw(rows, width)

    def focus_strip(self, focused: bool, *, last: bool = False) -> None:
        """Give the cursor to the strip, or take it away."""
        self.focused = focused
        if focused and self._rows:
            self._at = self._rows[-1 if last else 0].key
        self._redraw()

    def step(self, by: int) -> bool:
        """Move the cursor; False when it would leave the strip upwards."""
        row = self.row
        index = (self._rows.index(row) if row is not None else 0) + by
        if index < 0 or not self._rows:
            return by > 0
        self._at = self._rows[min(index, len(self._rows) - 1)].key
        self._redraw()
        return True

    def _redraw(self) -> None:
        if self._snapshot is not None and len(self.lines) > 2:
            self._draw(len(self.lines) - 2, self.lines[0].cell_len)

    def _draw(self, rows: int, width: int) -> None:
        snapshot = self._snapshot
        if snapshot is None:
            return
        inner = width - 2
        body = [self._alert(snapshot, row, inner) for row in self._rows]
        notes = not_known(snapshot, inner, self._services)
        if notes:
            body = [notes, *body][: max(1, rows)]
        elif not body:
            body = [self._none(snapshot, inner)]
        blank = Text(" " * inner)
        self.show(self._box([*body, *[blank] * (rows - len(body))], width))

    def _alert(self, snapshot: Snapshot, row: AlertRow, width: int) -> Text:
        alert = row.alert
        name = alert.labels.get("alertname", "")
        order = next((p.alerts[name].distinguish for p in snapshot.playbooks if name in p.alerts), ())
        return firing_row(
            row,
            width=width,
            now=snapshot.now_at(alert.cluster),
            glyphs=self._services.glyphs,
            theme=self._services.theme,
            distinguishing=distinguishing(alert, snapshot.shared.get(name, frozenset()), order),
            # Who extends it is the first that goes: a wording that is cut says less than a short one.
            extender=snapshot.extended_by(row.silence) if width >= _WITH_EXTENDER else trusted(""),
            mark=snapshot.mark_of(row.silence),
            note=suspicion(snapshot.changes, alert.since) if row.counts else trusted(""),
            user=snapshot.context.user,
            selected=self.row is row,
        )

    def _none(self, snapshot: Snapshot, width: int) -> Text:
        theme, glyphs = self._services.theme, self._services.glyphs
        quiet = sum(row.state is not AlertState.PENDING for row in snapshot.rows)
        if quiet:
            row = Row(width, glyphs)
            row.add(f"{glyphs.ok} ", theme["ok"])
            row.add(f"No alert fires unsilenced; {quiet} silenced, inhibited or muted.", theme["dim"])
            return row.done()
        return empty_line(calm(every_source(snapshot)), width=width, theme=theme, glyphs=glyphs)

    def _box(self, body: Sequence[Text], width: int) -> list[Text]:
        theme, glyphs = self._services.theme, self._services.glyphs
        border = theme["border.focus" if self.focused else "border"]
        top = Row(width, glyphs)
        top.add(f"{glyphs.box[0]} ", border)
        top.add("Firing now", theme["title"])
        top.add(f" {glyphs.box[4] * max(0, top.left - 2)}{glyphs.box[1]}", border)
        lines = [top.done()]
        for part in body:
            line = Text(glyphs.box[5], no_wrap=True, end="")
            line.stylize(border, 0, 1)
            line.append_text(part)
            line.append(glyphs.box[5], border)
            lines.append(line)
        bottom = Row(width, glyphs)
        bottom.add(f"{glyphs.box[2]}{glyphs.box[4] * max(0, width - 2)}{glyphs.box[3]}", border)
        return [*lines, bottom.done()]


def worst_rows(rows: Sequence[AlertRow], count: int) -> tuple[AlertRow, ...]:
    """The first alerts that nobody has, then the first acked ones, `count` in all."""
    active = list(islice((row for row in rows if row.state is AlertState.ACTIVE), count))
    if len(active) < count:
        acked = (row for row in rows if row.state is AlertState.ACKED)
        active += islice(acked, count - len(active))
    return tuple(active)


def every_source(snapshot: Snapshot) -> tuple[SourceStatus, ...]:
    """The sources that a "no alerts" rests on: Alertmanager, with its name in full."""
    one = len(snapshot.clusters) == 1
    return tuple(
        msgspec.structs.replace(
            source, name=safe(f"Alertmanager {cluster.name}" if cluster.name or not one else "Alertmanager", 40)
        )
        for source, cluster in zip(alert_sources(snapshot), snapshot.clusters, strict=True)
    )


def calm(sources: Sequence[SourceStatus]) -> tuple[SourceStatus, ...]:
    """The same sources with the ages of good ones rounded up to 5 s, so that a quiet line stays as it is."""
    return tuple(
        msgspec.structs.replace(s, age=-(-s.age // 5) * 5.0) if s.known and s.age is not None else s
        for s in sources
    )


def not_known(snapshot: Snapshot, width: int, services: Services) -> Text | None:
    """The line that says which Alertmanager has not answered and how many alerts were firing then; None
    when all of them may be believed."""
    sources = every_source(snapshot)
    if sources and all(source.known for source in sources):
        return None
    firing = sum(row.state is not AlertState.PENDING for row in snapshot.rows)
    return empty_line(sources, width=width, firing_then=firing, theme=services.theme, glyphs=services.glyphs)


def suspicion(changes: Sequence[FlagChange], since: float) -> SafeText:
    """`new_pricing 6m before`: the latest flag change in the hour before an alert began; "" without one."""
    before = [c for c in changes if 0 <= since - c.at <= SUSPICIOUS]
    if not before:
        return trusted("")
    last = max(before, key=lambda c: c.at)
    return safe(f"{safe(last.key, 60)} {ago(since - last.at)} before")
