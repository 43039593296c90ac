"""Hostile text on a real terminal: the bytes that the console writes, with a real Alertmanager that has it."""

from __future__ import annotations

import base64
import json
import re
import sys
import unicodedata
import urllib.parse
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from opsconsole.model.matchers import Matcher
from opsconsole.render.silence_commands import typable
from opsconsole.text import safe
from tests.pty.conftest import Open
from tests.support.hostile import PAYLOADS, acting, marked, sequences, strange_sequences
from tests.support.pty_terminal import Modes, PtyTerminal
from tests.support.servers import Alertmanager, Server, http, wait_for

pytestmark = pytest.mark.live


@pytest.fixture
def hostile(tmp_path: Path, started: Callable[[Server], Server]) -> Alertmanager:
    """An Alertmanager with an alert and a silence for each payload."""
    server = Alertmanager(tmp_path / "hostile")
    started(server)
    alerts = [
        {
            "labels": {"alertname": f"Hostile{i:02}", "severity": "critical", "path": marked(payload)},
            "annotations": {"summary": marked(payload), "runbook_url": marked(payload)},
            "generatorURL": "http://prometheus.example/graph",
        }
        for i, payload in enumerate(PAYLOADS.values())
    ]
    server.post_alerts(alerts)
    now = datetime.now(UTC)
    for payload in PAYLOADS.values():
        matcher = {"name": "path", "value": f"no {marked(payload)}", "isRegex": False, "isEqual": True}
        body = {
            "matchers": [matcher],
            "startsAt": now.isoformat(),
            "endsAt": (now + timedelta(hours=1)).isoformat(),
            "createdBy": marked(payload),
            "comment": marked(payload),
        }
        http("POST", f"{server.url}/api/v2/silences", body)
    url = f"{server.url}/api/v2/alerts"
    wait_for(lambda: len(json.loads(http("GET", url))) == len(PAYLOADS), 10, "alerts")
    return server


def assert_harmless(terminal: PtyTerminal) -> None:
    """Nothing but what the console itself has to say was written as a command to the terminal."""
    strange = strange_sequences(terminal.raw)
    assert strange == []
    raw = terminal.raw
    assert b"\x1b]52" not in raw
    assert b"\x1b]8;" not in raw
    assert b"\x1b]0;" not in raw
    assert b"\x1b]2;" not in raw
    assert b"\x1bP" not in raw
    assert b"\x1b_" not in raw
    assert "\x9b".encode() not in raw
    assert "\u202e".encode() not in raw


def composed(text: str) -> str:
    """Letters and their marks as one character, as pyte keeps them."""
    return unicodedata.normalize("NFC", text)


def test_the_reader_of_a_terminal_sees_text_only(
    open_terminal: Open, hostile: Alertmanager, tmp_path: Path
) -> None:
    flags = tmp_path / "flags.json"
    flag = {"state": "ENABLED", "variants": {"on": True, "off": False}, "defaultVariant": "on"}
    flags.write_text(json.dumps({"flags": {marked(payload): flag for payload in PAYLOADS.values()}}))
    terminal = open_terminal(
        *(sys.executable, "-m", "opsconsole", f"--alertmanager={hostile.url}", f"--flags-file={flags}"),
        size=(200, 60),
    )
    terminal.wait_for_text("AM ✔", "Hostile00")
    terminal.send("2")
    terminal.wait_for_text(f"{len(PAYLOADS)} of {len(PAYLOADS)}", "Hostile00", "Hostile22")
    listed = terminal.text
    visible = (
        r"\x1b[2J",
        r"\x1b]52;c;",
        r"\x9b31m",
        r"\u202e",
        r"\u200b",
        r"a\x00b",
        "[/var/log]",
        "[/bar]",
        "[@clic",
    )
    assert [shown for shown in visible if shown not in listed] == []

    terminal.send("\t\t")
    terminal.wait_for_text("summary")
    for i, payload in enumerate(PAYLOADS.values()):
        terminal.send("j" if i else "")
        terminal.wait_until(lambda i=i: re.search(rf"alertname +Hostile{i:02}", terminal.text), f"labels of {i}")
        assert composed(safe(marked(payload))[:30]) in composed(terminal.text)
    terminal.send("\t\t\t")
    terminal.send("3")
    terminal.wait_for_text(f"{len(PAYLOADS)} silences", r"\x1b]52;c;", r"\u202e")
    terminal.send("x")
    terminal.wait_for_text("Expire this silence")
    terminal.send("\x1b")
    terminal.wait_until(lambda: "Expire this silence" not in terminal.text, "end of the dialog")
    terminal.send("4")
    terminal.wait_for_text(f"{len(PAYLOADS)} flags", r"\x1b]52;c;")
    terminal.send("6")
    terminal.wait_for_text("Alertmanager members")
    terminal.send("1")
    terminal.wait_for_text("Firing now")
    terminal.send("q")
    assert terminal.wait_for_exit() == 0
    assert terminal.modes() == Modes()
    assert_harmless(terminal)


def test_what_the_operator_copies_is_the_only_clipboard_write(open_terminal: Open, hostile: Alertmanager) -> None:
    terminal = open_terminal(sys.executable, "-m", "opsconsole", f"--alertmanager={hostile.url}")
    terminal.wait_for_text("AM ✔", "Hostile00")
    terminal.send("2")
    terminal.wait_for_text(f"{len(PAYLOADS)} of")
    assert_harmless(terminal)
    terminal.send("y")
    terminal.wait_for_text("clipboard")
    written = [s for s in sequences(terminal.raw) if s.startswith(b"\x1b]52")]
    assert len(written) == 1
    copied = base64.b64decode(written[0].split(b";")[2].rstrip(b"\x07\x1b\\")).decode()
    assert acting(copied.replace("\n", "")) == []


@pytest.mark.parametrize(
    "argv", [["alerts"], ["alerts", "--json"], ["silences"], ["silences", "--json"], ["check"]]
)
def test_commands_on_a_terminal(open_terminal: Open, hostile: Alertmanager, argv: list[str]) -> None:
    terminal = open_terminal(
        sys.executable, "-m", "opsconsole", *argv, f"--alertmanager={hostile.url}", size=(250, 60)
    )
    assert terminal.wait_for_exit() in (0, 2)
    assert strange_sequences(terminal.raw) == []
    assert b"Traceback" not in terminal.raw
    assert b"[/var/log] is full" in terminal.raw


def test_alertmanager_reads_the_silence_forms_matchers_the_same_way(hostile: Alertmanager) -> None:
    for i, payload in enumerate(PAYLOADS.values()):
        matcher = str(typable(Matcher("path", marked(payload))))
        query = urllib.parse.urlencode({"filter": matcher})
        found = json.loads(http("GET", f"{hostile.url}/api/v2/alerts?{query}"))
        assert [alert["labels"]["alertname"] for alert in found] == [f"Hostile{i:02}"]


def test_errors_on_a_terminal(open_terminal: Open) -> None:
    text = marked(PAYLOADS["OSC 52"]) + PAYLOADS["C1"] + PAYLOADS["bidi"]
    for argv in (["--context", text], ["alerts", "--alertmanager", text], ["--screen", text], [text]):
        terminal = open_terminal(sys.executable, "-m", "opsconsole", *argv)
        assert terminal.wait_for_exit() == 2
        assert strange_sequences(terminal.raw) == []
        assert safe(PAYLOADS["OSC 52"])[:8].encode() in terminal.raw or "--alertmanager" in argv
