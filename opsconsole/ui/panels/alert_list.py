"""The alert list: filter line, count line, rows."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec
from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import Input

from opsconsole.model.alertlist import AlertRow, ListOptions, is_filter_valid
from opsconsole.model.severity import AlertState
from opsconsole.render.alerts import empty_line, header_row
from opsconsole.render.row import Row
from opsconsole.render.status import SourceStatus
from opsconsole.state.snapshot import Snapshot
from opsconsole.ui.lines import Draw, LineList, Lines
from opsconsole.ui.panels.alert_items import GROUP, Heading, Items, arrange, groupings
from opsconsole.ui.panels.alert_lines import (
    alert_sources,
    any_pending,
    count_line,
    draw_alert,
    draw_heading,
    holds_of,
)
from opsconsole.ui.services import Services

_LONG = 500

INLINE = 2000
"""Rows up to which filtering on the event loop is not felt."""


class AlertList(LineList, can_focus=False):
    """A list whose cursor steps over the headings of groups. The screen owns its keys."""

    def show(self, keys: Sequence[str], draw: Draw, empty: Sequence[Text] = ()) -> None:
        super().show(keys, draw, empty)
        if self.cursor_key.startswith(GROUP):
            self.move_to(self.cursor + 1)

    def move_to(self, index: int) -> None:
        last = len(self._keys) - 1
        index = max(0, min(index, last))
        if last >= 0 and self._keys[index].startswith(GROUP):
            # A heading always has a row below it; above the first one there is nothing to go to.
            index += -1 if index < self.cursor and index > 0 else 1
        super().move_to(index)
        if index == 1 and self._keys[0].startswith(GROUP):
            self.scroll_to(y=0, animate=False, immediate=True, force=True)


class AlertListPanel(Vertical):
    """Draws the alerts of a snapshot as its options say, and keeps the marks and the cursor by key."""

    class Moved(Message):
        """Another alert is under the cursor, or the one there has changed."""

    class Opened(Message):
        """A row was clicked a second time."""

    def __init__(self, services: Services, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.services = services
        self.options = ListOptions()
        self.marks: set[str] = set()
        self._items = Items()
        self._built: tuple[object, ListOptions] | None = None
        self._snapshot: Snapshot | None = None
        self._problem = ""
        self._arranging = False
        self._holds: dict[str, float] = {}

    def compose(self) -> ComposeResult:
        yield Input(id="filter", compact=True, placeholder='severity="critical",job=~"api.*"  or plain words')
        yield Lines(id="filter-problem")
        yield Lines(id="sources")
        yield Lines(id="count")
        yield Lines(id="columns")
        yield AlertList(id="alerts")

    def on_mount(self) -> None:
        self.query_one("#filter", Input).display = False

    @property
    def rows(self) -> AlertList:
        return self.query_one(AlertList)

    @property
    def row(self) -> AlertRow | None:
        """The alert under the cursor."""
        at = self.rows.cursor
        line = self._items.lines[at] if at < len(self._items.lines) else None
        return line if isinstance(line, AlertRow) else None

    @property
    def shown(self) -> int:
        """How many alerts the list holds."""
        return self._items.shown

    def marked_rows(self) -> tuple[AlertRow, ...]:
        """The marked alerts, most urgent first, also those that the filter hides now."""
        if not self.marks or self._snapshot is None:
            return ()
        return tuple(row for row in self._snapshot.rows if row.key in self.marks)

    def group_rows(self) -> tuple[AlertRow, ...]:
        """The shown alerts of the group under the cursor; of a list without groups, those of the same name. All
        are of one Alertmanager cluster."""
        row, label = self.row, self.options.group_by or "alertname"
        if row is None:
            return ()
        value, cluster = row.alert.labels.get(label, ""), row.alert.cluster
        rows = (line for line in self._items.lines if isinstance(line, AlertRow))
        return tuple(r for r in rows if r.alert.labels.get(label, "") == value and r.alert.cluster == cluster)

    def show_snapshot(self, snapshot: Snapshot) -> None:
        """Draw a snapshot."""
        self._snapshot = snapshot
        if self.marks:
            self.marks &= {row.key for row in snapshot.rows}
        self._rebuild()

    def toggle_mark(self) -> None:
        """Mark or unmark the alert under the cursor and go to the next."""
        row = self.row
        if row is not None:
            self.marks ^= {row.key}
            self._draw_all()
            self.rows.move_by(1)

    def clear_marks(self) -> None:
        self.marks.clear()
        self._draw_all()

    def set_options(self, **changes: bool | str) -> None:
        """Change what is shown."""
        self.options = msgspec.structs.replace(self.options, **changes)
        self._rebuild()

    def next_group(self) -> str:
        """Group by the next thing; returns the label, "" for none."""
        choices = groupings(self._snapshot.rows if self._snapshot is not None else ())
        now = self.options.group_by
        at = choices.index(now) + 1 if now in choices else 0
        self.set_options(group_by=choices[at % len(choices)])
        return self.options.group_by

    @property
    def filtering(self) -> bool:
        """Whether the filter line is open."""
        return bool(self.query_one("#filter", Input).display)

    def open_filter(self) -> None:
        field = self.query_one("#filter", Input)
        field.display = True
        # At once: what is typed next belongs into the filter, not to the keys of the list.
        self.screen.set_focus(field)

    def close_filter(self, *, clear: bool) -> None:
        """Close the filter line; what it says stays in force unless it is cleared."""
        field = self.query_one("#filter", Input)
        if clear:
            field.value = ""
            self._apply_filter("")
        field.display = False
        self.screen.set_focus(None)
        self._draw_all()

    @on(Input.Changed, "#filter")
    def _filter_changed(self, event: Input.Changed) -> None:
        event.stop()
        self._apply_filter(event.value)

    @on(Input.Submitted, "#filter")
    def _filter_kept(self, event: Input.Submitted) -> None:
        event.stop()
        if not self._problem:
            self.close_filter(clear=False)

    @on(LineList.Moved)
    def _cursor_moved(self, event: LineList.Moved) -> None:
        event.stop()
        self.post_message(self.Moved())

    @on(LineList.Chosen)
    def _row_chosen(self, event: LineList.Chosen) -> None:
        event.stop()
        self.post_message(self.Opened())

    def on_resize(self) -> None:
        self._draw_all()

    def _apply_filter(self, text: str) -> None:
        """Take a filter that parses; of one that does not, say why and keep the last good one."""
        self._problem = is_filter_valid(text)
        if not self._problem and text.strip() != self.options.filter:
            self.set_options(filter=text.strip())
        else:
            self._draw_head()

    def _rebuild(self) -> None:
        """Arrange the rows again when they or the options changed, off the event loop when they are many."""
        if self._snapshot is None:
            return
        rows = self._snapshot.rows
        if self._built is not None and self._built[0] is rows and self._built[1] == self.options:
            self._draw_all()
        elif len(rows) <= INLINE:
            self._built = (rows, self.options)
            self._items = arrange(rows, self.options)
            self._arranged()
        else:
            self._arrange_soon()

    def _arrange_soon(self) -> None:
        if not self._arranging:
            self._arranging = True
            self.run_worker(self._arrange_many(), group="arrange", exit_on_error=False)

    async def _arrange_many(self) -> None:
        """Arrange in a thread until what stands there is what is wanted."""
        try:
            while (snapshot := self._snapshot) is not None:
                wanted = (snapshot.rows, self.options)
                if self._built is not None and self._built[0] is wanted[0] and self._built[1] == wanted[1]:
                    break
                self._items = await asyncio.to_thread(arrange, *wanted)
                self._built = wanted
                self._arranged()
        finally:
            self._arranging = False

    def _arranged(self) -> None:
        self._draw_all()
        self.post_message(self.Moved())

    def _draw_all(self) -> None:
        snapshot = self._snapshot
        if snapshot is None:
            return
        self._holds = holds_of(snapshot) if any_pending(snapshot) else {}
        self.rows.show(self._items.keys, self._draw, self._empty(snapshot))
        self._draw_head()

    def _draw(self, index: int, width: int, here: bool) -> Text:
        line = self._items.lines[index]
        snapshot = self._snapshot
        if isinstance(line, Heading):
            return draw_heading(self.services, line, self.options.group_by, width)
        if snapshot is None:
            return Text(" " * width)
        return draw_alert(
            self.services,
            snapshot,
            line,
            width,
            selected=here,
            marked=line.key in self.marks,
            hold=self._holds.get(line.alert.name),
        )

    def _draw_head(self) -> None:
        snapshot, width = self._snapshot, self.size.width
        if snapshot is None or not width:
            return
        services = self.services
        theme, glyphs = services.theme, services.glyphs
        unknown = [s for s in alert_sources(snapshot) if not s.known]
        warning = self._trust(unknown, snapshot, width) if unknown and self._items.shown else []
        self.query_one("#sources", Lines).show(warning)
        problem = Row(width, glyphs)
        problem.add(f" {self._problem}", theme["unknown"])
        self.query_one("#filter-problem", Lines).show([problem.done()] if self._problem else [])
        count = count_line(
            services, self._items, self.options, width, marked=len(self.marks), filtering=self.filtering
        )
        self.query_one("#count", Lines).show([count])
        # The last cell is the scroll bar's, also while there is none.
        self.query_one("#columns", Lines).show([header_row(width - 1, theme=theme, glyphs=glyphs)])

    def _empty(self, snapshot: Snapshot) -> list[Text]:
        """What stands in an empty list."""
        # One cell less: the scroll bar keeps its place.
        services, width = self.services, max(1, self.size.width - 1)
        if self._items.shown:
            return []
        sources = alert_sources(snapshot)
        if snapshot.rows and all(s.known for s in sources):
            row = Row(width, services.glyphs)
            row.add(" No alert passes the filter and what is hidden.", services.theme["dim"])
            return [row.done()]
        return self._trust(sources, snapshot, width)

    def _trust(self, sources: Sequence[SourceStatus], snapshot: Snapshot, width: int) -> list[Text]:
        """Whether no alerts means that there are none, in as many lines as that takes."""
        firing = sum(row.state is not AlertState.PENDING for row in snapshot.rows)
        services = self.services
        line = empty_line(sources, width=_LONG, firing_then=firing, theme=services.theme, glyphs=services.glyphs)
        line.rstrip()
        line.no_wrap = False
        return list(line.wrap(self.app.console, width))
