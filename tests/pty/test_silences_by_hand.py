"""Acks, silences, edits and undos as a person types them, on a small and on a large terminal.

One console serves all tests of a size; after a test that failed the next one gets a fresh one.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.support.pty_terminal import LIMIT, PtyTerminal
from tests.support.servers import Alertmanager, http

pytestmark = pytest.mark.live

SIZES = {"80x24": (80, 24), "120x40": (120, 40)}

CTRL_E, CTRL_S, CTRL_U, ESCAPE, SHIFT_TAB = "\x05", "\x13", "\x15", "\x1b", "\x1b[Z"


class Hand:
    """Someone at a console, and what the server says beside it."""

    def __init__(self, server: Alertmanager, size: str, home: Path) -> None:
        self.server = server
        self.tag = f"Hand{size}"
        command = [sys.executable, "-m", "opsconsole", f"--alertmanager={server.url}", "--playbook=accubooks"]
        env = {"HOME": str(home), "OPSCONSOLE_STATE_DIR": str(home / "state")}
        self.terminal = PtyTerminal(command, size=SIZES[size], env=env).start()
        self.sees("AM ✔", "Firing now")

    def fires(self, name: str, severity: str = "warning", **labels: str) -> str:
        """Send an alert; its name is made unique for the size."""
        name = f"{self.tag}{name}"
        self.server.post_alerts([{"labels": {"alertname": name, "severity": severity, **labels}}])
        return name

    def types(self, keys: str) -> None:
        self.terminal.send(keys)

    def sees(self, *words: str) -> None:
        self.terminal.wait_for_text(*words)

    def until(self, condition: Any, what: str) -> None:
        self.terminal.wait_until(condition, what)

    def enters(self, title: str, key: str = "\r") -> None:
        """Confirm the dialog of this title. A key that comes before the dialog could be read confirms nothing,
        and a program reads faster than a person: then once more."""
        pressed = float("-inf")

        def gone() -> bool:
            nonlocal pressed
            if title in self.terminal.text and time.monotonic() > pressed + 5:
                self.types(key)
                pressed = time.monotonic()
            return title not in self.terminal.text

        self.until(gone, f"end of {title!r}")

    def leaves(self, title: str) -> None:
        self.enters(title, ESCAPE)

    def lists(self, mode: str, words: str, *seen: str) -> None:
        """Go to a screen and filter it; whatever filter was there is typed over."""
        self.types(mode)
        self.sees({"2": "alert and labels", "3": "matchers and comment"}[mode])
        self.types(f"/{CTRL_U}{words}\r")
        self.sees(f"filter: {words}", *seen)

    def silences(self, word: str, **more: str) -> list[dict[str, Any]]:
        """The silences on the server that have not expired and have a matcher with this word."""
        found = json.loads(http("GET", f"{self.server.url}/api/v2/silences"))
        standing = [s for s in found if s["status"]["state"] != "expired"]
        return [s for s in standing if any(word in m["value"] for m in s["matchers"])]

    def hidden(self, name: str, label: str) -> list[str]:
        """The values of a label of the alerts of this name that are silenced."""
        found = json.loads(http("GET", f"{self.server.url}/api/v2/alerts"))
        alerts = [a for a in found if a["labels"]["alertname"] == name]
        return sorted(a["labels"][label] for a in alerts if a["status"]["silencedBy"])

    def silenced_by(self, who: str, name: str, comment: str) -> dict[str, Any]:
        """Someone silences an alert, not from this console."""
        now = datetime.now(UTC)
        body = {
            "matchers": [{"name": "alertname", "value": name, "isRegex": False, "isEqual": True}],
            "startsAt": now.isoformat(),
            "endsAt": (now + timedelta(hours=1)).isoformat(),
            "createdBy": who,
            "comment": comment,
        }
        http("POST", f"{self.server.url}/api/v2/silences", body)
        (made,) = self.silences(name)
        return made

    def changed_by(self, who: str, silence: dict[str, Any], comment: str) -> None:
        """Someone changes a silence, not from this console."""
        body = {key: silence[key] for key in ("id", "matchers", "startsAt", "endsAt")}
        http("POST", f"{self.server.url}/api/v2/silences", body | {"createdBy": who, "comment": comment})

    def acks(self, reason: str) -> None:
        """Press a and give the reason."""
        self.types("a")
        self.sees("Acknowledge", "Reason")
        self.types(reason)
        self.sees(f"  {reason} ")
        self.types("\r")
        self.until(lambda: "enter acknowledge" not in self.terminal.text, "end of the dialog")


class Consoles:
    """The console of each size."""

    def __init__(self, server: Alertmanager, homes: pytest.TempPathFactory) -> None:
        self._server = server
        self._homes = homes
        self._open: dict[str, Hand] = {}

    def at(self, size: str) -> Hand:
        if size not in self._open:
            self._open[size] = Hand(self._server, size, self._homes.mktemp(size))
        return self._open[size]

    def drop(self, size: str) -> None:
        hand = self._open.pop(size, None)
        if hand is not None:
            hand.terminal.close()


@pytest.fixture(scope="module")
def consoles(alertmanager: Alertmanager, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Consoles]:
    opened = Consoles(alertmanager, tmp_path_factory)
    yield opened
    for size in SIZES:
        opened.drop(size)


@pytest.fixture(params=list(SIZES))
def hand(request: pytest.FixtureRequest, consoles: Consoles) -> Iterator[Hand]:
    failed = request.session.testsfailed
    yield consoles.at(request.param)
    if request.session.testsfailed > failed:
        consoles.drop(request.param)


def test_an_ack_from_the_list(hand: Hand) -> None:
    name = hand.fires("Ack", instance="db-1:9100", mountpoint="/var")
    hand.lists("2", name, "1 of", "nobody")
    hand.acks("looking at the disk")
    hand.sees("ack you")
    (ack,) = hand.silences(name)
    assert ack["comment"].startswith("ACK! "), ack
    assert "looking at the disk" in ack["comment"]
    assert {m["name"]: m["value"] for m in ack["matchers"]} == {
        "alertname": name,
        "severity": "warning",
        "instance": "db-1:9100",
        "mountpoint": "/var",
    }
    assert not any(m["isRegex"] for m in ack["matchers"])
    hand.types("u")
    hand.sees("undone: expired the ack", "nobody")
    assert hand.silences(name) == []


def test_an_ack_of_a_group(hand: Hand) -> None:
    for pod in ("a.b", "a|b", "c"):
        name = hand.fires("Group", pod=pod)
    # What a pattern with an unescaped value would hide too.
    hand.fires("Group", "info", pod="axb")
    hand.lists("2", name, "4 of", "pod=axb")
    hand.types("g   ")
    hand.sees("3 marked")
    hand.types("a")
    hand.sees("Acknowledge 3 alerts", "One silence: Alertmanager says", "pod=a|b")
    hand.types("rolling restart")
    hand.sees("rolling restart")
    hand.types("\r")
    hand.sees("acknowledged 3 alerts", "ack you")
    (ack,) = hand.silences(name)
    assert hand.hidden(name, "pod") == ["a.b", "a|b", "c"], ack
    hand.types("u")
    # The toast of an earlier undo may still be there: the server tells.
    hand.until(lambda: hand.silences(name) == [], "end of the ack on the server")
    hand.sees("undone: expired the ack")
    assert hand.hidden(name, "pod") == []
    hand.until(lambda: "ack you" not in hand.terminal.text, "end of the acks on the screen")

    hand.types("A")
    hand.sees("Acknowledge 4 alerts", "One silence: Alertmanager says")
    hand.types("all of them")
    hand.sees("all of them")
    hand.types("\r")
    hand.sees("acknowledged 4 alerts")
    assert len(hand.silences(name)) == 1
    assert hand.hidden(name, "pod") == ["a.b", "axb", "a|b", "c"]
    hand.types("u")
    hand.until(lambda: hand.silences(name) == [], "end of the ack on the server")


def test_a_silence_from_a_template_with_an_edit(hand: Hand) -> None:
    route = f"/{hand.tag}"
    labels = {"alertname": "HighLatency", "job": "accubooks", "route": route, "severity": "high"}
    hand.server.post_alerts([{"labels": labels}])
    hand.lists("2", route, "1 of", "HighLatency")
    hand.types("t")
    hand.sees("Silence from a template", "slow-route")
    hand.types("jjj")
    hand.sees('route="{{route}}"')
    hand.enters("Silence from a template")
    hand.sees("Template slow-route", route, "ticket")
    hand.types("OPS-7")
    hand.sees("OPS-7")
    hand.enters("Template slow-route")
    hand.sees("Matchers, one a line", f'route="{route}"', "known to be slow, OPS-7", "hides now: 1 alert")
    hand.types(f"{CTRL_E} for now{SHIFT_TAB}{CTRL_U}45m")
    hand.sees("OPS-7 for now", "For       45m")
    assert hand.silences(route) == [], "nothing is written before it is confirmed"
    hand.enters("Matchers, one a line", CTRL_S)
    hand.sees("silenced")
    (made,) = hand.silences(route)
    assert made["comment"].startswith("known to be slow, OPS-7 for now"), made
    lasts = datetime.fromisoformat(made["endsAt"]) - datetime.fromisoformat(made["startsAt"])
    assert abs(lasts.total_seconds() - 45 * 60) < LIMIT, made
    hand.types("u")
    hand.until(lambda: hand.silences(route) == [], "end of the silence on the server")


def test_an_edit_that_conflicts(hand: Hand) -> None:
    name = hand.fires("Conflict")
    silence = hand.silenced_by("alice", name, "deploying")
    hand.lists("3", name, "1 of", "alice", "deploying")
    hand.types("E")
    hand.sees("Edit silence", "hides now: 1 alert")
    hand.changed_by("carol", silence, "deploying until noon")
    hand.types(f"{CTRL_E} and mine")
    hand.sees("deploying and mine")
    hand.types(CTRL_S)
    hand.sees("Somebody else changed it", "carol", "deploying -> deploying until noon", "nothing was written")
    (standing,) = hand.silences(name)
    assert (standing["createdBy"], standing["comment"]) == ("carol", "deploying until noon")
    hand.leaves("Somebody else changed it")
    hand.sees("deploying until noon", "carol")
    (standing,) = hand.silences(name)
    assert (standing["createdBy"], standing["comment"]) == ("carol", "deploying until noon")


def test_a_confirmation_typed_ahead_does_not_fire(hand: Hand) -> None:
    name = hand.fires("Ahead")
    hand.lists("2", name, "1 of")
    # On the list u would undo and 3 lead away.
    hand.types("a\r\ru3\r")
    hand.sees("Acknowledge", "Reason")
    hand.types(f"{CTRL_U}still asked")
    hand.sees("still asked", "enter acknowledge")
    assert hand.silences(name) == []
    hand.leaves("enter acknowledge")
    hand.types(f"s{CTRL_S}{CTRL_S}\r")
    hand.sees("Silence on", "hides now: 1 alert")
    hand.leaves("Matchers, one a line")
    hand.sees("1 of", name, "nobody")
    assert hand.silences(name) == []


def test_a_row_that_moves_between_two_keys(hand: Hand) -> None:
    mine = hand.fires("MoveMine")
    hand.lists("2", f"{hand.tag}Move", "1 of", mine)
    hand.types("a")
    hand.sees("Acknowledge", "Reason")
    worse = hand.fires("MoveWorse", "critical")
    hand.sees("2 of", worse)
    lines = hand.terminal.text.splitlines()
    rows = [
        next(i for i, line in enumerate(lines) if f"{mark}  {name}" in line)
        for mark, name in (("CRIT", worse), ("WARN", mine))
    ]
    assert rows == sorted(rows), "the worse one has not taken the place on top"
    hand.types("mine it is")
    hand.sees("mine it is")
    hand.types("\r")
    hand.sees("ack you")
    (ack,) = hand.silences(f"{hand.tag}Move")
    assert {m["value"] for m in ack["matchers"]} == {mine, "warning"}
    assert hand.silences(worse) == []
    hand.types("u")
    hand.until(lambda: hand.silences(mine) == [], "end of the ack on the server")


def test_two_quick_undos_take_back_two_acks(hand: Hand) -> None:
    first, second = hand.fires("TwiceA"), hand.fires("TwiceB")
    for name in (first, second):
        hand.lists("2", name, "1 of", "nobody")
        hand.acks(f"about {name[-1]}")
        hand.sees("ack you")
    hand.types("uu")
    for name in (first, second):
        hand.until(lambda name=name: hand.silences(name) == [], f"end of the ack of {name} on the server")
    hand.sees("nobody")


def test_an_undo_that_is_refused_says_why(hand: Hand) -> None:
    name = hand.fires("Refused")
    silence = hand.silenced_by("alice", name, "by alice")
    hand.lists("3", name, "1 of", "by alice")
    hand.types("E")
    hand.sees("Edit silence", "hides now: 1 alert")
    hand.types(f"{CTRL_E} and me")
    hand.sees("by alice and me")
    hand.enters("Matchers, one a line", CTRL_S)
    hand.sees("edited")
    hand.changed_by("carol", silence, "by carol")
    hand.types("u")
    hand.sees("cannot be undone", "creator:", "-> carol", "nothing was written")
    assert "by root with opsconsole" not in " ".join(hand.terminal.text.split())
    (standing,) = hand.silences(name)
    assert (standing["createdBy"], standing["comment"]) == ("carol", "by carol")
