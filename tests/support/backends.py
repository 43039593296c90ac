"""A scripted Prometheus and Alertmanager that are well, and the ways in which they can be ill.

async with Backends() as backends:
    engine = backends.engine()
    await engine.collect(panels=backends.panels)     # all is known
    FAULTS["cut short"].strike(backends.prometheus)
    await engine.collect(panels=backends.panels)     # Prometheus' readings have failed
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import formatdate
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from opsconsole.clients.sources import Sources
from opsconsole.clock import ManualClock
from opsconsole.config.schema import ClusterConfig, Context, Endpoint, FlagsConfig, HttpConfig
from opsconsole.model.playbook import (
    Dashboard,
    JobSpec,
    Panel,
    PanelGroup,
    PanelKind,
    PanelQuery,
    Playbook,
    Threshold,
)
from opsconsole.model.verdicts import Level
from opsconsole.state.engine import Engine
from opsconsole.state.snapshot import ContextInfo
from opsconsole.text import trusted
from tests.support.scripted import (
    Received,
    Say,
    ScriptedServer,
    cut_short,
    drip,
    hang,
    json_reply,
    prometheus_reply,
    text_reply,
)

DEADLINE = 0.5
"""Seconds that the engines made here give a request."""

ERRORS, LATENCY = 'errors{job="accubooks"}', 'latency{job="accubooks"}'

PLAYBOOK_YAML = f"""\
system: books
title: Books
jobs: [{{name: accubooks, instances: 1}}]
alerts:
  HighErrorRate: {{response: 5m}}
dashboards:
  - id: main
    title: Main
    groups:
      - title: API
        panels:
          - id: errors
            title: Errors
            kind: gauge
            unit: percent
            queries: [{{legend: errors, expr: '{ERRORS}'}}]
            thresholds: [{{level: critical, above: 5}}]
          - id: latency
            title: Latency
            kind: number
            unit: ms
            queries: [{{legend: p95, expr: '{LATENCY}'}}]
            thresholds: [{{level: warning, above: 500}}]
"""


def iso(at: float) -> str:
    """A time as the APIs write it."""
    return datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")


def api_alert(name: str = "HighErrorRate", *, at: float, **labels: str) -> dict[str, Any]:
    """An active alert in the shape of Alertmanager's v2 API; `at` is its start."""
    every = {"alertname": name, "severity": "critical", **labels}
    return {
        "fingerprint": f"{abs(hash(tuple(sorted(every.items())))):016x}"[:16],
        "labels": every,
        "annotations": {"summary": f"{name}!"},
        "startsAt": iso(at),
        "endsAt": iso(at + 3600),
        "updatedAt": iso(at),
        "generatorURL": "http://prometheus.example/graph",
        "status": {"state": "active", "silencedBy": [], "inhibitedBy": []},
        "receivers": [{"name": "on-call"}],
    }


def panel(id: str, expr: str, *thresholds: Threshold, kind: PanelKind = PanelKind.GAUGE) -> Panel:
    """A panel of one query."""
    query = PanelQuery(expr=expr, legend=trusted(id))
    return Panel(id=id, title=trusted(id), kind=kind, queries=(query,), thresholds=thresholds)


def playbook() -> Playbook:
    """The playbook of PLAYBOOK_YAML, with an expression of its own for each panel."""
    panels = (
        panel("errors", ERRORS, Threshold(level=Level.CRITICAL, above=5)),
        panel("latency", LATENCY, Threshold(level=Level.WARNING, above=500), kind=PanelKind.NUMBER),
    )
    group = PanelGroup(title=trusted("API"), panels=panels)
    return Playbook(
        system="books",
        title=trusted("Books"),
        folder="",
        jobs=(JobSpec(name="accubooks"),),
        dashboards=(Dashboard(id="main", title=trusted("Main"), groups=(group,)),),
    )


class Backend(ScriptedServer):
    """A scripted server that can be told to forget what it was told."""

    @property
    def listening(self) -> bool:
        return self._server is not None

    def forget(self) -> None:
        """Drop every answer."""
        self._scripts.clear()


