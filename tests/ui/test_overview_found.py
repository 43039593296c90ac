"""The Overview of a console to which nobody gave a playbook: real engine, scripted servers."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC
from typing import cast

import pytest
from textual.pilot import Pilot

from opsconsole.actions.runner import Runner
from opsconsole.checks.run import run_checks
from opsconsole.render.glyphs import UNICODE
from opsconsole.render.theme import DARK
from opsconsole.state.engine import Engine
from opsconsole.ui.app import ConsoleApp
from opsconsole.ui.modes import Opened
from opsconsole.ui.services import Services
from tests.support.backends import Backends
from tests.support.scripted import Received, Say, json_reply, prometheus_reply, text_reply
from tests.ui.driving import SIZES, fits
from tests.ui.fakes import FakeRunner, screen_text

SHOP = (
    ("up", {}),
    ("http_requests_total", {"status": "200"}),
    ("http_requests_total", {"status": "500"}),
    ("http_request_duration_seconds_count", {}),
    ("process_resident_memory_bytes", {}),
    ("node_load1", {}),
    ("node_cpu_seconds_total", {}),
    ("redis_up", {}),
    ("redis_connected_clients", {}),
)
JOBS = {"node": "node_", "redis": "redis_"}
NAMES = sorted({name for name, _ in SHOP} | {f"http_request_duration_seconds_{x}" for x in ("bucket", "sum")})


class Unseen:
    """A Prometheus of three jobs, in the place of the scripted one. Every expression is 0.25."""

    def __init__(self, backends: Backends) -> None:
        self.backends = backends
        self.known = True
        self.server = backends.prometheus
        self.server.on("/api/v1/label/__name__/values", lambda _: self._names())
        self.server.on("/api/v1/metadata", text_reply("404 page not found", status=404))
        self.server.on("/api/v1/query", self._query)
        self.server.on("/api/v1/query_range", self._range)

    def asked(self) -> int:
        return len(self.server.asked("/api/v1/label/__name__/values"))

    def _names(self) -> Say:
        return json_reply({"status": "success", "data": NAMES if self.known else []})

    def _query(self, asked: Received) -> Say:
        now = self.backends.clock.now()
        if asked.form["query"].startswith("count by (__name__"):
            every = SHOP if self.known else ()
            return prometheus_reply(
                [{"metric": {"__name__": n, "job": _job(n), **labels}, "value": [now, "1"]} for n, labels in every]
            )
        return prometheus_reply([{"metric": {}, "value": [now, "0.25"]}])

    def _range(self, asked: Received) -> Say:
        end, step = float(asked.form["end"]), float(asked.form["step"])
        points = [[end - step * back, "0.25"] for back in range(30, -1, -1)]
        return prometheus_reply([{"metric": {}, "values": points}], "matrix")


def _job(name: str) -> str:
    return next((job for job, prefix in JOBS.items() if name.startswith(prefix)), "shop")


class Console:
    def __init__(self, pilot: Pilot[int], engine: Engine) -> None:
        self.pilot, self.engine = pilot, engine

    @property
    def text(self) -> str:
        return screen_text(self.pilot.app)

    async def until(self, condition: Callable[[], object]) -> None:
        for _ in range(400):
            if condition():
                return
            await self.pilot.pause(0.02)
        raise AssertionError(self.text)

    async def see(self, *words: str) -> str:
        await self.until(lambda: all(word in self.text for word in words))
        return self.text


@asynccontextmanager
async def opened(backends: Backends, size: tuple[int, int]) -> AsyncIterator[Console]:
    engine = backends.engine((), refresh=0.2)
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
        yield Console(pilot, engine)


@pytest.fixture
async def backends() -> AsyncIterator[Backends]:
    async with Backends() as both:
        yield both


@pytest.mark.parametrize("size", SIZES)
async def test_what_prometheus_has_is_on_the_overview(backends: Backends, size: tuple[int, int]) -> None:
    Unseen(backends)
    async with opened(backends, size) as console:
        text = await console.see("Recognised from metrics, not configured.", "Request rate", "0.25 /s")
        assert fits(text, size)
        assert re.search(r"shop +redis +node", text)
        for words in ("Error ratio", "25 %", "Latency", "Firing now"):
            await console.see(words)
        await console.pilot.press("d")
        await console.see("Connected clients", "Server answers")
        await console.pilot.press("d")
        await console.see("CPU busy")
        assert "--from-prometheus" in console.text or size[0] < 100


@pytest.mark.parametrize("size", SIZES)
async def test_a_recognised_panel_shows_its_whole_query(backends: Backends, size: tuple[int, int]) -> None:
    Unseen(backends)
    async with opened(backends, size) as console:
        await console.see("Request rate", "0.25 /s")
        await console.until(lambda: "▸" in console.text)
        while "▸ Error ratio" not in console.text:
            await console.pilot.press("l")
            await console.pilot.pause()
        await console.pilot.press("enter")
        text = await console.see("Error ratio · 1h")
        flat = re.sub(r"\s+", " ", text)
        assert 'sum(rate(http_requests_total{job="shop",status=~"5.."}[5m])) or 0 * ' in flat
        assert '/ (sum(rate(http_requests_total{job="shop"}[5m])) > 0)' in flat


async def test_a_refresh_looks_again_and_nothing_else_does_once_something_is_found(backends: Backends) -> None:
    unseen = Unseen(backends)
    unseen.known = False
    async with opened(backends, (120, 40)) as console:
        await console.see("No panels", "among 0 metric names none is recognised")
        unseen.known = True
        await console.pilot.press("ctrl+r")
        await console.see("Request rate", "0.25 /s")
        asked = unseen.asked()
        await console.pilot.pause(0.5)
        assert unseen.asked() == asked
        await console.pilot.press("ctrl+r")
        await console.until(lambda: unseen.asked() > asked)


async def test_a_prometheus_that_does_not_answer_is_not_one_that_has_nothing(backends: Backends) -> None:
    backends.prometheus.forget()
    backends.prometheus.on("*", text_reply("Unauthorized", status=401))
    async with opened(backends, (80, 24)) as console:
        text = await console.see("No panels", "unauthorised")
        assert "Recognised" not in text
        assert "none is recognised" not in text


async def test_old_panels_say_that_they_are_old(backends: Backends) -> None:
    unseen = Unseen(backends)
    async with opened(backends, (120, 40)) as console:
        await console.see("Request rate", "0.25 /s")
        unseen.server.on("/api/v1/label/__name__/values", text_reply("no", status=500))
        await console.pilot.press("ctrl+r")
        await console.see("Not asked again:", "Request rate")
