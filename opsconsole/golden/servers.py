"""Rules about Prometheus, Alertmanager and the runtimes of processes."""

from __future__ import annotations

from opsconsole.golden.signals import MANY_FAIL, NEARLY_FULL, Signal, above, below
from opsconsole.golden.table import PanelRule, Product
from opsconsole.model.playbook import PanelKind
from opsconsole.model.verdicts import Level

T, E, L, S = Signal.TRAFFIC, Signal.ERRORS, Signal.LATENCY, Signal.SATURATION

PROMETHEUS = Product(
    id="prometheus",
    title="Prometheus",
    rank=40,
    witnesses=("prometheus_tsdb_head_series",),
    prefixes=("prometheus_",),
    runtime=True,
    panels=(
        PanelRule(
            id="samples",
            title="Samples appended",
            signal=T,
            weight=96,
            unit="rps",
            queries=(("samples", "sum(rate(prometheus_tsdb_head_samples_appended_total{job}[5m]))"),),
        ),
        PanelRule(
            id="http_requests",
            title="HTTP requests",
            signal=T,
            weight=90,
            unit="rps",
            queries=(("requests", "sum(rate(prometheus_http_requests_total{job}[5m]))"),),
        ),
        PanelRule(
            id="http_errors",
            title="HTTP error ratio",
            signal=E,
            weight=88,
            unit="ratio",
            queries=(
                (
                    "5xx",
                    '(sum(rate(prometheus_http_requests_total{job,code=~"5.."}[5m]))'
                    " or 0 * sum(rate(prometheus_http_requests_total{job}[5m])))"
                    " / (sum(rate(prometheus_http_requests_total{job}[5m])) > 0)",
                ),
            ),
            thresholds=MANY_FAIL,
        ),
        PanelRule(
            id="rule_failures",
            title="Rule evaluation failures",
            signal=E,
            weight=93,
            unit="per_minute",
            queries=(("failures", "60 * sum(rate(prometheus_rule_evaluation_failures_total{job}[5m]))"),),
            thresholds=above(Level.WARNING, 0),
        ),
        PanelRule(
            id="notifications_dropped",
            title="Notifications dropped",
            signal=E,
            weight=92,
            unit="per_minute",
            queries=(("dropped", "60 * sum(rate(prometheus_notifications_dropped_total{job}[5m]))"),),
            thresholds=above(Level.WARNING, 0),
        ),
        PanelRule(
            id="config_reload",
            title="Configuration loaded",
            signal=E,
            weight=50,
            unit="count",
            kind=PanelKind.NUMBER,
            queries=(("loaded", "min(prometheus_config_last_reload_successful{job})"),),
            thresholds=below(Level.WARNING, 1),
        ),
        PanelRule(
            id="http_latency",
            title="HTTP latency",
            signal=L,
            weight=89,
            unit="s",
            timing="prometheus_http_request_duration_seconds",
        ),
        PanelRule(
            id="rule_latency",
            title="Rule evaluation time",
            signal=L,
            weight=48,
            unit="s",
            timing="prometheus_rule_evaluation_duration_seconds",
        ),
        PanelRule(
            id="head_series",
            title="Series in memory",
            signal=S,
            weight=94,
            unit="count",
            queries=(("series", "sum(prometheus_tsdb_head_series{job})"),),
        ),
        PanelRule(
            id="notification_queue",
            title="Notification queue",
            signal=S,
            weight=52,
            unit="ratio",
            maximum=1.0,
            queries=(
                (
                    "used",
                    "max(prometheus_notifications_queue_length{job}"
                    " / (prometheus_notifications_queue_capacity{job} > 0))",
                ),
            ),
        ),
    ),
)

