"""Silences as a person types them: from a template with an edit, an edit that conflicts, several ended at once."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.pty_terminal import PtyTerminal
from tests.support.servers import Alertmanager, require

pytestmark = pytest.mark.live


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Alertmanager]:
    """An Alertmanager that has nothing but what the test gives it: no filter is needed to find a row."""
    with Alertmanager(tmp_path / "am") as server:
        yield server


def console(open_terminal: Callable[..., PtyTerminal], server: Alertmanager, *options: str) -> PtyTerminal:
    command = [sys.executable, "-m", "opsconsole", f"--alertmanager={server.url}", *options]
    terminal = open_terminal(*command)
    terminal.wait_for_text("AM ✔", "Firing now")
    return terminal


def until(terminal: PtyTerminal, condition: Callable[[], bool], what: str) -> None:
    """Wait for what amtool sees; a failure shows the screen."""
    terminal.wait_until(condition, what, limit=30)


def amtool(server: Alertmanager, *args: str) -> str:
    return subprocess.check_output([require("amtool"), f"--alertmanager.url={server.url}", *args], text=True)


def known(server: Alertmanager, *filters: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(amtool(server, "-o", "json", "silence", "query", *filters))
    return found


def add(server: Alertmanager, name: str, comment: str) -> str:
    return amtool(server, "silence", "add", name, f"--comment={comment}", "--author=alice", "-d", "1h").strip()


def enter(terminal: PtyTerminal, title: str) -> None:
    """Confirm the dialog of that title: what is pressed before it can be read confirms nothing."""

    presses = 0

    def gone() -> bool:
        nonlocal presses
        terminal.read(0.5)
        if title in terminal.text and time.monotonic() > began + 6 * presses:
            presses += 1
            terminal.send("\r")
        return title not in terminal.text

    began = time.monotonic()
    terminal.wait_until(gone, f"end of {title}", limit=30)


def test_from_a_template_with_an_edit(open_terminal: Callable[..., PtyTerminal], alone: Alertmanager) -> None:
    labels = {"alertname": "HighLatency", "job": "accubooks", "route": "/typed", "severity": "high"}
    alone.post_alerts([{"labels": labels}])
    terminal = console(open_terminal, alone, "--playbook=accubooks")
    terminal.send("2")
    terminal.wait_for_text("/typed")
    terminal.send("t")
    terminal.wait_for_text("Silence from a template", "slow-route")
    terminal.send("jjj")
    terminal.wait_for_text('route="{{route}}"')
    enter(terminal, "Silence from a template")
    terminal.wait_for_text("Template slow-route", "/typed")
    terminal.send("OPS-1")
    terminal.wait_for_text("OPS-1")
    enter(terminal, "Template slow-route")
    terminal.wait_for_text("Matchers, one a line", "hides now: 1 alert")
    assert known(alone, "route=/typed") == []
    terminal.send("\x13")
    until(terminal, lambda: len(known(alone, "route=/typed")) == 1, "the silence of the template")
    (made,) = known(alone, "route=/typed")
    assert made["comment"].startswith("known to be slow, OPS-1 [op=")
    terminal.wait_for_text("silenced")
    terminal.send("3")
    terminal.wait_for_text("known to be slow", "3h")
    terminal.send("E")
    terminal.wait_for_text("Edit silence", "hides now: 1 alert")
    terminal.send(" again\x13")
    until(terminal, lambda: "OPS-1 again" in known(alone, "route=/typed")[0]["comment"], "the edited comment")
    assert known(alone, "route=/typed")[0]["id"] == made["id"]
    terminal.send("x")
    terminal.wait_for_text("Expire this silence", "may notify: 1 alert")
    enter(terminal, "Expire this silence")
    until(terminal, lambda: known(alone, "route=/typed") == [], "the end of the silence")
    terminal.wait_for_text("expired the silence")
    terminal.send("u")
    until(terminal, lambda: len(known(alone, "route=/typed")) == 1, "the silence to be back after the undo")
    terminal.send("q")
    assert terminal.wait_for_exit() == 0


def test_an_edit_that_conflicts(open_terminal: Callable[..., PtyTerminal], alone: Alertmanager) -> None:
    alone.post_alerts([{"labels": {"alertname": "TypedConflict", "severity": "warning"}}])
    id = add(alone, "TypedConflict", "first")
    terminal = console(open_terminal, alone)
    terminal.send("3")
    terminal.wait_for_text("first")
    terminal.send("E")
    terminal.wait_for_text("Edit silence", "hides now: 1 alert")
    amtool(alone, "silence", "update", "-c", "by amtool", id)
    terminal.send(" mine\x13")
    terminal.wait_for_text("Somebody else changed it", "comment: first -> by amtool", "nothing was written")
    assert known(alone, "TypedConflict")[0]["comment"] == "by amtool"
    enter(terminal, "Somebody else changed it")
    terminal.wait_for_text("Edit silence", "hides now: 1 alert")
    terminal.send(" and me\x13")
    until(terminal, lambda: known(alone, "TypedConflict")[0]["comment"] == "by amtool and me", "the second edit")
    terminal.send("q")
    assert terminal.wait_for_exit() == 0


def test_a_confirmation_typed_ahead_ends_nothing(
    open_terminal: Callable[..., PtyTerminal], alone: Alertmanager
) -> None:
    for number in ("1", "2"):
        alone.post_alerts([{"labels": {"alertname": f"TypedBulk{number}"}}])
        add(alone, f"TypedBulk{number}", "x")
    terminal = console(open_terminal, alone)
    terminal.send("3")
    terminal.wait_for_text("TypedBulk1", "TypedBulk2")
    terminal.send("Ax\r")
    terminal.wait_for_text("Expire 2 silences", "may notify: 2 alerts")
    assert len(known(alone, "alertname=TypedBulk1")) == 1
    enter(terminal, "Expire 2 silences")
    for number in ("1", "2"):
        until(terminal, lambda number=number: known(alone, f"TypedBulk{number}") == [], f"the end of {number}")
    terminal.wait_for_text("expired 2 of 2")
    terminal.send("u")
    for number in ("1", "2"):
        until(terminal, lambda number=number: len(known(alone, f"TypedBulk{number}")) == 1, f"{number} to be back")
    terminal.send("q")
    assert terminal.wait_for_exit() == 0
