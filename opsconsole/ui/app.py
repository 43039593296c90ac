"""The application: wiring and modes, nothing else."""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.app import SystemCommand
from textual.binding import Binding, BindingType
from textual.filter import LineFilter
from textual.message import Message
from textual.screen import Screen

from opsconsole.errors import OpsError
from opsconsole.model.journal import Outcome, Result
from opsconsole.render.glyphs import Glyphs
from opsconsole.render.theme import Theme
from opsconsole.turns import take_turns
from opsconsole.ui.boot import BootScreen
from opsconsole.ui.filters import TerminalGuard
from opsconsole.ui.keys_in_turn import KeysInTurn
from opsconsole.ui.terminal import TerminalWatch, crash_report
from opsconsole.ui.themes import register_themes

if TYPE_CHECKING:
    from opsconsole.state.snapshot import Snapshot
    from opsconsole.ui.modes import Opened
    from opsconsole.ui.services import Services


TOAST = 800
"""Characters that a toast shows."""

PAUSE = 0.0002
"""Seconds for which a busy thread steps aside now and then."""

_SEVERITIES = {Result.DONE: "information", Result.REFUSED: "warning", Result.OPEN: "warning"}


class SnapshotArrived(Message):
    """The engine has a new snapshot; only the newest matters."""

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, SnapshotArrived)


