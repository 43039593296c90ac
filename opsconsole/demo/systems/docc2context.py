"""The simulated docc2context: a service that unpacks ZIP archives and converts the documentation in them."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from opsconsole.demo.systems.base import Job, Lag, Metric, Moment, Sample, System
from opsconsole.demo.systems.parts import PROCESS, histogram, labels, process, spread

JOB = "docc2context"
CONVERT = "/api/v1/convert"
MIB = 1024.0**2

HTTP_BUCKETS = (0.01, 0.05, 0.1, 0.5, 1.0, 2.0, 5.0, 10.0)
EXTRACTION_BUCKETS = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
FILE_BUCKETS = (1.0, 10.0, 100.0, 1000.0, 10000.0)
SIZE_BUCKETS = (1024.0, 10485760.0, 104857600.0, 1073741824.0)

_OTHERS = (
    ("GET", "/health", "200", 0.1, 0.003),
    ("GET", "/metrics", "200", 0.2, 0.006),
    ("GET", "/docs", "200", 0.06, 0.008),
    ("GET", "/favicon.ico", "404", 0.03, 0.004),
)
"""Method, path, status, requests a second, median seconds. The checks and scrapes are requests too."""

METRICS = (
    Metric("http_requests_total", "counter", "Total HTTP requests"),
    Metric("http_request_duration_seconds", "histogram", "HTTP request duration"),
    Metric("zip_extractions_total", "counter", "Total ZIP extractions"),
    Metric("zip_extraction_duration_seconds", "histogram", "ZIP extraction duration"),
    Metric("extraction_file_count", "histogram", "Files extracted per ZIP"),
    Metric("extraction_size_bytes", "histogram", "Size of extracted content"),
    Metric("active_conversions", "gauge", "Number of active conversions"),
    Metric("conversion_errors_total", "counter", "Total conversion errors"),
    Metric("resource_usage", "gauge", "Current resource usage"),
    *PROCESS,
)


class Flow(msgspec.Struct, frozen=True):
    """The uploads of one moment, each as a rate per second: how many came, and what became of them."""

    uploads: float
    limited: float
    invalid: float
    broken: float
    cli: float
    timeout: float
    seconds: float
    """Median time that a conversion takes."""

    @property
    def unpacked(self) -> float:
        """Archives that came out whole."""
        return self.uploads - self.limited - self.invalid - self.broken

    @property
    def converted(self) -> float:
        return self.unpacked - self.cli - self.timeout


def flow(m: Moment) -> Flow:
    """What happens to the uploads at a moment."""
    uploads = 1.8 * m.daily(0.25) * m.wobble("uploads", 0.08)
    limited = uploads * (0.004 * m.wobble("limited", 0.5) + 0.38 * m.fault("ratelimit"))
    attempts = uploads - limited
    invalid = attempts * 0.03 * m.wobble("invalid", 0.3)
    broken = attempts * (0.008 * m.wobble("broken", 0.4) + 0.42 * m.fault("extraction"))
    unpacked = attempts - invalid - broken
    return Flow(
        uploads=uploads,
        limited=limited,
        invalid=invalid,
        broken=broken,
        cli=unpacked * (0.005 * m.wobble("cli", 0.5) + 0.45 * m.fault("errors")),
        timeout=unpacked * (0.001 + 0.03 * m.fault("latency")),
        seconds=1.3 * m.wobble("seconds", 0.08) * (1.0 + 3.5 * m.fault("latency")),
    )


def samples(m: Moment) -> Iterator[Sample]:
    """Everything that the service exports at this moment, always in the same order."""
    now = flow(m)
    yield from _http(m, now)
    yield from _extraction(m, now)
    yield from _conversion(m, now)
    yield from _resources(m, now)


def _http(m: Moment, now: Flow) -> Iterator[Sample]:
    for status, rate in (
        ("200", now.converted),
        ("400", now.invalid),
        ("422", now.broken),
        ("429", now.limited),
        ("500", now.cli),
        ("504", now.timeout),
    ):
        yield JOB, "http_requests_total", labels(method="POST", endpoint=CONVERT, status=status), rate
    refused = (now.limited + now.invalid) / now.uploads
    spent = spread(HTTP_BUCKETS, (1.0 - refused, now.seconds, 0.5), (refused, 0.03, 0.6))
    named = labels(method="POST", endpoint=CONVERT)
    yield from histogram(JOB, "http_request_duration_seconds", now.uploads, spent, named)
    for method, path, status, usual, median in _OTHERS:
        rate = usual * m.wobble(path, 0.02)
        yield JOB, "http_requests_total", labels(method=method, endpoint=path, status=status), rate
        quick = spread(HTTP_BUCKETS, (1.0, median * m.wobble(f"time{path}", 0.1), 0.5))
        named = labels(method=method, endpoint=path)
        yield from histogram(JOB, "http_request_duration_seconds", rate, quick, named)


def _extraction(m: Moment, now: Flow) -> Iterator[Sample]:
    for status, rate in (
        ("success", now.unpacked),
        ("failed_validation", now.invalid),
        ("failed_extraction", now.broken),
    ):
        yield JOB, "zip_extractions_total", labels(status=status), rate
    median = 0.32 * m.wobble("unzip", 0.1) * (1.0 + 2.5 * m.fault("latency"))
    times = spread(EXTRACTION_BUCKETS, (1.0, median, 0.8))
    yield from histogram(JOB, "zip_extraction_duration_seconds", now.unpacked + now.broken, times)
    files = spread(FILE_BUCKETS, (1.0, 140.0 * m.wobble("files", 0.1), 1.1))
    yield from histogram(JOB, "extraction_file_count", now.unpacked, files)
    sizes = spread(SIZE_BUCKETS, (1.0, 6.0 * MIB * m.wobble("sizes", 0.1), 1.3))
    yield from histogram(JOB, "extraction_size_bytes", now.unpacked, sizes)


def active(m: Moment, now: Flow) -> float:
    """Conversions at work: those that come in the time that one takes, and those that the queue holds."""
    return float(round(now.unpacked * now.seconds * 1.13 + 28.0 * m.fault("queue")))


def _conversion(m: Moment, now: Flow) -> Iterator[Sample]:
    yield JOB, "active_conversions", (), active(m, now)
    for kind, rate in (
        ("validation_error", now.invalid),
        ("extraction_error", now.broken),
        ("cli_error", now.cli),
        ("timeout", now.timeout),
    ):
        yield JOB, "conversion_errors_total", labels(error_type=kind), rate


def _resources(m: Moment, now: Flow) -> Iterator[Sample]:
    cpu = 36.0 * m.daily(0.15) * m.wobble("cpu", 0.12) + 12.0 * m.fault("queue") + 58.0 * m.fault("cpu")
    memory = 1010.0 * m.wobble("memory", 0.05) + 8.0 * min(20.0, active(m, now)) + 960.0 * m.fault("memory")
    disk = 9.0 * m.wobble("disk", 0.06) * (1.0 - 0.955 * m.fault("disk"))
    yield JOB, "resource_usage", labels(resource_type="cpu_percent"), min(99.0, cpu)
    yield JOB, "resource_usage", labels(resource_type="memory_mb"), min(2030.0, memory)
    yield JOB, "resource_usage", labels(resource_type="disk_free_gb"), disk
    yield from process(JOB, m, cpu=min(99.0, cpu) / 100.0 * 1.6, memory=0.62 * min(2030.0, memory) * MIB)


def _flag(default: str, owner: str) -> dict[str, object]:
    return {
        "state": "ENABLED",
        "variants": {"on": True, "off": False},
        "defaultVariant": default,
        "targeting": {},
        "metadata": {"owner": owner},
    }


SYSTEM = System(
    name=JOB,
    jobs=(Job(name=JOB, instance="docc2context-1:8000"),),
    metrics=METRICS,
    samples=samples,
    faults={
        "errors": Lag(),
        "extraction": Lag(),
        "latency": Lag(rise=20.0),
        "queue": Lag(rise=20.0),
        "ratelimit": Lag(),
        "memory": Lag(rise=6.0),
        "cpu": Lag(rise=6.0),
        "disk": Lag(rise=6.0),
        "down": Lag(),
    },
    flags={
        "streaming_unzip": _flag("off", "converter-team"),
        "accept_uploads": _flag("on", "on-call"),
        "swift_toolchain_next": _flag("off", "converter-team"),
    },
    release="streaming_unzip",
    release_faults=("extraction", "errors"),
    proves={
        "errors": "HighErrorRate",
        "extraction": "HighExtractionFailureRate",
        "memory": "HighMemoryUsage",
        "cpu": "HighCPUUsage",
        "disk": "LowDiskSpace",
        "down": "ServiceDown",
    },
)
