"""Widgets made of lines that repaint only the lines that changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.text import Text
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widget import Widget


def to_strip(widget: Widget, line: Text, width: int) -> Strip:
    """A line as a strip of exactly `width` cells on the widget's background."""
    strip = Strip(line.render(widget.app.console)).adjust_cell_length(width)
    return strip.apply_style(widget.rich_style)


class Lines(Widget):
    """A block of lines. `show` takes the new ones and repaints those that differ from the old."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._lines: tuple[Text, ...] = ()

    def show(self, lines: Sequence[Text]) -> None:
        """Replace the lines; a change of their number lays the widget out again."""
        new, old = tuple(lines), self._lines
        self._lines = new
        if len(new) != len(old):
            self.refresh(layout=True)
            return
        changed = [y for y, (a, b) in enumerate(zip(old, new, strict=True)) if not same(a, b)]
        if changed:
            self.refresh(*(Region(0, y, self.size.width, 1) for y in changed))

    @property
    def lines(self) -> tuple[Text, ...]:
        return self._lines

    def get_content_width(self, container: Size, viewport: Size) -> int:
        return container.width

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return len(self._lines)

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        if y >= len(self._lines):
            return Strip.blank(width, self.rich_style)
        return to_strip(self, self._lines[y], width)


def same(a: Text, b: Text) -> bool:
    """Whether two lines look the same."""
    return a is b or (a.plain == b.plain and a.spans == b.spans and a.style == b.style)


Draw = Callable[[int, int, bool], Text]
"""(index, width, whether the cursor is there) -> the row, exactly that wide."""


class LineList(ScrollView, can_focus=True):
    """A list with a cursor that draws only the rows in view.

    Rows have keys; the cursor follows its key when the rows change under it. When its row goes, the cursor
    stays at the same place in the list.
    """

    class Moved(Message):
        """The cursor is on another row."""

        def __init__(self, index: int, key: str) -> None:
            super().__init__()
            self.index = index
            self.key = key

        def can_replace(self, message: Message) -> bool:
            return isinstance(message, LineList.Moved)

    class Chosen(Message):
        """A row was clicked."""

        def __init__(self, index: int, key: str) -> None:
            super().__init__()
            self.index = index
            self.key = key

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._keys: Sequence[str] = ()
        self._draw: Draw = lambda index, width, here: Text(" " * width)
        self._cursor = 0
        self._painted: dict[int, Text] = {}
        self._empty: tuple[Text, ...] = ()

    @property
    def cursor(self) -> int:
        """The index of the cursor's row; 0 when there are no rows."""
        return self._cursor

    @property
    def cursor_key(self) -> str:
        """The key of the cursor's row; "" when there are no rows."""
        return self._keys[self._cursor] if self._cursor < len(self._keys) else ""

    def show(self, keys: Sequence[str], draw: Draw, empty: Sequence[Text] = ()) -> None:
        """Replace the rows: their keys, how to draw one, and the lines to show when there are none."""
        before = self.cursor_key
        resized = len(keys) != len(self._keys) or bool(empty) != bool(self._empty)
        self._keys, self._draw, self._empty = keys, draw, tuple(empty)
        self._follow(before)
        self.virtual_size = Size(self.size.width, max(len(keys), len(self._empty)))
        if resized:
            self._painted.clear()
            self.refresh()
        else:
            self._repaint_changed()
        if self.cursor_key != before:
            self.post_message(self.Moved(self._cursor, self.cursor_key))

    def move_to(self, index: int) -> None:
        """Put the cursor on a row, held inside the list, and scroll it into view."""
        index = max(0, min(index, len(self._keys) - 1))
        if index != self._cursor:
            old, self._cursor = self._cursor, index
            self._repaint(old)
            self._repaint(index)
            self.post_message(self.Moved(index, self.cursor_key))
        self._reveal()

    def move_to_key(self, key: str) -> bool:
        """Put the cursor on the row with this key; False when there is none."""
        if key not in self._keys:
            return False
        self.move_to(self._keys.index(key))
        return True

    def move_by(self, rows: int) -> None:
        self.move_to(self._cursor + rows)

    def page(self, direction: int) -> None:
        self.move_by(direction * max(1, self.size.height - 1))

    def move_to_end(self) -> None:
        self.move_to(len(self._keys) - 1)

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        line = self._line(y + self.scroll_offset.y, width)
        if line is None:
            return Strip.blank(width, self.rich_style)
        return to_strip(self, line, width)

    def on_resize(self) -> None:
        self._painted.clear()
        self.virtual_size = Size(self.size.width, max(len(self._keys), len(self._empty)))
        self._reveal()

    def on_click(self, event: object) -> None:
        y = getattr(event, "y", 0) + self.scroll_offset.y
        if 0 <= y < len(self._keys):
            was = self._cursor
            self.move_to(y)
            if y == was:
                self.post_message(self.Chosen(y, self.cursor_key))

    def _line(self, index: int, width: int) -> Text | None:
        if not self._keys:
            line = self._empty[index] if index < len(self._empty) else None
        elif index >= len(self._keys):
            line = None
        else:
            line = self._draw(index, width, index == self._cursor)
        if line is not None:
            self._painted[index] = line
        return line

    def _follow(self, key: str) -> None:
        if not key or (self._cursor < len(self._keys) and self._keys[self._cursor] == key):
            self._cursor = max(0, min(self._cursor, len(self._keys) - 1))
            return
        if key in self._keys:
            at = self._keys.index(key)
            self.scroll_to(y=self.scroll_offset.y + at - self._cursor, animate=False, immediate=True, force=True)
            self._cursor = at
        else:
            self._cursor = max(0, min(self._cursor, len(self._keys) - 1))

    def _repaint_changed(self) -> None:
        top, width = self.scroll_offset.y, self.size.width
        if not width:
            return
        changed: list[Region] = []
        for y in range(self.size.height):
            old = self._painted.get(top + y)
            new = self._line(top + y, width)
            if new is not None and (old is None or not same(old, new)):
                changed.append(Region(0, y, width, 1))
        if changed:
            self.refresh(*changed)

    def _repaint(self, index: int) -> None:
        y = index - self.scroll_offset.y
        if 0 <= y < self.size.height:
            self.refresh(Region(0, y, self.size.width, 1))

    def _reveal(self) -> None:
        top, height = self.scroll_offset.y, self.size.height
        if not height:
            return
        if self._cursor < top:
            self.scroll_to(y=self._cursor, animate=False, immediate=True, force=True)
        elif self._cursor >= top + height:
            self.scroll_to(y=self._cursor - height + 1, animate=False, immediate=True, force=True)
