"""The panels of one dashboard, by group, with a focus that moves among them."""

from __future__ import annotations

from textual.containers import ScrollableContainer
from textual.geometry import NULL_OFFSET, NULL_SPACING, Region, Size
from textual.layout import ArrangeResult, Layout, WidgetPlacement
from textual.message import Message
from textual.widget import Widget

from opsconsole.model.playbook import Dashboard
from opsconsole.render.row import Row
from opsconsole.state.snapshot import Snapshot
from opsconsole.ui.lines import Lines
from opsconsole.ui.panels.chart import ChartPanel
from opsconsole.ui.panels.plan import NOTHING, Place, plan
from opsconsole.ui.services import Services

MORE = "#more"
"""The key of the head that unfolds the groups without room."""


class GroupHead(Lines):
    """One line: the title of a group that was unfolded, or of all that are folded."""


class _PanelLayout(Layout):
    """Puts each child where the grid's plan says; a child without a place is not shown."""

    name = "panels"

    def arrange(self, parent: Widget, children: list[Widget], size: Size, greedy: bool = True) -> ArrangeResult:
        places = parent.places(size) if isinstance(parent, PanelGrid) else {}
        return [
            WidgetPlacement(Region(p.x, p.y, p.width, p.height), NULL_OFFSET, NULL_SPACING, child)
            for child in children
            if (p := places.get(child)) is not None
        ]


