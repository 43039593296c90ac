"""What the simulated Todo application counts by itself: tasks, users, database, rate limiter, frontend."""

from __future__ import annotations

from collections.abc import Iterator

from opsconsole.demo.systems.base import Metric, Moment, Sample
from opsconsole.demo.systems.parts import histogram, labels, spread

JOB = "todo-app"
POOL_SIZE = 20.0

TASK_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
WAIT_BUCKETS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0)
QUERY_BUCKETS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
PAGE_BUCKETS = (0.25, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 6.0, 10.0)
RENDER_BUCKETS = (0.016, 0.05, 0.1, 0.2, 0.3, 0.5, 0.8, 1.0, 2.0)
CALL_BUCKETS = (0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0, 5.0, 10.0)
SHIFT_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1.0)
SESSION_BUCKETS = (30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 1800.0, 3600.0)

_OPERATIONS = (
    ("list", 0.44, 0.031),
    ("create", 0.09, 0.044),
    ("update", 0.08, 0.041),
    ("complete", 0.07, 0.036),
    ("delete", 0.03, 0.033),
)
"""Operation on tasks, its share of the requests, median seconds."""

_QUERIES = (("select", 1.3, 0.0042), ("insert", 0.1, 0.0066), ("update", 0.16, 0.0071), ("delete", 0.03, 0.0058))
"""SQL operation, how many for each request, median seconds."""

_FEATURES = (("search", 0.35), ("filter", 0.3), ("due_dates", 0.16), ("tags", 0.12), ("sharing", 0.05))
_LIMITS = (("per_ip", 1.0, 0.001), ("per_user", 0.85, 0.0004), ("login", 0.03, 0.012))
"""Limit, its share of the requests, share of rejections in calm times."""

_PAGES = (("/", 0.5, 1.15), ("/tasks", 0.4, 1.35), ("/login", 0.1, 0.8))
_INTERACTIONS = (("click", 4.2), ("keyboard", 1.9), ("drag", 0.35))

APP_METRICS = (
    Metric("todo_tasks_created_total", "counter", "Tasks created."),
    Metric("todo_tasks_completed_total", "counter", "Tasks completed."),
    Metric("todo_tasks_deleted_total", "counter", "Tasks deleted."),
    Metric("todo_task_processing_seconds", "histogram", "Time to process an operation on tasks."),
    Metric("todo_active_users", "gauge", "Distinct users seen within the window."),
    Metric("todo_session_duration_seconds", "histogram", "Length of the sessions that ended."),
    Metric("todo_feature_uses_total", "counter", "Uses by feature."),
    Metric("todo_db_pool_size", "gauge", "Connections that the pool may open."),
    Metric("todo_db_pool_checked_out", "gauge", "Connections in use."),
    Metric("todo_db_pool_wait_seconds", "histogram", "Time waited for a connection."),
    Metric("todo_db_connection_attempts_total", "counter", "Connections asked of the pool."),
    Metric("todo_db_connection_errors_total", "counter", "Connections that could not be had."),
    Metric("todo_db_query_duration_seconds", "histogram", "Duration of queries by operation."),
    Metric("todo_rate_limit_decisions_total", "counter", "Requests held against a limit, by result."),
    Metric("todo_frontend_page_load_seconds", "histogram", "Page load times reported by browsers."),
    Metric("todo_frontend_render_seconds", "histogram", "Render times reported by browsers."),
    Metric("todo_frontend_api_call_seconds", "histogram", "API call durations seen by browsers."),
    Metric("todo_frontend_errors_total", "counter", "Errors reported by browsers, by kind."),
    Metric("todo_frontend_interactions_total", "counter", "Interactions reported by browsers, by action."),
    Metric("todo_frontend_lcp_seconds", "histogram", "Largest contentful paint."),
    Metric("todo_frontend_inp_seconds", "histogram", "Interaction to next paint."),
    Metric("todo_frontend_cls", "histogram", "Cumulative layout shift, a score."),
)


def application(m: Moment, requests: float) -> Iterator[Sample]:
    """The application's own series while its users send `requests` a second."""
    yield from _tasks(m, requests)
    yield from _users(m, requests)
    yield from _database(m, requests)
    yield from _limiter(m, requests)
    yield from _frontend(m, requests)


def _tasks(m: Moment, requests: float) -> Iterator[Sample]:
    done = 1.0 - 0.22 * m.fault("errors")
    for name, share in (("created", 0.089), ("completed", 0.068), ("deleted", 0.029)):
        yield JOB, f"todo_tasks_{name}_total", (), requests * share * done * m.wobble(name, 0.1)
    slow, waiting = 0.28 * m.fault("latency"), 0.3 * m.fault("pool")
    for operation, share, median in _OPERATIONS:
        usual = median * m.wobble(f"task-{operation}", 0.08)
        times = spread(TASK_BUCKETS, (1.0 - slow - waiting, usual, 0.55), (slow, 3.5, 0.35), (waiting, 0.41, 0.3))
        own = labels(operation=operation)
        yield from histogram(JOB, "todo_task_processing_seconds", requests * share, times, own)


