"""The journal: what was done, by whom, and how it ended."""

from __future__ import annotations

import json
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import BindingType

from opsconsole.actions.focus import Focus
from opsconsole.actions.keys import Scope
from opsconsole.model.journal import Entry, Phase
from opsconsole.render.records import journal_row
from opsconsole.render.row import Row
from opsconsole.render.times import exact
from opsconsole.state.snapshot import Snapshot
from opsconsole.text import SafeText, safe, safe_block
from opsconsole.ui.bindings import bindings_for
from opsconsole.ui.dialogs.prompt import PromptDialog
from opsconsole.ui.dialogs.text_view import TextView, copy_text
from opsconsole.ui.lines import Lines
from opsconsole.ui.screens.listing import ListScreen
from opsconsole.ui.services import Services

_LONG = 2000
"""Characters of one detail that are shown; the journal keeps all."""


class IncidentScreen(ListScreen):
    """The journal's entries, newest first, with the selected one in full below."""

    scope = Scope.INCIDENT
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_for(Scope.INCIDENT)]

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self._entries: dict[str, Entry] = {}
        self._ended: frozenset[str] = frozenset()

    def body(self) -> ComposeResult:
        yield self.make_list()
        yield Lines(classes="detail")

    def show(self, snapshot: Snapshot) -> None:
        newest = sorted(snapshot.journal, key=lambda entry: -entry.seq)
        self._entries = {str(entry.seq): entry for entry in newest}
        self._ended = frozenset(entry.op for entry in newest if entry.phase is Phase.OUTCOME)
        keys, now = list(self._entries), snapshot.now

        def draw(index: int, width: int, here: bool) -> Text:
            entry = self._entries[keys[index]]
            return journal_row(
                entry,
                ended=entry.op in self._ended,
                width=width,
                now=now,
                tz=self.services.zone,
                selected=here,
                theme=self.services.theme,
                glyphs=self.services.glyphs,
            )

        words = "The journal is empty: nothing was done and no flag changed since it began."
        self.rows.show(keys, draw, [self.said([(words, "dim")])])
        self.cursor_moved()

    def focus_now(self) -> Focus:
        return Focus(
            scope=self.scope,
            read_only=self.snapshot.context.read_only,
            undoable=self.services.runner.last_undoable(),
            writing=self.services.runner.writing,
            copyable=self._under_cursor() is not None,
        )

    def cursor_moved(self) -> None:
        entry = self._under_cursor()
        self.query_one(".detail", Lines).show(self._detail(entry) if entry is not None else [])

    def do_open(self) -> None:
        entry = self._under_cursor()
        if entry is not None:
            self.app.push_screen(TextView(self.services, f"Journal {entry.seq}", self._text(entry)))

    def do_copy(self) -> None:
        entry = self._under_cursor()
        if entry is not None:
            copy_text(self.console_app, self.services, "Journal", self._text(entry))

    def do_note(self) -> None:
        self.run_worker(self._note(), group="actions", exit_on_error=False)

    async def _note(self) -> None:
        dialog = PromptDialog(self.services, "Note", label="What happened or was decided", verb="write it")
        text = await self.app.push_screen_wait(dialog)
        if text:
            self.console_app.report(await self.services.runner.note(text))

    def _under_cursor(self) -> Entry | None:
        return self._entries.get(self.rows.cursor_key) if self.is_mounted else None

    def _detail(self, entry: Entry) -> list[Text]:
        now, zone = self.snapshot.now, self.services.zone
        lines = [
            self.heading(f"{safe(entry.action)} {entry.subject}", self._ending(entry)),
            *self.field("when", exact(entry.at, zone, now)),
            *self.field("who", f"{entry.user} in {entry.context}"),
        ]
        if entry.message:
            first, *more = entry.message.split("\n")
            lines += self.field("message", first, limit=4)
            for line in more:  # a timeline: each of its lines by itself
                lines += self.field("", line, limit=2)
        for name, value in entry.detail.items():
            if name != "event" or not entry.message:  # what a guard told: the message says it in sentences
                lines += self._detail_field(safe(name), value)
        return lines[: max(5, self.app.size.height // 2)]

    def _detail_field(self, name: SafeText, value: object) -> list[Text]:
        """A detail: a plain value beside its name, a nested one with a line for each of its values."""
        if not isinstance(value, dict | list):
            return self.field(name, shown(value), "dim", limit=2)
        theme = self.services.theme
        lines: list[Text] = []
        for index, line in enumerate(nested(value)):
            row = Row(self.app.size.width, self.services.glyphs)
            row.space()
            row.add("" if index else name, theme["dim"], 12)
            row.space()
            row.add(line, theme["dim"])
            lines.append(row.done())
        return lines

    def _ending(self, entry: Entry) -> str:
        """`outcome, failed`, `intent, open`; of an intent that has ended only `intent`."""
        if entry.phase is Phase.INTENT and entry.op in self._ended:
            return "intent"
        return f"{entry.phase.value}, {entry.result.value}"

    def _text(self, entry: Entry) -> SafeText:
        now, zone = self.snapshot.now, self.services.zone
        lines = [
            f"{exact(entry.at, zone, now)}  {entry.user} in {entry.context}",
            f"{entry.action} {entry.subject}: {self._ending(entry)}",
            entry.message,
            *(line for name, value in entry.detail.items() for line in _whole(name, value)),
            f"op {entry.op}, entry {entry.seq}",
        ]
        return safe_block("\n".join(str(line) for line in lines if line), 64_000)


def shown(value: object) -> SafeText:
    """A plain value on one line, as JSON writes it but without quotes."""
    text = value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)
    return safe(text, _LONG)


def nested(value: object, indent: int = 0) -> list[str]:
    """A JSON value as indented lines of `key value`; the first line of an element of a list begins with `- `."""
    pad = " " * indent
    if isinstance(value, dict) and value:
        lines = []
        for key, item in value.items():
            if isinstance(item, dict | list) and item:
                lines += [f"{pad}{safe(str(key), _LONG)}", *nested(item, indent + 2)]
            else:
                lines.append(f"{pad}{safe(str(key), _LONG)} {_plain(item)}")
        return lines
    if isinstance(value, list) and value:
        lines = []
        for item in value:
            first, *rest = nested(item, indent + 2)
            lines += [f"{pad}- {first[indent + 2 :]}", *rest]
        return lines
    return [f"{pad}{_plain(value)}"]


def _plain(value: object) -> str:
    return "none" if isinstance(value, dict | list) else shown(value)


def _whole(name: str, value: object) -> list[str]:
    """A detail as lines, without leaving anything out."""
    if isinstance(value, dict | list):
        return [f"{name}:", *nested(value, 2)]
    return [f"{name}: {value}"]
