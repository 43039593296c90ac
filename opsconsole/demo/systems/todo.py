"""The simulated Todo application: a FastAPI backend, its machine and its containers.

HTTP metrics are those of prometheus-fastapi-instrumentator with its in-progress gauge turned on: statuses
are grouped, durations by handler have three buckets, and the histogram with many buckets has no labels.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from opsconsole.demo.systems.base import Job, Lag, Metric, Moment, Sample, System
from opsconsole.demo.systems.parts import PROCESS, Spread, histogram, labels, process, spread, summary
from opsconsole.demo.systems.todo_app import APP_METRICS, JOB, application
from opsconsole.demo.systems.todo_host import HOST_METRICS, exporters

LOWR = (0.1, 0.5, 1.0)
HIGHR = (
    *(0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0),
    *(2.5, 3.0, 3.5, 4.0, 4.5, 5.0, 7.5, 10.0, 30.0, 60.0),
)

MIB = 1024.0**2


class Endpoint(msgspec.Struct, frozen=True):
    """A handler: its share of the users' requests, median seconds, mean bytes in and out, share of 4xx.
    What works on tasks follows the faults."""

    method: str
    handler: str
    share: float
    median: float
    received: float
    sent: float
    refused: float = 0.002

    @property
    def on_tasks(self) -> bool:
        return "/tasks" in self.handler


ENDPOINTS = (
    Endpoint("GET", "/api/{user_id}/tasks", 0.44, 0.042, 0.0, 9_200.0),
    Endpoint("POST", "/api/{user_id}/tasks", 0.09, 0.061, 420.0, 560.0, 0.012),
    Endpoint("GET", "/api/{user_id}/tasks/{task_id}", 0.13, 0.024, 0.0, 610.0, 0.006),
    Endpoint("PUT", "/api/{user_id}/tasks/{task_id}", 0.08, 0.058, 460.0, 590.0, 0.008),
    Endpoint("PATCH", "/api/{user_id}/tasks/{task_id}/complete", 0.07, 0.051, 30.0, 580.0),
    Endpoint("DELETE", "/api/{user_id}/tasks/{task_id}", 0.03, 0.047, 0.0, 0.0, 0.004),
    Endpoint("GET", "/api/auth/me", 0.09, 0.017, 0.0, 240.0, 0.01),
    Endpoint("POST", "/api/auth/login", 0.03, 0.21, 130.0, 380.0, 0.05),
    Endpoint("POST", "/api/frontend/metrics", 0.04, 0.009, 1_900.0, 0.0),
)
OWN = (("/health/liveness", 0.1, 0.003), ("/health/readiness", 0.1, 0.011), ("/metrics", 0.1, 0.014))
"""What the platform itself asks for: handler, requests a second, median seconds."""


class Traffic(msgspec.Struct, frozen=True):
    """One handler's requests at a moment: how many a second, how long they take, and their share of 5xx."""

    endpoint: Endpoint
    rate: float
    times: tuple[tuple[float, float, float], ...]
    failing: float


def request_rate(m: Moment) -> float:
    """The users' requests a second, without those that the rate limiter turns away."""
    return 38.0 * m.daily(0.3) * m.wobble("traffic", 0.06)


def _traffic(m: Moment) -> Iterator[Traffic]:
    total = request_rate(m)
    pool = m.fault("pool")
    for endpoint in ENDPOINTS:
        name = f"{endpoint.method}{endpoint.handler}"
        hit = 1.0 if endpoint.on_tasks else 0.0
        slow, waiting = 0.28 * m.fault("latency") * hit, 0.3 * pool * hit
        usual = endpoint.median * m.wobble(f"time{name}", 0.08)
        yield Traffic(
            endpoint,
            total * endpoint.share * m.wobble(name, 0.04),
            ((1.0 - slow - waiting, usual, 0.55), (slow, 3.6, 0.35), (waiting, 0.42, 0.3)),
            0.0012 * m.wobble(f"errors{name}", 0.6) + (0.22 * m.fault("errors") + 0.032 * pool) * hit,
        )


def _requests(method: str, handler: str, counts: tuple[tuple[str, float], ...]) -> Iterator[Sample]:
    for status, rate in counts:
        yield JOB, "http_requests_total", labels(handler=handler, method=method, status=status), rate


def _durations(method: str, handler: str, rate: float, times: Spread) -> Iterator[Sample]:
    own = labels(handler=handler, method=method)
    yield from histogram(JOB, "http_request_duration_seconds", rate, times, own)
    yield JOB, "http_requests_inprogress", own, float(round(rate * times.mean))


def _sizes(traffic: list[Traffic]) -> Iterator[Sample]:
    """Sizes are by handler only: methods add up."""
    sums: dict[str, tuple[float, float, float]] = {}
    for part in traffic:
        end = part.endpoint
        rate, received, sent = sums.get(end.handler, (0.0, 0.0, 0.0))
        sums[end.handler] = (
            rate + part.rate,
            received + part.rate * end.received,
            sent + part.rate * end.sent,
        )
    for handler, (rate, received, sent) in sums.items():
        own = labels(handler=handler)
        yield from summary(JOB, "http_request_size_bytes", rate, received / rate, own)
        yield from summary(JOB, "http_response_size_bytes", rate, sent / rate, own)