def _users(m: Moment, requests: float) -> Iterator[Sample]:
    for window, users in (
        ("5m", 11.0 * requests),
        ("1d", 4_150.0 * m.wobble("day", 0.02)),
        ("30d", 15_800.0 * m.wobble("month", 0.005)),
    ):
        yield JOB, "todo_active_users", labels(window=window), float(round(users))
    lengths = spread(SESSION_BUCKETS, (1.0, 410.0 * m.wobble("session", 0.08), 0.9))
    yield from histogram(JOB, "todo_session_duration_seconds", requests * 0.018, lengths)
    for feature, share in _FEATURES:
        rate = requests * 0.2 * share * m.wobble(f"feature-{feature}", 0.15)
        yield JOB, "todo_feature_uses_total", labels(feature=feature), rate


def _database(m: Moment, requests: float) -> Iterator[Sample]:
    pool = m.fault("pool")
    used = 5.5 * m.daily(0.2) * m.wobble("pool", 0.2) + 4.0 * m.fault("latency")
    yield JOB, "todo_db_pool_size", (), POOL_SIZE
    yield JOB, "todo_db_pool_checked_out", (), float(round(min(POOL_SIZE, used + 18.0 * pool)))
    waits = spread(WAIT_BUCKETS, (1.0 - 0.4 * pool, 0.0012 * m.wobble("wait", 0.15), 0.6), (0.4 * pool, 0.5, 0.6))
    yield from histogram(JOB, "todo_db_pool_wait_seconds", requests, waits)
    yield JOB, "todo_db_connection_attempts_total", (), requests
    yield JOB, "todo_db_connection_errors_total", (), requests * (0.0002 + 0.045 * pool)
    slow = 0.2 * m.fault("latency")
    for operation, each, median in _QUERIES:
        usual = median * m.wobble(f"query-{operation}", 0.1)
        times = spread(QUERY_BUCKETS, (1.0 - slow, usual, 0.7), (slow, 0.9, 0.4))
        own = labels(operation=operation)
        yield from histogram(JOB, "todo_db_query_duration_seconds", requests * each, times, own)


def _limiter(m: Moment, requests: float) -> Iterator[Sample]:
    for limit, share, refused in _LIMITS:
        flood = 6.0 * m.fault("ratelimit") if limit == "per_ip" else 0.0
        rejected = requests * share * refused * m.wobble(f"limit-{limit}", 0.4) + flood
        yield JOB, "todo_rate_limit_decisions_total", labels(limit=limit, result="allowed"), requests * share
        yield JOB, "todo_rate_limit_decisions_total", labels(limit=limit, result="rejected"), rejected


def _frontend(m: Moment, requests: float) -> Iterator[Sample]:
    views = requests * 0.06
    slow = 0.28 * m.fault("latency")
    drag = 1.0 + 0.5 * m.fault("latency")
    for page, share, median in _PAGES:
        own = labels(page=page)
        times = spread(PAGE_BUCKETS, (1.0, median * drag * m.wobble(f"page{page}", 0.08), 0.45))
        yield from histogram(JOB, "todo_frontend_page_load_seconds", views * share, times, own)
        times = spread(RENDER_BUCKETS, (1.0, 0.11 * median * m.wobble(f"render{page}", 0.08), 0.5))
        yield from histogram(JOB, "todo_frontend_render_seconds", views * share, times, own)
    calls = spread(CALL_BUCKETS, (1.0 - slow, 0.14 * m.wobble("call", 0.08), 0.5), (slow, 3.8, 0.35))
    yield from histogram(JOB, "todo_frontend_api_call_seconds", requests * 0.9, calls)
    for kind, rate in (("script", 0.02), ("network", 0.03 + 3.0 * m.fault("errors"))):
        yield JOB, "todo_frontend_errors_total", labels(kind=kind), rate * m.wobble(f"front-{kind}", 0.4)
    for action, each in _INTERACTIONS:
        rate = views * each * m.wobble(action, 0.1)
        yield JOB, "todo_frontend_interactions_total", labels(action=action), rate
    paint = spread(PAGE_BUCKETS, (1.0, 1.3 * drag * m.wobble("paint", 0.06), 0.4))
    yield from histogram(JOB, "todo_frontend_lcp_seconds", views, paint)
    reaction = spread(RENDER_BUCKETS, (1.0, 0.075 * m.wobble("reaction", 0.08), 0.5))
    yield from histogram(JOB, "todo_frontend_inp_seconds", views, reaction)
    yield from histogram(JOB, "todo_frontend_cls", views, spread(SHIFT_BUCKETS, (1.0, 0.035, 0.8)))
