"""Three hours of a ruleIQ with incidents and spikes that are known, written into Prometheus' own storage."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.support.servers import require

SCRAPE = 15
BOUNDS = ("0.25", "1.0", "2.5", "+Inf")


@dataclass(frozen=True)
class Episode:
    """From when to when, in seconds since the start; `errors` and `slow` are shares of the requests, `rate`
    requests a second, `pool` the share of the database pool in use. None: as usual."""

    start: int
    end: int
    errors: float | None = None
    slow: float | None = None
    rate: float | None = None
    pool: float | None = None


INCIDENTS = {
    "a release fails a fifth of the requests": Episode(1800, 2160, errors=0.2),
    "a release is slow": Episode(5400, 5760, slow=0.3),
    "a release keeps its connections": Episode(9000, 9400, pool=0.96),
}
SPIKES = {
    "20 s of errors": Episode(3607, 3627, errors=0.2),
    "25 s in which everything is slow": Episode(7211, 7236, slow=1.0),
}
CALM = (
    Episode(4500, 4800, errors=0.03),  # below the bound, above half of it
    Episode(8000, 8400, rate=0.5, errors=0.5),  # hardly anyone is there
)
LENGTH = 10_800


def openmetrics(start: float) -> Iterator[str]:
    """Every sample, a scrape each 15 s, series by series as promtool wants them."""
    served, failed = [0.0], [0.0]
    buckets = {bound: [0.0] for bound in BOUNDS}
    in_use = [20.0]
    for second in range(LENGTH):
        now = _at(second)
        rate = now("rate", 40.0)
        failures = rate * now("errors", 0.004)
        slow = rate * now("slow", 0.01)
        failed.append(failed[-1] + failures)
        served.append(served[-1] + rate - failures)
        for bound, per_second in zip(
            BOUNDS, (rate * 0.9 - slow * 0.9, rate - slow, rate - slow, rate), strict=True
        ):
            buckets[bound].append(buckets[bound][-1] + per_second)
        in_use.append(50.0 * now("pool", 0.4))
    shown: list[tuple[str, list[float]]] = [
        ('ruleiq_requests_total{job="ruleiq",method="GET",endpoint="/a",status="200"}', served),
        ('ruleiq_requests_total{job="ruleiq",method="GET",endpoint="/a",status="500"}', failed),
        *(
            (f'ruleiq_request_duration_seconds_bucket{{job="ruleiq",le="{bound}"}}', values)
            for bound, values in buckets.items()
        ),
        ('ruleiq_request_duration_seconds_count{job="ruleiq"}', buckets["+Inf"]),
        ('ruleiq_auth_failures_total{job="ruleiq",reason="bad_password"}', [0.2 * n for n in range(LENGTH + 1)]),
        ('ruleiq_db_pool_size{job="ruleiq",pool="in_use"}', in_use),
        ('ruleiq_db_pool_size{job="ruleiq",pool="max"}', [50.0] * (LENGTH + 1)),
    ]
    for series, values in shown:
        for second in range(0, LENGTH, SCRAPE):
            yield f"{series} {values[second]!r} {start + second:.3f}\n"
    yield "# EOF\n"


def _at(second: int) -> Callable[[str, float], float]:
    now = [e for e in (*INCIDENTS.values(), *SPIKES.values(), *CALM) if e.start <= second < e.end]

    def value(name: str, usual: float) -> float:
        return next((getattr(e, name) for e in now if getattr(e, name) is not None), usual)

    return value


def write_history(folder: Path, data: Path, start: float) -> None:
    """Write it into the storage at `data`."""
    source = folder / "history.om"
    with source.open("w") as out:
        out.writelines(openmetrics(start))
    command = [require("promtool"), "tsdb", "create-blocks-from", "openmetrics", "--quiet", str(source), str(data)]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
