"""A runbook's command: picked, confirmed with who, where and what, and its output as it comes."""

from __future__ import annotations

import getpass
import platform
from collections.abc import Mapping, Sequence
from typing import ClassVar

from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import Log, Static
from textual.worker import Worker

from opsconsole.errors import OpsError
from opsconsole.model.alerts import Alert
from opsconsole.model.journal import Outcome, Result
from opsconsole.model.runbook import MAX_FILLED, Command, filled, is_cut
from opsconsole.render.row import Row, width_of
from opsconsole.text import SafeText, safe, trusted
from opsconsole.ui.dialogs.base import Dialog, words
from opsconsole.ui.dialogs.text_view import TextView, copy_text
from opsconsole.ui.lines import LineList
from opsconsole.ui.services import Services

MAX_LINES = 5000
"""Lines of output that stay in the pane."""

_TITLE = 28
"""Cells that a command's title may take in a list."""


class CommandPicker(Dialog[Command]):
    """Lists a runbook's commands with the exact text of the one under the cursor; gives the chosen one."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "accept", show=False),
        Binding("j,down", "move(1)", show=False),
        Binding("k,up", "move(-1)", show=False),
        Binding("y", "copy", show=False),
    ]

    def __init__(self, services: Services, commands: Sequence[Command], labels: Mapping[str, str]) -> None:
        super().__init__(services, "Commands of the runbook", "esc cancel · y copy · enter choose")
        self._commands = tuple(commands)
        self._labels = labels

    def inside(self) -> ComposeResult:
        rows = LineList()
        rows.can_focus = False
        yield rows
        with VerticalScroll(classes="dialog-body", can_focus=False):
            yield words("", id="exact")

    def on_mount(self) -> None:
        self.query_one(LineList).show([str(i) for i in range(len(self._commands))], self._draw)
        self._show_exact()

    def on_line_list_moved(self) -> None:
        self._show_exact()

    def on_line_list_chosen(self) -> None:
        self.dismiss(self._here)

    def action_move(self, rows: int) -> None:
        self.query_one(LineList).move_by(rows)

    def action_copy(self) -> None:
        copy_command(self.app, self.services, self._here, self._labels)

    def action_accept(self) -> None:
        if self.armed:
            self.dismiss(self._here)

    @property
    def _here(self) -> Command:
        return self._commands[self.query_one(LineList).cursor]

    def _draw(self, index: int, width: int, here: bool) -> Text:
        title = title_width(self._commands, width)
        return command_row(self.services, index, self._commands[index], width, title=title, here=here)

    def _show_exact(self) -> None:
        exact = Text(f"\n{filled(self._here, self._labels)}", style=self.services.theme["value"])
        self.query_one("#exact", Static).update(exact)


def copy_command(app: App[int], services: Services, command: Command, labels: Mapping[str, str]) -> None:
    """Copy a command with its values; of one that would be cut say why it is not copied."""
    if not is_cut(command, labels):
        copy_text(app, services, "Command", filled(command, labels))
        return
    reason = (
        f"With its values it is longer than {MAX_FILLED:,} characters. Its end would be missing, and what is "
        f"left would do something else. The runbook has it on line {command.line}."
    )
    app.push_screen(TextView(services, "Command: not copied", trusted(reason)))


def title_width(commands: Sequence[Command], width: int) -> int:
    """The cells of the titles' column in rows of `width` cells: as the longest title needs, within limits."""
    longest = max((width_of(command.title) for command in commands), default=0)
    return min(longest, _TITLE, max(8, width * 3 // 5))


def command_row(
    services: Services, index: int, command: Command, width: int, *, title: int, here: bool = False
) -> Text:
    """`1 ▸ logs   changes things   kubectl logs …` in exactly `width` cells, `title` of them for the title."""
    theme, glyphs = services.theme, services.glyphs
    row = Row(width, glyphs, theme["selected"] if here else theme["plain"])
    row.add(f"{index + 1} {glyphs.pointer} ", theme["key"])
    row.add(command.title, theme["strong"], title)
    row.space(2)
    if command.changes:
        row.add("changes things  ", theme["warning"])
    row.add(safe(command.script.strip().replace("\n", " ; "), 300), theme["dim"])
    return row.done()


class CommandDialog(Dialog[Outcome]):
    """Names user, host and the exact command; runs it on enter and shows what it says. Gives the outcome,
    None when it was not run."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "accept", show=False),
        Binding("y", "copy", show=False),
    ]

    def __init__(self, services: Services, command: Command, alert: Alert) -> None:
        super().__init__(services, f"Run: {command.title}", "esc cancel · y copy · enter run")
        self._command = command
        self._alert = alert
        self._exact = filled(command, alert.labels)
        self._worker: Worker[None] | None = None
        self._outcome: Outcome | None = None

    def inside(self) -> ComposeResult:
        theme = self.services.theme
        who = safe(f"Runs as {_user()} on {platform.node() or 'this host'}, for {self._alert.name}:", 300)
        yield words(who, theme["strong"])
        if self._command.changes:
            yield words("This command changes things.", theme["warning"])
        with VerticalScroll(classes="dialog-body", can_focus=False):
            yield words(self._exact, theme["value"], id="exact")
        yield words("", id="state")

    def action_accept(self) -> None:
        if self._outcome is not None:
            self.dismiss(self._outcome)
        elif self._worker is None and self.armed:
            self._worker = self.run_worker(self._run(), group="command", exit_on_error=False)

    def action_cancel(self) -> None:
        if self._worker is not None and self._outcome is None:
            self._worker.cancel()
            self._say("stopping…", "dim")
        else:
            self.dismiss(self._outcome)

    def action_copy(self) -> None:
        if self._outcome is not None and self._outcome.output:
            copy_text(self.app, self.services, "Output", self._outcome.output)
        else:
            copy_command(self.app, self.services, self._command, self._alert.labels)

    async def _run(self) -> None:
        pane = Log(id="output", max_lines=MAX_LINES)
        await self.query_one(".dialog").mount(pane, before="#state")
        self.show_title(f"Running: {self._command.title}", "esc stop")
        self._say("running…", "dim")
        try:
            outcome = await self.services.runner.run_command(
                self._command, self._alert, on_output=lambda text: _write(pane, text)
            )
        except OpsError as error:
            outcome = failed("command", error)
        self._finish(outcome, pane)

    def _finish(self, outcome: Outcome, pane: Log) -> None:
        self._outcome = outcome
        if outcome.output and not pane.line_count:
            pane.write(outcome.output)
        status = "" if outcome.exit_status is None else f"exit {outcome.exit_status}: "
        text = f"{status}{outcome.message}" + (f"\n{outcome.hint}" if outcome.hint else "")
        self._say(text, "ok" if outcome.result is Result.DONE and not outcome.exit_status else "critical")
        self.show_title(f"Done: {self._command.title}", "esc close · y copy output")

    def _say(self, text: str, style: str) -> None:
        self.query_one("#state", Static).update(Text(text, style=self.services.theme[style]))

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """A stopped run leaves no outcome of its own."""
        if event.worker is self._worker and event.worker.is_cancelled and self._outcome is None:
            self._outcome = Outcome(
                op="", action="command", result=Result.FAILED, message=trusted("stopped by hand")
            )
            self._say("stopped by hand", "critical")
            self.show_title(f"Stopped: {self._command.title}", "esc close")


def failed(action: str, error: OpsError) -> Outcome:
    """An outcome for an error that an action raised."""
    return Outcome(
        op="", action=action, result=Result.FAILED, message=safe(str(error), 500), hint=safe(error.hint, 300)
    )


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "an unnamed user"


def _write(pane: Log, text: SafeText) -> None:
    pane.write(text)
