"""The flags: which one is suspected, what the errors did when it changed, and the way back."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import BindingType

from opsconsole.actions.focus import Focus
from opsconsole.actions.keys import Scope
from opsconsole.errors import OpsError
from opsconsole.model.flags import Flag
from opsconsole.model.playbook import Panel
from opsconsole.model.reading import Freshness
from opsconsole.render.records import flag_row, flag_titles
from opsconsole.render.row import wrapped
from opsconsole.render.times import ago
from opsconsole.state.snapshot import Snapshot
from opsconsole.text import trusted
from opsconsole.ui.bindings import bindings_for
from opsconsole.ui.dialogs.text_view import copy_text
from opsconsole.ui.lines import Lines
from opsconsole.ui.panels.contents import Look
from opsconsole.ui.panels.evidence import EvidenceReading
from opsconsole.ui.panels.recovery import RecoveryReading
from opsconsole.ui.screens.flag_chart import WIDE, FlagCharts
from opsconsole.ui.screens.flag_lines import evidence_pieces, story_pieces
from opsconsole.ui.screens.flag_rollback import restored, rolled_back
from opsconsole.ui.screens.flag_story import (
    flag_book,
    last_change,
    ordered,
    rollback_of,
    short_suspicion,
    suspicion,
)
from opsconsole.ui.screens.listing import ListScreen
from opsconsole.ui.services import Services

_BARS = 5
"""The rows of the status lines, the head with the columns' names, and the keys."""


