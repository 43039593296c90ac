"""The Graph tab: the rule's own value against its bound, with `for:`, and the flag changes."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Vertical

from opsconsole.model.alertlist import AlertRow
from opsconsole.model.alertrule import AlertRule, own_series, rule_of
from opsconsole.model.panels import legend_of, step_of
from opsconsole.model.promql import split_comparison
from opsconsole.model.series import Series
from opsconsole.model.severity import AlertState
from opsconsole.render.charts import ChartSeries, Mark, Shade, ThresholdLine, line_chart
from opsconsole.render.glyphs import SEVERITY_STYLES
from opsconsole.render.numbers import digits
from opsconsole.render.row import Row, wrapped
from opsconsole.render.times import ago, exact, format_duration, span
from opsconsole.state.snapshot import Snapshot
from opsconsole.text import SafeText, safe, trusted
from opsconsole.ui.lines import Lines
from opsconsole.ui.panels.asked import Asked, Question
from opsconsole.ui.services import Services

WINDOWS = (900.0, 3600.0, 21_600.0, 86_400.0)
EVERY = 10.0
"""Seconds between two asks of the same graph."""

_MOST_SERIES = 20
_QUERY_LINES = 6


def fitting_window(age: float) -> float:
    """The shortest range (seconds) of which an alert this old (seconds) takes up at most half."""
    return next((window for window in WINDOWS if age <= window / 2), WINDOWS[-1])


class GraphTab(Vertical):
    """Draws the graph of one alert. It asks only while it is on the screen."""

    def __init__(self, services: Services) -> None:
        super().__init__(id="tab-graph", classes="tab")
        self.services = services
        self.window = 3600.0
        self.query_text = ""
        self._asked = Asked(self, services, self._draw, every=EVERY)
        self._row: AlertRow | None = None
        self._snapshot: Snapshot | None = None
        self._rule: AlertRule | None = None
        self._split: tuple[str, str, float] | None = None

    def compose(self) -> ComposeResult:
        yield Lines(id="graph")
        yield Lines(id="graph-notes")

    def show(self, row: AlertRow, snapshot: Snapshot) -> None:
        """Draw an alert's graph, and ask for its data when that is due. Another alert begins with the range
        that shows what was before it."""
        if self._row is None or self._row.key != row.key:
            self.window = fitting_window(snapshot.now - row.alert.since)
        self._row, self._snapshot = row, snapshot
        groups = snapshot.rules.data if snapshot.rules is not None else None
        self._rule = rule_of(row.alert, groups or ())
        expr = str(self._rule.rule.query) if self._rule is not None else ""
        self._split = split_comparison(expr)
        self.query_text = self._split[0] if self._split is not None else expr
        if self.query_text:
            self._asked.want(Question(self.query_text, self.window, step_of(self.window), row.key))
        self._draw()

    def query_of(self, key: str) -> str:
        """The query on the screen when it is this alert's, else ""."""
        return self.query_text if self._row is not None and self._row.key == key else ""

    def next_window(self) -> None:
        """Show the next range."""
        at = WINDOWS.index(self.window) + 1
        self.window = WINDOWS[at % len(WINDOWS)]
        if self._row is not None and self._snapshot is not None:
            self.show(self._row, self._snapshot)

    def on_resize(self) -> None:
        self._draw()

    def _draw(self) -> None:
        row, snapshot, width = self._row, self._snapshot, self.size.width
        if row is None or snapshot is None or not width or not self.is_mounted:
            return
        notes = self._notes(row, snapshot, width)
        self.query_one("#graph-notes", Lines).show(notes)
        height = max(0, self.size.height - len(notes))
        self.query_one("#graph", Lines).styles.height = height
        self.query_one("#graph", Lines).show(self._chart(row, snapshot, width, height))

    def _chart(self, row: AlertRow, snapshot: Snapshot, width: int, height: int) -> Sequence[Text]:
        reading = self._asked.reading
        if reading.data is None or height < 3:
            return [Text(" " * width)] * height
        known = reading.known(self.services.clock.now())
        series = self._own(row)[:_MOST_SERIES]
        step = step_of(self.window)
        # The window ends where the data was asked for, so that nothing moves between two asks.
        end = reading.at - reading.at % step
        return line_chart(
            [
                ChartSeries(legend_of("", s.labels), s.times, s.values, "" if known else "value.old")
                for s in series
            ],
            width=width,
            height=height,
            start=end - self.window,
            end=end,
            thresholds=self._threshold(row),
            marks=self._marks(row, snapshot, end),
            shades=self._shades(end),
            step=step,
            legend=len(series) > 1,
            engine="plotext",
            tz=self.services.zone,
            theme=self.services.theme,
            glyphs=self.services.glyphs,
        )

    def _own(self, row: AlertRow) -> tuple[Series, ...]:
        data = self._asked.reading.data
        ignored = self._rule.rule.labels if self._rule is not None else ()
        return own_series(data.series, row.alert.labels, ignored) if data is not None else ()

    def _threshold(self, row: AlertRow) -> tuple[ThresholdLine, ...]:
        if self._split is None:
            return ()
        _, op, bound = self._split
        return (ThresholdLine(bound, trusted(f"{op} {digits(bound)}"), SEVERITY_STYLES[row.severity]),)

    def _true_since(self) -> float | None:
        """Since when the rule's expression has been true, as Prometheus says."""
        held = self._rule.held if self._rule is not None else None
        return held.active_at.timestamp() if held is not None else None

    def _shades(self, end: float) -> tuple[Shade, ...]:
        since, rule = self._true_since(), self._rule
        if since is None or rule is None or not rule.rule.duration:
            return ()
        until = min(since + rule.rule.duration, end)
        return (Shade(since, until, trusted("for:")),) if until > end - self.window else ()

    def _marks(self, row: AlertRow, snapshot: Snapshot, end: float) -> tuple[Mark, ...]:
        start = end - self.window
        marks = [Mark(change.at) for change in snapshot.changes if start <= change.at <= end]
        if row.state is not AlertState.PENDING and start <= row.alert.since <= end:
            glyph = self.services.glyphs.severity(row.severity)
            marks.append(Mark(row.alert.since, glyph, SEVERITY_STYLES[row.severity]))
        return tuple(marks)

    def _notes(self, row: AlertRow, snapshot: Snapshot, width: int) -> list[Text]:
        said = [("unknown", text) for text in self._doubts(snapshot)]
        said.append(("plain", self._value_line(row)))
        said += [("dim", text) for text in self._for_lines(row)]
        lines = []
        for style, text in said:
            for part in wrapped(text, width, 3, self.services.glyphs):
                lines.append(self._line(part, style, width))
        if self._rule is not None:
            for part in textwrap.wrap(f"query: {self._rule.rule.query}", max(1, width))[:_QUERY_LINES]:
                lines.append(self._line(part, "info", width))
        return lines

    def _line(self, text: str, style: str, width: int) -> Text:
        row = Row(width, self.services.glyphs)
        row.add(text, self.services.theme[style])
        return row.done()

    def _doubts(self, snapshot: Snapshot) -> list[SafeText]:
        """Why the graph may not be believed."""
        unknown = self.services.glyphs.unknown
        if self._rule is None:
            why = snapshot.rules.why(snapshot.now) if snapshot.rules is not None else "no Prometheus"
            return [safe(f"{unknown} no rule of this name is known{f' ({why})' if why else ''}", 400)]
        reading, now = self._asked.reading, self.services.clock.now()
        if reading.known(now):
            return []
        age = reading.age(now)
        if age is None and reading.failure is None:
            return [trusted("asking Prometheus…")]
        stale = "" if age is None else f" (stale {ago(age)})"
        return [safe(f"{unknown} UNKNOWN{stale}: {reading.why(now)}", 400)]

    def _value_line(self, row: AlertRow) -> SafeText:
        parts = [f"range {format_duration(self.window)} (w)"]
        own = self._own(row)
        values = [s.last for s in own if s.last is not None]
        if len(own) == 1 and values:
            when = "last" if not self._asked.reading.known(self.services.clock.now()) else "now"
            parts.insert(0, f"{when} {digits(values[0])}")
        if len(own) > _MOST_SERIES:
            parts.append(f"first {_MOST_SERIES} of {len(own)} series")
        if self._split is not None:
            parts.append(f"alerts when {self._split[1]} {digits(self._split[2])}")
        elif self._rule is not None:
            parts.append("the rule has no one bound to draw")
        return trusted("   ".join(parts))

    def _for_lines(self, row: AlertRow) -> list[SafeText]:
        """How far the rule's `for:` is, and what "since" means."""
        if self._rule is None:
            return []
        now, hold = self.services.clock.now(), self._rule.rule.duration
        zone, since = self.services.zone, self._true_since()
        words = [f"for: {format_duration(hold)}" if hold else "no for: it fires at once"]
        if since is not None and row.state is AlertState.PENDING:
            words.append(f"true for {span(now - since)} of {format_duration(hold)} {self._bar(now - since, hold)}")
            words.append(f"fires at {exact(since + hold, zone, now)} if it stays true")
        elif since is not None:
            words.append(f"true since {exact(since, zone, now)}")
        if row.state is not AlertState.PENDING:
            words.append(f'firing since {exact(row.alert.since, zone, now)}: "since" is when it began to fire')
        return [trusted("; ".join(words))]

    def _bar(self, done: float, whole: float, cells: int = 10) -> str:
        full = round(cells * min(1.0, max(0.0, done / whole))) if whole else cells
        glyphs = self.services.glyphs
        return glyphs.bars[-1] * full + glyphs.track * (cells - full)
