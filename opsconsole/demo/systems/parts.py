"""What the simulated systems are put together from: labels, distributions in buckets, histograms, a process."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from opsconsole.demo.shapes import DAY, lognormal_below, lognormal_mean
from opsconsole.demo.systems.base import Labels, Metric, Moment, Sample


def labels(**pairs: str) -> Labels:
    """Labels in name order; a trailing underscore is dropped, so that `from_="x"` is the label `from`."""
    return tuple(sorted((name.rstrip("_"), value) for name, value in pairs.items()))


class Spread(msgspec.Struct, frozen=True):
    """A distribution in buckets: the share at or below each bound (`+Inf` last), and the mean. Bounds are
    written as prometheus-client writes them: `0.5`, `1.0`, `10.0`."""

    shares: tuple[tuple[str, float], ...]
    mean: float


def spread(bounds: tuple[float, ...], *mixture: tuple[float, float, float]) -> Spread:
    """The distribution of a mixture of log-normals (weight, median, sigma). Bounds and medians are in the
    metric's own unit; weights of 0 or less are left out, the others are made to add up to 1."""
    used = [part for part in mixture if part[0] > 0]
    whole = sum(weight for weight, _, _ in used)
    shares = tuple(
        (str(float(bound)), sum(w * lognormal_below(bound, median, sigma) for w, median, sigma in used) / whole)
        for bound in bounds
    )
    return Spread((*shares, ("+Inf", 1.0)), sum(w * lognormal_mean(md, sg) for w, md, sg in used) / whole)


def histogram(job: str, name: str, rate: float, spread: Spread, labels: Labels = ()) -> Iterator[Sample]:
    """The series of a histogram that observes `rate` values a second: `_bucket`, `_sum` and `_count`."""
    for le, share in spread.shares:
        yield job, f"{name}_bucket", tuple(sorted((*labels, ("le", le)))), rate * share
    yield job, f"{name}_sum", labels, rate * spread.mean
    yield job, f"{name}_count", labels, rate


def summary(job: str, name: str, rate: float, mean: float, labels: Labels = ()) -> Iterator[Sample]:
    """The series of prometheus-client's summary, which has no quantiles: `_sum` and `_count`."""
    yield job, f"{name}_sum", labels, rate * mean
    yield job, f"{name}_count", labels, rate


PROCESS = (
    Metric("process_cpu_seconds_total", "counter", "Total user and system CPU time spent in seconds."),
    Metric("process_resident_memory_bytes", "gauge", "Resident memory size in bytes."),
    Metric("process_start_time_seconds", "gauge", "Start time of the process since unix epoch in seconds."),
    Metric("process_open_fds", "gauge", "Number of open file descriptors."),
    Metric("process_max_fds", "gauge", "Maximum number of open file descriptors."),
)
"""What `process` exports."""


def process(job: str, m: Moment, *, cpu: float, memory: float, files: float = 48.0) -> Iterator[Sample]:
    """What prometheus-client's process collector exports: `cpu` in cores, `memory` in bytes."""
    yield job, "process_cpu_seconds_total", (), cpu
    yield job, "process_resident_memory_bytes", (), memory
    yield job, "process_start_time_seconds", (), (m.t // (30.0 * DAY)) * 30.0 * DAY
    yield job, "process_open_fds", (), float(round(files))
    yield job, "process_max_fds", (), 1024.0