class Backends:
    """Two servers that answer as healthy ones do, at the time of `clock`, until a test says otherwise.

    `members` is how many Alertmanagers there are; `alertmanager` is the first. `alerts` is what they have.
    """

    def __init__(self, *, members: int = 1, clock: ManualClock | None = None) -> None:
        self.clock = clock or ManualClock()
        self.prometheus = Backend()
        self.members = tuple(Backend() for _ in range(members))
        self.values: dict[str, str] = {ERRORS: "1", LATENCY: "120"}
        self.warnings: dict[str, list[str]] = {}
        self.alerts: list[dict[str, Any]] = []
        self.silences: list[dict[str, Any]] = []
        self._stack = AsyncExitStack()

    @property
    def alertmanager(self) -> Backend:
        return self.members[0]

    @property
    def panels(self) -> tuple[str, ...]:
        return ("books/errors", "books/latency")

    async def __aenter__(self) -> Self:
        for server in (self.prometheus, *self.members):
            await self._stack.enter_async_context(server)
        self.heal(self.prometheus)
        for member in self.members:
            self.heal(member)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    def context(self, *, flags: Path | None = None, timeout: float = DEADLINE) -> Context:
        """The context of both servers."""
        http = HttpConfig(timeout=timeout)
        return Context(
            name="test",
            prometheus=Endpoint(url=self.prometheus.url, http=http),
            alertmanager=(
                ClusterConfig(name="main", members=tuple(Endpoint(url=m.url, http=http) for m in self.members)),
            ),
            flags=FlagsConfig(provider="flagd", path=flags) if flags is not None else None,
        )

    def engine(self, playbooks: Sequence[Playbook] | None = None, *, refresh: float = 5.0, **more: Any) -> Engine:
        """An engine on both servers. Close it with `aclose`."""
        books = (playbook(),) if playbooks is None else tuple(playbooks)
        info = ContextInfo(name=trusted("test"), user=trusted("primary-a"))
        return Engine(info, Sources(self.context(**more), self.clock), books, self.clock, refresh=refresh)

    def heal(self, server: Backend) -> None:
        """Let a server answer as a healthy one again."""
        server.forget()
        if server is self.prometheus:
            server.on("/-/ready", text_reply("Prometheus Server is Ready.\n"))
            server.on("/api/v1/status/buildinfo", lambda _: self._buildinfo())
            server.on("/api/v1/status/runtimeinfo", lambda _: self._runtimeinfo())
            server.on("/api/v1/alertmanagers", lambda _: self._alertmanagers())
            server.on("/metrics", text_reply(_OWN_METRICS))
            server.on("/api/v1/rules", lambda _: self._rules())
            server.on("/api/v1/targets", json_reply(_TARGETS))
            server.on("/api/v1/query", self._query)
            server.on("/api/v1/query_range", self._query_range)
        else:
            server.on("/api/v2/alerts", lambda _: json_reply(self.alerts))
            server.on("/api/v2/silences", lambda _: json_reply(self.silences))
            server.on("/api/v2/status", json_reply(_STATUS))
            server.on("/metrics", text_reply(_METRICS))

    def _rules(self) -> Say:
        now = iso(self.clock.now())
        rule = {
            "name": "HighErrorRate",
            "query": f"{ERRORS} > 5",
            "duration": 300,
            "labels": {"severity": "critical"},
            "annotations": {},
            "alerts": [],
            "health": "ok",
            "type": "alerting",
            "state": "inactive",
            "lastEvaluation": now,
        }
        group = {"name": "books", "file": "rules.yaml", "interval": 15, "rules": [rule], "lastEvaluation": now}
        return json_reply({"status": "success", "data": {"groups": [group]}})

    def _buildinfo(self) -> Say:
        date = ("Date", formatdate(self.clock.now(), usegmt=True))
        reply = json_reply({"status": "success", "data": {"version": "2.42.0"}})
        return replace(reply, headers=(*reply.headers, date))

    def _runtimeinfo(self) -> Say:
        info = {"startTime": iso(self.clock.now() - 60), "reloadConfigSuccess": True, "storageRetention": "15d"}
        return json_reply({"status": "success", "data": info})

    def _alertmanagers(self) -> Say:
        urls = [{"url": f"{member.url}/api/v2/alerts"} for member in self.members]
        return json_reply({"status": "success", "data": {"activeAlertmanagers": urls}})

    def _facts(self, query: str) -> list[dict[str, object]]:
        """What the checks ask beside panels: both metrics are there, and every target is well."""
        if "scrape_samples_scraped" in query:
            found = [("samples", {}, "120"), ("changes", {}, "0")]
        elif "last_over_time" in query:
            found = [("0", {"__name__": name}, "1") for name in ("errors", "latency")]
        else:
            found = []
        target = {"job": "accubooks", "instance": "10.0.3.7:3000"}
        return [
            {"metric": {**target, **more, "opsconsole_part": part}, "value": [self.clock.now(), value]}
            for part, more, value in found
        ]

    def _query(self, asked: Received) -> Say:
        if asked.form["query"] not in self.values and "label_replace" in asked.form["query"]:
            return self._vector(asked, self._facts(asked.form["query"]), "vector")
        point = self._point(asked)
        return self._vector(asked, [] if point is None else [{"metric": {}, "value": point}], "vector")

    def _query_range(self, asked: Received) -> Say:
        point = self._point(asked)
        return self._vector(asked, [] if point is None else [{"metric": {}, "values": [point]}], "matrix")

    def _point(self, asked: Received) -> list[object] | None:
        value = self.values.get(asked.form["query"])
        return None if value is None else [self.clock.now(), value]

    def _vector(self, asked: Received, result: object, kind: str) -> Say:
        warnings = self.warnings.get(asked.form["query"])
        return prometheus_reply(result, kind, **({"warnings": warnings} if warnings else {}))