ALERTMANAGER = Product(
    id="alertmanager",
    title="Alertmanager",
    rank=41,
    witnesses=("alertmanager_alerts", "alertmanager_build_info"),
    prefixes=("alertmanager_",),
    runtime=True,
    panels=(
        PanelRule(
            id="notifications",
            title="Notifications sent",
            signal=T,
            weight=96,
            unit="per_minute",
            queries=(("sent", "60 * sum(rate(alertmanager_notifications_total{job}[5m]))"),),
        ),
        PanelRule(
            id="alerts_received",
            title="Alerts received",
            signal=T,
            weight=90,
            unit="per_minute",
            queries=(("received", "60 * sum(rate(alertmanager_alerts_received_total{job}[5m]))"),),
        ),
        # Not a ratio: with nothing to send there would be no value, and one failure must show.
        PanelRule(
            id="notification_failures",
            title="Notifications failed",
            signal=E,
            weight=94,
            unit="per_minute",
            queries=(("failed", "60 * sum(rate(alertmanager_notifications_failed_total{job}[5m]))"),),
            thresholds=above(Level.WARNING, 0),
        ),
        PanelRule(
            id="failed_peers",
            title="Cluster peers lost",
            signal=E,
            weight=86,
            unit="count",
            kind=PanelKind.NUMBER,
            queries=(("lost", "max(alertmanager_cluster_failed_peers{job})"),),
            thresholds=above(Level.WARNING, 0),
        ),
        PanelRule(
            id="config_reload",
            title="Configuration loaded",
            signal=E,
            weight=50,
            unit="count",
            kind=PanelKind.NUMBER,
            queries=(("loaded", "min(alertmanager_config_last_reload_successful{job})"),),
            thresholds=below(Level.WARNING, 1),
        ),
        PanelRule(
            id="http_latency",
            title="HTTP latency",
            signal=L,
            weight=84,
            unit="s",
            timing="alertmanager_http_request_duration_seconds",
        ),
        PanelRule(
            id="notification_latency",
            title="Notification latency",
            signal=L,
            weight=80,
            unit="s",
            timing="alertmanager_notification_latency_seconds",
        ),
        PanelRule(
            id="alerts",
            title="Alerts",
            signal=S,
            weight=92,
            unit="count",
            queries=(("{{state}}", "sum by (state) (alertmanager_alerts{job})"),),
        ),
        PanelRule(
            id="members",
            title="Cluster members",
            signal=S,
            weight=82,
            unit="count",
            kind=PanelKind.NUMBER,
            queries=(("members", "min(alertmanager_cluster_members{job})"),),
        ),
    ),
)

RUNTIME = (
    PanelRule(
        id="cpu",
        title="CPU of one core",
        signal=S,
        weight=64,
        unit="ratio",
        queries=(("busiest", "max(rate(process_cpu_seconds_total{job}[5m]))"),),
    ),
    PanelRule(
        id="memory",
        title="Memory",
        signal=S,
        weight=63,
        unit="bytes",
        queries=(("resident", "max(process_resident_memory_bytes{job})"),),
    ),
    PanelRule(
        id="open_files",
        title="Open files of the limit",
        signal=S,
        weight=45,
        unit="ratio",
        maximum=1.0,
        queries=(("open", "max(process_open_fds{job} / (process_max_fds{job} > 0))"),),
        thresholds=NEARLY_FULL,
    ),
    PanelRule(
        id="goroutines",
        title="Goroutines",
        signal=S,
        weight=43,
        unit="count",
        queries=(("most", "max(go_goroutines{job})"),),
    ),
    PanelRule(
        id="heap",
        title="Go heap",
        signal=S,
        weight=41,
        unit="bytes",
        queries=(("in use", "max(go_memstats_heap_inuse_bytes{job})"),),
    ),
    PanelRule(
        id="allocations",
        title="Go allocations",
        signal=S,
        weight=25,
        unit="bytes_per_second",
        queries=(("allocated", "sum(rate(go_memstats_alloc_bytes_total{job}[5m]))"),),
    ),
    PanelRule(
        id="gc_pause",
        title="Go GC pause",
        signal=L,
        weight=24,
        unit="s",
        timing="go_gc_duration_seconds",
    ),
)
"""What prometheus-client and Go say of any process. The value is that of the instance with the most."""

RUNTIME_PREFIXES = ("process_", "go_", "python_", "promhttp_", "net_conntrack_", "scrape_", "jvm_", "nodejs_")
"""Metrics with these names tell of the process and never of what it does for others."""
