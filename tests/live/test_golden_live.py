"""A console to which nobody gave a playbook, on real servers: every panel that it makes has data."""

from __future__ import annotations

import asyncio
import math
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from opsconsole.clients.sources import Sources
from opsconsole.clock import SystemClock
from opsconsole.config.playbooks import load_playbook
from opsconsole.config.schema import Context, Endpoint
from opsconsole.demo.real import RealStack
from opsconsole.demo.systems.registry import system_names
from opsconsole.model.panels import panel_state
from opsconsole.model.playbook import Playbook
from opsconsole.model.verdicts import Level
from opsconsole.state.engine import Engine
from opsconsole.state.snapshot import ContextInfo, Snapshot
from opsconsole.text import trusted
from tests.support.exporters import NodeExporter, native_histogram, webhook
from tests.support.servers import Alertmanager, Prometheus, Server

pytestmark = pytest.mark.live

LIMIT = 60.0

MACHINE = {
    "CPU busy",
    "Memory used",
    "Fullest disk",
    "Load per core",
    "Network",
    "Disk read and written",
}
APPLICATION = {"Request rate", "Error ratio", "Latency", "Targets down"}

EXPECTED: dict[str, dict[str, set[str]]] = {
    "accubooks": {
        "accubooks": {*APPLICATION, "Forecast queue depth", "DB pool utilization", "Forecast worker utilization"},
    },
    "docc2context": {
        "docc2context": {
            *APPLICATION,
            "ZIP extractions: failed",
            "ZIP extraction time",
            "CPU of one core",
            "Memory",
        },
    },
    "gremlinsai": {
        "gremlinsai-backend": {*APPLICATION, "LLM response time", "Database connections", "Memory"},
        "node-exporter": MACHINE,
    },
    "ruleiq": {
        "ruleiq": {*APPLICATION, "Auth failures", "DB pool size", "CPU of one core", "Memory"},
    },
    "todo": {
        "todo-app": {*APPLICATION, "DB pool checked out", "DB pool wait time", "CPU of one core", "Memory"},
        "node-exporter": MACHINE,
        "cadvisor": {"CPU by container", "Memory by container", "Restarts in 1 h", "Network"},
    },
}
"""The panels that must be there for each simulated system, by dashboard. The rest must have data too."""

SERVERS = {
    "prometheus": {
        "Samples appended",
        "HTTP requests",
        "HTTP error ratio",
        "HTTP latency",
        "Series in memory",
        "Notifications dropped",
        "CPU of one core",
    },
    "alertmanager": {
        "Notifications sent",
        "Notifications failed",
        "Alerts received",
        "Alerts",
        "HTTP latency",
        "Notification latency",
    },
    "node": {*MACHINE, "Network errors"},
}

CONFIG = """\
global: {scrape_interval: 1s, evaluation_interval: 1s}
scrape_configs:
  - {job_name: prometheus, static_configs: [{targets: ["%(self)s"]}]}
"""