_OWN_METRICS = """\
prometheus_config_last_reload_successful 1
prometheus_notifications_dropped_total 0
prometheus_notifications_queue_capacity 10000
prometheus_notifications_queue_length 0
prometheus_rule_evaluation_failures_total{rule_group="a"} 0
prometheus_tsdb_wal_corruptions_total 0
"""
_TARGETS = {
    "status": "success",
    "data": {
        "activeTargets": [
            {
                "labels": {"job": "accubooks", "instance": "10.0.3.7:3000"},
                "health": "up",
                "scrapePool": "accubooks",
            }
        ]
    },
}
_METRICS = """\
# HELP alertmanager_config_last_reload_successful Whether the last configuration reload attempt was successful.
alertmanager_config_last_reload_successful 1
alertmanager_notifications_total{integration="webhook"} 12
alertmanager_notifications_failed_total{integration="webhook"} 0
"""
_STATUS = {
    "cluster": {
        "status": "ready",
        "peers": [{"name": "a", "address": "10.0.0.1"}, {"name": "b", "address": "10.0.0.2"}],
    },
    "versionInfo": {"version": "0.25.0"},
    "config": {"original": "route: {receiver: nobody}"},
    "uptime": "2026-01-01T00:00:00Z",
}


@dataclass(frozen=True)
class Fault:
    """A way to be ill: the kind of error that it is told as, and how to make a server have it."""

    kind: str
    strike: Callable[[Backend], Awaitable[None]]


def _says(*answers: Say) -> Callable[[Backend], Awaitable[None]]:
    async def strike(server: Backend) -> None:
        server.forget()
        server.on("*", *answers)

    return strike


async def _down(server: Backend) -> None:
    await server.stop()


REPLAYING = text_reply("Service Unavailable", status=503, reason=b"Service Unavailable")

FAULTS: dict[str, Fault] = {
    "down": Fault("unreachable", _down),
    "401": Fault("unauthorised", _says(text_reply("Unauthorized", status=401, reason=b"Unauthorized"))),
    "503 while replaying": Fault("not ready", _says(REPLAYING)),
    "a reply cut short": Fault("bad reply", _says(cut_short({"status": "success", "data": []}))),
    "a reply that drips for ever": Fault("timed out", _says(drip())),
    "no reply": Fault("timed out", _says(hang())),
    "a login page": Fault("bad reply", _says(text_reply("<html>log in</html>"))),
}


async def back(backends: Backends, server: Backend) -> None:
    """Bring a server back to health, listening again when it had stopped."""
    backends.heal(server)
    if not server.listening:
        await server.start()


async def until(condition: Callable[[], object], limit: float = 30.0, what: str = "") -> None:
    """Wait until the condition holds, looking again each time the event loop has done something."""
    async with asyncio.timeout(limit):
        while not condition():
            await asyncio.sleep(0.01)
