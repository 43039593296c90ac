"""Every screen, and what the application needs of them once they are loaded."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from textual.screen import Screen

from opsconsole.actions.keys import Action
from opsconsole.actions.registry import actions_for
from opsconsole.model.journal import Outcome
from opsconsole.ui.acking import Asking
from opsconsole.ui.screens.alerts import AlertsScreen
from opsconsole.ui.screens.base import ConsoleScreen
from opsconsole.ui.screens.flags import FlagsScreen
from opsconsole.ui.screens.help import HelpScreen
from opsconsole.ui.screens.incident import IncidentScreen
from opsconsole.ui.screens.overview import OverviewScreen
from opsconsole.ui.screens.silences import SilencesScreen
from opsconsole.ui.screens.status import StatusScreen
from opsconsole.ui.services import Services

MODES: Mapping[str, Callable[[Services], Screen[None]]] = {
    "overview": OverviewScreen,
    "alerts": AlertsScreen,
    "silences": SilencesScreen,
    "flags": FlagsScreen,
    "incident": IncidentScreen,
    "status": StatusScreen,
}


@dataclass(frozen=True)
class Opened:
    """A console that is ready. `begin` starts what follows the engine and returns what ends it; `close` is
    called last, after the engine's clients are closed. `follow` takes whom to tell how actions ended that no key
    of this console began."""

    services: Services
    begin: Callable[[], Callable[[], None]]
    close: Callable[[], None]
    modes: Mapping[str, Callable[[Services], Screen[None]]] = field(default_factory=lambda: MODES)
    follow: Callable[[Callable[[Outcome], None]], object] = lambda told: None
    asking: Asking = field(default_factory=Asking)

    def palette(self, screen: Screen[object]) -> Iterator[tuple[Action, Callable[[], None]]]:
        """The actions of a screen and what runs each."""
        if isinstance(screen, ConsoleScreen):
            for action in actions_for(screen.scope, read_only=screen.snapshot.context.read_only):
                yield action, screen.runner_of(action.id)

    def help_for(self, screen: Screen[object]) -> Screen[None] | None:
        """The help on a screen's keys; None for a screen that has none."""
        if not isinstance(screen, ConsoleScreen):
            return None
        return HelpScreen(screen.scope, read_only=screen.snapshot.context.read_only)

    async def aclose(self) -> None:
        await self.services.engine.aclose()
        self.close()
