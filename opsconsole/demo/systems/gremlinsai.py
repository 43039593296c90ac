"""The simulated GremlinsAI: an API in front of language models, a vector database, and their cluster.

The backend's metrics are here; Weaviate and the cluster are in `gremlinsai_cluster`.
"""

from __future__ import annotations

from collections.abc import Iterator

from opsconsole.demo.shapes import lognormal_below, lognormal_mean
from opsconsole.demo.systems import gremlinsai_cluster as cluster
from opsconsole.demo.systems.base import Job, Lag, Metric, Moment, Sample, System
from opsconsole.demo.systems.parts import PROCESS, Spread, histogram, labels, process, spread

JOB = "gremlinsai-backend"
GIB = 1024.0**3

API_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 1.5, 2.0, 2.5, 5.0, 10.0, 30.0)
LLM_BUCKETS = (0.5, 1.0, 2.0, 3.0, 5.0, 7.5, 10.0, 15.0, 20.0, 30.0, 60.0, 120.0)
SCORE_BUCKETS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
SEARCH_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0)
QUERY_BUCKETS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)

_ENDPOINTS = (
    ("POST", "/api/v1/chat", 0.35, 0.45),
    ("POST", "/api/v1/agents/invoke", 0.15, 0.70),
    ("POST", "/api/v1/rag/search", 0.25, 0.22),
    ("GET", "/api/v1/history", 0.20, 0.05),
    ("GET", "/api/v1/documents", 0.05, 0.09),
)
"""Method, endpoint, share of the traffic, median seconds. Answers are streamed: a request is over at the
first token, a model call at the last."""

_ASKING = frozenset({"/api/v1/chat", "/api/v1/agents/invoke"})
"""The endpoints that call a model."""

_MODELS = (("ollama", "llama3.2", 1.3), ("huggingface", "mistral-7b", 1.6))
"""Provider, model, median seconds of a call; the second is what the first falls back to."""

_TOKENS = (("prompt", 620.0), ("completion", 230.0))
"""Tokens of a call by type."""

_QUERIES = (("select", 0.7, 0.004), ("insert", 0.2, 0.006), ("update", 0.1, 0.008))

METRICS = (
    Metric("gremlinsai_api_requests_total", "counter", "Requests by method, endpoint and status code."),
    Metric("gremlinsai_api_errors_total", "counter", "Requests that were answered with 4xx or 5xx."),
    Metric("gremlinsai_api_request_duration_seconds", "histogram", "Time to answer a request in seconds."),
    Metric("gremlinsai_llm_response_duration_seconds", "histogram", "Time of a model call in seconds."),
    Metric("gremlinsai_llm_fallback_total", "counter", "Model calls that left this provider for the next one."),
    Metric("gremlinsai_llm_tokens_total", "counter", "Tokens by provider, model and type."),
    Metric("gremlinsai_rag_relevance_score", "histogram", "Relevance of what a search found, 0 to 1."),
    Metric("gremlinsai_rag_retrieval_duration_seconds", "histogram", "Time of a search in seconds."),
    Metric("gremlinsai_rag_cache_total", "counter", "Look-ups in the search cache, hit or miss."),
    Metric("gremlinsai_database_connections", "gauge", "Open connections by pool."),
    Metric("gremlinsai_database_connection_failures_total", "counter", "Connections that could not be opened."),
    Metric("gremlinsai_database_query_duration_seconds", "histogram", "Time of a query in seconds."),
    Metric("gremlinsai_database_up", "gauge", "Whether the last health check reached the database, 1 or 0."),
    *PROCESS,
)


def request_rate(m: Moment) -> float:
    """Requests a second over all endpoints."""
    return 12.0 * m.daily(0.15) * m.wobble("traffic", 0.05)


def _api(m: Moment) -> Iterator[Sample]:
    total = request_rate(m)
    slow = 0.22 * m.fault("latency")
    for method, endpoint, share, median in _ENDPOINTS:
        rate = total * share * m.wobble(endpoint, 0.04)
        failing = 0.002 * m.wobble(f"errors{endpoint}", 0.5)
        if endpoint in _ASKING:
            failing += 0.2 * m.fault("errors")
        if endpoint == "/api/v1/rag/search":
            failing += 0.06 * m.fault("weaviate_down")
        refused = 0.012 * m.wobble(f"refused{endpoint}", 0.3)
        for code, part in (("200", 1.0 - failing - refused), ("422", refused), ("500", failing)):
            where = labels(endpoint=endpoint, method=method, status_code=code)
            yield JOB, "gremlinsai_api_requests_total", where, rate * part
            if code != "200":
                yield JOB, "gremlinsai_api_errors_total", where, rate * part
        usual = median * m.wobble(f"latency{endpoint}", 0.08)
        times = spread(API_BUCKETS, (1.0 - slow, usual, 0.5), (slow, 4.5, 0.35))
        where = labels(endpoint=endpoint, method=method)
        yield from histogram(JOB, "gremlinsai_api_request_duration_seconds", rate, times, where)


def call_rates(m: Moment) -> tuple[float, float]:
    """Model calls a second that the first provider answers, and that fall back to the second."""
    calls = 0.27 * request_rate(m) * m.wobble("calls", 0.06)
    falling = 0.015 * m.wobble("fallback", 0.4) + 0.35 * m.fault("fallback") + 0.03 * m.fault("llm")
    return calls * (1.0 - falling), calls * falling


