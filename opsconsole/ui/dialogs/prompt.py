"""One line of text, asked for."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.widgets import Input, Static

from opsconsole.ui.dialogs.base import Dialog, paragraphs, words
from opsconsole.ui.services import Services


class PromptDialog(Dialog[str]):
    """Asks for one line under `label`; gives it on enter, stripped. An empty one is refused with `empty`,
    unless `empty` is ""."""

    def __init__(
        self,
        services: Services,
        title: str,
        lines: Sequence[str | Text] = (),
        *,
        label: str,
        default: str = "",
        verb: str = "confirm",
        empty: str = "write something, or esc",
    ) -> None:
        super().__init__(services, title, f"esc cancel · enter {verb}")
        self._body = paragraphs(lines)
        self._label = label
        self._default = default
        self._empty = empty

    def inside(self) -> ComposeResult:
        if self._body:
            with VerticalScroll(classes="dialog-body", can_focus=False):
                yield Static(self._body, markup=False)
        yield words(self._label, self.services.theme["strong"])
        yield Input(self._default, compact=True, max_length=1000, id="prompt")
        yield words("", id="prompt-problem")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        if not self.armed:
            return
        value = event.value.strip()
        if value or not self._empty:
            self.dismiss(value)
        else:
            problem = Text(self._empty, style=self.services.theme["unknown"])
            self.query_one("#prompt-problem", Static).update(problem)
