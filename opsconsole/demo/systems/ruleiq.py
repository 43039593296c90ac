"""The simulated ruleIQ: a compliance service of five endpoints, and the machine that it runs on."""

from __future__ import annotations

from collections.abc import Iterator

from opsconsole.demo.systems.base import Job, Lag, Metric, Moment, Sample, System
from opsconsole.demo.systems.machines import NODE, node
from opsconsole.demo.systems.parts import PROCESS, histogram, labels, process, spread

JOB = "ruleiq"
MACHINE = "node"
RELEASE = "new_assessment_engine"
HIT = "/api/v1/assessments"
LOGIN = "/api/v1/auth/login"
POOL_MAX = 50.0
MIB = 1024.0**2

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
"""prometheus-client's default bounds, in seconds."""

METRICS = (
    Metric("ruleiq_requests_total", "counter", "Total requests"),
    Metric("ruleiq_request_duration_seconds", "histogram", "Request duration"),
    Metric("ruleiq_active_users", "gauge", "Active users"),
    Metric("ruleiq_db_pool_size", "gauge", "DB connections"),
    Metric("ruleiq_auth_failures", "counter", "Auth failures"),
    Metric("ruleiq_ff_evaluations", "counter", "FF evals"),
    Metric("ruleiq_security_events", "counter", "Security events"),
    *PROCESS,
)

_ENDPOINTS = (
    ("POST", HIT, 0.38, 0.19),
    ("GET", "/api/v1/policies", 0.26, 0.045),
    ("GET", "/api/v1/evidence", 0.18, 0.08),
    ("GET", "/api/v1/frameworks", 0.12, 0.03),
)
"""Method, endpoint, share of the traffic, median seconds."""

_FAILURES = (("bad_password", 0.12, 19.0), ("unknown_user", 0.03, 6.5), ("expired_token", 0.05, 0.0))
"""Reason, failures a second on a calm day, and how many more during an attack."""

_EVENTS = (
    ("rate_limited", 0.004, 4.0),
    ("account_locked", 0.002, 0.6),
    ("token_reuse", 0.0006, 0.02),
    ("permission_denied", 0.012, 0.0),
)
"""Type, events a second on a calm day, and how many more during an attack."""

_FLAGS = (
    ("evidence_autosave", 0.25, 0.18),
    ("mfa_enforcement", 1.0, 0.04),
    ("strict_login_limit", 0.0, 0.04),
    ("maintenance_mode", 0.0, 1.0),
)
"""Flag, share of users that it is on for, evaluations for each request. Without the released one."""


def request_rate(m: Moment) -> float:
    """Requests a second, logins left out."""
    return 64.0 * m.daily(0.25) * m.wobble("traffic", 0.06)


def failures(m: Moment) -> Iterator[tuple[str, float]]:
    """Failed authentications a second by reason."""
    for reason, calm, attack in _FAILURES:
        yield reason, calm * m.wobble(f"auth-{reason}", 0.4) + attack * m.fault("auth")


def samples(m: Moment) -> Iterator[Sample]:
    """Everything that the service and its machine export at this moment, always in the same order."""
    yield from _http(m)
    yield from _users_and_pool(m)
    yield from _security(m)
    yield from _flags(m)
    yield from _machine(m)


def _http(m: Moment) -> Iterator[Sample]:
    total = request_rate(m)
    for method, endpoint, share, median in _ENDPOINTS:
        hit = endpoint == HIT
        failing = 0.0005 * m.wobble(f"errors{endpoint}", 0.6) + (0.34 * m.fault("errors") if hit else 0.0)
        refused = 0.004 * m.wobble(f"refused{endpoint}", 0.3)
        slow = 0.36 * m.fault("latency") if hit else 0.0
        codes = (("200", 1.0 - failing - refused), ("404", refused), ("500", failing))
        rate = total * share * m.wobble(endpoint, 0.04)
        yield from _endpoint(m, method, endpoint, rate, codes, median, slow)
    refused_logins = sum(rate for _, rate in failures(m))
    good = 0.9 * m.daily(0.3) * m.wobble("logins", 0.1)
    rate = good + refused_logins
    codes = (("200", good / rate), ("401", refused_logins / rate), ("500", 0.0))
    yield from _endpoint(m, "POST", LOGIN, rate, codes, 0.16, 0.0)


