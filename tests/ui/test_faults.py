"""The console on sources that fail: real engine, real screens, scripted servers."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC
from typing import Any, cast

import pytest
from textual.pilot import Pilot

from opsconsole.actions.runner import Runner
from opsconsole.checks.run import run_checks
from opsconsole.model.reading import Reading
from opsconsole.render.glyphs import UNICODE
from opsconsole.render.theme import DARK
from opsconsole.state.engine import Engine
from opsconsole.state.snapshot import Snapshot
from opsconsole.ui.app import ConsoleApp
from opsconsole.ui.modes import Opened
from opsconsole.ui.services import Services
from tests.support.backends import ERRORS, FAULTS, Backend, Backends, api_alert, back
from tests.support.scripted import hang
from tests.ui.fakes import FakeRunner, screen_text

MODES = {"overview": "1", "alerts": "2", "silences": "3", "status": "6"}
CALM = re.compile(r"No alerts? fir")
"""What a screen may say only when it is known."""


class Console:
    """The application on both servers, and what a test does with it."""

    def __init__(self, pilot: Pilot[int], engine: Engine, backends: Backends) -> None:
        self.pilot = pilot
        self.engine = engine
        self.backends = backends

    @property
    def snapshot(self) -> Snapshot:
        return self.engine.snapshot

    @property
    def text(self) -> str:
        return screen_text(self.pilot.app)

    async def until(self, condition: Callable[[], object], limit: float = 30.0) -> None:
        """Wait for a condition, asking every source again in between."""
        for _ in range(int(limit / 0.05)):
            if condition():
                return
            self.engine.refresh()
            await self.pilot.pause(0.05)
        raise AssertionError(self.text)

    async def see(self, *words: str) -> None:
        await self.until(lambda: all(word in self.text for word in words))

    async def top(self, *words: str) -> None:
        """Wait until all these words stand in the status line."""
        await self.until(lambda: all(word in self.text.splitlines()[0] for word in words))

    async def mode(self, name: str) -> None:
        await self.pilot.press(MODES[name])
        await self.until(lambda: type(self.pilot.app.screen).__name__.lower() == f"{name}screen")
        await self.pilot.pause()

    async def later(self, seconds: float) -> None:
        """Time passes, and the engine's clock ticks on the screen."""
        self.backends.clock.advance(seconds)
        self.engine.polls.tick()
        await self.pilot.pause(0.1)

    def readings(self, *servers: Backend) -> list[Reading[Any]]:
        """What is known from these servers."""
        found: list[Reading[Any] | None] = []
        snapshot = self.snapshot
        if self.backends.prometheus in servers:
            found += [snapshot.prometheus, snapshot.rules, snapshot.targets, *snapshot.panels.values()]
        if self.backends.alertmanager in servers:
            found += [r for c in snapshot.clusters for r in (c.alerts, c.silences)]
        return [reading for reading in found if reading is not None]


@asynccontextmanager
async def opened(backends: Backends, size: tuple[int, int] = (120, 40)) -> AsyncIterator[Console]:
    engine = backends.engine(refresh=0.2)
    services = Services(
        engine=engine,
        runner=cast("Runner", FakeRunner()),
        clock=backends.clock,
        glyphs=UNICODE,
        theme=DARK,
        zone=UTC,
        checks=run_checks,
    )
    app = ConsoleApp(
        lambda: Opened(services=services, begin=lambda: lambda: None, close=lambda: None),
        DARK,
        UNICODE,
        start="overview",
    )
    async with app.run_test(size=size) as pilot:
        console = Console(pilot, engine, backends)
        await console.until(lambda: app._opened is not None and "Firing now" in console.text)
        yield console


@pytest.fixture
async def backends(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Backends]:
    monkeypatch.setattr("opsconsole.clients.alertmanager.ALERTS_DEADLINE", 0.1)
    async with Backends() as both:
        yield both


async def calm(console: Console) -> None:
    await console.until(lambda: all(r.known(console.snapshot.now) for r in every_reading(console)))
    await console.see("No alerts firing.")


def every_reading(console: Console) -> list[Reading[Any]]:
    return console.readings(console.backends.prometheus, console.backends.alertmanager)


def struck(backends: Backends, ill: str) -> list[Backend]:
    both = [backends.prometheus, backends.alertmanager]
    return both if ill == "both" else [getattr(backends, ill)]


async def failing(console: Console, ill: str, fault: str) -> list[Backend]:
    """Strike, and wait until every reading that rests on it has failed."""
    sick = struck(console.backends, ill)
    for server in sick:
        await FAULTS[fault].strike(server)
    await console.until(lambda: all(r.failure is not None for r in console.readings(*sick)))
    return sick