class Console:
    """The engine of a console without a playbook."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    async def found(self, *dashboards: str) -> Playbook:
        """The playbook, once it has these dashboards."""
        book: list[Playbook] = []

        async def look() -> bool:
            book[:] = (await self.engine.collect({"found"})).playbooks
            return bool(book) and set(dashboards) <= {str(d.title) for d in book[0].dashboards}

        await until(look, lambda: f"no dashboards {dashboards}: {book}")
        return book[0]

    async def filled(self, book: Playbook) -> Snapshot:
        """The snapshot in which every panel has data."""
        panels = {f"{book.system}/{p.id}": p for d in book.dashboards for p in d.panels}
        empty: dict[str, str] = {}
        snapshot = self.engine.snapshot

        async def look() -> bool:
            nonlocal snapshot
            snapshot = await self.engine.collect((), empty or panels)
            left = {key: _missing(snapshot, key) for key in panels}
            empty.clear()
            empty.update({key: why for key, why in left.items() if why})
            return not empty

        await until(look, lambda: f"no data: {empty}")
        return snapshot


def _missing(snapshot: Snapshot, key: str) -> str:
    """The queries of a panel without a finite value, "" when all have one."""
    reading = snapshot.panels[key]
    if reading.data is None:
        return str(reading.why(snapshot.now))
    system, _, id = key.partition("/")
    panel = next(book for book in snapshot.playbooks if book.system == system).panel(id)
    assert panel is not None
    values = [[v for s in r.series for v in s.values if math.isfinite(v)] for r in reading.data.results]
    return "; ".join(q.expr for q, v in zip(panel.queries, values, strict=True) if not v)


async def until(condition: Callable[[], object], said: Callable[[], str]) -> None:
    end = time.monotonic() + LIMIT
    while not await condition():  # type: ignore[misc]  # every condition here is a coroutine function
        assert time.monotonic() < end, said()
        await asyncio.sleep(0.3)


@asynccontextmanager
async def console_on(url: str) -> AsyncIterator[Console]:
    clock = SystemClock()
    sources = Sources(Context(name="unseen", prometheus=Endpoint(url=url)), clock)
    engine = Engine(ContextInfo(name=trusted("unseen")), sources, (), clock)
    try:
        yield Console(engine)
    finally:
        await engine.aclose()


def titles(book: Playbook) -> dict[str, set[str]]:
    return {str(d.title): {str(p.title) for p in d.panels} for d in book.dashboards}


def test_every_simulated_system_is_expected() -> None:
    assert set(EXPECTED) == set(system_names())


@pytest.mark.parametrize("system", sorted(EXPECTED))
async def test_a_simulated_system(system: str) -> None:
    stack = RealStack(system=system, release_after=None)
    endpoints = await asyncio.to_thread(stack.start)
    try:
        async with console_on(endpoints.prometheus_url) as console:
            book = await console.found(*EXPECTED[system])
            shown = titles(book)
            for dashboard, panels in EXPECTED[system].items():
                assert panels <= shown[dashboard], dashboard
            snapshot = await console.filled(book)
            ratio = next(p for d in book.dashboards for p in d.panels if p.title == "Error ratio")
            state = panel_state(ratio, snapshot.panels[f"found/{ratio.id}"], snapshot.now)
            assert state.level is Level.OK
            assert state.value is not None
            assert 0 <= state.value < 0.05
    finally:
        await asyncio.to_thread(stack.stop)


async def test_prometheus_alertmanager_and_a_machine(tmp_path: Path, started: Callable[[Server], Server]) -> None:
    node = started(NodeExporter(tmp_path / "node"))
    with webhook() as url:
        receiver = f"receivers: [{{name: on-call, webhook_configs: [{{url: '{url}'}}]}}]\n"
        manager = Alertmanager(
            tmp_path / "am", config=f"route: {{receiver: on-call, group_wait: 1s, group_interval: 1s}}\n{receiver}"
        )
        started(manager)
        jobs = "".join(
            f"  - {{job_name: {job}, static_configs: [{{targets: ['127.0.0.1:{server.port}']}}]}}\n"
            for job, server in (("alertmanager", manager), ("node", node))
        )
        prometheus = started(
            Prometheus(tmp_path / "p", config=CONFIG + jobs, alertmanagers=[f"127.0.0.1:{manager.port}"])
        )
        sent = 0

        async def notify() -> None:
            nonlocal sent
            sent += 1
            labels = {"alertname": f"Found{sent}", "severity": "info"}
            await asyncio.to_thread(
                manager.post_alerts, [{"labels": labels, "startsAt": datetime.now(UTC).isoformat()}]
            )

        async with console_on(prometheus.url) as console:
            await notify()
            book = await console.found(*SERVERS)

            async def complete() -> bool:
                nonlocal book
                await notify()
                book = await console.found(*SERVERS)
                return all(panels <= titles(book)[dashboard] for dashboard, panels in SERVERS.items())

            await until(complete, lambda: str(titles(book)))
            await console.filled(book)


class NativePrometheus(Prometheus):
    def command(self) -> tuple[str, ...]:
        return (*super().command(), "--enable-feature=native-histograms")


async def test_native_histograms(tmp_path: Path, started: Callable[[Server], Server]) -> None:
    with native_histogram("http_request_duration_seconds", code="200") as place:
        job = f"  - {{job_name: shop, static_configs: [{{targets: ['{place}']}}]}}\n"
        prometheus = started(NativePrometheus(tmp_path / "p", config=CONFIG + job))
        async with console_on(prometheus.url) as console:
            book = await console.found("shop")
            assert titles(book)["shop"] >= {"Request rate", "Error ratio", "Latency"}
            snapshot = await console.filled(book)
            values = {
                str(p.title): panel_state(p, snapshot.panels[f"found/{p.id}"], snapshot.now).value
                for p in book.dashboards[0].panels
            }
    assert 1 / 16 <= (values["Latency"] or 0) <= 1 / 8
    assert (values["Request rate"] or 0) > 0
    assert values["Error ratio"] == 0


async def test_what_is_found_is_written_as_a_playbook(tmp_path: Path, prometheus: Prometheus) -> None:
    async with console_on(prometheus.url) as console:
        await console.found("prometheus")
    command = [sys.executable, "-m", "opsconsole", "playbook", "new", "shop", "--from-prometheus"]
    done = await asyncio.to_thread(
        subprocess.run,
        [*command, "--dir", str(tmp_path), "--prometheus", prometheus.url],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "HOME": str(tmp_path), "OPSCONSOLE_CONFIG": ""},
    )
    assert done.returncode == 0, done.stderr
    playbook = load_playbook(tmp_path / "shop")
    assert playbook.system == "shop"
    assert [job.name for job in playbook.jobs] == ["prometheus"]
    assert "Series in memory" in {str(p.title) for d in playbook.dashboards for p in d.panels}
