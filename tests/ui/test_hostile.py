"""Every screen with every kind of hostile text: nothing acts, nothing crashes, nothing is lost.

The texts come in as in life: through the clients, the playbook and the flag file.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter
from textual.pilot import Pilot

from opsconsole.actions.runner import Runner
from opsconsole.checks.run import run_checks
from opsconsole.clock import ManualClock
from opsconsole.config.playbooks import load_playbook
from opsconsole.errors import SourceError
from opsconsole.model.flags import FlagChange, RollbackKind, RollbackPlan
from opsconsole.model.journal import Entry, Outcome, Phase, Result
from opsconsole.model.matchers import Matcher
from opsconsole.model.series import QueryResult, Series
from opsconsole.render.glyphs import UNICODE
from opsconsole.render.silence_commands import typable
from opsconsole.render.theme import DARK
from opsconsole.state.engine import Engine
from opsconsole.state.snapshot import Snapshot
from opsconsole.text import safe, safe_block
from opsconsole.ui.app import ConsoleApp
from opsconsole.ui.dialogs.silence_draft import matchers_of
from opsconsole.ui.filters import TerminalGuard
from opsconsole.ui.modes import Opened
from opsconsole.ui.services import Services
from tests.support.backends import Backends, api_alert, iso
from tests.support.hostile import BIG, PAYLOADS, acting, marked
from tests.support.scripted import Received, Say, json_reply, prometheus_reply
from tests.ui.fakes import NOW, FakeEngine, FakeRunner

WIDE, NARROW = (110, 30), (80, 24)


class Watched(TerminalGuard):
    """The guard, with what reached it: the first door should have let nothing through."""

    def __init__(self) -> None:
        super().__init__()
        self.met: set[str] = set()
        self.links: set[str] = set()

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        for text, style, _ in segments:
            self.met |= {f"{char} in {text!r}" for char in acting(text)}
            if style is not None and style.link:
                self.links.add(style.link)
            if style is not None and any(k.startswith("@") and "app." in str(v) for k, v in style.meta.items()):
                self.links.add(str(style.meta))
        return super().apply(segments, background)


class WatchedApp(ConsoleApp):
    """The console with a guard that keeps a record."""

    watched: Watched

    def get_line_filters(self) -> Sequence[LineFilter]:
        if not hasattr(self, "watched"):
            self.watched = Watched()
        return [self.watched]


def hostile_alert(text: str, *, labels: bool = True, **more: Any) -> dict[str, Any]:
    alert = api_alert("HighErrorRate", at=NOW - 600, route=text, **({text[:60]: text} if labels else {}))
    runbook = {"summary": text, "description": text, "runbook_url": text, text[:60]: text}
    return {**alert, "annotations": runbook, "generatorURL": text, "receivers": [{"name": text}], **more}


def hostile_backends(backends: Backends, text: str) -> None:
    """Put the text wherever a server can."""
    silence = {
        "id": "s1",
        "matchers": [{"name": "route", "value": text, "isRegex": False, "isEqual": True}],
        "startsAt": iso(NOW - 60),
        "endsAt": iso(NOW + 600),
        "updatedAt": iso(NOW - 60),
        "createdBy": text,
        "comment": text,
        "status": {"state": "active"},
    }
    acked = {**silence, "id": "s2", "comment": f"ACK! {text}: {text} [op=abc]"}
    held = {"state": "suppressed", "silencedBy": ["s2"], "inhibitedBy": []}
    nameless = hostile_alert(text, fingerprint="b" * 16)
    nameless["labels"] = {"alertname": text, "severity": text, "pool": text}
    backends.alerts = [
        hostile_alert(text, fingerprint="a" * 16),
        nameless,
        hostile_alert(text, fingerprint="c" * 16, labels=False, status=held),
    ]
    backends.silences = [silence, acked]
    rule = {
        "name": "HighErrorRate",
        "query": f'errors{{route="{text}"}} > 5',
        "duration": 300,
        "labels": {"severity": text},
        "annotations": {"summary": text},
        "alerts": [{"labels": {"alertname": text, "route": text}, "state": "pending", "activeAt": iso(NOW - 30)}],
        "health": "err",
        "lastError": text,
        "type": "alerting",
        "state": "firing",
        "lastEvaluation": iso(NOW),
    }
    groups = [{"name": text, "file": text, "interval": 15, "rules": [rule], "lastEvaluation": iso(NOW)}]
    prometheus = backends.prometheus
    prometheus.on("/api/v1/rules", json_reply({"status": "success", "data": {"groups": groups}}))
    target = {"labels": {"job": text, "instance": text, text[:60]: text}, "health": "down", "lastError": text}
    targets = [{**target, "scrapePool": text, "scrapeUrl": text}]
    prometheus.on("/api/v1/targets", json_reply({"status": "success", "data": {"activeTargets": targets}}))
    prometheus.on("/api/v1/status/buildinfo", json_reply({"status": "success", "data": {"version": text}}))

    def query(asked: Received) -> Say:
        if "partial" in asked.form["query"]:
            return prometheus_reply([{"metric": {"route": text}, "value": [NOW, "7"]}], warnings=[text])
        return prometheus_reply([{"metric": {"route": text, text[:60]: text}, "value": [NOW, "7"]}])

    prometheus.on("/api/v1/query", query)
    reason = text.replace("\r", "").replace("\n", "")[:1000].encode("utf-8", "replace")
    prometheus.on("/api/v1/query_range", Say(422, reason, body=json.dumps({"error": text}).encode()))
    status = {
        "cluster": {"status": text, "peers": []},
        "versionInfo": {"version": text},
        "config": {"original": text},
        "uptime": iso(NOW),
    }
    backends.alertmanager.on("/api/v2/status", json_reply(status))


def hostile_playbook(folder: Path, text: str) -> Path:
    """A playbook with hostile runbooks. Its own texts may hold markup; what acts, the loader refuses."""
    word = json.dumps(safe(text, 200), ensure_ascii=False)
    (folder / "runbooks").mkdir(parents=True)
    (folder / "playbook.yaml").write_text(
        f"""\
