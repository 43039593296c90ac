"""The metrics that the accubooks playbook's README lists, as OpenMetrics text for a real Prometheus."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "playbooks" / "accubooks"
VALUES = {
    "method": ["GET"],
    "route": ["/api/forecast", "/api/ledger"],
    "status_code": ["200", "404", "500"],
    "pool": ["primary"],
    "query_type": ["select", "insert"],
    "operation": ["get", "set"],
    "status": ["done", "failed"],
    "tier": ["free", "starter", "pro"],
    "limit_type": ["forecasts"],
    "from_tier": ["free"],
    "to_tier": ["starter"],
    "component": ["explainer", "assumptions"],
}


def exported() -> list[tuple[str, str, list[str], list[float]]]:
    """The metrics of the README's table: name, type, labels, buckets."""
    rows = re.findall(r"^\| `(\w+)` \| ([^|]+) \| ([^|]*)\|([^|]*)\|$", (FOLDER / "README.md").read_text(), re.M)
    assert len(rows) == 37
    found = []
    for name, kind, labels, note in rows:
        names = re.findall(r"`(\w+)`", labels.split("(")[0])
        found.append((name, kind.split(",")[0].strip(), names, [float(n) for n in re.findall(r"\d+", note)]))
    return found


def samples(minutes: int, end: int) -> Iterator[str]:
    """OpenMetrics lines of a healthy system: counters grow by 3 every 15 s, gauges are 50. One alert has fired
    all the time."""
    steps = minutes * 4
    up = [(end - 15 * i, 1.0) for i in range(steps, -1, -1)]
    yield from lines("up", {}, up)
    fired = {"alertname": "RedisMemoryWarning", "severity": "warning"}
    yield from lines("ALERTS", {**fired, "alertstate": "firing"}, up)
    yield from lines("ALERTS_FOR_STATE", fired, [(at, float(end - 900)) for at, _ in up])
    for name, kind, label_names, numbers in exported():
        growing = [(end - 15 * i, 3.0 * (steps - i)) for i in range(steps, -1, -1)]
        for labels in combinations(label_names):
            if kind == "gauge":
                yield from lines(name, labels, [(at, 50.0) for at, _ in growing])
            elif kind == "counter":
                flat = "from 0" in (FOLDER / "README.md").read_text().split(f"`{name}`")[1].split("\n")[0]
                yield from lines(name, labels, [(at, 0.0 if flat else v) for at, v in growing])
            else:
                for bound in [*map(str, numbers), "+Inf"]:
                    yield from lines(f"{name}_bucket", {**labels, "le": bound}, growing)
                yield from lines(f"{name}_count", labels, growing)
    yield "# EOF\n"


def combinations(names: list[str]) -> list[dict[str, str]]:
    found: list[dict[str, str]] = [{}]
    for name in names:
        found = [{**labels, name: value} for labels in found for value in VALUES[name]]
    return found


def lines(name: str, labels: dict[str, str], points: list[tuple[int, float]]) -> Iterator[str]:
    every = {"job": "accubooks", "instance": "10.0.3.7:3000", **labels}
    inside = ",".join(f'{k}="{v}"' for k, v in every.items())
    return (f"{name}{{{inside}}} {value} {at}\n" for at, value in points)