class PanelGrid(ScrollableContainer, can_focus=False):
    """The grid. `at` is the key of the item with the focus: a panel's `system/id`, or MORE; "" when the focus
    is elsewhere on the screen."""

    class Replanned(Message):
        """The panels on screen are others than before."""

        def can_replace(self, message: Message) -> bool:
            return isinstance(message, PanelGrid.Replanned)

    class Pressed(Message):
        """An item was clicked."""

        def __init__(self, key: str) -> None:
            super().__init__()
            self.key = key

    def __init__(self, services: Services) -> None:
        super().__init__()
        self._services = services
        self._by_plan = _PanelLayout()
        self._dashboard: Dashboard | None = None
        self._system = ""
        self._panels: dict[str, ChartPanel] = {}
        self._heads: list[GroupHead] = []
        self._groups: list[list[str]] = []
        self._opened = False
        self._plan = NOTHING
        self._planned: tuple[object, ...] = ()
        self.at = ""

    @property
    def layout(self) -> Layout:
        """The plan's layout; the style sheet cannot name it."""
        return self._by_plan

    def load(self, system: str, dashboard: Dashboard) -> None:
        """Show a dashboard; nothing happens when it is there already."""
        if system == self._system and dashboard == self._dashboard:
            return
        self._dashboard, self._system = dashboard, system
        self._opened, self._planned, self._plan = False, (), NOTHING
        self._panels, self._heads, self._groups = {}, [], []
        for group in dashboard.groups:
            keys = [f"{system}/{panel.id}" for panel in group.panels]
            self._groups.append(keys)
            self._heads.append(GroupHead())
            for key, panel in zip(keys, group.panels, strict=True):
                self._panels[key] = ChartPanel(self._services, key, panel)
        self.remove_children()
        self.mount(*self._heads, *self._panels.values())
        self.scroll_to(y=0, animate=False, immediate=True)

    def show(self, snapshot: Snapshot) -> None:
        """Draw the panels that are on screen and the heads."""
        visible = set(self.visible_keys())
        for key, panel in self._panels.items():
            if key in visible:
                panel.show_snapshot(snapshot, focused=key == self.at)
        self._draw_heads()

    def places(self, size: Size) -> dict[Widget, Place]:
        """Where each child stands in a grid of this size; those of folded groups are not in it."""
        wanted = (size, self._opened, tuple(len(g) for g in self._groups))
        if wanted != self._planned:
            self._planned = wanted
            self._plan = plan(wanted[2], size.width, size.height, opened=self._opened)
            self.post_message(self.Replanned())
        found: dict[Widget, Place] = {}
        for group, keys in enumerate(self._groups):
            if self._plan.heads[group] >= 0:
                found[self._heads[group]] = Place(0, self._plan.heads[group], size.width, 1)
            for key, place in zip(keys, self._plan.panels[group], strict=False):
                found[self._panels[key]] = place
        return found

    def visible_keys(self) -> tuple[str, ...]:
        """The keys of the panels of which a row is in view."""
        top = round(self.scroll_offset.y)
        bottom = top + self.size.height
        return tuple(key for key, place in self._placed() if place.y < bottom and place.y + place.height > top)

    def items(self) -> list[tuple[str, Place]]:
        """Everything that can have the focus, in reading order."""
        shown = self._plan.shown
        heads = [(MORE, Place(0, y, max(1, self.size.width), 1)) for y in self._plan.heads[shown : shown + 1]]
        return sorted([*self._placed(), *heads], key=lambda item: (item[1].y, item[1].x))

    def focus_item(self, key: str) -> None:
        """Give an item the focus ("" takes it away) and scroll its row into view."""
        old, self.at = self.at, key
        for changed in {old, key} & self._panels.keys():
            self._panels[changed].set_focused(changed == key)
        self._draw_heads()
        place = dict(self.items()).get(key)
        if place is not None:
            self._reveal(place)

    def step(self, by: int) -> str:
        """The key of the item `by` places on in reading order; "" past the end, the first before the start."""
        keys = [key for key, _ in self.items()]
        at = keys.index(self.at) + by if self.at in keys else 0
        return keys[max(0, at)] if keys and at < len(keys) else ""

    def step_rows(self, by: int) -> str:
        """The key of the nearest item in the row above (-1) or below (1); "" when there is no row below."""
        items = self.items()
        here = dict(items).get(self.at)
        if here is None:
            return items[0][0] if items else ""
        rows = sorted({place.y for _, place in items})
        row = rows.index(here.y) + by
        if row >= len(rows):
            return ""
        same = [item for item in items if item[1].y == rows[max(0, row)]]
        return min(same, key=lambda item: abs(item[1].centre - here.centre))[0]

    def last(self) -> str:
        """The key of the last item; "" when there is none."""
        items = self.items()
        return items[-1][0] if items else ""

    def toggle(self) -> None:
        """Unfold the groups that there is no room for, or fold them again."""
        self._opened = not self._opened
        # A child asks for the layout: a container's own request leaves its arrangement as it was.
        for head in self._heads[:1]:
            head.refresh(layout=True)
        self._draw_heads()

    def fold(self) -> bool:
        """Fold what was unfolded; False when nothing was."""
        if self._opened:
            self.toggle()
            return True
        return False

    def watch_scroll_y(self, old: float, new: float) -> None:
        super().watch_scroll_y(old, new)
        if round(old) != round(new):
            self.post_message(self.Replanned())

    def on_chart_panel_pressed(self, event: ChartPanel.Pressed) -> None:
        event.stop()
        self.post_message(self.Pressed(event.key))

    def on_click(self, event: object) -> None:
        widget = getattr(event, "widget", None)
        if isinstance(widget, GroupHead):
            self.post_message(self.Pressed(MORE))

    def _placed(self) -> list[tuple[str, Place]]:
        return [
            pair
            for keys, places in zip(self._groups, self._plan.panels, strict=False)
            for pair in zip(keys, places, strict=False)
        ]

    def _reveal(self, place: Place) -> None:
        top, height = round(self.scroll_offset.y), self.size.height
        if place.y < top:
            self.scroll_to(y=place.y, animate=False, immediate=True)
        elif place.y + place.height > top + height:
            self.scroll_to(y=place.y + place.height - height, animate=False, immediate=True)

    def _draw_heads(self) -> None:
        if self._dashboard is None:
            return
        theme, glyphs, shown = self._services.theme, self._services.glyphs, self._plan.shown
        titles = [group.title for group in self._dashboard.groups]
        for index, head in enumerate(self._heads):
            row = Row(max(1, self.size.width), glyphs)
            sign = " " if index != shown else "-" if self._opened else "+"
            row.add(f" {sign} ", theme["key"])
            here = self.at == MORE and index == shown
            if self._opened or index != shown:
                row.add(titles[index], theme["selected" if here else "title"])
            else:
                words = f"more: {', '.join(titles[shown:])}"
                row.add(words, theme["selected" if here else "dim"])
            head.show([row.done()])
