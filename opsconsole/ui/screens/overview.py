"""The first screen: the panels of one dashboard and the worst alerts."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import BindingType

from opsconsole.actions.focus import Focus
from opsconsole.actions.keys import Scope
from opsconsole.model.alertlist import AlertRow
from opsconsole.model.matchers import exact_matchers, format_matchers
from opsconsole.model.playbook import Dashboard, Panel, Playbook
from opsconsole.render.row import Row, block, line, wrapped
from opsconsole.render.tabs import tab_row
from opsconsole.state.snapshot import Snapshot
from opsconsole.text import safe
from opsconsole.ui.acking import own_ack, renewable
from opsconsole.ui.bindings import bindings_for
from opsconsole.ui.dialogs.ack import AckDialog
from opsconsole.ui.dialogs.text_view import copy_text
from opsconsole.ui.lines import Lines
from opsconsole.ui.panels.grid import MORE, PanelGrid
from opsconsole.ui.panels.strip import FiringStrip
from opsconsole.ui.screens.alerts import AlertsScreen
from opsconsole.ui.screens.base import ConsoleScreen
from opsconsole.ui.screens.panel_view import PanelViewScreen, queries_of
from opsconsole.ui.services import Services

_KEEP = " opsconsole playbook new NAME --from-prometheus writes them out."


class OverviewScreen(ConsoleScreen):
    """A grid of panels with a focus, and under it the strip of alerts. One of the two has the keys."""

    scope = Scope.OVERVIEW
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_for(Scope.OVERVIEW)]

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self._chosen = 0

    def body(self) -> ComposeResult:
        yield Lines(id="tabs")
        yield Lines(id="recognised")
        yield PanelGrid(self.services)
        yield Lines(id="no-panels")
        yield FiringStrip(self.services)

    @property
    def grid(self) -> PanelGrid:
        return self.query_one(PanelGrid)

    @property
    def strip(self) -> FiringStrip:
        return self.query_one(FiringStrip)

    def show(self, snapshot: Snapshot) -> None:
        pages = pages_of(snapshot)
        self._chosen = min(self._chosen, max(0, len(pages) - 1))
        width, height = self.app.size
        self._show_tabs(pages, width)
        self._show_recognised(snapshot, width)
        self.grid.display = bool(pages)
        empty = self.query_one("#no-panels", Lines)
        empty.display = not pages
        if pages:
            playbook, dashboard = pages[self._chosen]
            self.grid.load(playbook.system, dashboard)
            self.grid.show(snapshot)
        else:
            empty.styles.height = "1fr"
            empty.show(self._no_panels(snapshot, width))
        self.strip.show_snapshot(snapshot, 3 if height < 36 else 5, width)
        if not self.grid.at and not self.strip.focused and pages:
            self.call_after_refresh(self._first_focus)

    def watched(self) -> tuple[str, ...]:
        if not self.is_mounted or not pages_of(self.snapshot):
            return ()
        return self.grid.visible_keys()

    def focus_now(self) -> Focus:
        row = self.strip.row if self.is_mounted else None
        return Focus(
            scope=self.scope,
            read_only=self.snapshot.context.read_only,
            undoable=self.services.runner.last_undoable(),
            writing=self.services.runner.writing,
            row=row,
            own=row is not None and own_ack(self.snapshot, row),
            renewable=row is not None and renewable(self.snapshot, row),
            copyable=row is not None or self._panel() is not None,
        )

    def on_panel_grid_replanned(self) -> None:
        self.grid.show(self.snapshot)
        if self.is_current:
            self.services.engine.watch(self.watched())

    def on_panel_grid_pressed(self, event: PanelGrid.Pressed) -> None:
        again = event.key == self.grid.at
        self._focus_grid(event.key)
        if again:
            self.do_open()

    def do_down(self) -> None:
        if self.strip.focused:
            self.strip.step(1)
        else:
            self._move(self.grid.step_rows(1))

    def do_up(self) -> None:
        if not self.strip.focused:
            self._move(self.grid.step_rows(-1))
        elif not self.strip.step(-1) and self.grid.last():
            self._focus_grid(self.grid.last())

    def do_next_tab(self) -> None:
        if self.strip.focused:
            self._focus_grid(self.grid.items()[0][0] if self.grid.items() else "")
        else:
            self._move(self.grid.step(1))

    def do_previous_tab(self) -> None:
        if self.strip.focused:
            self._focus_grid(self.grid.last())
        else:
            self._move(self.grid.step(-1))

    def do_top(self) -> None:
        self._focus_grid(self.grid.items()[0][0] if self.grid.items() else "")

    def do_bottom(self) -> None:
        self._focus_strip()

    def do_page_down(self) -> None:
        self.grid.scroll_relative(y=self.grid.size.height, animate=False)

    def do_page_up(self) -> None:
        self.grid.scroll_relative(y=-self.grid.size.height, animate=False)

    def do_dashboard(self) -> None:
        pages = pages_of(self.snapshot)
        if len(pages) < 2:
            self.console_app.tell("there is only one dashboard")
            return
        self._chosen = (self._chosen + 1) % len(pages)
        self.grid.at = ""
        self.strip.focus_strip(False)
        self.show(self.snapshot)

    def do_open(self) -> None:
        row = self.strip.row
        if row is not None:
            self.run_worker(self._open_alert(row.key), group="open", exit_on_error=False)
            return
        if self.grid.at == MORE:
            self.grid.toggle()
            return
        panel = self._panel()
        if panel is not None:
            self.app.push_screen(PanelViewScreen(self.services, self.grid.at, panel))

    def do_back(self) -> None:
        if self.strip.focused:
            self.do_top()
        elif self.grid.fold():
            self.call_after_refresh(self._first_focus)

    def do_ack(self) -> None:
        row = self.strip.row
        if row is not None:
            # Bound to the alert under the cursor now, whatever the next snapshot puts there.
            again = renewable(self.snapshot, row)
            self.run_worker(
                self._ack_again(row) if again else self._ack(row), group="actions", exit_on_error=False
            )

    async def _ack_again(self, row: AlertRow) -> None:
        if row.silence is not None:
            self.console_app.report(await self.services.runner.ack_again(row.silence))

    async def _ack(self, row: AlertRow) -> None:
        user = self.snapshot.context.user
        dialog = AckDialog(self.services, [row], user=user, reason="looking")
        reason = await self.app.push_screen_wait(dialog)
        if reason is not None:
            self.console_app.report(await self.services.runner.ack(row.alert, reason))

    def do_copy(self) -> None:
        row, panel = self.strip.row, self._panel()
        if row is not None:
            labels = format_matchers(exact_matchers(row.alert.labels))
            copy_text(self.console_app, self.services, "Labels", safe(labels))
        elif panel is not None:
            copy_text(self.console_app, self.services, "Query", queries_of(panel))

    def do_range(self) -> None:
        self.console_app.tell("enter opens the panel; its range is changed there")

    async def _open_alert(self, key: str) -> None:
        await self.app.switch_mode("alerts")
        screen = self.app.screen
        if isinstance(screen, AlertsScreen):
            screen.receive(self.snapshot)
            screen.select(key)

    def _panel(self) -> Panel | None:
        pages = pages_of(self.snapshot)
        if not pages or not self.is_mounted or self.strip.focused:
            return None
        system, _, panel_id = self.grid.at.partition("/")
        playbook = pages[self._chosen][0]
        return playbook.panel(panel_id) if system == playbook.system else None

    def _move(self, key: str) -> None:
        if key:
            self._focus_grid(key)
        else:
            self._focus_strip()

    def _focus_grid(self, key: str) -> None:
        self.strip.focus_strip(False)
        self.grid.focus_item(key)

    def _focus_strip(self) -> None:
        self.grid.focus_item("")
        self.strip.focus_strip(True)

    def _first_focus(self) -> None:
        keys = [key for key, _ in self.grid.items()]
        if keys and self.grid.at not in keys and not self.strip.focused:
            self.grid.focus_item(keys[0])
            self.update_keys()

    def _show_tabs(self, pages: list[tuple[Playbook, Dashboard]], width: int) -> None:
        tabs = self.query_one("#tabs", Lines)
        tabs.set_class(len(pages) > 1, "-many")
        if len(pages) < 2:
            return
        systems = {playbook.system for playbook, _ in pages}
        names = [
            f"{playbook.title}: {dashboard.title}" if len(systems) > 1 else dashboard.title
            for playbook, dashboard in pages
        ]
        services = self.services
        tabs.show([tab_row(names, self._chosen, width, theme=services.theme, glyphs=services.glyphs)])

    def _show_recognised(self, snapshot: Snapshot, width: int) -> None:
        """That nobody configured these panels, and when that is so, that they may be out of date."""
        found = snapshot.found
        note = self.query_one("#recognised", Lines)
        note.display = found is not None and found.data is not None
        if found is None or found.data is None:
            return
        theme, glyphs = self.services.theme, self.services.glyphs
        row = Row(width, glyphs)
        row.add(" Recognised from metrics, not configured.", theme["dim"])
        why = found.why(snapshot.now)
        if why:
            row.add(f" Not asked again: {why}", theme["unknown"])
        elif row.left >= len(_KEEP):
            row.add(_KEEP, theme["dim"])
        note.show([row.done()])

    def _no_panels(self, snapshot: Snapshot, width: int) -> list[Text]:
        theme, glyphs = self.services.theme, self.services.glyphs
        rows = [
            line(f" {part}", width, theme[style], glyphs)
            for words, style in no_panels_words(snapshot)
            for part in wrapped(words, width - 2, 2, glyphs)
        ]
        return list(block([line("", width), *rows], width, 1 + len(rows)))


def pages_of(snapshot: Snapshot) -> list[tuple[Playbook, Dashboard]]:
    """Every dashboard of every playbook, in order."""
    return [(playbook, dashboard) for playbook in snapshot.playbooks for dashboard in playbook.dashboards]


def no_panels_words(snapshot: Snapshot) -> list[tuple[str, str]]:
    """Why there are no panels and what to do, each with its style."""
    found, how = (
        snapshot.found,
        "`opsconsole playbook list` shows those that there are; --playbook NAME chooses one.",
    )
    if found is None:
        return [("No panels: this context names no playbook, so nothing says what to watch.", "dim"), (how, "dim")]
    if found.failure is None:
        return [("No panels yet: this context names no playbook; Prometheus is asked what it has.", "dim")]
    failure = found.failure
    return [
        ("No panels: this context names no playbook, and Prometheus gave nothing to show.", "dim"),
        (f"{failure.kind}: {failure.message}", "unknown"),
        *([(str(failure.hint), "dim")] if failure.hint else []),
        (how, "dim"),
    ]
