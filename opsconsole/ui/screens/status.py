"""Whether the picture can be trusted: what is not known, the sources, the checks, targets and rules."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import BindingType

from opsconsole.actions.focus import Focus
from opsconsole.actions.keys import Scope
from opsconsole.render.row import selected
from opsconsole.state.snapshot import Snapshot
from opsconsole.ui.bindings import bindings_for
from opsconsole.ui.dialogs.text_view import TextView, copy_text
from opsconsole.ui.screens.listing import ListScreen
from opsconsole.ui.screens.status_rows import Drawing, StatusRow, status_rows
from opsconsole.ui.services import Services


class StatusScreen(ListScreen):
    """One scrolling list of sections."""

    scope = Scope.STATUS
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_for(Scope.STATUS)]

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self._lines: dict[str, StatusRow] = {}

    def body(self) -> ComposeResult:
        yield self.make_list()

    def show(self, snapshot: Snapshot) -> None:
        services = self.services
        drawing = Drawing(
            # One column is the scroll bar's.
            width=self.app.size.width - 1,
            now=snapshot.now,
            zone=services.zone,
            theme=services.theme,
            glyphs=services.glyphs,
        )
        rows = status_rows(snapshot, services.checks(snapshot), drawing)
        self._lines = {row.key: row for row in rows}
        lines = list(self._lines.values())

        def draw(index: int, width: int, here: bool) -> Text:
            line = lines[index].line
            return selected(line, width, services.theme["selected"]) if here else line

        self.rows.show(list(self._lines), draw)

    def watched(self) -> tuple[str, ...]:
        """Every panel whose thresholds the checks judge, and what else they need."""
        return self.services.engine.for_checks + tuple(
            f"{playbook.system}/{panel.id}"
            for playbook in self.snapshot.playbooks
            for dashboard in playbook.dashboards
            for panel in dashboard.panels
            if panel.thresholds
        )

    def focus_now(self) -> Focus:
        row = self._under_cursor()
        return Focus(
            scope=self.scope,
            read_only=self.snapshot.context.read_only,
            undoable=self.services.runner.last_undoable(),
            writing=self.services.runner.writing,
            copyable=row is not None and bool(row.text),
        )

    def do_open(self) -> None:
        row = self._under_cursor()
        if row is not None and row.text:
            self.app.push_screen(TextView(self.services, "Status", row.text))

    def do_copy(self) -> None:
        row = self._under_cursor()
        if row is not None:
            copy_text(self.console_app, self.services, "Status", row.text)

    def _under_cursor(self) -> StatusRow | None:
        return self._lines.get(self.rows.cursor_key) if self.is_mounted else None
