"""What only the checks ask of a Prometheus."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from opsconsole.model.uses import Metric
from opsconsole.text import SafeText, trusted

HOUR = 3600.0
WAL = (
    "prometheus_tsdb_wal_corruptions_total",
    "prometheus_tsdb_wal_writes_failed_total",
    "prometheus_tsdb_wal_truncations_failed_total",
    "prometheus_tsdb_head_truncations_failed_total",
    "prometheus_tsdb_compactions_failed_total",
)
RULE_FAILURES = "prometheus_rule_evaluation_failures_total"
DROPPED = "prometheus_notifications_dropped_total"
QUEUED = "prometheus_notifications_queue_length"
QUEUE = "prometheus_notifications_queue_capacity"
RELOADED = "prometheus_config_last_reload_successful"
COUNTERS = (*WAL, RULE_FAILURES, DROPPED)
OWN = (*COUNTERS, QUEUED, QUEUE, RELOADED)
"""The metrics of Prometheus itself that say how it is."""


class Lately(msgspec.Struct, frozen=True):
    """How much a counter has grown: in the last hour, or since the start when that is all that is known."""

    count: float
    since_start: bool


class ServerFacts(msgspec.Struct, frozen=True, kw_only=True):
    """How Prometheus itself is. `started` is when it started (seconds since the epoch, 0 when not known),
    `retention` how long it keeps what it has in its own words, `reloaded` whether the last reload of its
    configuration went well. `own` are its own metrics by name, `before` the counters among them an hour ago;
    empty when nothing scrapes it."""

    at: float
    started: float = 0.0
    retention: SafeText = trusted("")
    reloaded: bool | None = None
    own: Mapping[str, float] = {}
    before: Mapping[str, float] = {}

    def lately(self, name: str) -> Lately | None:
        """How much a counter grew in the last hour; None when it is not known."""
        now = self.own.get(name)
        if now is None or now != now:
            return None
        if self.started and self.at - self.started <= HOUR:
            return Lately(now, since_start=False)
        then = self.before.get(name)
        if then is None:
            return Lately(now, since_start=now > 0)
        return Lately(now - then if now >= then else now, since_start=False)


class Extreme(msgspec.Struct, frozen=True):
    """The worst instance of a job, raw, and its value."""

    instance: str
    value: float


class ScrapeFacts(msgspec.Struct, frozen=True, kw_only=True):
    """By job: the instance of the fewest samples in its last scrape, and the one that went up or down most often
    within `window` seconds. `latency` is the seconds that asking for it took."""

    samples: Mapping[str, Extreme]
    changes: Mapping[str, Extreme]
    latency: float
    window: float = HOUR


class MetricFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Of the metrics that playbooks use: those with a sample within `window` seconds; those whose last sample is
    older, with its time; those that had one within the last hour only; and the labels that no series of a metric
    has."""

    fresh: frozenset[Metric]
    stale: Mapping[Metric, float] = {}
    gone: frozenset[Metric] = frozenset()
    lacking: frozenset[tuple[Metric, str]] = frozenset()
    window: float


class Contents(msgspec.Struct, frozen=True, kw_only=True):
    """Whether panels have data, by their keys `system/id`, and why that cannot be told of some."""

    filled: Mapping[str, bool]
    failed: Mapping[str, SafeText] = {}
