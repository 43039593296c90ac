"""What the simulated accubooks application exports at one time: gauges as levels, counters as rates.

The embedded demo and the application of the real stack draw from this same function, so both live through
the same incident. A rate is per second; `World` adds the rates up into counters.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from opsconsole.demo.shapes import Switches, daily, follow, lognormal_below, lognormal_mean, noise

JOB = "accubooks"
INSTANCE = "accubooks-1:3000"
POOL_SIZE = 200.0
CACHE_BYTES = 2.0 * 1024**3

HTTP_BUCKETS = (10.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0, 5000.0)
WAIT_BUCKETS = (1.0, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0)
QUERY_BUCKETS = (10.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0)
CACHE_BUCKETS = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0)
JOB_BUCKETS = (1.0, 2.0, 5.0, 8.0, 10.0, 15.0, 20.0, 30.0, 60.0)
SESSION_BUCKETS = (60.0, 300.0, 600.0, 1200.0, 1800.0, 3600.0, 7200.0)

Labels = tuple[tuple[str, str], ...]
Sample = tuple[str, Labels, float]
"""Metric name, labels in name order, value (a rate per second for a counter)."""

_ROUTES = (
    ("POST", "/api/forecast", 0.36, 105.0),
    ("GET", "/api/accounts", 0.27, 62.0),
    ("GET", "/api/invoices", 0.20, 75.0),
    ("GET", "/api/reports", 0.11, 120.0),
    ("POST", "/api/login", 0.06, 85.0),
)
"""Method, route, share of the traffic, median latency in ms."""

_QUERIES = (("select", 0.7, 9.0), ("insert", 0.15, 14.0), ("update", 0.1, 16.0), ("aggregate", 0.05, 60.0))
_TIERS = (("free", 0.5), ("starter", 0.3), ("pro", 0.2))
_TRUST = (("assumptions", 68.0), ("confidence", 74.0), ("explainer", 81.0))
"""Component of the trust layer, percent of the users who open it."""


class Moment(msgspec.Struct, frozen=True):
    """One time of the scenario: how far errors, latency, the pool and the rest have followed the flag
    (0 calm, 1 the worst)."""

    seed: int
    t: float
    start: float
    errors: float = 0.0
    latency: float = 0.0
    pool: float = 0.0
    sway: float = 0.0

    def wobble(self, name: str, amount: float) -> float:
        """A factor around 1, at most `amount` away from it."""
        return 1.0 + amount * noise(self.seed, name, self.t)


def moment(seed: int, t: float, start: float, switches: Switches, pace: float = 1.0) -> Moment:
    """The scenario at wall time `t`. `pace` shortens every delay of the incident by that factor."""
    return Moment(
        seed=seed,
        t=t,
        start=start,
        errors=follow(switches, t, 12.0 / pace, 8.0 / pace),
        latency=follow(switches, t, 30.0 / pace, 8.0 / pace),
        pool=follow(switches, t, 45.0 / pace, 14.0 / pace),
        sway=follow(switches, t, 60.0 / pace, 15.0 / pace),
    )


def is_counter(name: str) -> bool:
    """Whether a metric of the demo only ever grows."""
    return name.endswith(("_total", "_bucket", "_sum", "_count"))


def samples(m: Moment) -> Iterator[Sample]:
    """Everything the application exports at this moment, always in the same order."""
    yield from _http(m)
    yield from _database(m)
    yield from _cache(m)
    yield from _queue(m)
    yield from _business(m)
    yield from _resources(m)


def _labels(**labels: str) -> Labels:
    return tuple(sorted(labels.items()))


class _Spread(msgspec.Struct, frozen=True):
    """A distribution in buckets: the share at or below each bound, and the mean."""

    shares: tuple[tuple[str, float], ...]
    mean: float


def _spread(bounds: tuple[float, ...], *mixture: tuple[float, float, float]) -> _Spread:
    """The distribution of a mixture of log-normals (weight, median, sigma)."""
    used = [part for part in mixture if part[0] > 0]
    shares = tuple(
        (f"{bound:g}", sum(w * lognormal_below(bound, median, sigma) for w, median, sigma in used))
        for bound in bounds
    )
    return _Spread((*shares, ("+Inf", 1.0)), sum(w * lognormal_mean(md, sg) for w, md, sg in used))


def _histogram(name: str, rate: float, spread: _Spread, labels: Labels = ()) -> Iterator[Sample]:
    """A histogram of `rate` observations a second."""
    for le, share in spread.shares:
        yield f"{name}_bucket", (*labels, ("le", le)), rate * share
    yield f"{name}_sum", labels, rate * spread.mean
    yield f"{name}_count", labels, rate


def request_rate(m: Moment) -> float:
    """Requests a second over all routes."""
    return 228.0 * (1.0 + 0.12 * daily(m.t)) * m.wobble("traffic", 0.05)


def _http(m: Moment) -> Iterator[Sample]:
    total = request_rate(m)
    failed = {"400": 0.0, "401": 0.0, "404": 0.0, "500": 0.0}
    for method, route, share, median in _ROUTES:
        hit = route == "/api/forecast"
        rate = total * share * m.wobble(route, 0.04)
        failing = 0.0004 * m.wobble(f"errors{route}", 0.6) + (0.132 * m.errors if hit else 0.0)
        slow = 0.205 * m.latency if hit else 0.0
        usual = median * m.wobble(f"latency{route}", 0.08) * (1.0 + (0.15 * m.latency if hit else 0.0))
        spread = _spread(HTTP_BUCKETS, (1.0 - slow, usual, 0.55), (slow, 1500.0, 0.42))
        refused = {"/api/login": ("401", 0.02), "/api/accounts": ("404", 0.003)}.get(route, ("400", 0.001))
        for code, part in (("200", 1.0 - failing - refused[1]), refused, ("500", failing)):
            labels = _labels(method=method, route=route, status_code=code)
            yield "http_requests_total", labels, rate * part
            yield from _histogram("http_request_duration_ms", rate * part, spread, labels)
            if code in failed:
                failed[code] += rate * part
    for code, rate in failed.items():
        yield "http_error_rate", _labels(status_code=code), 100.0 * rate / total


def pool_percent(m: Moment) -> float:
    """Database connection pool utilisation in percent."""
    calm = 23.0 + 3.0 * daily(m.t) + 1.5 * noise(m.seed, "pool", m.t)
    return min(calm + 78.0 * m.pool, 91.0 + 0.4 * noise(m.seed, "pool-full", m.t))


def _database(m: Moment) -> Iterator[Sample]:
    percent = pool_percent(m)
    pool = _labels(pool="primary")
    yield "db_pool_utilization_percent", pool, percent
    yield "db_active_connections", pool, float(round(percent * POOL_SIZE / 100.0))
    yield "db_max_connections", pool, POOL_SIZE
    rate = request_rate(m) * 1.8
    waiting = 2.2 * m.wobble("wait", 0.15)
    slow = 0.105 * m.pool
    waits = _spread(WAIT_BUCKETS, (1.0 - slow, waiting, 0.5), (slow, 60.0, 0.35))
    yield from _histogram("db_connection_wait_time_ms", rate, waits, pool)
    for kind, share, median in _QUERIES:
        slower = 1.0 + (1.6 * m.latency if kind == "aggregate" else 0.25 * m.latency)
        spread = _spread(QUERY_BUCKETS, (1.0, median * slower * m.wobble(f"query-{kind}", 0.1), 0.6))
        yield from _histogram("db_query_duration_ms", rate * share, spread, _labels(query_type=kind))
    yield "db_connection_errors_total", pool, 0.02 * m.pool


def cache_percent(m: Moment) -> float:
    """Cache memory in percent of its limit: it grows slowly and passed 85 % 31 minutes before the start."""
    since = m.t - (m.start - 31.0 * 60.0)
    return max(60.0, min(89.0, 85.0 + since / 3600.0 * 2.4)) + 0.02 * noise(m.seed, "memory", m.t)


def _cache(m: Moment) -> Iterator[Sample]:
    yield "cache_memory_usage_bytes", (), CACHE_BYTES * cache_percent(m) / 100.0
    yield "cache_memory_max_bytes", (), CACHE_BYTES
    yield "cache_hit_rate_percent", (), 93.5 + noise(m.seed, "hits", m.t) - 2.5 * m.sway
    yield "cache_eviction_rate_per_sec", (), 0.7 * m.wobble("evictions", 0.4) + 0.5 * m.sway
    spread = _spread(CACHE_BUCKETS, (1.0, 1.3 * m.wobble("cache", 0.1) * (1.0 + 0.2 * m.sway), 0.55))
    yield from _histogram("cache_operation_duration_ms", request_rate(m) * 3.0, spread)


def _queue(m: Moment) -> Iterator[Sample]:
    depth = 24.0 + 8.0 * daily(m.t) + 5.0 * noise(m.seed, "queue", m.t, 90.0) + 12.0 * m.sway
    yield "forecast_queue_depth", (), float(max(0, round(depth)))
    workers = 64.0 + 5.0 * daily(m.t) + 4.0 * noise(m.seed, "workers", m.t, 90.0) + 7.0 * m.sway
    yield "forecast_worker_utilization_percent", (), min(100.0, workers)
    rate = 0.9 * m.wobble("jobs", 0.15)
    spread = _spread(JOB_BUCKETS, (1.0, 3.4 * m.wobble("job", 0.1) * (1.0 + 0.15 * m.sway), 0.5))
    yield from _histogram("forecast_job_duration_seconds", rate, spread)
    failing = 0.003 + 0.004 * m.errors
    yield "forecast_jobs_total", _labels(status="completed"), rate * (1.0 - failing)
    yield "forecast_jobs_total", _labels(status="failed"), rate * failing


def _business(m: Moment) -> Iterator[Sample]:
    users = 310.0 * (1.0 + 0.4 * daily(m.t)) * m.wobble("users", 0.05)
    yield "active_users_concurrent", (), float(round(users * (1.0 - 0.1 * m.sway)))
    for tier, share in _TIERS:
        rate = 70.0 / 3600.0 * share * m.wobble(f"forecasts-{tier}", 0.2)
        yield "forecasts_generated_total", _labels(tier=tier), rate * (1.0 - 0.3 * m.errors)
    for tier, share in _TIERS[:2]:
        yield "tier_limit_hits_total", _labels(limit_type="forecasts", tier=tier), share * 0.004
    yield "tier_limit_hits_total", _labels(limit_type="exports", tier="pro"), 0.0001
    yield "calculation_errors_total", (), 0.0
    yield "tenant_isolation_violations_total", (), 0.0
    yield from _tiers(m)
    yield from _usage(m, users)


def _tiers(m: Moment) -> Iterator[Sample]:
    """Who has which plan, who is at its limit, who moves up."""
    since = (m.t - m.start) / 86_400.0
    for tier, registered, limited, growth in (("free", 4200, 9, 14), ("pro", 260, 1, 1), ("starter", 900, 6, 4)):
        yield "registered_users", _labels(tier=tier), float(round(registered + growth * since))
        share = limited / 100.0 * m.wobble(f"limited-{tier}", 0.2)
        yield "users_at_tier_limit", _labels(tier=tier), float(round(registered * share))
    yield "upgrade_conversions_total", _labels(from_tier="free", to_tier="starter"), 4.0 / 86_400.0
    yield "upgrade_conversions_total", _labels(from_tier="starter", to_tier="pro"), 1.5 / 86_400.0


def _usage(m: Moment, users: float) -> Iterator[Sample]:
    """What `users` users do, and what they say about it."""
    logins = users / 2400.0
    yield "user_logins_total", (), logins
    spread = _spread(SESSION_BUCKETS, (1.0, 840.0 * m.wobble("session", 0.1) * (1.0 - 0.2 * m.sway), 0.8))
    yield from _histogram("user_session_duration_seconds", logins, spread)
    yield "scenarios_created_total", (), users / 90_000.0 * m.wobble("scenarios", 0.2)
    for component, percent in _TRUST:
        yield "trust_layer_interactions_total", _labels(component=component), users * percent / 240_000.0
        share = percent * m.wobble(f"trust-{component}", 0.03)
        yield "trust_layer_usage_percent", _labels(component=component), share
    yield "forecast_trust_percent", (), 72.0 * m.wobble("trust", 0.02) - 4.0 * m.sway
    yield "support_tickets_total", (), (3.0 + 9.0 * m.errors) / 86_400.0
    yield "nps_score", (), float(round(41.0 + 2.0 * noise(m.seed, "nps", m.t, 3600.0)))


def _resources(m: Moment) -> Iterator[Sample]:
    cpu = 0.55 * (1.0 + 0.2 * daily(m.t)) * m.wobble("cpu", 0.08) + 0.2 * m.latency
    yield "process_cpu_seconds_total", (), cpu
    resident = (410.0 + 12.0 * noise(m.seed, "rss", m.t, 300.0) + 130.0 * m.sway) * 1024**2
    yield "process_resident_memory_bytes", (), resident
    yield "process_start_time_seconds", (), m.start - 3.0 * 86_400.0
    yield "nodejs_heap_size_used_bytes", (), resident * 0.62
    yield "nodejs_heap_size_total_bytes", (), resident * 0.78
    yield "nodejs_eventloop_lag_seconds", (), 0.004 * m.wobble("lag", 0.3) + 0.03 * m.latency
    yield "nodejs_eventloop_lag_p99_seconds", (), 0.011 * m.wobble("lag", 0.3) + 0.09 * m.latency
    traffic = request_rate(m)
    for name, size in (("receive", 2_100.0), ("transmit", 9_400.0)):
        yield f"network_{name}_bytes_total", (), traffic * size
