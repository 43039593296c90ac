"""The first frame, painted before anything else is even imported."""

from __future__ import annotations

from rich.text import Text
from textual.app import ComposeResult
from textual.screen import Screen
from textual.widgets import Static

from opsconsole.render.glyphs import Glyphs
from opsconsole.render.theme import Theme

TITLES = ("Overview", "Alerts", "Silences", "Flags", "Incident", "Status")


class BootScreen(Screen[None]):
    """The names of the screens and that nothing is known yet, until the console is ready."""

    def __init__(self, theme: Theme, glyphs: Glyphs) -> None:
        super().__init__()
        self._theme = theme
        self._glyphs = glyphs

    def compose(self) -> ComposeResult:
        first = Text.assemble(" ", (self._glyphs.unknown, self._theme["unknown"]), " connecting")
        modes = "  ".join(f"{key} {title}" for key, title in enumerate(TITLES, start=1))
        yield Static(Text("\n").join([first, Text(f" {modes}", self._theme["dim"])]), markup=False)