def _endpoint(
    m: Moment,
    method: str,
    endpoint: str,
    rate: float,
    codes: tuple[tuple[str, float], ...],
    median: float,
    slow: float,
) -> Iterator[Sample]:
    """Requests by status, of which the share `slow` takes seconds."""
    for status, part in codes:
        yield JOB, "ruleiq_requests_total", labels(method=method, endpoint=endpoint, status=status), rate * part
    usual = median * m.wobble(f"latency{endpoint}", 0.08)
    times = spread(BUCKETS, (1.0 - slow, usual, 0.55), (slow, 4.4, 0.3))
    yield from histogram(
        JOB, "ruleiq_request_duration_seconds", rate, times, labels(method=method, endpoint=endpoint)
    )


def _users_and_pool(m: Moment) -> Iterator[Sample]:
    users = 230.0 * m.daily(0.35) * m.wobble("users", 0.05) * (1.0 - 0.15 * m.fault("errors"))
    yield JOB, "ruleiq_active_users", (), float(round(users))
    calm = 13.0 * m.daily(0.15) * m.wobble("pool", 0.15)
    in_use = float(round(min(POOL_MAX - 1.0, calm + 4.0 * m.fault("latency") + 40.0 * m.fault("pool"))))
    for pool, size in (("in_use", in_use), ("idle", max(0.0, 20.0 - in_use)), ("max", POOL_MAX)):
        yield JOB, "ruleiq_db_pool_size", labels(pool=pool), size


def _security(m: Moment) -> Iterator[Sample]:
    for reason, rate in failures(m):
        yield JOB, "ruleiq_auth_failures_total", labels(reason=reason), rate
    for kind, calm, attack in _EVENTS:
        rate = calm * m.wobble(f"event-{kind}", 0.4) + attack * m.fault("auth")
        yield JOB, "ruleiq_security_events_total", labels(type=kind), rate


def _flags(m: Moment) -> Iterator[Sample]:
    total = request_rate(m)
    released = (RELEASE, m.fault("rollout"), 0.38)
    for flag, share, often in (released, *_FLAGS):
        rate = total * often
        for result, part in (("true", share), ("false", 1.0 - share)):
            yield JOB, "ruleiq_ff_evaluations_total", labels(flag_name=flag, result=result), rate * part


def _machine(m: Moment) -> Iterator[Sample]:
    busy = 0.24 * m.daily(0.2) * m.wobble("cpu", 0.1) + 0.12 * m.fault("auth") + 0.66 * m.fault("cpu")
    resident = (380.0 * m.wobble("rss", 0.03) + 1900.0 * m.fault("memory")) * MIB
    yield from process(JOB, m, cpu=min(3.6, 2.6 * busy), memory=resident, files=60.0 + 40.0 * m.fault("pool"))
    memory = min(0.97, 0.46 * m.wobble("memory", 0.04) + 0.42 * m.fault("memory"))
    yield from node(MACHINE, m, cpu=busy, memory=memory, disk=0.41 + 0.54 * m.fault("disk"))


def _flag(default: str, owner: str, targeting: dict[str, object] | None = None) -> dict[str, object]:
    return {
        "state": "ENABLED",
        "variants": {"on": True, "off": False},
        "defaultVariant": default,
        "targeting": targeting or {},
        "metadata": {"owner": owner},
    }


SYSTEM = System(
    name=JOB,
    jobs=(
        Job(name=JOB, instance="ruleiq:8000"),
        Job(name=MACHINE, instance="node-exporter:9100", down="node_down"),
    ),
    metrics=(*METRICS, *NODE),
    samples=samples,
    faults={
        "errors": Lag(rise=10.0),
        "latency": Lag(rise=12.0),
        "auth": Lag(rise=4.0, fall=4.0),
        "pool": Lag(rise=15.0, fall=10.0),
        "memory": Lag(rise=20.0),
        "cpu": Lag(rise=6.0),
        "disk": Lag(rise=6.0),
        "rollout": Lag(rise=0.1, fall=0.1),
        "down": Lag(),
        "node_down": Lag(),
    },
    flags={
        RELEASE: _flag("off", "assessments-team"),
        "evidence_autosave": _flag(
            "off", "evidence-team", {"fractional": [{"var": "targetingKey"}, ["on", 25], ["off", 75]]}
        ),
        "mfa_enforcement": _flag("on", "security-team"),
        "strict_login_limit": _flag("off", "security-team"),
        "maintenance_mode": _flag("off", "devops-on-call"),
    },
    release=RELEASE,
    release_faults=("rollout", "errors", "latency"),
    proves={
        "errors": "HighErrorRate",
        "latency": "HighLatency",
        "auth": "AuthenticationAttack",
        "pool": "DatabasePoolPressure",
    },
)
