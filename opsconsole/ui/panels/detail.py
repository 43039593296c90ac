"""The detail of one alert: its head and five tabs."""

from __future__ import annotations

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import ScrollableContainer, Vertical
from textual.timer import Timer

from opsconsole.model.alertlist import AlertRow
from opsconsole.model.runbook import Command
from opsconsole.render.alerts import detail_header
from opsconsole.render.row import Row
from opsconsole.state.snapshot import Snapshot
from opsconsole.text import SafeText, trusted
from opsconsole.ui.lines import Lines
from opsconsole.ui.panels.alert_lines import what_distinguishes
from opsconsole.ui.panels.detail_facts import FactsTab, HistoryTab, LabelsTab, SilencesTab, alert_text
from opsconsole.ui.panels.detail_graph import GraphTab
from opsconsole.ui.panels.detail_runbook import RunbookTab, find_runbook
from opsconsole.ui.services import Services

TABS = ("Runbook", "Graph", "Labels", "Silences", "History")
SETTLE = 0.1
"""Seconds that the cursor rests on an alert before its tab is drawn: held keys draw only heads."""


class DetailPanel(Vertical):
    """Shows one alert. `show` gives it another or a newer one; `gone` says that it is not in the list now."""

    def __init__(self, services: Services, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.services = services
        self.tab = TABS[0]
        self.row: AlertRow | None = None
        self._snapshot: Snapshot | None = None
        self._gone = False
        self._in_front = False
        self._timer: Timer | None = None

    def compose(self) -> ComposeResult:
        yield Lines(id="detail-head")
        yield Lines(id="detail-tabs")
        yield RunbookTab(self.services)
        yield GraphTab(self.services)
        yield LabelsTab(self.services)
        yield SilencesTab(self.services)
        yield HistoryTab(self.services)

    def on_mount(self) -> None:
        self._show_tab()

    def show(self, row: AlertRow | None, snapshot: Snapshot, *, gone: bool = False) -> None:
        """Draw an alert as of a snapshot."""
        is_same = row is not None and self.row is not None and row.key == self.row.key
        self.row, self._snapshot, self._gone = row, snapshot, gone
        self._draw_head()
        if self._timer is not None:
            self._timer.stop()
            self._timer = None
        if is_same:
            self._draw_body()
        else:
            self._timer = self.set_timer(SETTLE, self._draw_body)

    def set_front(self, in_front: bool) -> None:
        """Whether the keys go to the detail now."""
        if in_front != self._in_front:
            self._in_front = in_front
            self.set_class(in_front, "-front")
            self._draw_head()

    def move_tab(self, by: int) -> None:
        """Show the next or the previous tab."""
        self.tab = TABS[(TABS.index(self.tab) + by) % len(TABS)]
        self._show_tab()
        self._draw_head()
        self.call_after_refresh(self._draw_body)

    def scroll_by(self, rows: int) -> None:
        self._scroller().scroll_relative(y=rows, animate=False)

    def scroll_page(self, direction: int) -> None:
        self.scroll_by(direction * max(1, self._scroller().size.height - 1))

    def scroll_end_or_home(self, *, end: bool) -> None:
        scroller = self._scroller()
        if end:
            scroller.scroll_end(animate=False)
        else:
            scroller.scroll_home(animate=False)

    def next_window(self) -> None:
        """The next range of the graph, which comes to the front."""
        if self.tab == "Graph":
            self.query_one(GraphTab).next_window()
        else:
            self.move_tab(TABS.index("Graph") - TABS.index(self.tab))

    @property
    def commands(self) -> tuple[Command, ...]:
        """The commands of the alert's runbook."""
        # Not the tab's: it settles a moment after the cursor.
        if self.row is None or self._snapshot is None:
            return ()
        runbook = find_runbook(self._snapshot, self.row.alert)
        return runbook.commands if runbook is not None else ()

    @property
    def command_in_front(self) -> Command | None:
        """The runbook's only command, when the keys go to the runbook: a copy takes it."""
        here = self.tab == "Runbook" and self._in_front and len(self.commands) == 1
        return self.commands[0] if here else None

    def copied(self) -> tuple[str, SafeText] | None:
        """What a copy takes when no command is in front, with its title: the graph's query, else the alert
        as text."""
        if self.row is None:
            return None
        query = self.query_one(GraphTab).query_of(self.row.key) if self.tab == "Graph" else ""
        if query:
            return "Query", trusted(query)
        return "Alert", alert_text(self.row.alert)

    def on_resize(self) -> None:
        self._draw_head()
        self.call_after_refresh(self._draw_body)

    def _scroller(self) -> ScrollableContainer:
        if self.tab == "Runbook":
            return self.query_one(RunbookTab).scroller()
        # The graph does not scroll; any other will do for it.
        wanted = {"Labels": LabelsTab, "Silences": SilencesTab}.get(self.tab, HistoryTab)
        return self.query_one(wanted)

    def _show_tab(self) -> None:
        for name in TABS:
            self.query_one(f"#tab-{name.lower()}").display = name == self.tab and self.row is not None

    def _draw_head(self) -> None:
        row, snapshot, width = self.row, self._snapshot, self.size.width
        if not self.is_mounted or not width or snapshot is None:
            return
        theme, glyphs = self.services.theme, self.services.glyphs
        head: list[Text] = []
        if row is not None:
            if self._gone:
                gone = Row(width, glyphs)
                gone.add(f"{glyphs.ok} no longer in the list: resolved, or no longer sent", theme["overdue"])
                head.append(gone.done())
            head += detail_header(
                row,
                width=width,
                now=snapshot.now_at(row.alert.cluster),
                tz=self.services.zone,
                distinguishing=what_distinguishes(snapshot, row.alert),
                theme=theme,
                glyphs=glyphs,
            )
        self.query_one("#detail-head", Lines).show(head)
        self.query_one("#detail-tabs", Lines).show([self._tab_line(width)] if row is not None else [])
        self._show_tab()

    def _tab_line(self, width: int) -> Text:
        theme, glyphs = self.services.theme, self.services.glyphs
        rule, border = glyphs.box[4], theme["border.focus" if self._in_front else "border"]
        line = Row(width, glyphs)
        for name in TABS:
            if width >= 50:
                line.add(f"{rule} ", border)
            here = name == self.tab
            line.add(f"[{name}]" if here else name, theme["strong" if here else "dim"])
            line.space()
        line.add(rule * max(0, line.left), border)
        return line.done()

    def _draw_body(self) -> None:
        row, snapshot = self.row, self._snapshot
        if row is None or snapshot is None or not self.is_mounted or not self.display:
            return
        runbook = self.query_one(RunbookTab)
        runbook.show(row.alert, snapshot, visible=self.tab == "Runbook")
        if self.tab == "Graph":
            self.query_one(GraphTab).show(row, snapshot)
        elif self.tab != "Runbook":
            self.query_one(f"#tab-{self.tab.lower()}", FactsTab).show(row, snapshot)
