"""What every screen of the console has: status lines on top, keys at the bottom, snapshots coming down."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, ClassVar, cast

from textual.app import ComposeResult
from textual.screen import Screen
from textual.widgets import Input

from opsconsole.actions.focus import Focus, why_not
from opsconsole.actions.keys import Scope
from opsconsole.actions.registry import BY_ID
from opsconsole.state.snapshot import Snapshot
from opsconsole.ui.bars import KeyBar, StatusBar
from opsconsole.ui.screens.too_small import TooSmall, is_too_small
from opsconsole.ui.services import Services

if TYPE_CHECKING:
    from opsconsole.ui.app import ConsoleApp


_WITHOUT_SEEING = frozenset({"quit", "refresh"})
"""The actions that work while the terminal is too small to show what they would act upon."""

_SOON = 10
"""Turns of the event loop in which an action that asks nothing of a server has opened its dialog."""

STYLES = Path(__file__).parents[1] / "styles"


class ConsoleScreen(Screen[None]):
    """A screen that shows snapshots.

    A subclass sets `scope`, uses `bindings_for(scope)` as BINDINGS, yields its widgets in `body`, draws in
    `show`, says in `focus_now` what a key would act upon, and has a `do_<action id>` method for each of its
    actions; actions it lacks are looked up on the app. One on which only some of its scope's actions make
    sense names those that its footer shows in `footer_ids`.
    """

    scope: ClassVar[Scope] = Scope.GLOBAL
    footer_ids: ClassVar[tuple[str, ...]] = ()
    AUTO_FOCUS = ""
    CSS_PATH: ClassVar[list[str | PurePath]] = [
        STYLES / "console.tcss",
        STYLES / "alerts.tcss",
        STYLES / "dialogs.tcss",
    ]

    def __init__(self, services: Services) -> None:
        super().__init__()
        self.services = services
        self._shown: Snapshot | None = None

    def compose(self) -> ComposeResult:
        yield StatusBar(self.services, self.scope)
        yield from self.body()
        yield KeyBar(self.services, self.scope, self.footer_ids)
        yield TooSmall()

    def body(self) -> ComposeResult:
        """The widgets between the bars."""
        yield from ()

    def show(self, snapshot: Snapshot) -> None:
        """Draw a snapshot. Called for each new one while the screen is in front, and when it comes back."""

    def focus_now(self) -> Focus:
        """What a key pressed now would act upon."""
        return self.base_focus()

    def watched(self) -> tuple[str, ...]:
        """The keys (`system/panel`) of the panels on this screen that need polling."""
        return ()

    def base_focus(self) -> Focus:
        return Focus(
            scope=self.scope,
            read_only=self.snapshot.context.read_only,
            undoable=self.services.runner.last_undoable(),
            writing=self.services.runner.writing,
        )

    @property
    def snapshot(self) -> Snapshot:
        return self.services.engine.snapshot

    @property
    def console_app(self) -> ConsoleApp:
        return cast("ConsoleApp", self.app)

    def receive(self, snapshot: Snapshot) -> None:
        """Draw the snapshot if it is new."""
        if snapshot is self._shown:
            return
        self._shown = snapshot
        self.query_one(StatusBar).show_snapshot(snapshot)
        self.show(snapshot)
        self.update_keys()

    def update_keys(self) -> None:
        """Draw the footer for what is under the cursor now."""
        self.query_one(KeyBar).show_focus(self.focus_now())

    def on_screen_resume(self) -> None:
        self.services.engine.watch(self.watched())
        self._shown = None
        self.receive(self.snapshot)

    def on_resize(self) -> None:
        small = is_too_small(self.app.size.width, self.app.size.height)
        self.set_class(small, "-too-small")
        if small:
            self.query_one(TooSmall).show_size(self.app.size.width, self.app.size.height)
        if self.is_mounted:
            self._shown = None
            self.call_after_refresh(lambda: self.receive(self.snapshot))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """While a field is typed into, its keys are text; only what leads out of it stays a key."""
        if action == "ops" and isinstance(self.focused, Input):
            return parameters[:1] in (("back",), ("palette",), ("refresh",))
        return super().check_action(action, parameters)

    async def action_ops(self, action_id: str) -> None:
        """Run an action of the registry, or say why it cannot."""
        if self.has_class("-too-small") and action_id not in _WITHOUT_SEEING:
            return
        reason = why_not(BY_ID[action_id], self.focus_now())
        if reason:
            self.console_app.tell(f"{BY_ID[action_id].title}: {reason}", severity="warning")
            return
        handler = getattr(self, f"do_{action_id}", None) or getattr(self.app, f"do_{action_id}", None)
        if handler is None:
            return
        result = handler()
        if inspect.isawaitable(result):
            await result
        if BY_ID[action_id].writes:
            await self._dialog_first()
        if self.is_mounted:
            self.update_keys()

    async def _dialog_first(self) -> None:
        """Let the dialog that an action opens come to the front: keys typed ahead are for it, and confirm nothing
        there; on the list each of them would act."""
        for _ in range(_SOON):
            if self.app.screen is not self:
                return
            await asyncio.sleep(0)

    def runner_of(self, action_id: str) -> Callable[[], None]:
        """A callable that runs an action later, for the palette."""

        def later() -> None:
            self.run_worker(self.action_ops(action_id), group="palette", exit_on_error=False)

        return later
