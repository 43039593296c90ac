"""The Runbook tab: the runbook as Markdown, and its commands."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.widgets import Markdown, Static

from opsconsole.model.alerts import Alert
from opsconsole.model.flags import FlagChange
from opsconsole.model.runbook import MAX_MARKDOWN, Command, Runbook
from opsconsole.model.runbooks import runbook_for
from opsconsole.render.row import Row
from opsconsole.render.times import ago
from opsconsole.state.snapshot import Snapshot
from opsconsole.text import SafeText, safe, safe_block
from opsconsole.ui.dialogs.command import command_row, title_width
from opsconsole.ui.dialogs.text_view import TextView
from opsconsole.ui.lines import Lines
from opsconsole.ui.panels.detail_markdown import RunbookMarkdown, literal_parser
from opsconsole.ui.services import Services

MAX_SUSPECT_AGE = 24 * 3600.0
"""Seconds before an alert's start in which a flag change may have to do with it."""

_LISTED = 6


class RunbookTab(Vertical):
    """Shows the runbook of one alert. It is rendered again only when it is another one."""

    def __init__(self, services: Services) -> None:
        super().__init__(id="tab-runbook", classes="tab")
        self.services = services
        self.runbook: Runbook | None = None
        self._rendering = False
        self._wanted: tuple[str, str] | None = None
        self._rendered: tuple[str, str] | None = None

    def compose(self) -> ComposeResult:
        yield Lines(id="suspect")
        with VerticalScroll(id="runbook-scroll", can_focus=False):
            yield Static("", id="runbook-plain", markup=False)
            yield RunbookMarkdown("", id="runbook", open_links=False, parser_factory=literal_parser)
        yield Lines(id="commands")

    @property
    def commands(self) -> tuple[Command, ...]:
        return self.runbook.commands if self.runbook is not None else ()

    def scroller(self) -> VerticalScroll:
        return self.query_one("#runbook-scroll", VerticalScroll)

    def show(self, alert: Alert, snapshot: Snapshot, *, visible: bool = True) -> None:
        """Draw the runbook of an alert; not visible, only its commands are looked up."""
        self.runbook = find_runbook(snapshot, alert)
        if not visible:
            return
        self._show_suspect(alert, snapshot)
        self._show_commands(read_only=snapshot.context.read_only)
        body = self.runbook.body if self.runbook is not None else _missing(alert)
        self._wanted = (self.runbook.path if self.runbook is not None else "", body)
        if self._wanted != self._rendered and not self._rendering:
            self._rendering = True
            self.run_worker(self._render_wanted(), group="runbook", exit_on_error=False)

    async def _render_wanted(self) -> None:
        """Render until what is shown is what is wanted; one at a time, because it takes a while."""
        try:
            while self._wanted is not None and self._rendered != self._wanted:
                self._rendered = self._wanted
                await self._render_body(self._wanted[1])
        finally:
            self._rendering = False

    async def _render_body(self, body: str) -> None:
        markdown, plain = self.query_one("#runbook", Markdown), self.query_one("#runbook-plain", Static)
        is_large = len(body) > MAX_MARKDOWN
        plain.display, markdown.display = is_large, not is_large
        plain.update(Text(safe_block(body, 16 * MAX_MARKDOWN)) if is_large else "")
        await markdown.update("" if is_large else safe_block(body))
        self.scroller().scroll_home(animate=False)

    @on(Markdown.LinkClicked)
    def _link_clicked(self, event: Markdown.LinkClicked) -> None:
        """Links are shown, never opened."""
        event.stop()
        note = "Links are not opened from here."
        self.app.push_screen(TextView(self.services, "Link", safe(event.href, 4000), note=note))

    def _show_suspect(self, alert: Alert, snapshot: Snapshot) -> None:
        change = suspect_of(alert, snapshot.changes)
        if change is None or not self.size.width:
            self.query_one("#suspect", Lines).show([])
            return
        theme, glyphs = self.services.theme, self.services.glyphs
        row = Row(self.size.width, glyphs)
        row.add(f"{glyphs.flag} {suspicion(alert, change)}", theme["flag"])
        row.add("  [f] flags", theme["dim"])
        self.query_one("#suspect", Lines).show([row.done()])

    def _show_commands(self, *, read_only: bool) -> None:
        commands, width, theme = self.commands, self.size.width, self.services.theme
        if not commands or not width:
            self.query_one("#commands", Lines).show([])
            return
        head = Row(width, self.services.glyphs)
        head.add("Commands  ", theme["title"])
        head.add("read-only: shown, not run" if read_only else "c to pick and run one", theme["dim"])
        lines: list[Text] = [head.done()]
        listed = commands[:_LISTED]
        title = title_width(listed, width)
        lines += [command_row(self.services, i, c, width, title=title) for i, c in enumerate(listed)]
        if len(commands) > _LISTED:
            rest = Row(width, self.services.glyphs)
            rest.add(f"  {len(commands) - _LISTED} more", theme["dim"])
            lines.append(rest.done())
        self.query_one("#commands", Lines).show(lines)


def find_runbook(snapshot: Snapshot, alert: Alert) -> Runbook | None:
    """The first playbook's runbook for an alert."""
    name, url = alert.labels.get("alertname", ""), alert.annotations.get(safe("runbook_url"), "")
    found = (runbook_for(playbook, name, url) for playbook in snapshot.playbooks)
    return next((runbook for runbook in found if runbook is not None), None)


def suspect_of(alert: Alert, changes: Sequence[FlagChange]) -> FlagChange | None:
    """The latest flag change in the day before the alert began."""
    before = [c for c in changes if 0 <= alert.since - c.at <= MAX_SUSPECT_AGE]
    return max(before, key=lambda c: c.at, default=None)


def suspicion(alert: Alert, change: FlagChange) -> SafeText:
    """`new_pricing 50 % -> 100 % 6m before`."""
    return safe(f"{change.key} {change.summary} {ago(alert.since - change.at)} before", 200)


_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+\-.!|~<>&])")


def _missing(alert: Alert) -> str:
    """What stands where no runbook is known, as Markdown."""
    name = _MARKDOWN.sub(r"\\\1", safe(alert.labels.get("alertname", "(no alertname)"), 200))
    lines = [f"No runbook for {name}.", "", "A playbook's `runbooks/` folder is where it would be."]
    url = alert.annotations.get(safe("runbook_url"), "")
    if url:
        # Indented code is shown as it is.
        lines += ["", "The alert names:", "", f"    {safe(url, 500)}"]
    return "\n".join(lines)
