"""A console on a playbook's system, standing still: real Prometheus over a made-up past, one alert firing.

The past is written by promtool and ends at a fixed time; every query is asked for that time, so that a picture
is the same on every machine. What Alertmanager and the rules say is canned: no time passes for them.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import parse_qsl, urlencode

import httpx
import yaml

from opsconsole.cli.prepare import prepare_console
from opsconsole.clock import ManualClock
from opsconsole.config.playbooks import find_playbook
from opsconsole.config.schema import ClusterConfig, Context, Endpoint, FlagsConfig
from opsconsole.demo.embedded import DemoEndpoints
from opsconsole.demo.release import FILE_NAME, write_flags
from opsconsole.demo.systems.base import System
from opsconsole.demo.systems.registry import find_system
from opsconsole.demo.systems.world import SystemWorld
from opsconsole.render.glyphs import UNICODE
from opsconsole.render.theme import DARK
from opsconsole.ui.app import ConsoleApp
from opsconsole.ui.modes import Opened
from tests.support.demo_app import START, USER, Console, Scene
from tests.support.demo_wires import ALERTMANAGER, PROMETHEUS, Wires, sources_of
from tests.support.servers import Prometheus

LABEL = "DEMO"
_AGO = 240.0
"""Seconds for which the fault has been on, and the alert firing for less."""

_HISTORY, _FINE, _STEP, _COARSE = 6 * 3600.0, 2 * 3600.0, 15.0, 60.0


def stamp(t: float) -> str:
    """A time as the APIs write it."""
    return datetime.fromtimestamp(t, UTC).isoformat().replace("+00:00", "Z")


def past(system: System, fault: str) -> Iterator[str]:
    """The lines of the system's past until START in OpenMetrics: calm, then the fault."""
    world = SystemWorld(system, seed=7, start=START - _HISTORY)
    series: dict[tuple[str, str, str], list[tuple[float, float]]] = {}
    instances = {job.name: job.instance for job in system.jobs}
    t = START - _HISTORY
    while t <= START:
        if t >= START - _AGO and not world.fault(fault):
            world.switch(fault, t, 1.0)
        world.jump(t)
        for (job, name, labels), value in world.values().items():
            inside = "".join(f',{n}="{v}"' for n, v in labels)
            series.setdefault((name, job, inside), []).append((t, value))
        for job in instances:
            series.setdefault(("up", job, ""), []).append((t, 1.0))
        t += _STEP if t >= START - _FINE else _COARSE
    for (name, job, inside), points in series.items():
        labels = f'{{job="{job}",instance="{instances[job]}"{inside}}}'
        yield from (f"{name}{labels} {value!r} {at:.3f}" for at, value in points)
    yield "# EOF"


