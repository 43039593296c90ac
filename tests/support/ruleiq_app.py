"""A ruleIQ that asks Unleash, through its SDK, for every request that it serves: a process of its own.

    python -m tests.support.ruleiq_app --unleash URL --token TOKEN --port PORT --faults FILE --flag NAME …

It exports the metrics of `playbooks/ruleiq`. Users for whom any of its flags is on get an error for BAD of their
requests. FILE may hold JSON: `{"errors": 0.2}` is a share of errors that no flag explains, `{"bad": 0.0}` another
share for those whose flag is on.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, start_http_server
from UnleashClient import UnleashClient

ENDPOINT = "/api/v1/assessments"
RATE = 40.0
"""Requests a second."""

BAD = 0.2
USERS = 500
TICK = 0.05


class Client(Protocol):
    """What of Unleash's SDK is used; other providers can be asked through it too."""

    def is_enabled(self, feature_name: str, context: dict[str, Any] | None = None) -> bool: ...


class Ruleiq:
    """The service and its metrics. `registry` is what it exports."""

    def __init__(self, client: Client, flags: list[str], faults: Path) -> None:
        self._client, self._flags, self._faults = client, flags, faults
        self._random = random.Random(7)
        self._shares = {"errors": 0.0, "bad": BAD}
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        labels = ("method", "endpoint")
        self._requests = Counter("ruleiq_requests", "Total requests", (*labels, "status"), registry=self.registry)
        self._duration = Histogram(
            "ruleiq_request_duration_seconds", "Request duration", labels, registry=self.registry
        )
        self._evaluations = Counter(
            "ruleiq_ff_evaluations", "FF evals", ("flag_name", "result"), registry=self.registry
        )
        failures = Counter("ruleiq_auth_failures", "Auth failures", ("reason",), registry=self.registry)
        failures.labels("bad_password")
        events = Counter("ruleiq_security_events", "Security events", ("type",), registry=self.registry)
        events.labels("rate_limited")
        Gauge("ruleiq_active_users", "Active users", registry=self.registry).set(USERS)
        pool = Gauge("ruleiq_db_pool_size", "DB connections", ("pool",), registry=self.registry)
        for name, size in (("in_use", 12), ("idle", 8), ("max", 50)):
            pool.labels(name).set(size)

    def serve(self) -> None:
        """One request of a user."""
        user = {"userId": str(self._random.randrange(USERS))}
        served_new = False
        for flag in self._flags:
            on = bool(self._client.is_enabled(flag, user))
            self._evaluations.labels(flag, str(on).lower()).inc()
            served_new = served_new or on
        share = max(self._shares["errors"], self._shares["bad"] if served_new else 0.0)
        status = "500" if self._random.random() < share else "200"
        self._requests.labels("POST", ENDPOINT, status).inc()
        self._duration.labels("POST", ENDPOINT).observe(self._random.uniform(0.02, 0.3))

    def run(self, until: threading.Event) -> None:
        """Serve RATE requests a second until then."""
        owed, last = 0.0, time.monotonic()
        while not until.wait(TICK):
            now = time.monotonic()
            owed, last = min(owed + (now - last) * RATE, 2 * RATE), now
            self.look()
            while owed >= 1.0:
                self.serve()
                owed -= 1.0

    def look(self) -> None:
        """Obey the fault file, if there is one."""
        with contextlib.suppress(OSError, ValueError):
            self._shares = {"errors": 0.0, "bad": BAD, **json.loads(self._faults.read_text())}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--unleash", required=True)
    parser.add_argument("--token", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--faults", type=Path, required=True)
    parser.add_argument("--flag", action="append", required=True)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as cache:
        client = UnleashClient(
            url=f"{options.unleash}/api",
            app_name="ruleiq",
            custom_headers={"Authorization": options.token},
            refresh_interval=1,
            disable_metrics=True,
            cache_directory=cache,
        )
        client.initialize_client()
        service = Ruleiq(client, options.flag, options.faults)
        start_http_server(options.port, addr="127.0.0.1", registry=service.registry)
        service.run(threading.Event())


if __name__ == "__main__":
    main()
