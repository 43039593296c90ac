"""One alert on a screen of its own, where the terminal is too narrow for list and detail."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType

from opsconsole.actions.keys import Scope
from opsconsole.model.alertlist import AlertRow
from opsconsole.state.snapshot import Snapshot
from opsconsole.ui.bindings import bindings_for
from opsconsole.ui.panels.detail import DetailPanel
from opsconsole.ui.screens.alert_actions import AlertActions, find_row
from opsconsole.ui.services import Services

WIDE = 100
"""Cells from which on list and detail stand side by side."""


class DetailScreen(AlertActions):
    """Follows one alert by its key; when it leaves the list, the last that was known stays, marked."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings_for(Scope.ALERTS)]

    def __init__(self, services: Services, row: AlertRow, *, tab: str = "Runbook") -> None:
        super().__init__(services)
        self._row = row
        self._gone = False
        self._tab = tab

    def body(self) -> ComposeResult:
        detail = DetailPanel(self.services, id="alert-detail")
        detail.tab = self._tab
        yield detail

    def on_mount(self) -> None:
        self.detail.set_front(True)

    def current(self) -> AlertRow | None:
        return self._row

    def show(self, snapshot: Snapshot) -> None:
        if self.app.size.width >= WIDE:
            self.dismiss()
            return
        now = find_row(snapshot.rows, self._row.key)
        self._gone = now is None and all(c.alerts.known(snapshot.now) for c in snapshot.clusters)
        self._row = now or self._row
        self.detail.show(self._row, snapshot, gone=self._gone)

    def do_open(self) -> None:
        """Run the runbook's command."""
        if self.detail.tab == "Runbook" and self.detail.commands:
            self.run_worker(self.action_ops("run"), group="open", exit_on_error=False)

    def do_back(self) -> None:
        self.dismiss()

    def do_down(self) -> None:
        self.detail.scroll_by(1)

    def do_up(self) -> None:
        self.detail.scroll_by(-1)

    def do_top(self) -> None:
        self.detail.scroll_end_or_home(end=False)

    def do_bottom(self) -> None:
        self.detail.scroll_end_or_home(end=True)

    def do_page_down(self) -> None:
        self.detail.scroll_page(1)

    def do_page_up(self) -> None:
        self.detail.scroll_page(-1)
