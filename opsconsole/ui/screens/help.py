"""The keys that work on a screen, from the registry, and what the glyphs mean."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar, cast

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen

from opsconsole.actions.keys import Action, Scope
from opsconsole.actions.registry import actions_for
from opsconsole.model.severity import Severity
from opsconsole.model.verdicts import Level
from opsconsole.render.glyphs import LEVEL_STYLES, SEVERITY_STYLES, Glyphs, level_label, severity_label
from opsconsole.render.row import Row, wrapped
from opsconsole.render.theme import Theme
from opsconsole.ui.bindings import keys_of
from opsconsole.ui.lines import Lines

if TYPE_CHECKING:
    from opsconsole.ui.app import ConsoleApp

_WIDTH = 75
_KEYS = 18


class HelpScreen(ModalScreen[None]):
    """The help of one scope. Read-only leaves out what changes things."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,question_mark,q", "close", "close", show=False),
        Binding("j,down", "scroll(1)", "down", show=False),
        Binding("k,up", "scroll(-1)", "up", show=False),
        Binding("pagedown,space,ctrl+d", "scroll(10)", "page down", show=False),
        Binding("pageup,ctrl+b", "scroll(-10)", "page up", show=False),
    ]

    def __init__(self, scope: Scope, *, read_only: bool) -> None:
        super().__init__()
        self._scope = scope
        self._read_only = read_only

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="help_box", can_focus=False):
            yield Lines(id="help_lines")

    def on_mount(self) -> None:
        services = cast("ConsoleApp", self.app).services
        theme, glyphs = services.theme, services.glyphs
        lines = help_lines(self._scope, read_only=self._read_only, theme=theme, glyphs=glyphs)
        self.query_one("#help_lines", Lines).show(lines)

    def on_resize(self, event: events.Resize) -> None:
        """Keep the box off the two status lines and the keys; it stands in the middle."""
        self.query_one("#help_box").styles.max_height = max(3, event.size.height - 4)

    def action_close(self) -> None:
        self.dismiss()

    def action_scroll(self, rows: int) -> None:
        self.query_one("#help_box", VerticalScroll).scroll_relative(y=rows, animate=False)


def help_lines(scope: Scope, *, read_only: bool, theme: Theme, glyphs: Glyphs) -> list[Text]:
    """The lines of the help."""
    lines = [_head(f"{scope.value.capitalize()}", theme, glyphs)]
    found = actions_for(scope, read_only=read_only)
    lines += _keys((a for a in found if scope in a.scopes), theme, glyphs)
    lines += [Text(""), _head("Everywhere", theme, glyphs)]
    lines += _keys((a for a in found if scope not in a.scopes), theme, glyphs)
    if read_only:
        lines += [Text(""), _line([("read-only: no key changes anything", "readonly")], theme, glyphs)]
    lines += [Text(""), _head("What the signs mean", theme, glyphs), *_legend(theme, glyphs)]
    lines += [Text(""), _line([("esc closes, j and k scroll", "dim")], theme, glyphs)]
    return lines


def _keys(actions: Iterable[Action], theme: Theme, glyphs: Glyphs) -> list[Text]:
    lines = []
    for action in actions:
        for index, part in enumerate(wrapped(action.description, _WIDTH - _KEYS - 1, 3, glyphs)):
            row = Row(_WIDTH, glyphs)
            row.space()
            row.add("" if index else keys_of(action), theme["key"], _KEYS)
            row.add(part)
            lines.append(row.done())
    return lines


def _legend(theme: Theme, glyphs: Glyphs) -> list[Text]:
    severities = [(severity_label(s, glyphs), SEVERITY_STYLES[s]) for s in Severity]
    levels = [(level_label(level, glyphs), LEVEL_STYLES[level]) for level in Level]
    return [
        _line(severities, theme, glyphs),
        _line(levels, theme, glyphs),
        _line([(glyphs.flag, "flag"), ("a flag changed", "plain")], theme, glyphs),
        _line([("12", "value.old"), ("old: the last value that is known", "plain")], theme, glyphs),
        _line([("? UNKNOWN", "unknown"), ("nobody can tell now; never the same as OK", "plain")], theme, glyphs),
    ]


def _line(pieces: Iterable[tuple[str, str]], theme: Theme, glyphs: Glyphs) -> Text:
    row = Row(_WIDTH, glyphs)
    row.space()
    for text, style in pieces:
        row.add(text, theme[style])
        row.space(2)
    return row.done()


def _head(text: str, theme: Theme, glyphs: Glyphs) -> Text:
    row = Row(_WIDTH, glyphs)
    row.add(text, theme["strong"])
    return row.done()
