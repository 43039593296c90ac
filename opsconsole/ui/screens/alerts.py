"""The alerts: the list at the left, the alert under the cursor at the right."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.timer import Timer

from opsconsole.actions.keys import Scope
from opsconsole.model.alertlist import AlertRow
from opsconsole.state.snapshot import Snapshot
from opsconsole.ui.bindings import bindings_for
from opsconsole.ui.lines import LineList
from opsconsole.ui.panels.alert_list import AlertListPanel
from opsconsole.ui.panels.detail import DetailPanel
from opsconsole.ui.screens.alert_actions import AlertActions
from opsconsole.ui.screens.detail import WIDE, DetailScreen

SETTLE = 0.06
"""Seconds that the cursor rests before the detail follows it: a held key moves the cursor only."""

_MOVES = frozenset({"down", "up", "top", "bottom", "page_down", "page_up"})


class AlertsScreen(AlertActions):
    """Screen 2. From `WIDE` cells on the detail stands beside the list; below, enter opens it on a screen of
    its own."""

    footer_ids = (
        *("open", "ack", "silence", "run", "mark", "filter", "undo", "help", "expire", "rollback"),
        *("copy", "palette", "quit"),
    )
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_for(Scope.ALERTS)]

    _settling: Timer | None = None

    def body(self) -> ComposeResult:
        with Horizontal(id="alerts-body"):
            yield AlertListPanel(self.services, id="alert-panel")
            yield DetailPanel(self.services, id="alert-detail")

    @property
    def panel(self) -> AlertListPanel:
        return self.query_one(AlertListPanel)

    @property
    def rows(self) -> LineList:
        return self.panel.rows

    @property
    def is_wide(self) -> bool:
        return self.app.size.width >= WIDE

    def current(self) -> AlertRow | None:
        return self.panel.row

    def marked(self) -> tuple[AlertRow, ...]:
        return self.panel.marked_rows()

    def group(self) -> tuple[AlertRow, ...]:
        """The alerts that the list shows together with the one under the cursor; ungrouped, those of its name."""
        return self.panel.group_rows()

    def unmark(self) -> None:
        self.panel.clear_marks()

    def show(self, snapshot: Snapshot) -> None:
        self.set_class(self.is_wide, "-wide")
        self.panel.show_snapshot(snapshot)
        self._show_detail()

    def select(self, key: str) -> bool:
        """Put the cursor on the alert with this key; False when the list does not show it."""
        return self.rows.move_to_key(key)

    @on(AlertListPanel.Moved)
    def _moved(self) -> None:
        if self._settling is not None:
            self._settling.stop()
        self._settling = self.set_timer(SETTLE, self._settled)

    def _settled(self) -> None:
        self._settling = None
        self._show_detail()
        self.update_keys()

    @on(AlertListPanel.Opened)
    def _opened(self) -> None:
        self.do_open()

    async def action_ops(self, action_id: str) -> None:
        """What acts on the detail acts on that of the alert under the cursor."""
        if self._settling is not None and action_id not in _MOVES:
            self._settling.stop()
            self._settled()
        await super().action_ops(action_id)

    def _show_detail(self) -> None:
        row = self.panel.row
        detail = self.detail
        if row is None:
            self._front(detail=False)
        detail.show(row, self.snapshot)

    def _front(self, *, detail: bool) -> None:
        """Whether j, k and enter go to the detail."""
        self.detail.set_front(detail and self.is_wide)

    @property
    def _in_detail(self) -> bool:
        return self.detail.has_class("-front")

    def do_open(self) -> None:
        """Go into the detail; there, run the runbook's command."""
        row = self.panel.row
        if row is None:
            return
        if not self.is_wide:
            self.app.push_screen(DetailScreen(self.services, row, tab=self.detail.tab))
        elif not self._in_detail:
            self._front(detail=True)
        elif self.detail.tab == "Runbook" and self.detail.commands:
            self.run_worker(self.action_ops("run"), group="open", exit_on_error=False)

    def do_back(self) -> None:
        """Out of the filter, the detail, the marks; then clear the filter."""
        if self.panel.filtering:
            self.panel.close_filter(clear=True)
        elif self._in_detail:
            self._front(detail=False)
        elif self.panel.marks:
            self.panel.clear_marks()
        elif self.panel.options.filter:
            self.panel.close_filter(clear=True)

    def do_down(self) -> None:
        self._move(1)

    def do_up(self) -> None:
        self._move(-1)

    def _move(self, by: int) -> None:
        if self._in_detail:
            self.detail.scroll_by(by)
        else:
            self.rows.move_by(by)

    def do_top(self) -> None:
        if self._in_detail:
            self.detail.scroll_end_or_home(end=False)
        else:
            self.rows.move_to(0)

    def do_bottom(self) -> None:
        if self._in_detail:
            self.detail.scroll_end_or_home(end=True)
        else:
            self.rows.move_to_end()

    def do_page_down(self) -> None:
        self._page(1)

    def do_page_up(self) -> None:
        self._page(-1)

    def _page(self, direction: int) -> None:
        if self._in_detail:
            self.detail.scroll_page(direction)
        else:
            self.rows.page(direction)

    def do_mark(self) -> None:
        self.panel.toggle_mark()

    def do_filter(self) -> None:
        self._front(detail=False)
        self.panel.open_filter()

    def do_group(self) -> None:
        self.panel.next_group()

    def do_show_suppressed(self) -> None:
        self.panel.set_options(show_suppressed=not self.panel.options.show_suppressed)

    def do_show_inhibited(self) -> None:
        self.panel.set_options(show_inhibited=not self.panel.options.show_inhibited)

    def do_show_pending(self) -> None:
        self.panel.set_options(show_pending=not self.panel.options.show_pending)
