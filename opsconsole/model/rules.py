"""Alerting rules, pending alerts, targets and build information as Prometheus gives them."""

from __future__ import annotations

from datetime import datetime

import msgspec

from opsconsole.model.alerts import EPOCH
from opsconsole.text import SafeText, trusted


class RuleAlert(msgspec.Struct, frozen=True, gc=False, rename="camel", kw_only=True):
    """An alert as Prometheus holds it: `state` is pending or firing. Labels are raw, without the external
    labels that Alertmanager sees."""

    labels: dict[str, str]
    annotations: dict[str, SafeText] = {}
    state: str = ""
    active_at: datetime = EPOCH
    value: str = ""


class Rule(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """One alerting rule. `duration` and `keep_firing_for` are seconds; `health` is ok, err or unknown."""

    name: SafeText
    query: SafeText = trusted("")
    duration: float = 0.0
    keep_firing_for: float = 0.0
    labels: dict[str, SafeText] = {}
    annotations: dict[str, SafeText] = {}
    alerts: tuple[RuleAlert, ...] = ()
    health: SafeText = trusted("unknown")
    last_error: SafeText = trusted("")
    last_evaluation: datetime = EPOCH
    evaluation_time: float = 0.0
    state: str = ""
    type: str = "alerting"


class RuleGroup(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """A group of rules; `interval` is seconds."""

    name: SafeText
    file: SafeText = trusted("")
    interval: float = 0.0
    rules: tuple[Rule, ...] = ()
    last_evaluation: datetime = EPOCH


class Target(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """A scrape target. `health` is up, down or unknown; interval and duration are seconds."""

    labels: dict[str, str] = {}
    scrape_pool: SafeText = trusted("")
    scrape_url: SafeText = trusted("")
    health: str = "unknown"
    last_error: SafeText = trusted("")
    last_scrape: datetime = EPOCH
    last_scrape_duration: float = 0.0
    scrape_interval: SafeText = trusted("")

    @property
    def job(self) -> str:
        return self.labels.get("job", "")

    @property
    def instance(self) -> str:
        return self.labels.get("instance", "")


class BuildInfo(msgspec.Struct, frozen=True, kw_only=True):
    """Who answered. The version is "" for servers that do not say (VictoriaMetrics).

    `skew` is the seconds that its clock is ahead of ours (resolution 1 s), `expires` when its certificate ends,
    seconds since the epoch; both None when not known.
    """

    version: SafeText = trusted("")
    skew: float | None = None
    expires: float | None = None


class MemberStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One Alertmanager member: `cluster_status` is ready, settling or disabled; `peers` their number.

    `took` are the seconds of its answer, `expires` is when its certificate ends, seconds since the epoch (None
    without TLS)."""

    url: str
    version: SafeText = trusted("")
    cluster_status: SafeText = trusted("")
    peers: int = 0
    uptime_since: datetime = EPOCH
    config: SafeText = trusted("")
    took: float = 0.0
    expires: float | None = None
