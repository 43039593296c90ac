"""Traffic, errors and latency of applications, from the conventions of metric names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from opsconsole.golden.families import Family, JobFacts, Kind
from opsconsole.golden.promql import WINDOW, label_name, quoted, rate_of, selector, share_of
from opsconsole.golden.signals import MANY_FAIL, Hit, Signal, hit, own_name, words_of
from opsconsole.golden.table import timing_queries

STATUS_LABELS = (
    "status",
    "code",
    "status_code",
    "http_status_code",
    "http_response_status_code",
    "http.response.status_code",
    "response_code",
    "grpc_code",
    "result",
    "outcome",
)
"""Where a metric says how a request ended, the first that it has."""

BREAKDOWNS = ("reason", "error_type", "type", "kind", "pool", "queue", "state", "window", "resource_type", "level")
"""Labels whose few values a panel shows one by one, because their sum means little."""

FEW = 8
"""Values that a breakdown may have."""

FAILED_CODES = "5.."
"""Codes of failed requests; it matches the `5xx` of grouped ones too."""

FAILED_WORDS = "(?i:.*(fail|error|exception|timeout|abort|reject).*)"

_CODE = re.compile(r"[1-5](?:[0-9]{2}|xx)")
_FAILED = re.compile(FAILED_WORDS)
_WENT_WELL = re.compile(r"(?i)ok|success(?:ful)?|succeeded|completed?|done|passed|allowed")
_HTTP_COUNTER = re.compile(r"(?:^|_)http_(?:server_)?requests?_total$")
_REQUESTS = re.compile(r"(?:^|_)(?:requests?|request_count|calls|rpcs?|handled)_total$|_request_count$")
_OWN_ERRORS = re.compile(
    r"_(?:errors?|failures?|failed|exceptions?|violations?|timeouts?|crashes|rejected)_total$"
)
_TIMED = re.compile(r"(?:_seconds|_ms|_milliseconds|[._]duration|[._]latency)$")
_NO_LATENCY = re.compile(r"session|uptime|(?:^|_)age(?:_|$)|frontend|(?:^|_)gc_|microseconds|timestamp")
_SERVED = re.compile(r"(?:^|[._])(?:http|request|response|grpc|rpc|api)(?:[._]|$)")
_SIZES = re.compile(r"(?:^|_)(request|response)_size_bytes$")


def request_names(families: Sequence[Family]) -> list[str]:
    """The families among these that may say something of requests, jobs, errors and their times, the most
    telling first."""
    scored = [(score, f.name) for f in families if (score := _interest(f))]
    return [name for _, name in sorted(scored, key=lambda one: (-one[0], one[1]))]


def request_hits(facts: JobFacts, families: Sequence[Family]) -> Iterator[Hit]:
    """The panels of an application's requests; `families` are those of the job that are no exporter's."""
    counters = _request_counters(facts, families)
    paired: set[str] = set()
    for index, family in enumerate(counters[:3]):
        main = index == 0 and _outright(family)
        traffic, errors = (100, 99) if main else (70 - 5 * index, 69 - 5 * index)
        if not _outright(family):
            traffic, errors = 46 - index, 62 - index
        yield from _traffic(facts, family, traffic, errors, main=main)
        own = _own_errors(family, families)
        if own is None:
            continue
        paired.add(own.name)
        if status_of(facts, family) is None:
            yield _ratio(family, facts.job, errors, rate_of(own, facts.job), main=main)
    yield from _error_rates(facts, [f for f in families if f.name not in paired])
    yield from _latencies(facts, families)
    yield from _sizes(facts, families)


def status_of(facts: JobFacts, family: Family) -> tuple[str, str] | None:
    """The label that says how the family's requests ended, and the regular expression of its failures; None
    when no label says so in words or codes that are known."""
    for label in STATUS_LABELS:
        values = facts.values(family.name, label)
        if values and any(_CODE.fullmatch(value) for value in values):
            return label, FAILED_CODES
        if any(_FAILED.fullmatch(value) or _WENT_WELL.fullmatch(value) for value in values):
            return label, FAILED_WORDS
    return None


def breakdown_of(facts: JobFacts, family: str) -> str:
    """The label whose values are worth a line each, or ""."""
    for label in BREAKDOWNS:
        if 2 <= len(facts.values(family, label)) <= FEW:
            return label
    return ""


def time_unit(name: str) -> str:
    """`ms` or `s`: where a name does not say, the conventions of Prometheus and OpenTelemetry mean seconds."""
    return "ms" if name.endswith(("_ms", "_milliseconds")) else "s"


def _interest(family: Family) -> int:
    name = family.name
    if family.timed:
        if _TIMED.search(name) and not _NO_LATENCY.search(name):
            return 9 if _SERVED.search(name) else 4
        return 3 if _SIZES.search(name) else 0
    if family.kind is not Kind.COUNTER:
        return 0
    if _HTTP_COUNTER.search(name):
        return 10
    if _REQUESTS.search(name):
        return 8
    return 5 if _OWN_ERRORS.search(name) else 1


def _outright(family: Family) -> bool:
    """Whether the name itself says that these are requests."""
    return family.timed or bool(_REQUESTS.search(family.name))


def _request_counters(facts: JobFacts, families: Sequence[Family]) -> list[Family]:
    """What counts requests or jobs, the main one first. Where no counter does, the times of served requests
    are counted."""
    counters = [f for f in families if f.kind is Kind.COUNTER and not _OWN_ERRORS.search(f.name)]
    named = [f for f in counters if _REQUESTS.search(f.name)]
    if not named:
        named = [f for f in families if f.timed and _interest(f) == 9]
    ended = [f for f in counters if f not in named and status_of(facts, f) is not None]

    def order(family: Family) -> tuple[bool, bool, bool, str]:
        http = bool(_HTTP_COUNTER.search(family.name)) or "http" in family.name
        status = status_of(facts, family)
        return not http, status is None or status[1] != FAILED_CODES, "highr" in family.name, family.name

    return [*sorted(named, key=order)[:2], *sorted(ended, key=lambda f: f.name)]


def _traffic(facts: JobFacts, family: Family, traffic: int, errors: int, *, main: bool) -> Iterator[Hit]:
    job, name = facts.job, own_name(family.name, facts.job)
    id, title = ("request_rate", "Request rate") if main else (f"{name}_rate", f"{words_of(name)} per second")
    yield hit(Signal.TRAFFIC, traffic, id, title, "rps", ("requests", rate_of(family, job)))
    status = status_of(facts, family)
    if status is None:
        return
    label, failed = status
    yield _ratio(family, job, errors, rate_of(family, job, f"{label_name(label)}=~{quoted(failed)}"), main=main)
    if main and family.kind is not Kind.NATIVE:
        series = f"{family.name}_count" if family.timed else family.name
        by = f"sum by ({label_name(label)}) (rate({selector(series, job)}[{WINDOW}]))"
        legend = f"{{{{{label}}}}}" if label_name(label) == label else ""
        title = f"Requests by {words_of(label).lower()}"
        yield hit(Signal.TRAFFIC, 50, "requests_by_status", title, "rps", (legend, by))


def _ratio(family: Family, job: str, weight: int, part: str, *, main: bool) -> Hit:
    name = own_name(family.name, job)
    id, title = ("error_ratio", "Error ratio") if main else (f"{name}_failed", f"{words_of(name)}: failed")
    share = share_of(part, rate_of(family, job))
    return hit(Signal.ERRORS, weight, id, title, "ratio", ("failed", share), thresholds=MANY_FAIL)


def _own_errors(requests: Family, families: Sequence[Family]) -> Family | None:
    """The error counter beside a request counter: `x_errors_total` of `x_requests_total`."""
    stem = _REQUESTS.sub("", requests.name)
    named = {f.name: f for f in families if f.kind is Kind.COUNTER}
    for word in ("errors", "failures", "failed", "error"):
        found = named.get(f"{stem}_{word}_total") or named.get(f"{stem}_requests_{word}_total")
        if found is not None:
            return found
    return None


def _error_rates(facts: JobFacts, families: Sequence[Family]) -> Iterator[Hit]:
    counters = sorted(f.name for f in families if f.kind is Kind.COUNTER and _OWN_ERRORS.search(f.name))
    for index, name in enumerate(counters[:4]):
        label = breakdown_of(facts, name)
        rate = f"(rate({selector(name, facts.job)}[{WINDOW}]))"
        query = (f"{{{{{label}}}}}", f"60 * sum by ({label}) {rate}") if label else ("errors", f"60 * sum{rate}")
        yield hit(
            Signal.ERRORS,
            60 - 3 * index,
            own_name(name, facts.job),
            words_of(name, facts.job),
            "per_minute",
            query,
        )


def _latencies(facts: JobFacts, families: Sequence[Family]) -> Iterator[Hit]:
    timed = [f for f in families if f.timed and _TIMED.search(f.name) and not _NO_LATENCY.search(f.name)]
    served = [f for f in timed if _SERVED.search(f.name)]
    # Where one thing is measured twice, the one with the finer buckets tells its quantiles.
    fine = {f.name.replace("_highr", "") for f in served if "_highr" in f.name}
    served = [f for f in served if f.name not in fine]
    served.sort(key=lambda f: ("http" not in f.name, f.kind is Kind.TIMES, f.name))
    others = sorted((f for f in timed if not _SERVED.search(f.name)), key=lambda f: (f.kind is Kind.TIMES, f.name))
    for index, family in enumerate([*served[:2], *others[:3]]):
        main = index == 0 and family in served
        queries, headline = timing_queries(family, facts)
        yield hit(
            Signal.LATENCY,
            98 if main else 67 - 4 * index,
            "latency" if main else f"{own_name(family.name, facts.job)}_time",
            "Latency" if main else words_of(family.name.replace("_duration", ""), facts.job) + " time",
            time_unit(family.name),
            *queries,
            headline=headline,
        )


def _sizes(facts: JobFacts, families: Sequence[Family]) -> Iterator[Hit]:
    for family in families:
        found = _SIZES.search(family.name)
        if found is None or not family.timed or family.kind is Kind.NATIVE:
            continue
        way = "received" if found[1] == "request" else "sent"
        expr = f"sum(rate({selector(f'{family.name}_sum', facts.job)}[{WINDOW}]))"
        weight = 42 if way == "sent" else 38
        yield hit(Signal.TRAFFIC, weight, f"bytes_{way}", f"Bytes {way}", "bytes_per_second", (way, expr))