@pytest.mark.parametrize(
    ("ill", "fault"),
    [
        ("alertmanager", "down"),
        ("prometheus", "down"),
        ("both", "down"),
        ("alertmanager", "401"),
        ("prometheus", "401"),
        ("prometheus", "503 while replaying"),
        ("alertmanager", "a reply cut short"),
        ("prometheus", "a reply cut short"),
        ("both", "a reply that drips for ever"),
    ],
)
async def test_every_screen_says_what_is_unknown_and_since_when(backends: Backends, ill: str, fault: str) -> None:
    async with opened(backends) as console:
        await calm(console)
        await console.top("Prom ✔", "AM ✔")
        sick = await failing(console, ill, fault)
        await console.later(48)
        well = [s for s in struck(backends, "both") if s not in sick]
        await console.until(lambda: all(r.known(console.snapshot.now) for r in console.readings(*well)))
        await console.pilot.pause(0.1)
        kind = FAULTS[fault].kind
        alerts_dark, panels_dark = backends.alertmanager in sick, backends.prometheus in sick

        if alerts_dark:
            await console.top("AM ? stale 48s", "alerts unknown")
        else:
            await console.top("AM ✔", "no alerts")
        await console.top("Prom ? stale 48s" if panels_dark else "Prom ✔")

        for mode in ("overview", "alerts"):
            await console.mode(mode)
            if alerts_dark:
                await console.see("Alertmanager main has not answered for 48s", kind)
                assert not CALM.search(console.text)
            else:
                await console.see("No alerts firing.")

        await console.mode("overview")
        if panels_dark:
            await console.see("48s")
            assert "✔ 120" not in console.text

        await console.mode("silences")
        if alerts_dark:
            await console.see("48s")
            assert "No silences" not in console.text

        await console.mode("status")
        await console.see("Not known", kind, "since 00:00")
        names = (["Alertmanager main", "Alertmanager main silences"] if alerts_dark else []) + (
            ["Prometheus", "rules", "targets"] if panels_dark else []
        )
        for name in names:
            assert re.search(rf"\? {name}: {kind}", console.text), name
        if not panels_dark:
            assert re.search(r"✔ Prometheus +fresh", console.text)
        assert "Every source is known" not in console.text

        for server in sick:
            await back(backends, server)
        await console.until(lambda: all(r.known(console.snapshot.now) for r in every_reading(console)))
        await console.see("Every source is known.")
        await console.mode("alerts")
        await console.see("No alerts firing.")


async def test_alerts_that_were_firing_stay_on_the_screen_marked(backends: Backends) -> None:
    backends.alerts = [api_alert(at=backends.clock.now() - 60, route="/api/forecast")]
    async with opened(backends) as console:
        await console.see("HighErrorRate")
        await failing(console, "alertmanager", "down")
        await console.later(30)
        for mode in ("overview", "alerts"):
            await console.mode(mode)
            await console.see("HighErrorRate", "has not answered for 30s", "1 alert was firing then")
            await console.top("AM ? stale 30s")


async def test_a_source_that_never_answered_is_said_to_have_failed(backends: Backends) -> None:
    await backends.alertmanager.stop()
    async with opened(backends) as console:
        await console.until(lambda: console.readings(backends.alertmanager)[0].failure)
        await console.later(20)
        await console.top("AM ? failed 20s", "alerts unknown")
        await console.see("Alertmanager main has not answered yet", "connection refused")
        await console.mode("status")
        await console.see("since 00:00:00")


async def test_time_alone_turns_everything_unknown(backends: Backends) -> None:
    """No poll fails; none comes back either. Nothing is OK for longer than its source allows."""
    async with opened(backends) as console:
        await calm(console)
        console.engine.pause()
        for mode in MODES:
            await console.mode(mode)
        await console.later(46)
        for mode in MODES:
            await console.mode(mode)
            await console.top("Prom ? stale 46s", "AM ? stale 46s", "alerts unknown")
            text = console.text
            assert not CALM.search(text), mode
            body = "\n".join(text.splitlines()[2:])
            assert "✔" not in body, (mode, text)
            assert "No silences" not in body


async def test_nothing_is_known_before_the_first_answer(backends: Backends) -> None:
    for server in (backends.prometheus, backends.alertmanager):
        server.forget()
        server.on("*", hang())
    async with opened(backends) as console:
        assert not CALM.search(console.text)
        assert "✔" not in console.text
        assert re.search("waiting|failed", console.text.splitlines()[0])


@pytest.mark.parametrize("how", ["NaN", "no series", "partial"])
async def test_a_panel_that_is_not_known_is_not_shown_as_ok(backends: Backends, how: str) -> None:
    if how == "partial":
        backends.warnings = {ERRORS: ["a store did not answer"]}
    elif how == "NaN":
        backends.values[ERRORS] = "NaN"
    else:
        del backends.values[ERRORS]
    words = {"NaN": "not a number", "no series": "no data", "partial": "partial"}[how]
    async with opened(backends) as console:
        await console.until(lambda: "books/errors" in console.snapshot.panels)
        await console.see(words)
        await console.mode("status")
        await console.until(lambda: re.search(rf"\? (Panel )?errors( has data)?: .*{words}", console.text))


class TestClusterOfTwo:
    @pytest.fixture
    async def backends(self, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Backends]:
        monkeypatch.setattr("opsconsole.clients.alertmanager.ALERTS_DEADLINE", 0.1)
        async with Backends(members=2) as both:
            yield both

    async def test_one_member_down_is_a_badge_not_an_error(self, backends: Backends) -> None:
        async with opened(backends) as console:
            await calm(console)
            await console.see("AM ✔ 2/2")
            await backends.members[1].stop()
            await console.see("AM ● 1 down 1/2")
            await console.mode("alerts")
            await console.see("No alerts firing.")
            await console.mode("status")
            await console.see(backends.members[1].url, "connection refused", "1 of 2 members unknown")
            await back(backends, backends.members[1])
            await console.see("AM ✔ 2/2", "Every source is known.")
