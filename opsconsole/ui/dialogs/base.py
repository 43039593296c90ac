"""What all dialogs share: the frame, the way out, and that nobody confirms what they cannot see yet."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, Generic, TypeVar

from rich.style import Style
from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.screen import ModalScreen
from textual.widgets import Static

from opsconsole.text import safe
from opsconsole.ui.services import Services

T = TypeVar("T")


class Dialog(ModalScreen[T | None], Generic[T]):
    """A modal with a typed result; None means that it was left without a yes.

    A subclass yields its widgets in `inside` and confirms only while `armed`.
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "cancel", show=False)]

    def __init__(self, services: Services, title: str, keys: str) -> None:
        super().__init__()
        self.services = services
        self._title = title
        self._keys = keys
        self._painted_at: float | None = None
        self._key_at = float("-inf")

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield from self.inside()

    def inside(self) -> ComposeResult:
        """The widgets in the frame."""
        yield from ()

    def on_mount(self) -> None:
        self.show_title(self._title, self._keys)
        self.call_after_refresh(self._mark_painted)

    def show_title(self, title: str, keys: str) -> None:
        """Put words into the frame: the title on top, the keys below."""
        frame = self.query_one(".dialog", Vertical)
        if self.services.glyphs.ascii:
            frame.styles.border = ("ascii", frame.styles.border_top[1])
            keys = keys.replace(" · ", " | ")
        # Content, because a frame reads markup in a str.
        frame.border_title = Content(safe(title, 120))
        frame.border_subtitle = Content(safe(keys, 120))

    def on_key(self, event: events.Key) -> None:
        """Remember when the latest key was pressed; it is on its way to its binding."""
        self._key_at = event.time

    @property
    def armed(self) -> bool:
        """Whether the dialog was on the screen before the latest key was pressed: keys that were typed ahead
        confirm nothing."""
        return self._painted_at is not None and self._key_at >= self._painted_at

    def rearm(self) -> None:
        """What the dialog shows has changed: keys from before it is on the screen confirm nothing."""
        self._painted_at = None
        self.call_after_refresh(self._mark_painted)

    def action_cancel(self) -> None:
        self.dismiss(None)

    def _mark_painted(self) -> None:
        # A message is stamped by the same clock as the keys.
        self._painted_at = Message().time


def words(text: str, style: Style | str = "", *, id: str | None = None, classes: str | None = None) -> Static:
    """Text that wraps, without markup. The text must be safe already."""
    return Static(Text(text, style=style), id=id, classes=classes, markup=False)


def paragraphs(lines: Iterable[str | Text]) -> Text:
    """Lines as one text."""
    joined = Text()
    for index, line in enumerate(lines):
        if index:
            joined.append("\n")
        joined.append_text(line if isinstance(line, Text) else Text(line))
    return joined