system: books
title: {word}
owner: {word}
alerts: {{HighErrorRate: {{response: 5m, panel: errors, runbook: high.md, distinguish: [route]}}}}
flag_panel: errors
dashboards:
  - id: main
    title: {word}
    groups:
      - title: {word}
        panels:
          - id: errors
            title: {word}
            kind: table
            queries: [{{expr: 'up'}}]
            thresholds: [{{level: warning, above: 1}}]
          - {{id: line, title: {word}, kind: line, queries: [{{legend: {word}, expr: 'up'}}]}}
          - {{id: bars, title: {word}, kind: bars, queries: [{{legend: '{{{{route}}}}', expr: 'partial'}}]}}
"""
    )
    body = text.replace("`", "'")[:90_000]  # the loader refuses files of more than 1 MB
    (folder / "runbooks" / "high.md").write_text(
        f"# {body}\n\n{body}\n\n- {body}\n\n> {body}\n\n| a | b |\n|---|---|\n| {body} | x |\n\n"
        f"[{body}](http://x/{body})\n\n```sh title=\"{body}\" changes\necho '{body}' $LABEL_route\n```\n\n"
        f"```\n{body}\n```\n\n    {body}\n",
        errors="replace",
    )
    return folder


def hostile_flags(file: Path, text: str) -> Path:
    flag = {"state": "ENABLED", "variants": {text: True, "off": False}, "defaultVariant": text}
    file.write_text(json.dumps({"flags": {text: flag, "plain": {**flag, "metadata": {"description": text}}}}))
    return file


async def hostile_snapshot(folder: Path, text: str) -> Snapshot:
    """What the engine makes of all that, with a journal and changes on top."""
    async with Backends(clock=ManualClock(NOW)) as backends:
        hostile_backends(backends, text)
        book = load_playbook(hostile_playbook(folder / "books", text))
        engine = backends.engine([book], flags=hostile_flags(folder / "flags.json", text), timeout=5.0)
        try:
            panels = [f"books/{panel.id}" for panel in book.dashboards[0].panels]
            snapshot = await engine.collect(panels=panels)
        finally:
            await engine.aclose()
    entry = Entry(
        seq=1,
        at=NOW - 30,
        op="op1",
        phase=Phase.OUTCOME,
        action="command",
        subject=safe(text),
        user=safe(text),
        context=safe(text),
        result=Result.FAILED,
        message=safe(text),
        detail={"command": text, "output": [text, {"a": text}], text: 1},
    )
    change = FlagChange(key=text, at=NOW - 900, summary=safe(text), who=safe(text))
    context = msgspec.structs.replace(snapshot.context, name=safe(text, 40), environment=safe(text, 40))
    return msgspec.structs.replace(snapshot, context=context, journal=(entry,), changes=(change,))


class Visit:
    """A walk through the console that looks at the screen after each step."""

    def __init__(self, pilot: Pilot[int], app: WatchedApp, runner: FakeRunner) -> None:
        self.pilot = pilot
        self.app = app
        self.runner = runner
        self.seen: dict[str, str] = {}

    def assert_clean_at_the_first_door(self) -> None:
        """No widget was given a character that acts, and none a link or an action."""
        assert not self.app.watched.met
        assert not self.app.watched.links

    async def press(self, *keys: str) -> None:
        for key in keys:
            await self.pilot.press(key)
        await self.pilot.pause()

    async def look(self, name: str, *, expects: str = "") -> None:
        """Wait for a screen or dialog of this class, and look at it."""
        await self.until(lambda: expects in ("", type(self.app.screen).__name__), f"{expects} for {name}")
        await self.pilot.pause()
        lines = [strip.text for strip in self.app.screen._compositor.render_strips()]
        self.seen[name] = "\n".join(lines)
        assert self.app.is_running, name
        assert self.app._exception is None, name
        found = {char for line in lines for char in acting(line)}
        assert not found, (name, found)

    async def until(self, condition: Any, what: str) -> None:
        for _ in range(500):
            if self.app._exception is not None:
                raise self.app._exception
            if condition():
                return
            await self.pilot.pause(0.01)
        raise AssertionError(f"no {what}, but {self.app.screen}")

    async def dialog(self, name: str, key: str, screen: str, *, inside: Sequence[str] = ()) -> None:
        """Open a dialog with a key, look at it, use keys in it, and leave."""
        depth = len(self.app.screen_stack)
        await self.press(key)
        await self.look(name, expects=screen)
        for more in inside:
            await self.press(more)
            await self.look(f"{name} {more}")
        for _ in range(4):
            if len(self.app.screen_stack) > depth:
                await self.press("escape")
        await self.until(lambda: len(self.app.screen_stack) <= depth, f"end of {name}")


@asynccontextmanager
async def visiting(snapshot: Snapshot, text: str, size: tuple[int, int]) -> AsyncIterator[Visit]:
    engine, runner = FakeEngine(snapshot), FakeRunner()
    series = Series(labels={"route": text, text[:60]: text}, times=(NOW - 60, NOW), values=(1.0, 2.0))
    engine.answer = lambda expr: (
        SourceError(safe(text), where=safe(text), hint=safe(text))
        if "ALERTS" in expr
        else QueryResult("matrix", (series,), (safe(text),))
    )
    runner.hidden = lambda matchers: tuple(row.alert for row in snapshot.rows if not row.alert.pending)
    runner.output = (text[:8000], text[:8000])  # the runner caps what a command says
    runner.outcomes["plan_rollback"] = cast(
        "Outcome",
        RollbackPlan(
            key=text,
            kind=RollbackKind.OFF,
            words=safe(text),
            diff=safe_block(f"-{text}\n+{text}"),
            revision="1",
            original=text,
            replacement=text,
        ),
    )
    said = Outcome(op="op2", action="command", result=Result.FAILED, message=safe(text), hint=safe(text))
    runner.outcomes["run_command"] = msgspec.structs.replace(said, output=safe_block(text[:8000]), exit_status=1)
    services = Services(
        engine=cast("Engine", engine),
        runner=cast("Runner", runner),
        clock=ManualClock(NOW),
        glyphs=UNICODE,
        theme=DARK,
        zone=UTC,
        checks=run_checks,
    )
    app = WatchedApp(
        lambda: Opened(services=services, begin=lambda: lambda: None, close=lambda: None),
        DARK,
        UNICODE,
        start="overview",
    )
    async with app.run_test(size=size, notifications=True) as pilot:
        visit = Visit(pilot, app, runner)
        await visit.until(lambda: type(app.screen).__name__ == "OverviewScreen", "overview")
        yield visit


async def tour(visit: Visit, text: str, *, wide: bool) -> None:
    """Every screen, every tab and every dialog."""
    await visit.look("overview", expects="OverviewScreen")
    await visit.dialog("panel", "enter", "PanelViewScreen", inside=["w"])
    await visit.press("2")
    await visit.look("alerts", expects="AlertsScreen")
    if wide:
        for tab in ("graph", "labels", "alert silences", "history"):
            await visit.press("tab")
            await visit.look(tab)
        await visit.press("tab")
        await visit.press("o")
        await visit.look("grouped")
        await visit.press("slash", *"zzz]", "escape")
        await visit.look("filtered")
    else:
        await visit.dialog("detail", "enter", "DetailScreen", inside=["tab", "tab", "tab", "tab"])
    await visit.dialog("ack", "a", "AckDialog")
    visit.assert_clean_at_the_first_door()
    await visit.dialog("silence form", "s", "SilenceForm", inside=["tab", "tab"])
    visit.app.watched.met.clear()  # the form's field holds the matcher as it is; the guard keeps it from acting
    await visit.dialog("commands", "c", "CommandDialog", inside=["enter"])
    await visit.dialog("copied alert", "y", "TextView")
    await visit.press("3")
    await visit.look("silences", expects="SilencesScreen")
    await visit.dialog("silence text", "enter", "TextView")
    await visit.dialog("expire", "x", "ExpireDialog")
    await visit.press("4")
    await visit.look("flags", expects="FlagsScreen")
    await visit.dialog("rollback", "r", "RollbackDialog")
    await visit.press("5")
    await visit.look("incident", expects="IncidentScreen")
    await visit.dialog("journal text", "enter", "TextView")
    await visit.dialog("note", "n", "PromptDialog", inside=["x"])
    await visit.press("6")
    await visit.look("status", expects="StatusScreen")
    await visit.press("G")
    await visit.dialog("status text", "enter", "TextView")
    await visit.dialog("help", "question_mark", "HelpScreen")
    visit.app.report(Outcome(op="", action="ack", result=Result.FAILED, message=safe(text), hint=safe(text)))
    await visit.look("toast")


SHOWS = ("alerts", "silences", "flags", "incident", "status", "labels", "silence text", "journal text")
"""Where the text must stand in its visible form."""


def visible(name: str) -> str:
    """A piece of the payload as it must be shown, short enough not to be cut."""
    return safe(marked(PAYLOADS[name]))[:12].rstrip()


@pytest.mark.parametrize("name", PAYLOADS)
async def test_every_screen_with(tmp_path: Path, name: str) -> None:
    text = marked(PAYLOADS[name])
    snapshot = await hostile_snapshot(tmp_path, text)
    async with visiting(snapshot, text, WIDE) as visit:
        await tour(visit, text, wide=True)
        for screen in SHOWS:
            assert visible(name) in visit.seen[screen], (screen, visit.seen[screen])
        visit.assert_clean_at_the_first_door()


@pytest.mark.parametrize("name", ["everything at once", "a megabyte"])
async def test_every_screen_of_a_small_terminal(tmp_path: Path, name: str) -> None:
    text = " ".join(map(marked, PAYLOADS.values())) if name == "everything at once" else BIG
    snapshot = await hostile_snapshot(tmp_path, text)
    async with visiting(snapshot, text, NARROW) as visit:
        await tour(visit, text, wide=False)
        visit.assert_clean_at_the_first_door()


@pytest.mark.parametrize("name", PAYLOADS)
def test_the_silence_form_can_hold_every_label(name: str) -> None:
    """What the form begins with can be shown, is read back as it was, and matches this label and no other."""
    value = marked(PAYLOADS[name])
    line = str(typable(Matcher("path", value)))
    assert acting(line) == []
    assert line.splitlines() == [line]
    (read,) = matchers_of(line)
    assert read.matches({"path": value})
    for other in (value[:-1], value.replace("begin", "began"), f"{value}x", ""):
        assert not read.matches({"path": other})
    (denied,) = matchers_of(str(typable(Matcher("path", value, is_equal=False))))
    assert not denied.matches({"path": value})
    assert denied.matches({"path": "other"})


def test_the_payloads_are_what_they_say() -> None:
    """The test itself: the payloads do act, and their visible forms do not."""
    plain = {"markup", "brackets", "action", "Markdown"}
    for name, payload in PAYLOADS.items():
        is_plain = any(word in name for word in plain)
        assert bool(acting(payload.replace("\n", ""))) is not (is_plain or name == "format strings"), name
        assert acting(safe(marked(payload))) == []