def _llm(m: Moment) -> Iterator[Sample]:
    rates = call_rates(m)
    longer = 1.0 + 3.2 * m.fault("tokens")
    for (provider, model, median), rate in zip(_MODELS, rates, strict=True):
        slow = 0.15 * m.fault("llm") if provider == "ollama" else 0.0
        usual = median * m.wobble(f"llm-{provider}", 0.08)
        times = spread(LLM_BUCKETS, (1.0 - slow, usual, 0.5), (slow, 22.0, 0.4))
        who = labels(model=model, provider=provider)
        yield from histogram(JOB, "gremlinsai_llm_response_duration_seconds", rate, times, who)
        for kind, tokens in _TOKENS:
            what = labels(model=model, provider=provider, token_type=kind)
            yield JOB, "gremlinsai_llm_tokens_total", what, rate * tokens * longer
    yield JOB, "gremlinsai_llm_fallback_total", labels(provider="ollama"), rates[1]


def scores(median: float, sigma: float) -> Spread:
    """Relevance scores: 1 minus a log-normal distance, so that they lie between 0 and 1."""
    below = ((str(bound), 1.0 - lognormal_below(1.0 - bound, median, sigma)) for bound in SCORE_BUCKETS[:-1])
    return Spread((*below, ("1.0", 1.0), ("+Inf", 1.0)), 1.0 - lognormal_mean(median, sigma))


def _rag(m: Moment) -> Iterator[Sample]:
    """Without Weaviate only what the keyword index finds is left: few searches, and not much worse."""
    searches = 0.4 * request_rate(m) * m.wobble("searches", 0.06) * (1.0 - 0.9 * m.fault("weaviate_down"))
    where = labels(search_type="hybrid")
    worse = 1.0 + 1.6 * m.fault("rag")
    distance = scores(0.2 * m.wobble("relevance", 0.05) * worse, 0.45)
    yield from histogram(JOB, "gremlinsai_rag_relevance_score", 5.0 * searches, distance, where)
    times = spread(SEARCH_BUCKETS, (1.0, 0.12 * m.wobble("search", 0.1), 0.5))
    yield from histogram(JOB, "gremlinsai_rag_retrieval_duration_seconds", searches, times, where)
    hits = 0.71 * m.wobble("hits", 0.06)
    for status, part in (("hit", hits), ("miss", 1.0 - hits)):
        yield JOB, "gremlinsai_rag_cache_total", labels(cache_status=status), 1.4 * searches * part


def _database(m: Moment) -> Iterator[Sample]:
    down = m.fault("database")
    pool, database = labels(pool_name="primary"), labels(database="primary")
    open_ = 14.0 * m.daily(0.2) * m.wobble("connections", 0.15) * (1.0 - 0.8 * down)
    yield JOB, "gremlinsai_database_connections", pool, float(round(open_))
    yield JOB, "gremlinsai_database_connection_failures_total", database, 0.35 * down
    yield JOB, "gremlinsai_database_up", database, 0.0 if down > 0.5 else 1.0
    rate = 3.0 * request_rate(m)
    for operation, share, median in _QUERIES:
        times = spread(
            QUERY_BUCKETS, (1.0, median * m.wobble(f"query-{operation}", 0.1) * (1.0 + 4.0 * down), 0.7)
        )
        what = labels(operation=operation)
        yield from histogram(JOB, "gremlinsai_database_query_duration_seconds", rate * share, times, what)


def samples(m: Moment) -> Iterator[Sample]:
    """Everything that the backend, Weaviate and the cluster export at this moment."""
    yield from _api(m)
    yield from _llm(m)
    yield from _rag(m)
    yield from _database(m)
    cpu = 0.42 * m.daily(0.2) * m.wobble("cpu", 0.08) + 0.15 * m.fault("latency")
    memory = (0.86 * m.wobble("memory", 0.03) + 1.6 * m.fault("memory")) * GIB
    yield from process(JOB, m, cpu=cpu, memory=memory, files=96.0 * m.wobble("files", 0.1))
    yield from cluster.samples(m)


RELEASE = "llm_router_v2"

FLAGS: dict[str, dict[str, object]] = {
    name: {
        "state": "ENABLED",
        "variants": {"on": True, "off": False},
        "defaultVariant": "off",
        "targeting": {},
        "metadata": {"owner": owner},
    }
    for name, owner in (
        (RELEASE, "ai-platform"),
        ("agent_memory", "ai-platform"),
        ("maintenance_banner", "platform"),
    )
}

SYSTEM = System(
    name="gremlinsai",
    jobs=(Job(name=JOB, instance="gremlinsai-backend-blue:8000"), *cluster.JOBS),
    metrics=(*METRICS, *cluster.METRICS),
    samples=samples,
    faults={
        "errors": Lag(),
        "latency": Lag(),
        "llm": Lag(),
        "fallback": Lag(),
        "tokens": Lag(),
        "rag": Lag(),
        "database": Lag(),
        "memory": Lag(rise=20.0),
        "disk": Lag(rise=20.0),
        "crash": Lag(rise=3.0, fall=3.0),
        "node": Lag(rise=3.0, fall=3.0),
        "weaviate_down": Lag(rise=3.0, fall=3.0),
        "down": Lag(rise=3.0, fall=3.0),
    },
    flags=FLAGS,
    release=RELEASE,
    release_faults=("llm", "errors"),
    proves={
        "errors": "HighApiErrorRate",
        "latency": "HighApiLatency",
        "llm": "HighLLMLatency",
        "fallback": "HighLLMFallbackRate",
        "tokens": "HighLLMTokenUsage",
        "rag": "LowRAGRelevanceScores",
        "database": "DatabaseConnectionFailure",
        "memory": "HighMemoryUsage",
        "disk": "DiskSpaceLow",
        "crash": "PodCrashLooping",
        "node": "KubernetesNodeNotReady",
        "weaviate_down": "WeaviateDown",
        "down": "ApiDown",
    },
)
