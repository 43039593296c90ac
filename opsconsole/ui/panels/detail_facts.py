"""The Labels, Silences and History tabs."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import VerticalScroll

from opsconsole.errors import UsageError
from opsconsole.model.acks import AckMark, age
from opsconsole.model.alertlist import AlertRow
from opsconsole.model.alertrule import Stretch, history_query, rule_of, stretches
from opsconsole.model.alerts import Alert
from opsconsole.model.matchers import match_all
from opsconsole.model.silences import Silence
from opsconsole.render.alerts import labels_table, silence_row
from opsconsole.render.row import Row, wrapped
from opsconsole.render.times import ago, exact, span, when
from opsconsole.state.snapshot import Snapshot
from opsconsole.text import SafeText, safe, trusted
from opsconsole.ui.lines import Lines
from opsconsole.ui.panels.asked import Asked, Question
from opsconsole.ui.services import Services

DAY = 86_400.0
STEP = 60.0
_STRETCHES = 40
_ANNOTATION_LINES = 12


class FactsTab(VerticalScroll, can_focus=False):
    """Lines that scroll."""

    def __init__(self, services: Services, id: str) -> None:
        super().__init__(id=id, classes="tab")
        self.services = services
        self._row: AlertRow | None = None
        self._snapshot: Snapshot | None = None

    def compose(self) -> ComposeResult:
        yield Lines()

    def show(self, row: AlertRow, snapshot: Snapshot) -> None:
        """Draw what this tab shows of an alert."""
        if self._row is not None and self._row.key != row.key:
            self.scroll_home(animate=False)
        self._row, self._snapshot = row, snapshot
        self.draw()

    def draw(self) -> None:
        """Draw the latest alert again."""
        width = self.query_one(Lines).size.width or self.size.width
        if self._row is not None and self._snapshot is not None and width and self.is_mounted:
            self.query_one(Lines).show(self.facts(self._row, self._snapshot, width))

    def on_resize(self) -> None:
        self.draw()

    def facts(self, row: AlertRow, snapshot: Snapshot, width: int) -> Sequence[Text]:
        """The lines, each `width` cells; a tab that draws itself otherwise has none."""
        return ()

    def line(self, text: str, width: int, style: str = "plain") -> Text:
        row = Row(width, self.services.glyphs)
        row.add(text, self.services.theme[style])
        return row.done()

    def prose(self, text: str, width: int, style: str = "plain", limit: int = 4) -> list[Text]:
        """Text broken into lines."""
        return [self.line(part, width, style) for part in wrapped(text, width, limit, self.services.glyphs)]


class LabelsTab(FactsTab):
    """Labels, annotations, and where the alert came from and goes to."""

    def __init__(self, services: Services) -> None:
        super().__init__(services, "tab-labels")

    def facts(self, row: AlertRow, snapshot: Snapshot, width: int) -> Sequence[Text]:
        alert, theme, glyphs = row.alert, self.services.theme, self.services.glyphs
        lines = [self.line("Labels", width, "title")]
        lines += labels_table(alert.labels, width=width, theme=theme, glyphs=glyphs)
        for name, text in sorted(alert.annotations.items()):
            lines += [self.line("", width), self.line(name, width, "title")]
            for part in text.split("\n")[:_ANNOTATION_LINES]:
                lines += self.prose(part, width, limit=_ANNOTATION_LINES)
        lines.append(self.line("", width))
        about = {
            "receivers": ", ".join(r.name for r in alert.receivers) or "not known",
            "generator": str(alert.generator_url) or "not known",
            "fingerprint": safe(alert.fingerprint, 40),
            "cluster": safe(alert.cluster, 60) or "(pending in Prometheus only)",
            "updated": exact(alert.updated_at.timestamp(), self.services.zone, snapshot.now_at(alert.cluster)),
        }
        for name, value in about.items():
            lines += self.prose(f"{name}: {value}", width, "dim")
        return lines


class SilencesTab(FactsTab):
    """What keeps the alert quiet: silences, inhibitions, mute times."""

    def __init__(self, services: Services) -> None:
        super().__init__(services, "tab-silences")

    def facts(self, row: AlertRow, snapshot: Snapshot, width: int) -> Sequence[Text]:
        lines: list[Text] = []
        for cluster in snapshot.clusters:
            why = cluster.silences.why(snapshot.now)
            if cluster.name == row.alert.cluster and why:
                glyph = self.services.glyphs.unknown
                lines += self.prose(f"{glyph} UNKNOWN: the silences are not known: {why}", width, "unknown")
        for silence in silences_of(row.alert, snapshot):
            lines += self._silence(silence, row.alert, snapshot, width)
        known = {alert.fingerprint: alert for alert in snapshot.alerts()} if row.alert.status.inhibited_by else {}
        for fingerprint in row.alert.status.inhibited_by:
            by = known.get(fingerprint)
            name = by.name if by is not None else f"an alert that is not in the list ({safe(fingerprint, 40)})"
            lines += self.prose(f"inhibited by {name}", width, "held")
        for name in row.alert.status.muted_by:
            lines += self.prose(f"muted by the time interval {safe(name, 100)}", width, "held")
        return lines or [self.line("Nothing silences, inhibits or mutes this alert.", width, "dim")]

    def _silence(self, silence: Silence, alert: Alert, snapshot: Snapshot, width: int) -> list[Text]:
        services, now = self.services, snapshot.now_at(silence.cluster)
        mark = snapshot.mark_of(silence)
        row = silence_row(silence, width=width, now=now, mark=mark, theme=services.theme, glyphs=services.glyphs)
        ends = exact(silence.ends, services.zone, now)
        text = f"by {silence.owner} until {ends}: {safe(silence.reason, 2000)}"
        told = "" if silence.id in alert.status.silenced_by else "  (matches; Alertmanager does not apply it yet)"
        matchers = safe(", ".join(str(m) for m in silence.matchers), 600)
        kept = ack_words(silence, snapshot)
        return [
            row,
            *self.prose(f"  {text}{told}", width),
            *(self.prose(f"  {kept}", width, "plain" if mark is AckMark.NONE else "warning") if kept else ()),
            *self.prose(f"  {matchers}", width, "info"),
            self.line("", width),
        ]


def ack_words(silence: Silence, snapshot: Snapshot) -> SafeText:
    """How old an active ack is and who extends it; "" for any other silence."""
    if not silence.is_ack or silence.status.state != "active":
        return trusted("")
    words = f"acknowledged {ago(age(silence, snapshot.now_at(silence.cluster)))} ago"
    mark = snapshot.mark_of(silence)
    if mark is AckMark.ASKS:
        return trusted(f"{words}: it is not extended any more and asks again (a acknowledges it again)")
    stale = ": stale" if mark is AckMark.STALE else ""
    by = snapshot.extended_by(silence)
    return trusted(f"{words}{stale}, {f'extended by {by}' if by else 'not extended from here'}")


class HistoryTab(FactsTab):
    """When the alert was pending and firing in the last day, from Prometheus' `ALERTS` series."""

    def __init__(self, services: Services) -> None:
        super().__init__(services, "tab-history")
        self._asked = Asked(self, services, self.draw, every=STEP)

    def show(self, row: AlertRow, snapshot: Snapshot) -> None:
        groups = snapshot.rules.data if snapshot.rules is not None else None
        query = history_query(row.alert, rule_of(row.alert, groups or ()))
        self._asked.want(Question(query, DAY, STEP, row.key))
        super().show(row, snapshot)

    def facts(self, row: AlertRow, snapshot: Snapshot, width: int) -> Sequence[Text]:
        reading, now = self._asked.reading, self.services.clock.now()
        lines: list[Text] = []
        if not reading.known(now):
            lines += self._doubt(width, now)
        if reading.data is None:
            return lines
        found = stretches(reading.data, STEP)
        end = reading.at
        lines += [self.strip(found, end, width), self._scale(end, width), self.line("", width)]
        if not found:
            lines += self.prose("Prometheus knows of no time in the last 24h in which it was true.", width)
        for stretch in [*reversed(found)][:_STRETCHES]:
            lines.append(self._stretch(stretch, end, now, width))
        expr = self._asked.question.expr if self._asked.question is not None else ""
        query = textwrap.wrap(f"query: {safe(expr, 1000)}", max(1, width))
        return [*lines, self.line("", width), *(self.line(part, width, "info") for part in query)]

    def strip(self, found: Iterable[Stretch], end: float, width: int) -> Text:
        """The last day as one row of cells: firing, pending or neither; the worst of a cell counts."""
        theme, glyphs = self.services.theme, self.services.glyphs
        cells = [0] * width
        for stretch in found:
            first = int((stretch.start - (end - DAY)) / DAY * width)
            last = int((min(stretch.end, end) - (end - DAY)) / DAY * width)
            rank = 2 if stretch.state == "firing" else 1
            for at in range(max(0, first), min(width - 1, last) + 1):
                cells[at] = max(cells[at], rank)
        row = Row(width, glyphs)
        looks = ((glyphs.dot, "dim"), (glyphs.track, "warning"), (glyphs.bars[-1], "critical"))
        for rank in cells:
            glyph, style = looks[rank]
            row.add(glyph, theme[style])
        return row.done()

    def _scale(self, end: float, width: int) -> Text:
        zone = self.services.zone
        first, last = when(end - DAY, end, zone), when(end, end, zone)
        row = Row(width, self.services.glyphs)
        row.add(first, self.services.theme["axis"])
        row.space(max(1, width - len(first) - len(last)))
        row.add(last, self.services.theme["axis"])
        return row.done()

    def _stretch(self, stretch: Stretch, end: float, now: float, width: int) -> Text:
        zone = self.services.zone
        running = stretch.end >= end
        until = "now" if running else when(stretch.end, now, zone)
        text = f"{stretch.state:8} {when(stretch.start, now, zone)} to {until}"
        lasted = span((end if running else stretch.end) - stretch.start)
        return self.line(safe(f"{text}  {lasted}"), width, "critical" if stretch.state == "firing" else "warning")

    def _doubt(self, width: int, now: float) -> list[Text]:
        reading = self._asked.reading
        age = reading.age(now)
        if age is None and reading.failure is None:
            return [self.line("asking Prometheus…", width, "dim")]
        stale = "" if age is None else f" (stale {ago(age)})"
        text = f"{self.services.glyphs.unknown} UNKNOWN{stale}: {reading.why(now)}"
        return [*self.prose(text, width, "unknown"), self.line("", width)]


def silences_of(alert: Alert, snapshot: Snapshot) -> list[Silence]:
    """The silences that Alertmanager applies to an alert, then active ones of its cluster that match."""
    applied, matching = [], []
    for silence in snapshot.silences().values():
        if silence.id in alert.status.silenced_by:
            applied.append(silence)
        elif silence.status.state == "active" and silence.cluster == alert.cluster and _matches(silence, alert):
            matching.append(silence)
    return applied + matching


def _matches(silence: Silence, alert: Alert) -> bool:
    try:
        return match_all(silence.matchers, alert.labels)
    except UsageError:
        return False


def alert_text(alert: Alert) -> SafeText:
    """An alert as text to paste: name, since when, labels, annotations."""
    lines = [f"{alert.name} ({alert.severity.word}) since {alert.starts_at:%Y-%m-%dT%H:%M:%SZ}"]
    lines += [f"  {safe(name, 100)}={safe(value, 2000)}" for name, value in sorted(alert.labels.items())]
    for name, text in sorted(alert.annotations.items()):
        shown = safe(text, 4000) if "\n" not in text else text[:4000]
        lines.append(f"{name}: {shown}")
    return trusted("\n".join(lines))
