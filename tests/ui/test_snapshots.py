"""Pictures of every screen of the real console on the demo, at two sizes, in colour and without.

`make snapshots` takes them again. A picture that differs is in snapshot_report.html, beside the old one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest
from textual.pilot import Pilot

from opsconsole.errors import UsageError
from opsconsole.render.glyphs import ASCII, UNICODE, Glyphs
from opsconsole.render.theme import DARK, LIGHT, NO_COLOUR, Theme
from opsconsole.ui.app import ConsoleApp
from opsconsole.ui.modes import Opened
from tests.support.demo_app import CALM_AT, FIRING_AT, HEALED_AT, HOST, INCIDENT, RECOVERY, USER, Console, Scene

SMALL, LARGE = (80, 24), (120, 40)
FIRING, CALM, HEALED = "firing", "calm", "healed"
NO_ALERTS: dict[str, object] = {"/api/v2/alerts": []}

Compare = Callable[..., bool]


@dataclass(frozen=True)
class Case:
    """One screen: its keys, and words that stand on it when it is whole, `beside` only in a wide terminal, `below`
    before the last key is pressed.
    `down` are hosts that do not answer: from the start, or `later` seconds after the console was ready."""

    start: str
    keys: tuple[str, ...] = ()
    wanted: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    below: tuple[str, ...] = ()
    scene: str = FIRING
    down: tuple[str, ...] = ()
    later: float = 0.0
    canned: dict[str, object] = field(default_factory=dict)
    environment: str = "demo"


Scenes = Callable[[Case], Scene]

PROMETHEUS, ALERTMANAGER = "prometheus.demo", "alertmanager.demo"

COUNTED = "p < 0.001"
"""Stands on the Flags screen when its evidence is there."""

MAIN = {
    "overview": Case("overview", wanted=("HighErrorRate",)),
    "alerts": Case("alerts", wanted=("RedisMem",), beside=("Meaning", "off -> on")),
    "silences": Case("silences", wanted=("release-bot",)),
    "flags": Case("flags", ("g",), ("changed", COUNTED)),
    "incident": Case("incident", wanted=("note",)),
    "status": Case("status", wanted=("Every source is known",)),
    "graph": Case("alerts", ("enter", "tab"), ("alerts when",)),
}

MORE = {
    "overview-calm": Case("overview", scene=CALM, wanted=("API latency",)),
    "overview-healed": Case("overview", scene=HEALED, wanted=("API latency",)),
    "panel": Case("overview", ("enter",), ("w range",)),
    "panel-24h": Case("overview", ("enter", "w", "w"), ("API latency · 24h",)),
    "runbook": Case("alerts", ("enter",), ("Meaning", "off -> on")),
    "labels": Case("alerts", ("enter", "tab", "tab"), ("severity",)),
    "tab-silences": Case("alerts", ("j", "enter", "tab", "tab", "tab"), ("slow queries",)),
    "history": Case("alerts", ("enter", "tab", "tab", "tab", "tab"), ("03:0",)),
    "flags-healed": Case("flags", ("g",), ("rolled back", COUNTED), scene=HEALED),
    "incident-healed": Case("incident", wanted=("rollback",), scene=HEALED),
    "help": Case("alerts", ("question_mark",), ("acknowledge: silence",)),
    "ack": Case("alerts", ("a",), ("Acknowledge",)),
    "silence": Case("alerts", ("s",), ("hides now: 1 alert", "Prometheus has only the last 6 hours")),
    "rollback": Case("flags", ("g", "r"), ("Roll back new_pricing",), below=(COUNTED,)),
    "rollback-production": Case(
        "flags", ("g", "r"), ("Roll back new_pricing",), below=(COUNTED,), environment="production"
    ),
    "command": Case("alerts", ("c", "enter"), (f"{USER} on {HOST}",)),
    "no-alerts": Case("alerts", scene=CALM, wanted=("No alerts firing",), canned=NO_ALERTS),
    "alertmanager-down": Case(
        "alerts", wanted=("refused",), beside=("Meaning",), down=(ALERTMANAGER,), later=42.0
    ),
    "overview-alertmanager-down": Case(
        "overview", wanted=("HighErrorRate",), down=(ALERTMANAGER,), later=42.0
    ),
    "overview-prometheus-down": Case(
        "overview", wanted=("HighErrorRate",), down=(PROMETHEUS,), later=42.0
    ),
    "status-prometheus-down": Case("status", wanted=("Not known",), down=(PROMETHEUS,), later=42.0),
    "never-answered": Case("alerts", wanted=("refused",), down=(PROMETHEUS, ALERTMANAGER)),
}  # fmt: skip


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scenes]:
    """The scene of a case: played when it is first asked for, and a fresh one for a case in which time passes."""
    opened: dict[str, Scene] = {}
    moments = {CALM: CALM_AT, FIRING: FIRING_AT, HEALED: HEALED_AT}

    def scene(case: Case) -> Scene:
        key = case.scene if not case.later else f"{case.scene} {len(opened)}"
        if key not in opened:
            deeds = RECOVERY if case.scene == HEALED else INCIDENT
            opened[key] = Scene(tmp_path_factory.mktemp("scene"), moments[case.scene], deeds).__enter__()
        return opened[key]

    yield scene
    for one in opened.values():
        one.__exit__()


@pytest.fixture(autouse=True)
def _same_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.node", lambda: HOST)
    monkeypatch.setenv("LOGNAME", USER)
    for name in ("NO_COLOR", "FORCE_COLOR", "COLORTERM", "OPSCONSOLE_THEME"):
        monkeypatch.delenv(name, raising=False)


def same(
    snap_compare: Compare,
    scenes: Scenes,
    case: Case,
    size: tuple[int, int],
    theme: Theme = DARK,
    glyphs: Glyphs = UNICODE,
) -> bool:
    """Whether a case looks as it did."""
    console = scenes(case).console(start=case.start, theme=theme, glyphs=glyphs, environment=case.environment)
    console.wires.canned.update(case.canned)
    if not case.later:
        console.wires.down.update(case.down)

    async def drive(pilot: Pilot[int]) -> None:
        await go(console, pilot, case, wide=size == LARGE)

    return snap_compare(console.app, terminal_size=size, run_before=drive)


async def go(console: Console, pilot: Pilot[int], case: Case, *, wide: bool) -> None:
    """Bring a console to where its case is whole."""
    if case.later:
        await console.later(pilot, case.later, down=case.down)
    if case.below:
        await console.press(pilot, *case.keys[:-1])
        await console.settled(pilot, *case.below)
    await console.press(pilot, *(case.keys[-1:] if case.below else case.keys))
    await console.settled(pilot, *case.wanted, *(case.beside if wide else ()))


sizes = pytest.mark.parametrize("size", [SMALL, LARGE], ids=["80x24", "120x40"])


@sizes
@pytest.mark.parametrize("name", [*MAIN, *MORE])
def test_in_colour(snap_compare: Compare, scenes: Scenes, name: str, size: tuple[int, int]) -> None:
    assert same(snap_compare, scenes, {**MAIN, **MORE}[name], size)


@sizes
@pytest.mark.parametrize("name", MAIN)
def test_without_colour(snap_compare: Compare, scenes: Scenes, name: str, size: tuple[int, int]) -> None:
    assert same(snap_compare, scenes, MAIN[name], size, theme=NO_COLOUR)


@pytest.mark.parametrize("name", ["overview", "alerts"])
def test_on_a_light_ground(snap_compare: Compare, scenes: Scenes, name: str) -> None:
    assert same(snap_compare, scenes, MAIN[name], LARGE, theme=LIGHT)


@sizes
@pytest.mark.parametrize("name", ["overview", "graph"])
def test_in_ascii(snap_compare: Compare, scenes: Scenes, name: str, size: tuple[int, int]) -> None:
    assert same(snap_compare, scenes, MAIN[name], size, theme=NO_COLOUR, glyphs=ASCII)


def test_too_small(snap_compare: Compare, scenes: Scenes) -> None:
    assert same(snap_compare, scenes, Case("overview", wanted=("needs",)), (50, 12))


class Loading(ConsoleApp):
    """A console that stays at its first frame."""

    def __init__(self, theme: Theme) -> None:
        self._left = threading.Event()
        super().__init__(self._never, theme, UNICODE, start="overview")

    def _never(self) -> Opened:
        self._left.wait()
        raise UsageError("left before it was ready")

    def on_unmount(self) -> None:  # type: ignore[override]  # Textual calls this one and the base class's
        self._left.set()


@sizes
@pytest.mark.parametrize("theme", [DARK, NO_COLOUR], ids=["colour", "plain"])
def test_first_frame(snap_compare: Compare, theme: Theme, size: tuple[int, int]) -> None:
    assert snap_compare(Loading(theme), terminal_size=size)
