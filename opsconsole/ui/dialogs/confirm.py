"""Yes or no, and yes by typing a name or a number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import Input, Static

from opsconsole.text import safe
from opsconsole.ui.dialogs.base import Dialog, paragraphs, words
from opsconsole.ui.services import Services


class ConfirmDialog(Dialog[bool]):
    """Shows `lines` (safe text) and gives True on enter, None on escape. `verb` says what enter will do."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "accept", show=False)]

    def __init__(
        self, services: Services, title: str, lines: Sequence[str | Text], *, verb: str = "confirm"
    ) -> None:
        super().__init__(services, title, f"esc cancel · enter {verb}")
        self._body = paragraphs(lines)

    def inside(self) -> ComposeResult:
        with VerticalScroll(classes="dialog-body"):
            yield Static(self._body, markup=False)

    def action_accept(self) -> None:
        if self.armed:
            self.dismiss(True)


class TypedConfirmDialog(Dialog[bool]):
    """As ConfirmDialog, but enter counts only when `name` was typed, exactly; `noun` says what it is."""

    AUTO_FOCUS = "#typed-name"

    def __init__(
        self,
        services: Services,
        title: str,
        lines: Sequence[str | Text],
        *,
        name: str,
        noun: str = "name",
        verb: str = "confirm",
    ) -> None:
        super().__init__(services, title, f"esc cancel · enter {verb}")
        self._body = paragraphs(lines)
        self._name_wanted = name
        self._noun = noun

    def inside(self) -> ComposeResult:
        theme = self.services.theme
        with VerticalScroll(classes="dialog-body"):
            yield Static(self._body, markup=False)
        yield words(f"Type {safe(self._name_wanted, 200)} to go on:", theme["strong"])
        yield Input(compact=True, id="typed-name", select_on_focus=False)
        yield words("", theme["unknown"], id="typed-problem")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        if not self.armed:
            return
        # A name that cannot be typed as it is may be typed as it is shown.
        if event.value.strip() in {self._name_wanted, str(safe(self._name_wanted, 200))}:
            self.dismiss(True)
        else:
            self.query_one("#typed-problem", Static).update(
                Text(f"that is not the {self._noun}; nothing was done", style=self.services.theme["unknown"])
            )