class ConsoleApp(KeysInTurn[int]):
    """The console. It paints a first frame, has everything else prepared in a thread, and then hands each new
    snapshot of the engine to the screen in front.

    `prepare` imports and builds what the screens need; an OpsError of it ends the console and is left in
    `failure`. `start` is the mode to begin with. `ack_reason` is what an acknowledgement proposes: the last
    one that was given here.
    """

    TITLE = "opsconsole"
    ENABLE_COMMAND_PALETTE = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+z", "suspend_process", show=False, priority=True),
        Binding("q", "quit", show=False),
    ]

    def __init__(self, prepare: Callable[[], Opened], theme: Theme, glyphs: Glyphs, *, start: str) -> None:
        super().__init__()
        self.failure: OpsError | None = None
        self.ack_reason = "looking"
        self._prepare = prepare
        self._boot = BootScreen(theme, glyphs)
        self._start = start
        self._guard = TerminalGuard()
        self._watch = TerminalWatch(self._leave)
        self._opened: Opened | None = None
        self._engine_task: asyncio.Task[None] | None = None
        self._endings: list[Callable[[], object]] = []
        register_themes(self, theme)

    @property
    def services(self) -> Services:
        """What the screens use. There are no screens before it is there."""
        assert self._opened is not None
        return self._opened.services

    def get_default_screen(self) -> Screen[None]:
        """The first frame."""
        return self._boot

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Only the guard: the NO_COLOR theme is made of colours that need no filter."""
        return [self._guard]

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """The palette: the actions of the screen in front."""
        if self._opened is not None:
            for action, run in self._opened.palette(screen):
                yield SystemCommand(action.title, action.description, run)

    def on_mount(self) -> None:
        # Large lists are decoded and sorted in threads; a key must not wait for their turn to end.
        take_turns(PAUSE)
        self._watch.start()
        self.call_after_refresh(self._open)

    def _open(self) -> None:
        self.run_worker(self._opening(), group="opening", exit_on_error=False)

    async def _opening(self) -> None:
        """Prepare in a thread, then show the first mode and start the engine."""
        try:
            opened = await asyncio.to_thread(self._prepare)
        except OpsError as error:
            self.failure = error
            self.exit(error.exit_code, return_code=error.exit_code)
            return
        self._opened = opened
        # What has been loaded stays: the collector need not look through it again and again.
        gc.collect()
        gc.freeze()
        for name, screen in opened.modes.items():
            self.add_mode(name, self._factory(screen))
        engine = opened.services.engine
        opened.follow(self.report)
        self._endings += [engine.subscribe(lambda: self.post_message(SnapshotArrived())), opened.begin()]
        self.app_suspend_signal.subscribe(self, lambda _: engine.pause())
        self.app_resume_signal.subscribe(self, self._resumed)
        await self.switch_mode(self._start)
        self._engine_task = asyncio.create_task(engine.run(), name="engine")
        self._engine_task.add_done_callback(self._engine_ended)

    def _resumed(self, _: object) -> None:
        """Back from ctrl+z: the terminal has cleared the screen, and the data is as old as the absence."""
        self.refresh(layout=True)
        self.services.engine.resume()

    def _engine_ended(self, task: asyncio.Task[None]) -> None:
        """Without its engine the console would show an ever older picture as if it were new."""
        if not task.cancelled() and (error := task.exception()) is not None:
            cause = error.exceptions[0] if isinstance(error, BaseExceptionGroup) else error
            self._handle_exception(cause if isinstance(cause, Exception) else RuntimeError("engine"))

    def _factory(self, screen: Callable[[Services], Screen[None]]) -> Callable[[], Screen[None]]:
        return lambda: screen(self.services)

    async def on_unmount(self) -> None:
        self._watch.stop()
        for end in self._endings:
            end()
        if self._engine_task is not None:
            self._engine_task.cancel()
            await asyncio.gather(self._engine_task, return_exceptions=True)
        if self._opened is not None:
            await self._opened.aclose()

    def _leave(self, code: int) -> None:
        self.exit(code, return_code=code)

    def _fatal_error(self) -> None:
        """In place of Textual's traceback, which prints the values of variables."""
        error = sys.exc_info()[1] or self._exception
        if error is not None and not self._exit_renderables:
            self._exit_renderables.append(Text(crash_report(error)))
        self._close_messages_no_wait()

    def on_snapshot_arrived(self) -> None:
        # While the application ends, its screens lose their widgets before it stops to listen.
        if self.is_running:
            self.show_snapshot()

    def show_snapshot(self) -> None:
        """Hand the newest snapshot to every console screen of the mode in front, and tell what is new in it."""
        if self._opened is not None and (words := self._opened.asking.look(self.snapshot)):
            self.tell(words, severity="warning")
        for screen in self.screen_stack:
            receive = getattr(screen, "receive", None)
            if receive is not None and screen.is_mounted:
                receive(self.snapshot)

    @property
    def snapshot(self) -> Snapshot:
        return self.services.engine.snapshot

    def report(self, outcome: Outcome) -> None:
        """Tell how an action ended."""
        severity = _SEVERITIES.get(outcome.result, "error")
        text = f"{outcome.message}\n{outcome.hint}" if outcome.hint else str(outcome.message)
        self.tell(text, severity=severity)
        self.services.engine.refresh()

    def tell(self, text: str, *, severity: str = "information") -> None:
        """A toast with plain text; of a long one its beginning."""
        shown = text if len(text) <= TOAST else f"{text[:TOAST]}…"
        level = severity if severity in ("information", "warning", "error") else "error"
        self.notify(shown, severity=level, markup=False, timeout=6)  # type: ignore[arg-type]  # narrowed above

    def do_mode_overview(self) -> None:
        self.switch_mode("overview")

    def do_mode_alerts(self) -> None:
        self.switch_mode("alerts")

    def do_mode_silences(self) -> None:
        self.switch_mode("silences")

    def do_mode_flags(self) -> None:
        self.switch_mode("flags")

    def do_mode_incident(self) -> None:
        self.switch_mode("incident")

    def do_mode_status(self) -> None:
        self.switch_mode("status")

    def do_refresh(self) -> None:
        self.services.engine.refresh()

    def do_help(self) -> None:
        if self._opened is not None and (screen := self._opened.help_for(self.screen)) is not None:
            self.push_screen(screen)

    def do_palette(self) -> None:
        self.action_command_palette()

    async def do_undo(self) -> None:
        self.run_worker(self._undo(), group="actions", exit_on_error=False)

    async def _undo(self) -> None:
        if self.services.runner.writing:
            self.tell("undo waits until what you did is written")
        self.report(await self.services.runner.undo())

    def do_quit(self) -> None:
        self.exit(0)

    def action_help_quit(self) -> None:
        self.tell("press q to leave")
