"""Alerts in numbers, posted to a real Alertmanager."""

from __future__ import annotations

import json
import urllib.request
from datetime import UTC, datetime, timedelta


def alerts(count: int, *, turn: int = 0, changing: float = 0.0) -> list[dict[str, object]]:
    """`count` alerts of 10 labels and 4 annotations. With `changing`, that share of them gets another
    annotation each `turn`."""
    now = datetime.now(UTC)
    severities = ("critical", "high", "warning", "info")
    changed = int(count * changing)
    return [
        {
            "labels": {
                "alertname": f"Load{i % 50:02d}",
                "severity": severities[i % 4],
                "instance": f"10.0.{i // 250}.{i % 250}:9100",
                "job": f"job-{i % 20}",
                "cluster": f"c{i % 3}",
                "namespace": f"ns-{i % 40}",
                "pod": f"pod-{i}",
                "container": "app",
                "team": f"team-{i % 8}",
                "region": f"r{i % 4}",
            },
            "annotations": {
                "summary": f"load alert {i}" + (f" turn {turn}" if i < changed else ""),
                "description": "something is above its threshold for longer than it should be " * 2,
                "runbook_url": "https://runbooks.invalid/load",
                "dashboard": "https://dashboards.invalid/d/load",
            },
            "startsAt": (now - timedelta(seconds=600 + i % 600)).isoformat(),
            "endsAt": (now + timedelta(hours=2)).isoformat(),
            "generatorURL": "http://prometheus.invalid/graph",
        }
        for i in range(count)
    ]


def post(url: str, batch: list[dict[str, object]], *, size: int = 2000) -> None:
    """Post alerts in batches. Raises OSError when Alertmanager does not take them."""
    for at in range(0, len(batch), size):
        request = urllib.request.Request(
            f"{url}/api/v2/alerts",
            data=json.dumps(batch[at : at + size]).encode(),
            headers={"Content-Type": "application/json"},
        )
        urllib.request.urlopen(request, timeout=60).close()
