"""A flag that breaks the application, rolled back and restored by somebody at a console: on a file as flagd reads
it, on a real Unleash and on a real Redis, with a real Prometheus and Alertmanager beside it.

Most of it is waiting, so the three go on at the same time, each with everything of its own.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

from tests.support.flag_hand import BEFORE, FlagdFlags, Flags, FlagScene, RedisFlags, UnleashFlags
from tests.support.flag_servers import Redis, Unleash
from tests.support.pty_terminal import PtyTerminal

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("flags")]

CTRL_U = "\x15"
RECOVERED = 90.0
"""Seconds within which the alert's condition holds no longer and that is certain; usually 20."""


class Expected(msgspec.Struct, frozen=True):
    """What is to be seen on a terminal of `size` (columns, rows): which rollback is proposed and why, what the
    diffs say, and what the provider has `on` after the release and `off` after the rollback."""

    size: tuple[int, int]
    way: str
    why: str
    minus: str
    plus: str
    on: object
    off: object


FLAGD = {"state": "ENABLED", "variants": {"on": True, "off": False}}

EXPECTED = {
    "flagd": Expected(
        size=(120, 40),
        way="off: serve off to everyone",
        why="it was off before the last change",
        minus='"defaultVariant": "on"',
        plus='"defaultVariant": "off"',
        on={**FLAGD, "defaultVariant": "on"},
        off={**FLAGD, "defaultVariant": "off"},
    ),
    "unleash": Expected(
        size=(80, 24),
        way="off: serve off to everyone",
        why="it was off before the",
        minus='"enabled": true',
        plus='"enabled": false',
        on=(True, 100.0),
        off=(False, 0.0),
    ),
    "redis": Expected(
        size=(120, 40),
        way=f"undo the last change: on 100 % -> on {BEFORE} %",
        why="some users had it before",
        minus='"rollout": 100',
        plus=f'"rollout": {BEFORE}',
        on={"enabled": True, "rollout": 100, "owner": "risk"},
        off={"enabled": True, "rollout": BEFORE, "owner": "risk"},
    ),
}


class Hand:
    """Somebody at a console who rolls a flag back, sees it heal, and restores it."""

    def __init__(self, scene: FlagScene, expected: Expected) -> None:
        self.scene, self.flags, self.expected = scene, scene.flags, expected
        self.flag = scene.flags.flag
        command = [sys.executable, "-m", "opsconsole"]
        self.terminal = PtyTerminal(command, size=expected.size, env=scene.environment)

    def story(self) -> None:
        with self.terminal:
            self.sees("AM ✔", "Flags ✔")
            self.terminal.send("4")
            self.sees("4 Flags", self.flag, "changed")
            self.suspects()
            self.rolls_back()
            self.sees_it_heal()
            self.restores()
            self.terminal.send("q")
            assert self.terminal.wait_for_exit() == 0

    def suspects(self) -> None:
        """The release is seen, its harm fires an alert, and the list puts the flag on top."""
        self.flags.release()
        self.until(lambda: self.flag in self.list()[0], "change of the flag on top")
        self.scene.harms()
        self.until(lambda: "▲" in self.list()[0], "suspicion of the flag on top")
        assert self.flag in self.list()[0], self.terminal.text
        self.sees("before HighErrorRate", f"roll back    {self.expected.way}")

    def rolls_back(self) -> None:
        expected = self.expected
        self.terminal.send("r")
        self.sees(f"Roll back {self.flag}", f"▸ {expected.way}", f"proposed: {expected.why}", "in live PRODUCTION")
        self.sees(f"-  {expected.minus}", f"+  {expected.plus}")
        self.types_a_wrong_name(f"Roll back {self.flag}", expected.on)
        self.types_the_name()
        # The message of the end and the line below stand over each other on a small terminal, in turn.
        self.sees("rolled back  written", "· verified")
        assert self.flags.stands() == expected.off

    def sees_it_heal(self) -> None:
        self.terminal.wait_until(self._healed, "recovery of the alert's own condition", RECOVERED)
        assert not self.scene.breaches()

    def restores(self) -> None:
        expected = self.expected
        self.terminal.send("R")
        self.sees(f"Restore {self.flag}", "bring back what stood before the rollback", "in live PRODUCTION")
        self.sees(f"-  {expected.plus}", f"+  {expected.minus}")
        self.types_a_wrong_name(f"Restore {self.flag}", expected.off)
        self.types_the_name()
        self.until(lambda: f"restored {self.flag}" in self.words() and "verified" in self.words(), "restore")
        assert self.flags.stands() == expected.on

    def types_a_wrong_name(self, title: str, stands: object) -> None:
        """It does nothing."""
        self.terminal.send(f"{self.flag}x")
        self.sees(f"{self.flag}x")
        self.terminal.send("\r")
        self.sees("that is not the name; nothing was done", title)
        assert self.flags.stands() == stands

    def types_the_name(self) -> None:
        self.terminal.send(CTRL_U + self.flag)
        self.until(lambda: f"{self.flag}x" not in self.terminal.text, "end of the wrong name")
        self.sees(f"  {self.flag} ")
        self.terminal.send("\r")

    def sees(self, *words: str) -> None:
        self.terminal.wait_for_text(*words)

    def until(self, condition: Callable[[], object], what: str) -> None:
        self.terminal.wait_until(condition, what)

    def list(self) -> list[str]:
        """The lines below the names of the columns; one that is empty while there are none."""
        return self.terminal.text.splitlines()[4:] or [""]

    def words(self) -> str:
        """What is on the screen, whatever the lines."""
        return " ".join(self.terminal.text.replace("▌", " ").split())

    def _healed(self) -> bool:
        return "· recovered " in self.terminal.text and "(HighErrorRate)" in self.terminal.text


@pytest.fixture(scope="module")
def stories(
    tmp_path_factory: pytest.TempPathFactory, unleash: Unleash, redis_server: Redis
) -> Iterator[dict[str, Future[str]]]:
    """What the journal says at the end of each."""
    folders = {name: tmp_path_factory.mktemp(name) for name in EXPECTED}
    with unleash.sdk() as asked, ThreadPoolExecutor(len(folders)) as pool:
        flags = {
            "flagd": FlagdFlags(folders["flagd"]),
            "unleash": UnleashFlags(folders["unleash"], unleash, asked),
            "redis": RedisFlags(redis_server),
        }
        yield {name: pool.submit(story, folders[name], flags[name], EXPECTED[name]) for name in EXPECTED}


def story(folder: Path, flags: Flags, expected: Expected) -> str:
    with FlagScene(folder, flags) as scene:
        Hand(scene, expected).story()
        return scene.run("journal", "list", "--json")


@pytest.mark.parametrize("provider", EXPECTED)
def test_rolled_back_healed_and_restored(provider: str, stories: dict[str, Future[str]]) -> None:
    told = json.loads(stories[provider].result())
    done = [
        (deed["action"], deed["state"]) for deed in reversed(told) if deed["action"] in ("rollback", "restore")
    ]
    assert done == [("rollback", "done"), ("restore", "done")], told
