"""AccuBooks as a simulated system: the traffic of the embedded demo, with a fault for each of its alerts."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from opsconsole.demo import accubooks
from opsconsole.demo.accubooks import CACHE_BYTES, INSTANCE, JOB
from opsconsole.demo.release import FLAG, initial_flags
from opsconsole.demo.shapes import DAY
from opsconsole.demo.systems.base import Job, Lag, Metric, Moment, Sample, System

_METRICS = (
    Metric("http_requests_total", "counter", "HTTP requests."),
    Metric("http_error_rate", "gauge", "Share of requests with this status code, in percent."),
    Metric("http_request_duration_ms", "histogram", "Duration of HTTP requests in milliseconds."),
    Metric("db_pool_utilization_percent", "gauge", "Share of the pool's connections in use."),
    Metric("db_active_connections", "gauge", "Database connections in use."),
    Metric("db_max_connections", "gauge", "Database connections that the pool may open."),
    Metric("db_connection_wait_time_ms", "histogram", "Wait for a free connection in milliseconds."),
    Metric("db_query_duration_ms", "histogram", "Duration of database queries in milliseconds."),
    Metric("db_connection_errors_total", "counter", "Failures to get a database connection."),
    Metric("cache_memory_usage_bytes", "gauge", "Memory that the cache uses."),
    Metric("cache_memory_max_bytes", "gauge", "Memory that the cache may use."),
    Metric("cache_hit_rate_percent", "gauge", "Share of look-ups that the cache answers."),
    Metric("cache_eviction_rate_per_sec", "gauge", "Entries thrown out of the cache a second."),
    Metric("cache_operation_duration_ms", "histogram", "Duration of cache operations in milliseconds."),
    Metric("forecast_queue_depth", "gauge", "Forecast jobs that wait."),
    Metric("forecast_worker_utilization_percent", "gauge", "Share of the forecast workers that are busy."),
    Metric("forecast_job_duration_seconds", "histogram", "Duration of forecast jobs in seconds."),
    Metric("forecast_jobs_total", "counter", "Forecast jobs by outcome."),
    Metric("active_users_concurrent", "gauge", "Users with a session."),
    Metric("forecasts_generated_total", "counter", "Forecasts by tier."),
    Metric("tier_limit_hits_total", "counter", "Requests refused by the limit of a tier."),
    Metric("calculation_errors_total", "counter", "Results that failed verification."),
    Metric("tenant_isolation_violations_total", "counter", "Reads across tenants that were stopped."),
    Metric("registered_users", "gauge", "Users by tier."),
    Metric("users_at_tier_limit", "gauge", "Users who have used up what their tier allows."),
    Metric("upgrade_conversions_total", "counter", "Users who moved to a higher tier."),
    Metric("user_logins_total", "counter", "Log-ins."),
    Metric("user_session_duration_seconds", "histogram", "Duration of sessions in seconds."),
    Metric("scenarios_created_total", "counter", "Scenarios that users made."),
    Metric("trust_layer_interactions_total", "counter", "Uses of the trust layer by component."),
    Metric("trust_layer_usage_percent", "gauge", "Share of the users who open a component of the trust layer."),
    Metric("forecast_trust_percent", "gauge", "Share of the forecasts that users say they trust."),
    Metric("support_tickets_total", "counter", "Tickets opened."),
    Metric("nps_score", "gauge", "Net promoter score of the last survey."),
    Metric("process_cpu_seconds_total", "counter", "Total user and system CPU time spent in seconds."),
    Metric("process_resident_memory_bytes", "gauge", "Resident memory size in bytes."),
    Metric("process_start_time_seconds", "gauge", "Start time of the process since unix epoch in seconds."),
    Metric("nodejs_heap_size_used_bytes", "gauge", "Process heap size used from Node.js in bytes."),
    Metric("nodejs_heap_size_total_bytes", "gauge", "Process heap size from Node.js in bytes."),
    Metric("nodejs_eventloop_lag_seconds", "gauge", "Lag of event loop in seconds."),
    Metric("nodejs_eventloop_lag_p99_seconds", "gauge", "The 99th percentile of the event loop's lag."),
    Metric("network_receive_bytes_total", "counter", "Bytes received."),
    Metric("network_transmit_bytes_total", "counter", "Bytes sent."),
)


def _cache_memory(m: Moment, _: float) -> float:
    return CACHE_BYTES * (0.62 * m.wobble("memory", 0.03) + 0.31 * m.fault("memory"))


_CHANGED: dict[str, Callable[[Moment, float], float]] = {
    "cache_memory_usage_bytes": _cache_memory,
    "cache_eviction_rate_per_sec": lambda m, calm: calm + 45.0 * m.fault("memory"),
    "cache_hit_rate_percent": lambda m, calm: calm - 41.0 * m.fault("cache"),
    "forecast_queue_depth": lambda m, calm: calm + float(round(340.0 * m.fault("queue"))),
    "forecast_worker_utilization_percent": lambda m, calm: min(99.5, calm + 32.0 * m.fault("queue")),
    "calculation_errors_total": lambda m, calm: calm + 0.4 * m.fault("integrity"),
    "tenant_isolation_violations_total": lambda m, calm: calm + 0.1 * m.fault("integrity"),
}
"""What the faults that the embedded incident does not have make of a series."""


def samples(m: Moment) -> Iterator[Sample]:
    """Everything that AccuBooks exports at this moment."""
    incident = accubooks.Moment(
        seed=m.seed,
        t=m.t,
        start=(m.t // (30.0 * DAY)) * 30.0 * DAY,
        errors=m.fault("errors"),
        latency=m.fault("latency"),
        pool=m.fault("pool"),
        sway=m.fault("pool"),
    )
    for name, labels, value in accubooks.samples(incident):
        change = _CHANGED.get(name)
        yield JOB, name, tuple(sorted(labels)), change(m, value) if change is not None else value


SYSTEM = System(
    name="accubooks",
    jobs=(Job(name=JOB, instance=INSTANCE),),
    metrics=_METRICS,
    samples=samples,
    faults={
        "errors": Lag(rise=12.0, fall=8.0),
        "latency": Lag(rise=30.0, fall=8.0),
        "pool": Lag(rise=45.0, fall=14.0),
        "queue": Lag(rise=20.0, fall=10.0),
        "memory": Lag(rise=20.0, fall=10.0),
        "cache": Lag(rise=20.0, fall=10.0),
        "integrity": Lag(rise=5.0, fall=2.0),
        "down": Lag(rise=1.0, fall=1.0),
    },
    flags=initial_flags()["flags"],
    release=FLAG,
    release_faults=("errors", "latency", "pool"),
    proves={
        "errors": "HighErrorRate",
        "latency": "HighLatency",
        "pool": "DatabasePoolExhaustion",
        "queue": "QueueDepthHigh",
        "memory": "RedisMemoryWarning",
        "cache": "CacheHitRateLow",
        "integrity": "DataIntegrityIssue",
        "down": "SystemDowntime",
    },
)
