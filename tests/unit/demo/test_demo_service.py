"""The simulated application: what its targets, its health checks and its control endpoint answer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from opsconsole.clock import ManualClock
from opsconsole.demo.httpd import Request, Response
from opsconsole.demo.release import flag_file, write_flags
from opsconsole.demo.systems.registry import find_system, system_names
from opsconsole.demo.systems.service import Application
from opsconsole.demo.systems.world import SystemWorld

START = ManualClock().now()


class Running:
    """An application of one system with a clock of its own; the release comes 20 s after the start."""

    def __init__(self, folder: Path, system: str = "accubooks") -> None:
        self.system = find_system(system)
        self.flags = folder / "flags.json"
        self.clock = ManualClock(START)
        self.reset()
        world = SystemWorld(self.system, seed=7, start=START)
        self.application = Application(world, self.flags, release_at=START + 20, now=self.clock.now)

    def reset(self) -> None:
        write_flags(self.flags, flag_file(self.system.flags))

    def get(self, path: str, method: str = "GET", job: str = "") -> Response:
        return self.application.job(job or self.system.jobs[0].name)(Request(method, path, (), "", b""))

    def control(self, method: str, path: str, body: object = b"", **params: str) -> tuple[int, Any]:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        reply = self.application.control(Request(method, path, tuple(params.items()), "", data))
        return reply.status, json.loads(reply.body)

    def total(self, name: str, **labels: str) -> float:
        text = self.get("/metrics").body.decode()
        samples = [s for family in text_string_to_metric_families(text) for s in family.samples]
        return sum(s.value for s in samples if s.name == name and labels.items() <= s.labels.items())

    def after(self, seconds: int) -> None:
        for _ in range(seconds):
            self.clock.advance(1)
            self.application.tick()


@pytest.fixture
def running(tmp_path: Path) -> Running:
    return Running(tmp_path)


@pytest.mark.parametrize("name", system_names())
def test_what_a_job_answers_reads_back_as_it_was_declared(tmp_path: Path, name: str) -> None:
    running = Running(tmp_path, name)
    declared = {metric.name.removesuffix("_total"): metric for metric in running.system.metrics}
    seen: set[str] = set()
    world = SystemWorld(running.system, seed=7, start=START)
    values: Mapping[Any, float] = world.values()
    for job in running.system.jobs:
        reply = running.get("/metrics", job=job.name)
        assert reply.content_type.startswith("text/plain")
        found: dict[tuple[str, frozenset[tuple[str, str]]], float] = {}
        for family in text_string_to_metric_families(reply.body.decode()):
            metric = declared[family.name.removesuffix("_total")]
            assert (family.type, family.documentation) == (metric.kind, metric.help)
            seen.add(metric.name)
            found |= {(s.name, frozenset(s.labels.items())): s.value for s in family.samples}
        own = {(series, frozenset(lab)): v for (of, series, lab), v in values.items() if of == job.name}
        assert found == own
    assert seen == {metric.name for metric in running.system.metrics}


def test_it_fails_while_the_flag_is_on(running: Running) -> None:
    def errors_in(seconds: int) -> float:
        before = running.total("http_requests_total", route="/api/forecast", status_code="500")
        running.after(seconds)
        return running.total("http_requests_total", route="/api/forecast", status_code="500") - before

    assert errors_in(19) < 5
    assert errors_in(60) > 100
    running.reset()
    errors_in(60)
    assert errors_in(20) < 5


def test_faults_are_turned_on_and_off(running: Running) -> None:
    calm = running.total("forecast_queue_depth")
    status, faults = running.control("GET", "/faults")
    assert status == 200
    assert faults == dict.fromkeys(running.system.faults, False)
    assert running.control("POST", "/faults/queue", {"on": True}) == (200, {"on": True, "level": 1.0})
    running.after(19)
    assert running.total("forecast_queue_depth") > calm + 100
    assert running.control("GET", "/faults")[1]["queue"] is True
    assert running.control("POST", "/faults/queue", level="0.5")[1] == {"on": True, "level": 0.5}
    assert running.control("GET", "/faults/queue")[1] == {"on": True, "level": 0.5}
    assert running.control("POST", "/faults/queue", {"level": 0})[1] == {"on": False, "level": 0.0}


def test_a_fault_of_the_release_stays_on_while_the_flag_is_served(running: Running) -> None:
    running.after(21)
    assert running.control("GET", "/faults")[1]["errors"] is True
    assert running.control("POST", "/faults/errors", {"on": False})[1] == {"on": True, "level": 1.0}
    running.reset()
    assert running.control("GET", "/faults")[1]["errors"] is False


@pytest.mark.parametrize("name", [name for name in system_names() if find_system(name).release])
def test_the_release_turns_on_its_faults_and_rolling_back_turns_them_off(tmp_path: Path, name: str) -> None:
    running = Running(tmp_path, name)
    running.after(19)
    assert not any(running.control("GET", "/faults")[1].values())
    running.after(2)
    served = {fault for fault, on in running.control("GET", "/faults")[1].items() if on}
    assert served == set(running.system.release_faults) != set()
    running.reset()
    assert not any(running.control("GET", "/faults")[1].values())


@pytest.mark.parametrize("path", ["/faults/eror", "/faults/", "/faults/errors/x", "/fault", "/"])
def test_an_unknown_fault_is_answered_with_the_known_ones(running: Running, path: str) -> None:
    status, body = running.control("POST", path, {"on": True})
    assert status == 404
    assert body["known"] == sorted(running.system.faults)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b'{"on": 1}',
        b'{"level": 2}',
        b'{"level": -0.1}',
        b'{"level": NaN}',
        b'{"level": "x"}',
    ],
)
def test_a_level_that_cannot_be_read_changes_nothing(running: Running, body: bytes) -> None:
    status, answer = running.control("POST", "/faults/errors", body)
    assert status == 400
    assert "level" in answer["error"]
    assert running.control("GET", "/faults/errors")[1] == {"on": False, "level": 0.0}


def test_other_methods_are_refused(running: Running) -> None:
    assert running.control("POST", "/faults")[0] == 405
    assert running.control("DELETE", "/faults/errors")[0] == 405
    assert running.get("/metrics", "POST").status == 405
    assert running.get("/").status == 404


def test_health_follows_the_faults(running: Running) -> None:
    def health() -> list[int]:
        return [running.get(p).status for p in ("/health", "/health/liveness", "/health/readiness", "/metrics")]

    assert health() == [200, 200, 200, 200]
    assert json.loads(running.get("/health").body) == {"status": "healthy", "new_pricing": 0.0}
    running.control("POST", "/faults/down", {"on": True})
    assert health() == [503, 200, 503, 503]
    running.control("POST", "/faults/down", {"on": False})
    assert health() == [200, 200, 200, 200]
    running.control("POST", "/faults/pool", {"on": True})
    assert health() == [200, 200, 200, 200]
    running.after(180)
    assert health() == [200, 200, 503, 200]


def test_a_job_can_be_down_by_itself(tmp_path: Path) -> None:
    systems = [find_system(name) for name in system_names()]
    alone = [(s, job) for s in systems for job in s.jobs if job.down != "down" and job.down in s.faults]
    assert alone
    for system, job in alone:
        running = Running(tmp_path, system.name)
        running.control("POST", f"/faults/{job.down}", {"on": True})
        status = {j.name: running.get("/metrics", job=j.name).status for j in system.jobs}
        assert status == {j.name: 503 if j.down == job.down else 200 for j in system.jobs}
