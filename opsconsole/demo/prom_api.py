"""The Prometheus HTTP API over the scenario."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from urllib.parse import quote

from opsconsole.demo import expr
from opsconsole.demo.alarms import Occurrence
from opsconsole.demo.httpd import Request, Response, json_response, text_response
from opsconsole.demo.rulebook import DemoGroup, DemoRule
from opsconsole.demo.scenario import COMPRESS, Scenario
from opsconsole.demo.times import ZERO, read_time, rfc3339
from opsconsole.demo.vectors import Column, Frame
from opsconsole.demo.world import FINE
from opsconsole.text import safe

VERSION = "2.42.0-demo"
EXTERNAL_URL = "http://prometheus.demo.invalid"
"""Where the demo's alerts say they come from: the real port would make every run look different."""

MAX_POINTS = 11_000

RETENTION = "30d"
INTERVAL = "15s"
"""What the playbook's own Prometheus has; the demo samples more often, because it is faster."""

_OWN_METRICS = """\
prometheus_config_last_reload_successful 1
prometheus_notifications_dropped_total 0
prometheus_notifications_queue_capacity 10000
prometheus_notifications_queue_length 0
prometheus_rule_evaluation_failures_total{rule_group="demo"} 0
prometheus_tsdb_compactions_failed_total 0
prometheus_tsdb_head_truncations_failed_total 0
prometheus_tsdb_wal_corruptions_total 0
prometheus_tsdb_wal_truncations_failed_total 0
prometheus_tsdb_wal_writes_failed_total 0
"""


class _Invalid(Exception):
    """A parameter is wrong; the message is Prometheus' own."""


class PrometheusApi:
    """Answers requests. `alertmanager` gives the base URL of the demo's Alertmanager."""

    def __init__(self, scenario: Scenario, alertmanager: Callable[[], str]) -> None:
        self._scenario = scenario
        self._alertmanager = alertmanager
        self._routes: dict[str, Callable[[Request], Response]] = {
            "/-/ready": lambda r: text_response("Prometheus Server is Ready.\n"),
            "/-/healthy": lambda r: text_response("Prometheus Server is Healthy.\n"),
            "/metrics": lambda r: text_response(_OWN_METRICS),
            "/api/v1/query": self._query,
            "/api/v1/query_range": self._query_range,
            "/api/v1/rules": self._rules,
            "/api/v1/alerts": self._alerts,
            "/api/v1/targets": self._targets,
            "/api/v1/alertmanagers": self._alertmanagers,
            "/api/v1/metadata": self._metadata,
            "/api/v1/label/__name__/values": lambda r: _success(sorted(scenario.names())),
            "/api/v1/status/buildinfo": self._buildinfo,
            "/api/v1/status/runtimeinfo": self._runtimeinfo,
            "/api/v1/status/flags": lambda r: _success({"query.lookback-delta": "5m", "demo": "true"}),
        }

    def __call__(self, request: Request) -> Response:
        """The response to a request; the scenario is brought up to the clock first."""
        self._scenario.tick()
        route = self._routes.get(request.path)
        if route is None:
            return text_response("404 page not found\n", 404)
        if request.method not in ("GET", "HEAD", "POST"):
            return text_response("Method Not Allowed\n", 405)
        try:
            return route(request)
        except _Invalid as error:
            return _error(str(error))

    def _query(self, request: Request) -> Response:
        at = _time(request, "time", self._scenario.clock.now())
        return self._evaluated(request, [at], lambda frame: {"value": [at, _number(frame.values[0])]})

    def _query_range(self, request: Request) -> Response:
        start, end = _time(request, "start"), _time(request, "end")
        step = _step(request.get("step"))
        if end < start:
            raise _Invalid('invalid parameter "end": end timestamp must not be before start time')
        if (end - start) / step > MAX_POINTS:
            raise _Invalid(
                "exceeded maximum resolution of 11,000 points per timeseries. "
                "Try decreasing the query resolution (?step=XX)"
            )
        times = [start + i * step for i in range(math.floor((end - start) / step + 1e-9) + 1)]
        return self._evaluated(request, times, lambda frame: {"values": _pairs(times, frame.values)}, "matrix")

    def _evaluated(
        self,
        request: Request,
        times: list[float],
        shape: Callable[[Frame], dict[str, object]],
        kind: str = "vector",
    ) -> Response:
        query = request.get("query")
        try:
            result = self._scenario.evaluator.run(expr.parse(query), times)
        except expr.Malformed as error:
            raise _Invalid(f'invalid parameter "query": {error}') from None
        except expr.NoData as error:
            warning = f"the demo has no data for {safe(' '.join(query.split()), 120)}: {error}"
            return _success({"resultType": kind, "result": []}, warning)
        scalars = [v for v in result if not isinstance(v, Frame)]
        if scalars and kind == "vector":
            return _success({"resultType": "scalar", "result": [times[0], _number(scalars[0])]})
        frames = [Frame({}, scalars)] if scalars else [f for f in result if isinstance(f, Frame)]
        known = [f for f in frames if any(v is not None for v in f.values)]
        series = [{"metric": f.labels, **shape(f)} for f in known]
        return _success({"resultType": kind, "result": series})

    def _rules(self, request: Request) -> Response:
        if request.get("type") == "record":
            return _success({"groups": []})
        return _success({"groups": [self._group(g) for g in self._scenario.alarms.groups]})

    def _group(self, group: DemoGroup) -> dict[str, object]:
        return {
            "name": group.name,
            "file": group.file,
            "rules": [self._rule(r) for r in group.rules],
            "interval": FINE,
            "limit": 0,
            "evaluationTime": 0.001,
            "lastEvaluation": rfc3339(self._scenario.alarms.last_evaluation),
        }

    def _rule(self, rule: DemoRule) -> dict[str, object]:
        alerts = self._scenario.alarms.of(rule)
        states = {one.state for one in alerts}
        state = "firing" if "firing" in states else "pending" if states else "inactive"
        return {
            "state": state,
            "name": rule.name,
            "query": rule.query,
            "duration": rule.hold,
            "keepFiringFor": rule.keep,
            "labels": rule.labels,
            "annotations": rule.annotations,
            "alerts": [_alert(one) for one in alerts],
            "health": "ok",
            "evaluationTime": 0.0005,
            "lastEvaluation": rfc3339(self._scenario.alarms.last_evaluation),
            "type": "alerting",
        }

    def _alerts(self, request: Request) -> Response:
        return _success({"alerts": [_alert(one) for one in self._scenario.alarms.active()]})

    def _targets(self, request: Request) -> Response:
        active = [self._target(track.labels) for track in self._scenario.world.tracks("up")]
        return _success({"activeTargets": active, "droppedTargets": []})

    def _target(self, labels: Mapping[str, str]) -> dict[str, object]:
        url = f"http://{labels['instance']}/metrics"
        return {
            "discoveredLabels": {"__address__": labels["instance"], "job": labels["job"]},
            "labels": {"instance": labels["instance"], "job": labels["job"]},
            "scrapePool": labels["job"],
            "scrapeUrl": url,
            "globalUrl": url,
            "lastError": "",
            "lastScrape": rfc3339(self._scenario.world.end),
            "lastScrapeDuration": 0.004,
            "health": "up",
            "scrapeInterval": INTERVAL,
            "scrapeTimeout": INTERVAL,
        }

    def _alertmanagers(self, request: Request) -> Response:
        url = f"{self._alertmanager()}/api/v2/alerts"
        return _success({"activeAlertmanagers": [{"url": url}], "droppedAlertmanagers": []})

    def _metadata(self, request: Request) -> Response:
        wanted = request.get("metric")
        names = [n for n in self._scenario.world.names() if not wanted or n == wanted]
        kind = {True: "counter", False: "gauge"}
        return _success(
            {n: [{"type": kind[n.endswith("_total")], "help": "Demo data.", "unit": ""}] for n in names}
        )

    def _buildinfo(self, request: Request) -> Response:
        info = {"version": VERSION, "revision": "demo", "branch": "demo", "goVersion": ""}
        return _success({**info, "buildUser": "opsconsole demo", "buildDate": ""})

    def _runtimeinfo(self, request: Request) -> Response:
        started = rfc3339(self._scenario.start)
        info: dict[str, object] = {"startTime": started, "CWD": "/", "reloadConfigSuccess": True}
        info |= {"lastConfigTime": started, "corruptionCount": 0, "goroutineCount": 1, "GOMAXPROCS": 1}
        return _success(
            {**info, "storageRetention": RETENTION, "demo": f"delays and windows divided by {COMPRESS:g}"}
        )


