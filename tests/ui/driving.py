"""One screen under a pilot: start it, press keys, read it, count what it repaints."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from fakes import FakeEngine, FakeRunner, ScreenApp, make_services, screen_text
from textual.pilot import Pilot
from textual.screen import Screen

from opsconsole.render.glyphs import UNICODE, Glyphs
from opsconsole.render.theme import DARK, Theme
from opsconsole.state.snapshot import Snapshot
from opsconsole.ui.lines import LineList, Lines
from opsconsole.ui.services import Services
from opsconsole.ui.themes import register_themes

SIZES = [(80, 24), (120, 40)]
HOSTILE = "a\x1b]52;c;aGk=\x07b\x9b31m\u202ec[/var/log] [bold]x[/bold] \u200bend"


class OneScreen(ScreenApp):
    """The application around one screen, with its themes."""

    def __init__(self, first: Screen[Any], services: Services) -> None:
        super().__init__(first, services)
        register_themes(self, services.theme)

    async def switch_mode(self, mode: str) -> None:  # type: ignore[override]  # only what the screens use
        self.modes_asked.append(mode)


class Driven:
    """A running screen."""

    def __init__(self, app: OneScreen, pilot: Pilot[int], engine: FakeEngine, runner: FakeRunner) -> None:
        self.app, self.pilot, self.engine, self.runner = app, pilot, engine, runner

    @property
    def text(self) -> str:
        return screen_text(self.app)

    async def press(self, *keys: str) -> str:
        """Press keys one after another, each after the one before has been drawn."""
        for key in keys:
            await self.settle()
            await self.pilot.press(key)
        await self.settle()
        return self.text

    async def push(self, snapshot: Snapshot) -> str:
        self.engine.push(snapshot)
        await self.settle()
        return self.text

    async def settle(self) -> None:
        for _ in range(3):
            await self.pilot.pause()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for a condition, for a limited time."""
        end = time.monotonic() + 30.0
        while time.monotonic() < end:
            if condition():
                return
            await self.pilot.pause(0.01)
        raise AssertionError(f"it did not happen:\n{self.text}")


@asynccontextmanager
async def driven(
    make: Callable[[Services], Screen[Any]],
    snapshot: Snapshot,
    size: tuple[int, int] = (120, 40),
    *,
    theme: Theme = DARK,
    glyphs: Glyphs = UNICODE,
    checks: Callable[[Snapshot], Any] | None = None,
) -> AsyncIterator[Driven]:
    """A screen that shows a snapshot."""
    services, engine, runner = make_services(snapshot, theme=theme, glyphs=glyphs)
    if checks is not None:
        object.__setattr__(services, "checks", checks)
    app = OneScreen(make(services), services)
    async with app.run_test(size=size) as pilot:
        screen = Driven(app, pilot, engine, runner)
        await screen.settle()
        yield screen


@contextmanager
def painted_lines(monkeypatch: Any) -> Iterator[list[str]]:
    """Collects the class of each widget whose line is drawn."""
    found: list[str] = []
    for kind in (Lines, LineList):
        real = kind.render_line

        def counted(self: Any, y: int, real: Any = real) -> Any:
            found.append(type(self).__name__)
            return real(self, y)

        monkeypatch.setattr(kind, "render_line", counted)
    yield found
    monkeypatch.undo()


def fits(text: str, size: tuple[int, int]) -> bool:
    """Whether the screen has exactly its rows and nothing that acts on a terminal."""
    lines = text.split("\n")
    printable = all(c.isprintable() or "\u2800" <= c <= "\u28ff" for line in lines for c in line)
    return len(lines) == size[1] and printable
