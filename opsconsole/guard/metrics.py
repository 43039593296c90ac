"""A guard's status as Prometheus metrics: on `/metrics` of a loopback address, or in a textfile."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

from opsconsole.errors import GuardError, UsageError
from opsconsole.guard.files import write_whole
from opsconsole.model.guard import GuardStatus, RulePhase
from opsconsole.model.guardstatus import PREFIX
from opsconsole.text import safe

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from prometheus_client.metrics_core import Metric

_GAUGES: tuple[tuple[str, str, Callable[[GuardStatus], float]], ...] = (
    ("up", "Whether the guard runs: 0 after it was stopped.", lambda s: not s.stopped),
    ("heartbeat_timestamp_seconds", "When the last round ended, since the epoch.", lambda s: s.at),
    ("start_timestamp_seconds", "When the guard was started, since the epoch.", lambda s: s.started),
    ("interval_seconds", "Seconds between two rounds.", lambda s: s.interval),
    ("armed", "Whether the guard may write; else it only says what it would do.", lambda s: s.armed is not None),
    (
        "armed_until_timestamp_seconds",
        "Until when the guard may write, since the epoch; 0 when it may not.",
        lambda s: 0.0 if s.armed is None else s.armed.until,
    ),
    ("expected_armed", "Whether the configuration expects the guard to be armed.", lambda s: s.expect_armed),
    ("leader", "Whether this one of several guards acts.", lambda s: s.leader),
    ("kill_switch", "Whether the kill switch is pulled, or cannot be looked at.", lambda s: bool(s.killed)),
    (
        "blind_seconds",
        "For how long a rule has had no usable value; 0 when all have one.",
        lambda s: 0.0 if s.blind_since is None else max(0.0, s.at - s.blind_since),
    ),
    (
        "undelivered_notifications",
        "Notifications that wait to be sent, or were given up within the last hour.",
        lambda s: s.undelivered,
    ),
    ("problem", "Whether something keeps the guard from its work; its log says what.", lambda s: bool(s.problem)),
)  # fmt: skip


class StatusMetrics:
    """The metrics of the newest status; nothing before the first. Every series has the label `context`."""

    def __init__(self) -> None:
        self.status: GuardStatus | None = None

    def collect(self) -> Iterator[Metric]:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        status = self.status
        if status is None:
            return
        context = [status.context]
        for name, says, value in _GAUGES:
            gauge = GaugeMetricFamily(PREFIX + name, says, labels=["context"])
            gauge.add_metric(context, float(value(status)))
            yield gauge
        labels = ["context", "system", "rule"]
        phase = GaugeMetricFamily(
            f"{PREFIX}rule_phase", "1 for the phase that a rule is in.", labels=[*labels, "phase"]
        )
        since = GaugeMetricFamily(
            f"{PREFIX}rule_phase_since_timestamp_seconds", "Since when it is, since the epoch.", labels=labels
        )
        values = GaugeMetricFamily(f"{PREFIX}rule_value", "The rule's last value, in its own unit.", labels=labels)
        for rule in status.rules:
            key = [status.context, rule.system, rule.rule]
            for one in RulePhase:
                phase.add_metric([*key, one.value], float(one is rule.phase))
            since.add_metric(key, rule.since)
            if rule.value is not None:
                values.add_metric(key, rule.value)
        yield from (phase, since, values)
        events = CounterMetricFamily(
            f"{PREFIX}events", "What the guard did and said, by kind.", labels=["context", "kind"]
        )
        for kind, number in sorted(status.events.items()):
            events.add_metric([status.context, kind], number)
        yield events


class _Exported:
    """A registry of its own: nothing else of this process is told."""

    def __init__(self) -> None:
        try:
            from prometheus_client import CollectorRegistry
        except ImportError:
            hint = "pip install 'opsconsole[guard]', or leave `listen` and `textfile` out"
            raise UsageError("metrics need the package prometheus-client", hint=hint) from None
        self._metrics = StatusMetrics()
        self._registry: CollectorRegistry = CollectorRegistry(auto_describe=False)
        self._registry.register(self._metrics)


class MetricsServer(_Exported):
    """Answers on a loopback address until `close`. Raises UsageError when prometheus-client is not there, or the
    address cannot be listened on."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__()
        from prometheus_client import start_http_server

        self._server: Any
        self._thread: Thread
        try:
            self._server, self._thread = start_http_server(port, host, self._registry)
        except OSError as error:
            where = f"{host}:{port}"
            hint = "is another guard running here? Give each its own port with `listen:`"
            raise UsageError(
                f"cannot listen on {where}: {safe(error.strerror or str(error))}", hint=hint
            ) from None

    @property
    def port(self) -> int:
        return int(self._server.server_port)

    def beat(self, status: GuardStatus) -> None:
        self._metrics.status = status

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class Textfile(_Exported):
    """A file for node-exporter's textfile collector, replaced at each beat, which raises GuardError."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def beat(self, status: GuardStatus) -> None:
        from prometheus_client import generate_latest

        self._metrics.status = status
        try:
            write_whole(self._path, generate_latest(self._registry), 0o644)
        except GuardError as error:
            raise GuardError(f"the textfile {error.message}", where=error.where, hint=error.hint) from None