def generator_url(query: str) -> str:
    """The graph link of an alert."""
    return f"{EXTERNAL_URL}/graph?g0.expr={quote(query, safe='')}&g0.tab=1"


def _alert(one: Occurrence) -> dict[str, object]:
    return {
        "labels": dict(sorted(one.labels.items())),
        "annotations": one.annotations(),
        "state": one.state,
        "activeAt": rfc3339(one.active) if one.active else ZERO,
        "value": f"{one.value:.15e}",
    }


def _success(data: object, *warnings: str) -> Response:
    reply: dict[str, object] = {"status": "success", "data": data}
    if warnings:
        reply["warnings"] = list(warnings)
    return json_response(reply)


def _error(message: str) -> Response:
    return json_response({"status": "error", "errorType": "bad_data", "error": message}, 400)


def _time(request: Request, name: str, default: float | None = None) -> float:
    raw = request.get(name)
    if not raw and default is not None:
        return default
    try:
        found = read_time(raw)
    except ValueError:
        found = math.nan
    if not math.isfinite(found):
        raise _Invalid(f'invalid parameter "{name}": cannot parse "{safe(raw, 80)}" to a valid timestamp')
    return found


def _step(raw: str) -> float:
    try:
        step = float(raw)
    except ValueError:
        step = expr.duration(raw)
    if not 0 < step < math.inf:
        raise _Invalid(
            'invalid parameter "step": zero or negative query resolution step widths are not accepted. '
            "Try a positive integer"
        )
    return step


def _number(value: float | None) -> str:
    if value is None or math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return f"{value:.12g}"


def _pairs(times: list[float], values: Column) -> list[list[object]]:
    return [[t, _number(v)] for t, v in zip(times, values, strict=True) if v is not None]
