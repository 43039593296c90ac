"""Opening the console. It imports little, so that the first frame is on the screen before the rest is loaded."""

from __future__ import annotations

import os
import sys
from itertools import pairwise
from typing import TYPE_CHECKING

from opsconsole.errors import UsageError
from opsconsole.render.glyphs import Glyphs, glyphs_for
from opsconsole.render.theme import DARK, NO_COLOUR, THEMES, Theme
from opsconsole.ui.app import ConsoleApp
from opsconsole.ui.boot import TITLES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from opsconsole.config.schema import Context
    from opsconsole.ui.modes import Opened

SCREENS = tuple(title.lower() for title in TITLES)


def open_console(argv: list[str]) -> int:
    """Open the console for a command line without a command; the exit code.

    Raises UsageError without a terminal, and whatever OpsError the command line and the configuration cause.
    """
    need_console()

    def prepare(theme: Theme, glyphs: Glyphs) -> Opened:
        from opsconsole.cli.app import console_options
        from opsconsole.cli.prepare import prepare_console
        from opsconsole.cli.wiring import resolve

        return prepare_console(resolve(console_options(argv)), theme, glyphs)

    return run_app(prepare, start=_screen_of(argv))


async def run_console(
    context: Context, *, start: str = "overview", demo: str = "", journal_file: Path | None = None
) -> int:
    """Run the console on a context, inside an event loop, until it is left; the exit code. `journal_file` is
    the user's own unless named."""

    def prepare(theme: Theme, glyphs: Glyphs) -> Opened:
        from opsconsole.cli.prepare import prepare_console

        return prepare_console(context, theme, glyphs, demo=demo, journal_file=journal_file)

    app = make_console(prepare, start=start)
    await app.run_async()
    return _code(app)


def run_app(prepare: Callable[[Theme, Glyphs], Opened], *, start: str) -> int:
    """Run the console in an event loop of its own; the exit code."""
    app = make_console(prepare, start=start)
    app.run()
    return _code(app)


def make_console(prepare: Callable[[Theme, Glyphs], Opened], *, start: str) -> ConsoleApp:
    """The application, in the colours and characters that the environment asks for."""
    theme, glyphs = theme_for(os.environ), glyphs_for(sys.stdout.encoding or "ascii")
    return ConsoleApp(lambda: prepare(theme, glyphs), theme, glyphs, start=start)


def _code(app: ConsoleApp) -> int:
    if app.failure is not None:
        raise app.failure
    return app.return_code or 0


def need_console(start: str = "overview") -> None:
    """Raise UsageError unless there is such a screen and all three streams are a terminal: without a keyboard
    the event loop would spin, and the screen is drawn on standard error."""
    if start not in SCREENS:
        raise UsageError(f"there is no screen {start!r}", hint=f"screens: {', '.join(SCREENS)}")
    if not all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr)):
        raise UsageError(
            "the console needs a terminal",
            hint="`opsconsole check` and `opsconsole alerts` work without one",
        )


def _screen_of(argv: list[str]) -> str:
    """The value of --screen, before the command line is parsed."""
    for word, following in pairwise([*argv, ""]):
        name, _, value = word.partition("=")
        if name == "--screen":
            start = value or following
            need_console(start)
            return start
    return "overview"


def theme_for(env: Mapping[str, str]) -> Theme:
    """No colour when NO_COLOR is set, else what OPSCONSOLE_THEME names: dark or light."""
    if env.get("NO_COLOR"):
        return NO_COLOUR
    return THEMES.get(env.get("OPSCONSOLE_THEME", ""), DARK)
