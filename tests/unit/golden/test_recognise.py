"""From names, types and labels to panels: each instrumentation by itself, and what must hold for all."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsconsole.golden.families import JobFacts, Kind, facts_of, families_of
from opsconsole.golden.promql import quoted, selector
from opsconsole.golden.recognise import MAX_DASHBOARDS, MAX_NAMES, MAX_PANELS, jobs_of, questions, recognise
from opsconsole.golden.signals import short, slug, words_of
from opsconsole.model.panels import PanelData, panel_state
from opsconsole.model.playbook import Panel, Playbook
from opsconsole.model.reading import Reading
from opsconsole.model.series import QueryResult, Series
from opsconsole.model.units import UNITS
from opsconsole.model.verdicts import Level
from opsconsole.text import is_safe

Seen = list[tuple[str, dict[str, str]]]


def jobs(seen: Seen, types: dict[str, str] | None = None, job: str = "shop") -> tuple[JobFacts, ...]:
    """The facts of series as the counting queries would show them: (name, labels)."""
    families = families_of([name for name, _ in seen], types or {})
    return facts_of(families, [Series({"__name__": n, "job": job, **more}, (0.0,), (1.0,)) for n, more in seen])


def histogram(name: str, **labels: str) -> Seen:
    return [(f"{name}_{part}", labels) for part in ("bucket", "sum", "count")]


def panels(seen: Seen, types: dict[str, str] | None = None) -> dict[str, Panel]:
    """The panels by their titles."""
    book = recognise(jobs(seen, types))
    return {str(p.title): p for d in book.dashboards for p in d.panels} if book is not None else {}


def exprs(panel: Panel) -> str:
    return "\n".join(query.expr for query in panel.queries)


class TestFamilies:
    def test_shapes_of_names_tell_kinds_where_metadata_is_silent(self) -> None:
        names = ["a_bucket", "a_sum", "a_count", "b", "b_sum", "b_count", "c_sum", "c_count", "d_total", "e"]
        kinds = {name: family.kind for name, family in families_of(names, {}).items()}
        assert kinds == {
            "a": Kind.HISTOGRAM,
            "b": Kind.SUMMARY,
            "c": Kind.TIMES,
            "d_total": Kind.COUNTER,
            "e": Kind.GAUGE,
        }

    def test_metadata_decides_where_it_speaks(self) -> None:
        types = {"h": "histogram", "pg_stat_activity_count": "gauge", "x": "counter", "n": "counter"}
        found = families_of(["h", "pg_stat_activity_count", "x_total", "n"], types)
        assert found["h"].kind is Kind.NATIVE
        assert found["pg_stat_activity_count"].kind is Kind.GAUGE
        assert found["x_total"].kind is Kind.COUNTER, "OpenMetrics describes the counter without _total"
        assert found["n"].kind is Kind.COUNTER

    @given(st.lists(st.text("abc_:", min_size=1, max_size=12)), st.dictionaries(st.text("abc_"), st.text("abc")))
    def test_every_name_belongs_to_a_family(self, names: list[str], types: dict[str, str]) -> None:
        found = families_of(names, types)
        assert all(
            name in found or any(name == base + end for base in found for end in ("_bucket", "_sum", "_count"))
            for name in names
        )


class TestRequests:
    def test_prometheus_client(self) -> None:
        seen = [("app_requests_total", {"status": "200"}), *histogram("app_request_duration_seconds")]
        seen += [("process_cpu_seconds_total", {}), ("process_resident_memory_bytes", {})]
        found = panels(seen)
        assert set(found) == {
            "Request rate",
            "Requests by status",
            "Error ratio",
            "Latency",
            "CPU of one core",
            "Memory",
        }
        assert found["Latency"].unit == "s"
        assert [str(q.legend) for q in found["Latency"].queries] == ["p50", "p95", "p99"]
        assert found["Latency"].headline == "p95"

    def test_opentelemetry_counts_by_its_histogram(self) -> None:
        seen = histogram("http_server_request_duration_seconds", http_response_status_code="200")
        found = panels(seen)
        assert "http_server_request_duration_seconds_count" in exprs(found["Request rate"])
        assert 'http_response_status_code=~"5.."' in exprs(found["Error ratio"])
        assert "http_server_request_duration_seconds_bucket" in exprs(found["Latency"])

    def test_opentelemetry_with_dots_is_quoted(self) -> None:
        name = "http.server.request.duration"
        seen: Seen = [(name, {"http.response.status_code": "200"})]
        found = panels(seen, {name: "histogram"})
        assert f'{{__name__="{name}",job="shop","http.response.status_code"=~"5.."}}' in exprs(
            found["Error ratio"]
        )
        assert found["Latency"].unit == "s"

    def test_fastapi_instrumentator(self) -> None:
        seen = [("http_requests_total", {"status": "5xx"}), *histogram("http_request_duration_seconds")]
        seen += histogram("http_request_duration_highr_seconds")
        found = panels(seen)
        assert 'status=~"5.."' in exprs(found["Error ratio"])
        assert "highr_seconds_bucket" in exprs(found["Latency"]), "the finer buckets tell quantiles"

    def test_native_histogram(self) -> None:
        seen: Seen = [("http_request_duration_seconds", {"code": "200"})]
        found = panels(seen, {"http_request_duration_seconds": "histogram"})
        assert "by (le)" not in exprs(found["Latency"])
        assert "_bucket" not in exprs(found["Latency"])
        assert exprs(found["Request rate"]).startswith("histogram_count(sum(rate(http_request_duration_seconds{")

    def test_summary_with_and_without_quantiles(self) -> None:
        seen: Seen = [("rpc_duration_seconds", {"quantile": q}) for q in ("0.5", "0.9", "0.99", "1")]
        seen += [("rpc_duration_seconds_sum", {}), ("rpc_duration_seconds_count", {})]
        found = panels(seen, {"rpc_duration_seconds": "summary"})
        assert [str(q.legend) for q in found["Latency"].queries] == ["p50", "p90", "p99"]
        assert 'quantile="0.99"' in exprs(found["Latency"])
        bare = panels(seen[4:], {"rpc_duration_seconds": "summary"})
        assert [str(q.legend) for q in bare["Latency"].queries] == ["mean"]
        assert "_sum" in exprs(bare["Latency"])

    def test_milliseconds_stay_milliseconds(self) -> None:
        assert panels(histogram("http_request_duration_ms"))["Latency"].unit == "ms"

    def test_errors_beside_requests(self) -> None:
        seen: Seen = [
            ("api_requests_total", {}),
            ("api_errors_total", {}),
            ("mail_errors_total", {"reason": "dns"}),
        ]
        found = panels(seen)
        assert "api_errors_total" in exprs(found["Error ratio"])
        assert "Mail errors" in found
        assert "API errors" not in found, "it is in the ratio"

    def test_words_may_say_how_it_ended(self) -> None:
        seen: Seen = [("jobs_run_total", {"status": "success"}), ("flags_seen_total", {"result": "true"})]
        found = panels(seen)
        assert "fail" in exprs(found["Jobs run: failed"])
        assert not any("Flags" in title for title in found), "true is no failure"

    def test_a_missing_numerator_is_zero_and_no_traffic_is_nothing(self) -> None:
        ratio = panels([("http_requests_total", {"code": "200"})])["Error ratio"]
        (query,) = ratio.queries
        part = 'sum(rate(http_requests_total{job="shop",code=~"5.."}[5m]))'
        whole = 'sum(rate(http_requests_total{job="shop"}[5m]))'
        assert query.expr == f"({part} or 0 * {whole}) / ({whole} > 0)"
        empty = Reading(data=PanelData((QueryResult("vector", ()),)), at=0.0)
        assert panel_state(ratio, empty, 0.0).level is Level.UNKNOWN

    def test_go_applications_own_handler_is_no_application(self) -> None:
        assert panels([("promhttp_metric_handler_requests_total", {"code": "200"})]) == {}


@pytest.mark.parametrize(
    ("names", "titles"),
    [
        (
            [
                "node_load1",
                "node_cpu_seconds_total",
                "node_memory_MemAvailable_bytes",
                "node_memory_MemTotal_bytes",
            ],
            {"CPU busy", "Memory used", "Load per core"},
        ),
        (
            [
                "container_cpu_usage_seconds_total",
                "container_memory_working_set_bytes",
                "container_start_time_seconds",
            ],
            {"CPU by container", "CPU cores used", "Memory by container", "Memory used", "Restarts in 1 h"},
        ),
        (
            [
                "pg_up",
                "pg_stat_activity_count",
                "pg_settings_max_connections",
                "pg_stat_database_xact_commit",
                "pg_stat_database_xact_rollback",
                "pg_stat_database_blks_hit",
                "pg_stat_database_blks_read",
                "pg_stat_database_deadlocks",
            ],
            {
                "Server answers",
                "Connections",
                "Connections of the limit",
                "Transactions",
                "Rolled back",
                "Cache hits",
                "Deadlocks",
            },
        ),
        (
            [
                "redis_up",
                "redis_commands_processed_total",
                "redis_memory_used_bytes",
                "redis_keyspace_hits_total",
                "redis_keyspace_misses_total",
                "redis_connected_clients",
            ],
            {"Server answers", "Commands", "Memory", "Keys found", "Connected clients"},
        ),
        (["go_goroutines", "go_memstats_heap_inuse_bytes"], {"Goroutines", "Go heap"}),
        (
            ["prometheus_tsdb_head_series", "prometheus_tsdb_head_samples_appended_total", "go_goroutines"],
            {"Series in memory", "Samples appended", "Goroutines"},
        ),
        (
            ["alertmanager_alerts", "alertmanager_notifications_total", "alertmanager_notifications_failed_total"],
            {"Alerts", "Notifications sent", "Notifications failed"},
        ),
    ],
)
def test_known_instrumentations(names: list[str], titles: set[str]) -> None:
    assert set(panels([(name, {}) for name in names])) == titles


def test_an_exporters_own_process_is_not_what_it_watches() -> None:
    found = panels([("redis_up", {}), ("process_resident_memory_bytes", {}), ("go_goroutines", {})])
    assert set(found) == {"Server answers"}


def test_a_server_that_is_down_is_critical() -> None:
    up = panels([("pg_up", {})])["Server answers"]
    assert [(t.level, t.below) for t in up.thresholds] == [(Level.CRITICAL, 1)]


def test_an_application_comes_before_what_it_runs_on() -> None:
    facts = (
        *jobs([("node_load1", {}), ("node_cpu_seconds_total", {})], job="a"),
        *jobs([("x_requests_total", {})]),
    )
    book = recognise(facts)
    assert book is not None
    assert [str(d.title) for d in book.dashboards] == ["shop", "a"]


def test_two_instrumentations_in_one_job_get_a_dashboard_each() -> None:
    book = recognise(jobs([("redis_up", {}), ("pg_up", {}), ("http_requests_total", {"code": "200"})]))
    assert book is not None
    assert [str(d.title) for d in book.dashboards] == ["shop", "shop: PostgreSQL", "shop: Redis"]


def test_the_instances_of_watched_jobs() -> None:
    facts = facts_of(
        families_of(["up", "x_requests_total"], {}),
        [
            Series({"__name__": "up", "job": "shop"}, (0.0,), (3.0,)),
            Series({"__name__": "up", "job": "other"}, (0.0,), (1.0,)),
            Series({"__name__": "x_requests_total", "job": "shop"}, (0.0,), (9.0,)),
        ],
    )
    book = recognise(facts)
    assert book is not None
    assert [(job.name, job.instances) for job in jobs_of(book, facts)] == [("shop", 3)]
    assert book.jobs == ()


KNOWN = [
    "up",
    "http_requests_total",
    "http_request_duration_seconds_count",
    "http_request_duration_seconds_bucket",
    "a_queue_depth",
    "http_request_duration_seconds_sum",
    "x_errors_total",
    "node_load1",
    "node_cpu_seconds_total",
    "redis_up",
    "pg_up",
    "go_goroutines",
    "process_resident_memory_bytes",
    "pool_utilization_percent",
    "rpc_latency_seconds",
    "app_requests_total",
]

NAMES = st.one_of(
    st.sampled_from(
        [
            "up",
            "http_requests_total",
            "http_request_duration_seconds_count",
            "http_request_duration_seconds_bucket",
            "a_queue_depth",
            "http_request_duration_seconds_sum",
            "x_errors_total",
            "node_load1",
            "node_cpu_seconds_total",
            "redis_up",
            "pg_up",
            "go_goroutines",
            "process_resident_memory_bytes",
            "pool_utilization_percent",
            "rpc_latency_seconds",
            "app_requests_total",
        ]
    ),
    st.from_regex(
        r"[a-z]{1,6}(_requests_total|_errors_total|_duration_seconds|_pool_size|_active_users)", fullmatch=True
    ),
    st.text(min_size=1, max_size=20),
)
LABELS = st.dictionaries(
    st.sampled_from(["status", "code", "quantile", "reason", "pool"]),
    st.sampled_from(["200", "5xx", "0.5", "0.99", "error", "ok", "a", "b", "}"]),
)
SERIES = st.lists(st.tuples(st.text(max_size=8), NAMES, LABELS), max_size=40)


def book_of(series: list[tuple[str, str, dict[str, str]]]) -> tuple[Playbook | None, tuple[JobFacts, ...]]:
    families = families_of([name for _, name, _ in series], {})
    facts = facts_of(
        families, [Series({"__name__": n, "job": job, **labels}, (0.0,), (2.0,)) for job, n, labels in series]
    )
    return recognise(facts), facts


@given(SERIES)
def test_whatever_there_is_the_playbook_is_bounded_and_whole(
    series: list[tuple[str, str, dict[str, str]]],
) -> None:
    book, facts = book_of(series)
    if book is None:
        return
    assert 0 < len(book.dashboards) <= MAX_DASHBOARDS
    every = [panel for dashboard in book.dashboards for panel in dashboard.panels]
    assert len({panel.id for panel in every}) == len(every)
    assert len({dashboard.id for dashboard in book.dashboards}) == len(book.dashboards)
    names = {one.job for one in facts}
    for dashboard in book.dashboards:
        assert 0 < len(dashboard.panels) <= MAX_PANELS
        assert is_safe(dashboard.title)
    for panel in every:
        assert slug(panel.id) == panel.id
        assert panel.unit in UNITS
        assert is_safe(panel.title)
        assert panel.empty == "unknown"
        assert not panel.headline or panel.headline in [query.legend for query in panel.queries]
        for query in panel.queries:
            assert query.expr.isprintable()
            assert any(f"job={quoted(job)}" in query.expr for job in names)


@given(st.lists(NAMES, max_size=400))
def test_what_is_asked_is_bounded(names: list[str]) -> None:
    asked = questions(families_of(names, {}))
    assert asked
    assert len(asked) <= MAX_NAMES // 40 + 1
    assert all(len(query) < 40 * 60 + 600 for query in asked)


@given(st.text(), st.text(min_size=1))
def test_a_job_or_a_name_cannot_leave_its_quotes(job: str, name: str) -> None:
    text = selector(name, job)
    assert text.isprintable()
    bare = re.sub(r'"(?:[^"\\]|\\.)*"', "S", text)
    assert re.fullmatch(r"[a-zA-Z_:][a-zA-Z0-9_:]*\{job=S\}|\{__name__=S,job=S\}", bare)


@given(st.text(), st.text())
def test_titles_are_short_and_safe(name: str, job: str) -> None:
    title = short(words_of(name, job))
    assert title
    assert is_safe(title)
    assert len(title) <= 80


def test_titles() -> None:
    assert words_of("todo_db_pool_wait_seconds", "todo-app") == "DB pool wait"
    assert words_of("ruleiq_auth_failures_total", "ruleiq") == "Auth failures"
    assert words_of("http_requests_total", "http") == "Requests"
