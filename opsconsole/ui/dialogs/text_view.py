"""Text to read, and text that was copied."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import Static

from opsconsole.ui.dialogs.base import Dialog, words
from opsconsole.ui.services import Services

if TYPE_CHECKING:
    from opsconsole.text import SafeText

MAX_SHOWN = 64 * 1024
"""Characters that are shown; all of them are copied."""


class TextView(Dialog[None]):
    """Shows a text until escape or enter. `note` stands above it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,q", "cancel", show=False),
        Binding("j", "scroll(1)", show=False),
        Binding("k", "scroll(-1)", show=False),
    ]

    def __init__(self, services: Services, title: str, text: SafeText, *, note: str = "") -> None:
        super().__init__(services, title, "esc close")
        self._text = text
        self._note = note

    def inside(self) -> ComposeResult:
        if self._note:
            yield words(self._note, self.services.theme["dim"], id="text-note")
        shown = self._text[:MAX_SHOWN]
        with VerticalScroll(classes="dialog-body"):
            yield Static(Text(shown), id="text-shown", markup=False)
            if len(shown) < len(self._text):
                left = len(self._text) - len(shown)
                yield words(f"… {left:,} more characters are not shown here", self.services.theme["dim"])

    def action_scroll(self, rows: int) -> None:
        self.query_one(VerticalScroll).scroll_relative(y=rows, animate=False)


def copy_text(app: App[int], services: Services, title: str, text: SafeText) -> None:
    """Put a text on the operator's clipboard by the terminal (OSC 52), and show it: not every terminal
    listens, and tmux only with `set-clipboard on`."""
    app.copy_to_clipboard(text)
    note = "Sent to the terminal's clipboard. If nothing arrives there, select it here:"
    app.push_screen(TextView(services, title, text, note=note))
