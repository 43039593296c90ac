"""What the screens made of one list and its detail have in common."""

from __future__ import annotations

from collections.abc import Coroutine, Iterable, Sequence

from rich.text import Text
from textual.events import Click

from opsconsole.render.row import Row, width_of, wrapped
from opsconsole.ui.lines import LineList
from opsconsole.ui.screens.base import ConsoleScreen

_NAME = 14
"""Cells of a field's name, with one before and one behind it."""


class ListScreen(ConsoleScreen):
    """A screen with one LineList. The keys of the registry move its cursor; `cursor_moved` draws the rest.

    `held` is whether a person has put the cursor where it is.
    """

    held = False
    _acting = False

    def begin(self, action: Coroutine[None, None, None]) -> None:
        """Start an action with its dialogs; a second key typed ahead of the first one's dialog starts none."""
        if self._acting:
            action.close()
            return
        self._acting = True
        self.run_worker(self._whole(action), group="actions", exit_on_error=False)

    async def _whole(self, action: Coroutine[None, None, None]) -> None:
        try:
            await action
        finally:
            self._acting = False

    @property
    def rows(self) -> LineList:
        return self.query_one(LineList)

    def cursor_moved(self) -> None:
        """Draw what depends on the cursor."""

    def do_down(self) -> None:
        self.held = True
        self.rows.move_by(1)

    def do_up(self) -> None:
        self.held = True
        self.rows.move_by(-1)

    def do_top(self) -> None:
        self.held = True
        self.rows.move_to(0)

    def do_bottom(self) -> None:
        self.held = True
        self.rows.move_to_end()

    def do_page_down(self) -> None:
        self.held = True
        self.rows.page(1)

    def do_page_up(self) -> None:
        self.held = True
        self.rows.page(-1)

    def on_click(self, event: Click) -> None:
        self.held = self.held or event.widget is self.rows

    def on_line_list_moved(self, event: LineList.Moved) -> None:
        event.stop()
        self.cursor_moved()
        self.update_keys()

    def on_line_list_chosen(self, event: LineList.Chosen) -> None:
        event.stop()
        self.run_worker(self.action_ops("open"), group="open", exit_on_error=False)

    def make_list(self) -> LineList:
        """A list whose keys are this screen's, not the scroll container's."""
        found = LineList()
        found.can_focus = False
        return found

    def heading(self, text: str, note: str = "") -> Text:
        """A line across the screen that heads a part of it."""
        services = self.services
        row = Row(self.app.size.width, services.glyphs)
        row.add(f"{services.glyphs.box[4] * 2} ", services.theme["border"])
        row.add(text, services.theme["title"])
        if note:
            row.add(f"  {note}", services.theme["dim"])
        row.space()
        row.add(services.glyphs.box[4] * max(0, row.left), services.theme["border"])
        return row.done()

    def field(self, name: str, value: str, style: str = "plain", limit: int = 3) -> list[Text]:
        """A named value, wrapped to at most `limit` lines beside its name."""
        services, width = self.services, self.app.size.width
        lines = []
        for index, part in enumerate(wrapped(value, max(10, width - _NAME), limit, services.glyphs) or [""]):
            row = self._named("" if index else name)
            row.add(part, services.theme[style])
            lines.append(row.done())
        return lines

    def fields(self, name: str, pieces: Sequence[tuple[str, str]], limit: int = 3) -> list[Text]:
        """A named line of (text, style name) pieces; what has no room goes to the next of `limit` lines."""
        if len(pieces) == 1:
            return self.field(name, *pieces[0], limit=limit)
        theme = self.services.theme
        rows = [self._named(name)]
        for text, style in pieces:
            if rows[-1].left >= width_of(text) or len(rows) == limit or rows[-1].cells == _NAME:
                rows[-1].add(text, theme[style])
            else:
                rows.append(self._named(""))
                rows[-1].add(text.lstrip(), theme[style])
        return [row.done() for row in rows]

    def _named(self, name: str) -> Row:
        row = Row(self.app.size.width, self.services.glyphs)
        row.space()
        row.add(name, self.services.theme["dim"], _NAME - 2)
        row.space()
        return row

    def said(self, pieces: Iterable[tuple[str, str]]) -> Text:
        """One line of (text, style name) pieces."""
        row = Row(self.app.size.width, self.services.glyphs)
        row.space()
        for text, style in pieces:
            row.add(text, self.services.theme[style])
        return row.done()