class SystemWires(Wires):
    """As `Wires`, with every instant query asked for START."""

    def __init__(self, prometheus: str, canned: dict[str, object]) -> None:
        super().__init__(DemoEndpoints(
            prometheus_url=prometheus, alertmanager_url=prometheus, flags_file=Path(), directory=Path()
        ))  # fmt: skip
        self.canned.update(canned)

    async def send(self, network: httpx.AsyncBaseTransport, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/api/v1/query":
            form = {**dict(parse_qsl(request.content.decode(), keep_blank_values=True)), "time": f"{START:.3f}"}
            headers = [(n, v) for n, v in request.headers.raw if n.lower() != b"content-length"]
            request = httpx.Request(request.method, request.url, headers=headers, content=urlencode(form))
        return await super().send(network, request)


class SystemScene(Scene):
    """A system at the height of what its release causes. A context manager."""

    def __init__(self, directory: Path, name: str) -> None:
        self._directory = directory
        self._system = find_system(name)
        self._folder = find_playbook(name)
        self._fault = next(f for f in self._system.release_faults if f in self._system.proves)

    def __enter__(self) -> SystemScene:
        lines, tsdb = self._directory / "past.om", self._directory / "data"
        lines.write_text("\n".join(past(self._system, self._fault)) + "\n", "utf-8")
        subprocess.run(
            ["promtool", "tsdb", "create-blocks-from", "openmetrics", "--quiet", str(lines), str(tsdb)],
            check=True,
            capture_output=True,
            timeout=120,
        )
        self._prometheus = Prometheus(self._directory, config="scrape_configs: []\n", retention="100y")
        self._prometheus.start()
        self._flags = self._directory / FILE_NAME
        write_flags(self._flags, {"flags": dict(self._system.flags)})
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> None:
        self._prometheus.stop()

    def console(self, *, start: str = "overview", **_: Any) -> Console:  # type: ignore[override]
        """The console on this moment."""
        context = Context(
            name="demo",
            environment="demo",
            playbooks=(str(self._folder),),
            prometheus=Endpoint(url=PROMETHEUS),
            alertmanager=(ClusterConfig(name="main", members=(Endpoint(url=ALERTMANAGER),)),),
            flags=FlagsConfig(provider="flagd", path=self._flags),
            author=USER,
        )
        clock, wires = ManualClock(START), SystemWires(self._prometheus.url, self._canned())

        def prepare() -> Opened:
            return prepare_console(
                context,
                DARK,
                UNICODE,
                demo=LABEL,
                journal_file=self._directory / "journal.db",
                clock=clock,
                zone=UTC,
                sources=sources_of(context, clock, wires),
            )

        return Console(ConsoleApp(prepare, DARK, UNICODE, start=start), clock, wires, self)

    def _canned(self) -> dict[str, object]:
        labels, annotations = self._alert()
        rule = {"labels": labels, "annotations": annotations, "activeAt": stamp(START - 200)}
        return {
            "/api/v2/alerts": [self._posted(labels, annotations)],
            "/api/v2/alerts/groups": [],
            "/api/v2/silences": [],
            "/api/v2/status": _STATUS,
            "/api/v1/rules": {"status": "success", "data": {"groups": self._groups(rule)}},
        }

    def _alert(self) -> tuple[dict[str, str], dict[str, str]]:
        """Labels and annotations of the alert that the fault makes fire, as the rule tests expect them."""
        wanted = self._system.proves[self._fault]
        for test in yaml.safe_load((self._folder / "rules.test.yaml").read_text("utf-8"))["tests"]:
            for case in test.get("alert_rule_test", ()):
                for found in case.get("exp_alerts", ()) if case["alertname"] == wanted else ():
                    return {"alertname": wanted, **found["exp_labels"]}, found.get("exp_annotations", {})
        raise LookupError(f"rules.test.yaml shows no {wanted} firing")

    def _posted(self, labels: dict[str, str], annotations: dict[str, str]) -> dict[str, object]:
        return {
            "fingerprint": "0f0e0d0c0b0a0908",
            "labels": labels,
            "annotations": annotations,
            "startsAt": stamp(START - 80),
            "updatedAt": stamp(START),
            "endsAt": stamp(START + 240),
            "generatorURL": "",
            "receivers": [{"name": "on-call"}],
            "status": {"state": "active", "silencedBy": [], "inhibitedBy": []},
        }

    def _groups(self, firing: dict[str, Any]) -> list[dict[str, object]]:
        """The playbook's rules as Prometheus lists them."""
        groups = yaml.safe_load((self._folder / "rules.yaml").read_text("utf-8"))["groups"]
        return [
            {
                "name": group["name"],
                "file": "rules.yaml",
                "interval": 15,
                "lastEvaluation": stamp(START - 2),
                "rules": [self._rule(rule, firing) for rule in group["rules"] if "alert" in rule],
            }
            for group in groups
        ]

    def _rule(self, rule: dict[str, Any], firing: dict[str, Any]) -> dict[str, object]:
        fires = rule["alert"] == firing["labels"]["alertname"]
        return {
            "type": "alerting",
            "name": rule["alert"],
            "query": rule["expr"],
            "duration": 60,
            "labels": rule.get("labels", {}),
            "annotations": rule.get("annotations", {}),
            "state": "firing" if fires else "inactive",
            "health": "ok",
            "lastEvaluation": stamp(START - 2),
            "alerts": [{**firing, "state": "firing", "value": "1e+00"}] if fires else [],
        }


_STATUS = {
    "cluster": {"name": "one", "status": "ready", "peers": []},
    "config": {"original": ""},
    "uptime": stamp(START - 86_400),
    "versionInfo": {"version": "0.25.0"},
}


def main_dashboard(name: str) -> str:
    """The title of the first panel of a playbook's first dashboard: it stands on the picture when it is whole."""
    document = yaml.safe_load((find_playbook(name) / "playbook.yaml").read_text("utf-8"))
    title: str = document["dashboards"][0]["groups"][0]["panels"][0]["title"]
    return title