def _http(m: Moment) -> Iterator[Sample]:
    traffic = list(_traffic(m))
    mixture: list[tuple[float, float, float]] = []
    for part in traffic:
        end = part.endpoint
        good = 1.0 - part.failing - end.refused
        counts = (("2xx", good), ("4xx", end.refused), ("5xx", part.failing))
        yield from _requests(end.method, end.handler, tuple((status, part.rate * x) for status, x in counts))
        yield from _durations(end.method, end.handler, part.rate, spread(LOWR, *part.times))
        mixture += [(part.rate * weight, median, sigma) for weight, median, sigma in part.times]
    # Paths that no handler knows, and what the limiter turns away before a handler is found.
    unknown = 0.15 * m.wobble("unknown", 0.5) + 6.2 * m.fault("ratelimit")
    yield from _requests("GET", "none", (("4xx", unknown),))
    yield from _durations("GET", "none", unknown, spread(LOWR, (1.0, 0.003, 0.4)))
    mixture.append((unknown, 0.003, 0.4))
    for handler, rate, median in OWN:
        yield from _requests("GET", handler, (("2xx", rate),))
        yield from _durations("GET", handler, rate, spread(LOWR, (1.0, median, 0.4)))
        mixture.append((rate, median, 0.4))
    yield from _sizes(traffic)
    rate = sum(weight for weight, _, _ in mixture)
    yield from histogram(JOB, "http_request_duration_highr_seconds", rate, spread(HIGHR, *mixture))


def samples(m: Moment) -> Iterator[Sample]:
    """Every series of the three jobs at a moment, always in the same order."""
    yield from _http(m)
    yield from application(m, request_rate(m))
    cpu = 0.34 * m.daily(0.2) * m.wobble("process-cpu", 0.1) + 0.5 * m.fault("cpu") + 0.12 * m.fault("latency")
    memory = (182.0 + 540.0 * m.fault("memory")) * MIB * m.wobble("process-memory", 0.03)
    yield from process(JOB, m, cpu=cpu, memory=memory, files=52.0 + 20.0 * m.fault("latency"))
    yield from exporters(m, cpu, memory)


HTTP_METRICS = (
    Metric("http_requests_total", "counter", "Total number of requests by method, status and handler."),
    Metric("http_request_size_bytes", "summary", "Content length of incoming requests by handler."),
    Metric("http_response_size_bytes", "summary", "Content length of outgoing responses by handler."),
    Metric("http_request_duration_seconds", "histogram", "Latency with only few buckets by handler."),
    Metric("http_request_duration_highr_seconds", "histogram", "Latency with many buckets but no labels."),
    Metric("http_requests_inprogress", "gauge", "Number of HTTP requests in progress."),
)


def _flag(default: str, owner: str, release: str) -> dict[str, object]:
    return {
        "state": "ENABLED",
        "variants": {"on": True, "off": False},
        "defaultVariant": default,
        "targeting": {},
        "metadata": {"owner": owner, "release": release},
    }


SYSTEM = System(
    name="todo",
    # Faults are the application's: the exporters of the machine go on answering while it is down.
    jobs=(
        Job(name=JOB, instance="todo:8000"),
        Job(name="node-exporter", instance="node-exporter:9100", down="exporters"),
        Job(name="cadvisor", instance="cadvisor:8080", down="exporters"),
    ),
    metrics=(*HTTP_METRICS, *PROCESS, *APP_METRICS, *HOST_METRICS),
    samples=samples,
    faults={
        "errors": Lag(12.0, 8.0),
        "latency": Lag(20.0, 8.0),
        "down": Lag(1.0, 1.0),
        "pool": Lag(15.0, 10.0),
        "disk": Lag(20.0, 10.0),
        "memory": Lag(20.0, 10.0),
        "cpu": Lag(10.0, 8.0),
        "ratelimit": Lag(8.0, 8.0),
    },
    flags={
        "smart_lists": _flag("off", "product-team", "2.3.0"),
        "bulk_edit": _flag("on", "product-team", "2.2.0"),
        "dark_mode": _flag("on", "frontend-team", "2.0.0"),
        "maintenance_banner": _flag("off", "platform-team", "2.0.0"),
    },
    release="smart_lists",
    release_faults=("errors", "latency"),
    proves={
        "errors": "HighErrorRate",
        "latency": "HighLatency",
        "down": "ServiceDown",
        "pool": "DatabaseConnectionIssues",
        "disk": "DiskSpaceCritical",
        "memory": "HighMemoryUsage",
        "cpu": "HighCPUUsage",
        "ratelimit": "RateLimitingExceeded",
    },
)