class FlagsScreen(ListScreen):
    """The list of flags over the chosen panel with the change marked on its time axis."""

    scope = Scope.FLAGS
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_for(Scope.FLAGS)]

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self._flags: dict[str, Flag] = {}
        self._look = Look(theme=services.theme, glyphs=services.glyphs, zone=services.zone)
        self._charts = FlagCharts(services, self, self.cursor_moved)
        self._evidence = EvidenceReading(services, self, self.cursor_moved)
        self._recovery = RecoveryReading(services, self, self.cursor_moved)
        self._wanted = ""
        self._watched: tuple[str, ...] = ()

    def body(self) -> ComposeResult:
        yield Lines(id="flags_head")
        yield self.make_list()
        yield Lines(id="flag_story")
        yield Lines(id="flag_chart")

    def watched(self) -> tuple[str, ...]:
        self._watched = tuple(key for key, _ in self._panels())
        return self._watched

    def show(self, snapshot: Snapshot) -> None:
        if self._watched != tuple(key for key, _ in self._panels()):
            self.services.engine.watch(self.watched())
        self._flags = {flag.key: flag for flag in ordered(snapshot)}
        keys, now = list(self._flags), snapshot.now

        def draw(index: int, width: int, here: bool) -> Text:
            flag = self._flags[keys[index]]
            change = last_change(snapshot, flag.key)
            return flag_row(
                flag,
                change,
                width=width,
                now=now,
                tz=self.services.zone,
                suspicion=suspicion(snapshot, flag.key)[1]
                if width >= WIDE
                else short_suspicion(snapshot, flag.key),
                selected=here,
                theme=self.services.theme,
                glyphs=self.services.glyphs,
            )

        self.query_one("#flags_head", Lines).show([self._head(snapshot), *self._titles(snapshot)])
        self.rows.show(keys, draw, self._empty(snapshot))
        if self._wanted and self.rows.move_to_key(self._wanted):
            self._wanted = ""
        elif not self.held:
            # The list follows its cursor's flag; until somebody chose one, that is whichever is suspected most.
            self.rows.move_to(0)
        self.cursor_moved()

    def focus_now(self) -> Focus:
        snapshot, flag = self.snapshot, self._under_cursor()
        return Focus(
            scope=self.scope,
            read_only=snapshot.context.read_only,
            undoable=self.services.runner.last_undoable(),
            writing=self.services.runner.writing,
            flag=flag,
            flags_known=snapshot.flags is not None and snapshot.flags.known(snapshot.now),
            restorable=flag is not None and rollback_of(snapshot.journal, flag.key) is not None,
            copyable=flag is not None,
        )

    def cursor_moved(self) -> None:
        flag = self._under_cursor()
        # The list keeps two rows, whatever there is to tell.
        story = self._story(flag)[: max(0, self._free() - 2)] if flag is not None else []
        self.query_one("#flag_story", Lines).show(story)
        self._draw_charts(flag, len(story))

    def select(self, key: str) -> None:
        """Put the cursor on a flag, now or when it is known."""
        self.held = True
        if not self.is_mounted or not self.rows.move_to_key(key):
            self._wanted = key

    def do_range(self) -> None:
        self._charts.turn()
        self.cursor_moved()

    def do_next_tab(self) -> None:
        self._charts.turn_panel()
        self.cursor_moved()

    def do_open(self) -> None:
        self.do_copy()

    def do_copy(self) -> None:
        flag = self._under_cursor()
        if flag is not None:
            self.held = True
            copy_text(self.console_app, self.services, "Flag", flag.name)

    def do_rollback(self) -> None:
        flag = self._under_cursor()
        if flag is not None:
            self.held = True
            self.run_worker(self._change(flag, restore=False), group="actions", exit_on_error=False)

    def do_restore(self) -> None:
        flag = self._under_cursor()
        if flag is not None:
            self.held = True
            self.run_worker(self._change(flag, restore=True), group="actions", exit_on_error=False)

    async def _change(self, flag: Flag, *, restore: bool) -> None:
        # Bound to the flag that was under the cursor when the key was pressed; the plan's revision guards against
        # a change in between.
        try:
            outcome = await (restored if restore else rolled_back)(self, flag)
        except OpsError as error:
            self.console_app.tell(f"{error.message}\n{error.hint}".strip(), severity="error")
            return
        if outcome is not None:
            self.console_app.report(outcome)

    def _under_cursor(self) -> Flag | None:
        return self._flags.get(self.rows.cursor_key) if self.is_mounted else None

    def _panels(self) -> list[tuple[str, Panel]]:
        book = flag_book(self.snapshot)
        return [(f"{book.system}/{panel.id}", panel) for panel in book.flag_panels] if book is not None else []

    def _head(self, snapshot: Snapshot) -> Text:
        reading = snapshot.flags
        if reading is None:
            return self.said([("no flag provider", "dim")])
        if reading.data is None:
            return self.said([("no flags are known", "dim")])  # the list says why
        count = len(reading.data.flags)
        pieces = [(f"{count} flag{'' if count == 1 else 's'} from {reading.data.source}", "dim")]
        age = reading.age(snapshot.now)
        if not reading.known(snapshot.now) and reading.freshness(snapshot.now) is not Freshness.WAITING:
            old = f"stale {ago(age)}: " if age is not None else ""
            pieces.append((f"   {self.services.glyphs.unknown} {old}{reading.why(snapshot.now)}", "unknown"))
        log = snapshot.flag_log
        if log is not None and log.freshness(snapshot.now) not in (Freshness.FRESH, Freshness.WAITING):
            why = f"{self.services.glyphs.unknown} its log is not known: {log.why(snapshot.now)}"
            pieces.append((f"   {why}", "unknown"))
        return self.said(pieces)

    def _titles(self, snapshot: Snapshot) -> list[Text]:
        if not self._flags:
            return []
        services, width = self.services, self.app.size.width
        suspected = any(suspicion(snapshot, key)[1] for key in self._flags)
        return [flag_titles(width=width, suspected=suspected, theme=services.theme, glyphs=services.glyphs)]

    def _empty(self, snapshot: Snapshot) -> list[Text]:
        reading = snapshot.flags
        if reading is None:
            return [
                self.said([("", "plain")]),
                self.said([("No flag provider is configured for this context.", "plain")]),
                self.said([("Name one in the configuration file, or give --flags-file PATH:", "dim")]),
                self.said([("  flags: {provider: flagd, path: /etc/flagd/flags.json}", "strong")]),
            ]
        if reading.data is None:
            hint = reading.failure.hint if reading.failure is not None else trusted("")
            mark, width = self.services.glyphs.unknown, max(20, self.app.size.width - 4)
            said = ((f"{mark} The flags are not known: {reading.why(snapshot.now)}", "unknown"), (hint, "dim"))
            return [
                self.said([(line, style)])
                for text, style in said
                for line in wrapped(text, width, 3, self.services.glyphs)
            ]
        return [self.said([(f"{reading.data.source} defines no flag.", "dim")])]

    def _story(self, flag: Flag) -> list[Text]:
        wide = self.app.size.width >= WIDE
        lines = [self.heading(flag.name)]
        told = evidence_pieces(self.snapshot, flag, self._evidence, self._look, wide=wide)
        for name, pieces, limit in story_pieces(self.snapshot, flag, told, self._recovery, self._look, wide=wide):
            lines += self.fields(name, pieces, limit)
        return lines

    def _draw_charts(self, flag: Flag | None, story: int) -> None:
        """Draw the charts in the rows that the list and a story of so many rows leave: the list has as many as
        it has flags, up to a third of the screen."""
        panels = self._panels()
        lines = self.query_one("#flag_chart", Lines)
        if not panels:
            words = "No panel to hold against the changes: the playbook names no flag_panel."
            lines.show([self.said([(words, "dim")])] if flag is not None else [])
            return
        free = self._free()
        height = max(5, free - story - max(3, min(len(self._flags) or free, free // 3)))
        if height > free - story - 2:
            lines.show([])
            return
        lines.show(self._charts.rows(panels, flag, self.snapshot, self.app.size.width, height))

    def _free(self) -> int:
        """The rows that the list, the story and the charts share."""
        return self.app.size.height - _BARS
