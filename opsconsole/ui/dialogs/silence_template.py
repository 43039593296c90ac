"""A template of a silence: picked, and its gaps filled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.widgets import Input, Static

from opsconsole.model.matchers import format_matchers
from opsconsole.model.silence_templates import SilenceTemplate
from opsconsole.render.row import Row
from opsconsole.render.times import format_duration
from opsconsole.text import safe
from opsconsole.ui.dialogs.base import Dialog, words
from opsconsole.ui.lines import LineList
from opsconsole.ui.services import Services

Named = tuple[str, SilenceTemplate]
"""The system that a template is of, and the template."""


class TemplatePicker(Dialog[SilenceTemplate]):
    """Lists the templates with the matchers and the comment of the one under the cursor; gives the chosen one."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "accept", show=False),
        Binding("j,down", "move(1)", show=False),
        Binding("k,up", "move(-1)", show=False),
    ]

    def __init__(self, services: Services, templates: Sequence[Named]) -> None:
        super().__init__(services, "Silence from a template", "esc cancel · j/k move · enter choose")
        self._templates = tuple(templates)

    def inside(self) -> ComposeResult:
        rows = LineList()
        rows.can_focus = False
        yield rows
        with VerticalScroll(classes="dialog-body", can_focus=False):
            yield words("", id="template-says")

    def on_mount(self) -> None:
        self.query_one(LineList).show([str(i) for i in range(len(self._templates))], self._draw)
        self._say()

    def on_line_list_moved(self) -> None:
        self._say()

    def on_line_list_chosen(self) -> None:
        self.dismiss(self._here)

    def action_move(self, rows: int) -> None:
        self.query_one(LineList).move_by(rows)

    def action_accept(self) -> None:
        if self.armed:
            self.dismiss(self._here)

    @property
    def _here(self) -> SilenceTemplate:
        return self._templates[self.query_one(LineList).cursor][1]

    def _draw(self, index: int, width: int, here: bool) -> Text:
        (system, template), theme = self._templates[index], self.services.theme
        row = Row(width, self.services.glyphs, theme["selected" if here else "plain"])
        row.space()
        row.add(template.name, theme["strong"], 18)
        row.space()
        row.add(format_duration(template.duration), theme["dim"], 7)
        if len({name for name, _ in self._templates}) > 1:
            row.add(safe(system, 40), theme["dim"], 14)
            row.space()
        row.add(template.title, None)
        return row.done()

    def _say(self) -> None:
        template = self._here
        text = Text(f"\n{safe(format_matchers(template.matchers), 1000)}\n", style=self.services.theme["value"])
        text.append(template.comment, self.services.theme["dim"])
        self.query_one("#template-says", Static).update(text)


class FillDialog(Dialog[dict[str, str]]):
    """Asks for the gaps of a template, `proposed` being filled in; gives their values by name."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+s", "accept", show=False)]

    def __init__(self, services: Services, template: SilenceTemplate, proposed: Mapping[str, str]) -> None:
        super().__init__(services, f"Template {template.name}", "esc cancel · tab next · enter go on")
        self._template = template
        # A value that a field cannot hold is for a person to see to.
        self._proposed = {n: v for n, v in proposed.items() if safe(v) == v}

    def inside(self) -> ComposeResult:
        theme = self.services.theme
        yield words(f"{self._template.title}", theme["strong"])
        yield words(safe(format_matchers(self._template.matchers), 1000), theme["dim"])
        yield words("")
        for name in self._template.placeholders:
            with Horizontal(classes="field"):
                yield words(f"{name:14.14} ", theme["strong"])
                yield Input(self._proposed.get(name, ""), compact=True, id=f"gap-{name}", max_length=500)
        yield words("", theme["unknown"], id="gap-problem")

    def on_mount(self) -> None:
        empty = [name for name in self._template.placeholders if not self._proposed.get(name)]
        self.query_one(f"#gap-{(empty or self._template.placeholders)[0]}", Input).focus()

    @on(Input.Submitted)
    def _submitted(self) -> None:
        gaps = self._gaps()
        if not gaps:
            self.action_accept()
        elif self.armed:
            self._still_to_fill(gaps)
            self.query_one(f"#gap-{gaps[0]}", Input).focus()

    def action_accept(self) -> None:
        if not self.armed:
            return
        gaps = self._gaps()
        if gaps:
            self._still_to_fill(gaps)
            return
        self.dismiss(self._values())

    def _still_to_fill(self, gaps: Sequence[str]) -> None:
        self.query_one("#gap-problem", Static).update(f"still to fill: {', '.join(gaps)}")

    def _values(self) -> dict[str, str]:
        return {name: self.query_one(f"#gap-{name}", Input).value.strip() for name in self._template.placeholders}

    def _gaps(self) -> list[str]:
        return [name for name, value in self._values().items() if not value]
