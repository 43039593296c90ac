"""The silences: who hides what, until when, and which alerts that is now."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.widgets import Input

from opsconsole.actions.focus import Focus
from opsconsole.actions.keys import Scope
from opsconsole.model.alertlist import AlertRow
from opsconsole.model.matchers import format_matchers
from opsconsole.model.silence_list import asks_for_expired, compile_silences, is_mine, problem_of
from opsconsole.model.silences import Silence
from opsconsole.render.glyphs import SEVERITY_STYLES, severity_label
from opsconsole.render.records import silence_row
from opsconsole.render.row import Row
from opsconsole.render.silence_commands import all_commands
from opsconsole.render.status import empty_line, source_status
from opsconsole.render.times import ago, exact, left
from opsconsole.state.snapshot import Snapshot
from opsconsole.text import safe, trusted
from opsconsole.ui.bindings import bindings_for
from opsconsole.ui.dialogs.text_view import copy_text
from opsconsole.ui.lines import Lines
from opsconsole.ui.panels.detail_facts import ack_words
from opsconsole.ui.panels.strip import calm
from opsconsole.ui.screens import silencing
from opsconsole.ui.screens.base import ConsoleScreen
from opsconsole.ui.screens.listing import ListScreen
from opsconsole.ui.services import Services

_STATES = {"active": 0, "pending": 1, "expired": 2}


class SilencesScreen(ListScreen):
    """Active and pending silences, the next to end first; expired ones on request."""

    scope = Scope.SILENCES
    footer_ids = (
        *("silence", "expire", "edit", "extend", "mark", "filter", "undo", "help", "template", "recreate", "mine"),
        *("show_expired", "copy", "palette", "quit"),
    )
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_for(Scope.SILENCES)]

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self._expired = False
        self._filter = ""
        self._problem = ""
        self._mine = False
        self._marks: set[str] = set()
        self._listed: dict[str, Silence] = {}
        self._hides: dict[str, list[AlertRow]] = {}

    def body(self) -> ComposeResult:
        yield Lines(id="silences_head")
        yield Input(
            placeholder='creator:alice state:pending alertname="HighLatency" or words',
            classes="filter",
            max_length=500,
        )
        yield self.make_list()
        yield Lines(classes="detail")

    def show(self, snapshot: Snapshot) -> None:
        every = [s for c in snapshot.clusters for s in c.silences.data or ()]
        self._hides = silencing.hidden_by(self)
        self._listed = {f"{s.cluster}/{s.id}": s for s in self._chosen(every)}
        self._marks &= {f"{s.cluster}/{s.id}" for s in every}
        hidden = sum(s.status.state == "expired" for s in every)
        self._head(len(self._listed), len(every), hidden)
        now, keys = snapshot.now, list(self._listed)
        known = {c.name: c.alerts.known(now) for c in snapshot.clusters}

        def draw(index: int, width: int, here: bool) -> Text:
            silence = self._listed[keys[index]]
            count = len(self._hides.get(silence.id, ()))
            return silence_row(
                silence,
                width=width,
                now=snapshot.now_at(silence.cluster),
                affected=count if known.get(silence.cluster) else None,
                mark=snapshot.mark_of(silence),
                marked=keys[index] in self._marks,
                selected=here,
                theme=self.services.theme,
                glyphs=self.services.glyphs,
            )

        self.rows.show(keys, draw, self._empty(snapshot, bool(every)))
        self.cursor_moved()

    def focus_now(self) -> Focus:
        return Focus(
            scope=self.scope,
            read_only=self.snapshot.context.read_only,
            undoable=self.services.runner.last_undoable(),
            writing=self.services.runner.writing,
            silence=self._under_cursor(),
            marked=len(self.marked()),
            copyable=self._under_cursor() is not None,
        )

    def cursor_moved(self) -> None:
        silence = self._under_cursor()
        self.query_one(".detail", Lines).show(self._detail(silence) if silence is not None else [])

    def select(self, silence_id: str) -> None:
        """Put the cursor on a silence."""
        for key, silence in self._listed.items():
            if silence.id == silence_id:
                self.rows.move_to_key(key)

    def do_filter(self) -> None:
        field = self.query_one(Input)
        field.add_class("-open")
        # At once: what is typed next belongs into the filter, not to the keys of the list.
        self.set_focus(field)

    def do_back(self) -> None:
        """Out of the marks, then of the filter."""
        field = self.query_one(Input)
        if self._marks and self.focused is not field:
            self._marks.clear()
            self.show(self.snapshot)
            return
        self._filter = self._problem = field.value = ""
        field.remove_class("-open")
        self.set_focus(None)
        self.show(self.snapshot)

    def do_show_expired(self) -> None:
        self._expired = not self._expired
        self.show(self.snapshot)

    def do_open(self) -> None:
        silence = self._under_cursor()
        # An enter typed ahead of a question is not meant for the row.
        if silence is not None and not self._acting:
            cluster = next((c for c in self.snapshot.clusters if c.name == silence.cluster), None)
            url = cluster.members[0].url if cluster is not None and cluster.members else ""
            copy_text(self.console_app, self.services, "Silence", all_commands(silence, url))

    def do_copy(self) -> None:
        self.do_open()

    def do_silence(self) -> None:
        if self._cluster():
            self.begin(silencing.create(self, self._cluster()))

    def do_template(self) -> None:
        if self._cluster():
            self.begin(silencing.from_template(self, self._cluster(), {}))

    def do_edit(self) -> None:
        self._on_one(silencing.edit)

    def do_extend(self) -> None:
        self._on_one(silencing.extend)

    def do_recreate(self) -> None:
        self._on_one(silencing.recreate)

    def do_expire(self) -> None:
        marked = self.marked()
        one = self._under_cursor()
        chosen = marked or ((one,) if one is not None else ())
        if chosen:
            self.begin(self._expire(chosen))

    async def _expire(self, silences: Sequence[Silence]) -> None:
        if await silencing.expire(self, silences):
            self._marks.clear()
            self.show(self.snapshot)

    def do_mark(self) -> None:
        key = self.rows.cursor_key
        if key:
            self._marks ^= {key}
            self.show(self.snapshot)
            self.rows.move_by(1)

    def do_mark_all(self) -> None:
        """Every silence that is listed and has not ended; none when they all are marked."""
        live = {key for key, s in self._listed.items() if s.status.state != "expired"}
        self._marks = set() if live <= self._marks else self._marks | live
        self.show(self.snapshot)

    def do_mine(self) -> None:
        self._mine = not self._mine
        self.show(self.snapshot)

    def marked(self) -> tuple[Silence, ...]:
        """The marked silences that the list shows and that have not ended."""
        return tuple(s for key, s in self._listed.items() if key in self._marks and s.status.state != "expired")

    def _cluster(self) -> str:
        """Where a new one is made: where the one under the cursor is, else in the first cluster."""
        under, clusters = self._under_cursor(), self.snapshot.clusters
        if not clusters:
            self.console_app.tell("no Alertmanager in this context", severity="warning")
            return ""
        return under.cluster if under is not None else clusters[0].name

    def _on_one(self, action: Callable[[ConsoleScreen, Silence], Coroutine[None, None, None]]) -> None:
        silence = self._under_cursor()
        if silence is not None:
            self.begin(action(self, silence))

    def on_input_changed(self, event: Input.Changed) -> None:
        self._filter, self._problem = event.value, problem_of(event.value)
        if not self._problem:
            self.show(self.snapshot)
        else:
            self._head(len(self._listed), len(self._listed), 0)

    def on_input_submitted(self) -> None:
        if not self._filter:
            self.query_one(Input).remove_class("-open")
        self.set_focus(None)

    def _under_cursor(self) -> Silence | None:
        return self._listed.get(self.rows.cursor_key) if self.is_mounted else None

    def _chosen(self, silences: list[Silence]) -> list[Silence]:
        expired = self._expired or asks_for_expired(self._filter)
        wanted = compile_silences("" if self._problem else self._filter)
        user = self.snapshot.context.user
        kept = [s for s in silences if (expired or s.status.state != "expired") and wanted(s)]
        kept = [s for s in kept if not self._mine or is_mine(s, user)]
        kept.sort(key=lambda s: (_STATES.get(s.status.state, 3), _order(s), s.id))
        return kept

    def _head(self, shown: int, every: int, expired: int) -> None:
        total = f"{every} silence{'' if every == 1 else 's'}"
        pieces = [(f"{shown} of {every}" if shown != every else total, "dim")]
        if self._filter:
            pieces = [("filter: ", "dim"), (safe(self._filter, 60), "plain"), ("   ", "plain"), *pieces]
        if self._mine:
            pieces.append(("   only yours (m)", "strong"))
        if self._marks:
            pieces.append((f"   {len(self.marked())} marked", "marked"))
        if self._problem:
            pieces.append((f"   {self._problem}", "unknown"))
        if expired and not self._expired:
            pieces.append((f"   {expired} expired hidden (e)", "dim"))
        elif self._expired:
            pieces.append(("   expired shown (e)", "dim"))
        titles = [(f"{'state':8}{'ends in':11}{'hides':>4} {'who':15}matchers and comment", "header")]
        self.query_one("#silences_head", Lines).show([self.said(pieces), self.said(titles)])

    def _empty(self, snapshot: Snapshot, some: bool) -> list[Text]:
        theme, glyphs, width = self.services.theme, self.services.glyphs, self.app.size.width
        sources = [
            source_status(safe(f"Alertmanager {c.name}", 40), c.silences, snapshot.now) for c in snapshot.clusters
        ]
        if some and all(s.known for s in sources):
            words = "No silence is active or pending."
            if self._filter or self._mine:
                words = "No silence matches the filter." if self._filter else "None of the silences is yours (m)."
            return [self.said([(words, "dim")])]
        what = trusted("silences")
        return [empty_line(calm(sources), width=width, what=what, theme=theme, glyphs=glyphs)]

    def _detail(self, silence: Silence) -> list[Text]:
        now, zone = self.snapshot.now_at(silence.cluster), self.services.zone
        starts = silence.starts_at.timestamp()
        begun = f"{exact(starts, zone, now)}, {ago(now - starts)} ago" if starts <= now else ""
        ends = f"{exact(silence.ends, zone, now)}, {self._until(silence, now)}"
        rows = self._hides.get(silence.id, [])
        lines = [
            self.heading(safe(format_matchers(silence.matchers), 300)),
            *self.field("starts", begun or exact(starts, zone, now)),
            *self.field("ends", ends),
            *self.field("by", f"{silence.created_by}{self._extended(silence)}"),
            *self.field("comment", silence.comment),
            self._hides_line(silence, rows),
        ]
        room = max(1, self.app.size.height // 2 - len(lines))
        lines += [self._alert(row, now) for row in rows[:room]]
        return lines[: self.app.size.height // 2]

    def _until(self, silence: Silence, now: float) -> str:
        if silence.status.state == "expired" or silence.ends <= now:
            return f"{ago(now - silence.ends)} ago"
        return f"in {left(silence.ends - now)}"

    def _extended(self, silence: Silence) -> str:
        words = ack_words(silence, self.snapshot)
        return f", {words}" if words else ""

    def _hides_line(self, silence: Silence, rows: list[AlertRow]) -> Text:
        cluster = next((c for c in self.snapshot.clusters if c.name == silence.cluster), None)
        if cluster is None or not cluster.alerts.known(self.snapshot.now):
            return self.said([("hides now   ", "dim"), ("not known: the alerts are old", "unknown")])
        count = f"{len(rows)} alert{'' if len(rows) == 1 else 's'}"
        return self.said([("hides now   ", "dim"), (f" {count}", "plain")])

    def _alert(self, row: AlertRow, now: float) -> Text:
        theme, glyphs = self.services.theme, self.services.glyphs
        line = Row(self.app.size.width, glyphs)
        line.space(3)
        line.add(severity_label(row.severity, glyphs), theme[SEVERITY_STYLES[row.severity]])
        line.add(f"  {row.alert.name}  ", theme["strong"])
        labels = {k: v for k, v in row.alert.labels.items() if k not in ("alertname", "severity")}
        # Their end is cut off rather than the age, which would be another one.
        line.add(f"{ago(now - row.alert.since)}  ")
        line.add(safe(" ".join(f"{k}={v}" for k, v in sorted(labels.items())), 200), theme["dim"])
        return line.done()


def _order(silence: Silence) -> float:
    """The next to end first; of the expired the latest first."""
    return -silence.ends if silence.status.state == "expired" else silence.ends
