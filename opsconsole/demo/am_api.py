"""The Alertmanager v2 API over the scenario's firing alerts."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from urllib.parse import unquote

import msgspec

from opsconsole.demo.alarms import Occurrence
from opsconsole.demo.httpd import Request, Response, json_response, text_response
from opsconsole.demo.posted import PostedAlerts
from opsconsole.demo.prom_api import generator_url
from opsconsole.demo.rulebook import Routing
from opsconsole.demo.scenario import Scenario
from opsconsole.demo.silences import DemoSilence, Rejected, SilenceStore
from opsconsole.demo.times import read_time, rfc3339
from opsconsole.errors import UsageError
from opsconsole.model.matchers import Matcher, Matchers, compile_regex, match_all, parse_matchers

VERSION = "0.25.0-demo"

_METRICS = (
    "alertmanager_config_last_reload_successful 1\n"
    'alertmanager_notifications_total{integration="webhook"} 0\n'
    'alertmanager_notifications_failed_total{integration="webhook"} 0\n'
    'alertmanager_notification_requests_total{integration="webhook"} 0\n'
    'alertmanager_notification_requests_failed_total{integration="webhook"} 0\n'
)
"""Its own metrics: it tells nobody of anything."""

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.I)
_ALERT_LIFE = 300.0
"""Seconds after its last update at which an alert that nobody renews would end."""


class _Refused(Exception):
    def __init__(self, response: Response) -> None:
        super().__init__()
        self.response = response


class AlertmanagerApi:
    """Answers requests from the scenario, the routing and the silences."""

    def __init__(self, scenario: Scenario, routing: Routing, silences: SilenceStore) -> None:
        self._scenario = scenario
        self._routing = routing
        self._silences = silences
        self._posted = PostedAlerts()
        self._routes: dict[tuple[str, str], Callable[[Request], Response]] = {
            ("GET", "/-/ready"): lambda r: text_response("OK"),
            ("GET", "/-/healthy"): lambda r: text_response("OK"),
            ("GET", "/api/v2/alerts"): self._alerts,
            ("POST", "/api/v2/alerts"): self._post_alerts,
            ("GET", "/api/v2/alerts/groups"): self._groups,
            ("GET", "/api/v2/silences"): self._list_silences,
            ("POST", "/api/v2/silences"): self._post_silence,
            ("GET", "/api/v2/status"): self._status,
            ("GET", "/api/v2/receivers"): self._receivers,
            ("GET", "/metrics"): lambda r: text_response(_METRICS),
        }

    def __call__(self, request: Request) -> Response:
        """The response to a request; the scenario is brought up to the clock first."""
        self._scenario.tick()
        try:
            if request.path.startswith("/api/v2/silence/"):
                return self._one_silence(request)
            route = self._routes.get((request.method, request.path))
            return route(request) if route else self._unrouted(request)
        except _Refused as refused:
            return refused.response

    def _unrouted(self, request: Request) -> Response:
        if not request.path.startswith("/api/"):
            return text_response("404 page not found\n", 404)
        allowed = [method for method, path in self._routes if path == request.path]
        if allowed:
            return _coded(405, 405, f"method {request.method} is not allowed, but [{','.join(allowed)}] are")
        return _coded(404, 404, f"path {request.path} was not found")

    def _firing(self) -> list[Occurrence]:
        firing = [o for o in self._scenario.alarms.active() if o.fired is not None]
        firing += self._posted.firing(self._scenario.clock.now())
        return sorted(firing, key=lambda o: o.fingerprint)

    def _inhibitors(self, one: Occurrence, firing: Sequence[Occurrence]) -> list[str]:
        found: set[str] = set()
        for rule in self._routing.inhibit:
            if not match_all(rule.target, one.labels):
                continue
            for other in firing:
                same = all(other.labels.get(n, "") == one.labels.get(n, "") for n in rule.equal)
                # As Alertmanager: an alert that is source and target of a rule does not inhibit itself.
                both = match_all(rule.source, one.labels) and match_all(rule.target, other.labels)
                if same and not both and match_all(rule.source, other.labels):
                    found.add(other.fingerprint)
        return sorted(found)

    def _alert(self, one: Occurrence, firing: Sequence[Occurrence]) -> dict[str, object]:
        updated = self._scenario.alarms.last_evaluation
        silenced = self._silences.silencing(one.labels, self._scenario.clock.now())
        inhibited = self._inhibitors(one, firing)
        return {
            "annotations": one.annotations(),
            "endsAt": rfc3339(updated + _ALERT_LIFE),
            "fingerprint": one.fingerprint,
            "receivers": [{"name": n} for n in self._receivers_of(one.labels)],
            "startsAt": rfc3339(one.fired or one.active),
            "status": {
                "inhibitedBy": inhibited,
                "mutedBy": [],
                "silencedBy": silenced,
                "state": "suppressed" if silenced or inhibited else "active",
            },
            "updatedAt": rfc3339(updated),
            "generatorURL": generator_url(one.rule.query),
            "labels": dict(sorted(one.labels.items())),
        }

    def _receivers_of(self, labels: Mapping[str, str]) -> list[str]:
        return list(dict.fromkeys(route.receiver for route in self._routing.root.find(labels)))

    def _selected(self, request: Request) -> list[tuple[Occurrence, dict[str, object]]]:
        matchers = _filters(request)
        receiver = request.get("receiver")
        try:
            wanted = compile_regex(receiver) if receiver else None
        except UsageError as error:
            raise _Refused(json_response(f"failed to parse receiver param: {error.message}", 400)) from None
        firing = self._firing()
        found: list[tuple[Occurrence, dict[str, object]]] = []
        for one in firing:
            names = self._receivers_of(one.labels)
            if not match_all(matchers, one.labels):
                continue
            if wanted is not None and not any(wanted.fullmatch(n) for n in names):
                continue
            alert = self._alert(one, firing)
            if _wanted_state(request, alert["status"]):
                found.append((one, alert))
        return found

    def _alerts(self, request: Request) -> Response:
        return json_response([alert for _, alert in self._selected(request)])

    def _post_alerts(self, request: Request) -> Response:
        try:
            self._posted.take(request.body, self._scenario.clock.now(), _ALERT_LIFE)
        except (ValueError, RecursionError) as error:
            return _coded(400, 400, f'parsing alerts body from "" failed, because {error}')
        return Response()

    def _groups(self, request: Request) -> Response:
        groups: dict[tuple[str, tuple[tuple[str, str], ...]], list[dict[str, object]]] = {}
        for one, alert in self._selected(request):
            for route in self._routing.root.find(one.labels):
                names = sorted(one.labels) if "..." in route.group_by else route.group_by
                key = tuple((n, one.labels[n]) for n in sorted(names) if n in one.labels)
                groups.setdefault((route.receiver, key), []).append(alert)
        return json_response(
            [
                {"alerts": alerts, "labels": dict(key), "receiver": {"name": receiver}}
                for (receiver, key), alerts in sorted(groups.items(), key=lambda item: item[0][::-1])
            ]
        )

    def _list_silences(self, request: Request) -> Response:
        matchers = _filters(request)
        now = self._scenario.clock.now()
        found = [s for s in self._silences.all(now) if all(_mentions(s, m) for m in matchers)]
        return json_response([s.as_json(now) for s in found])

    def _post_silence(self, request: Request) -> Response:
        silence = _decode(request)
        try:
            found = self._silences.put(silence, self._scenario.clock.now())
        except Rejected as error:
            return json_response(str(error), error.status)
        return json_response({"silenceID": found})

    def _one_silence(self, request: Request) -> Response:
        silence_id = unquote(request.path.removeprefix("/api/v2/silence/"))
        if not _UUID.fullmatch(silence_id):
            return _coded(422, 601, f'silenceID in path must be of type uuid: "{silence_id}"')
        now = self._scenario.clock.now()
        silence = self._silences.get(silence_id)
        if request.method == "DELETE":
            if silence is None:
                return json_response("silence not found", 500)
            self._silences.expire(silence_id, now)
            return Response()
        if request.method != "GET":
            return _coded(405, 405, f"method {request.method} is not allowed, but [GET,DELETE] are")
        return Response(404) if silence is None else json_response(silence.as_json(now))

    def _status(self, request: Request) -> Response:
        info = {"branch": "demo", "buildDate": "", "buildUser": "opsconsole demo", "goVersion": ""}
        return json_response(
            {
                "cluster": {"peers": [], "status": "disabled"},
                "config": {"original": self._routing.original},
                "uptime": rfc3339(self._scenario.start),
                "versionInfo": {**info, "revision": "demo", "version": VERSION},
            }
        )

    def _receivers(self, request: Request) -> Response:
        return json_response([{"name": name} for name in self._routing.receivers])


def _coded(status: int, code: int, message: str) -> Response:
    return json_response({"code": code, "message": message}, status)


def _filters(request: Request) -> Matchers:
    """The `filter` parameters: one matcher each, without braces."""
    found: list[Matcher] = []
    for text in request.all("filter"):
        try:
            if text.lstrip().startswith("{"):
                raise UsageError("braces")
            (matcher,) = parse_matchers(text)
        except (UsageError, ValueError):
            raise _Refused(json_response(f"bad matcher format: {text}", 400)) from None
        found.append(matcher)
    return tuple(found)


def _wanted_state(request: Request, status: object) -> bool:
    if not isinstance(status, dict):
        return False
    if request.get("silenced", "true") == "false" and status["silencedBy"]:
        return False
    if request.get("inhibited", "true") == "false" and status["inhibitedBy"]:
        return False
    return request.get("active", "true") != "false" or status["state"] != "active"


def _mentions(silence: DemoSilence, wanted: Matcher) -> bool:
    """Alertmanager holds a silence filter against the silence's own matchers: the name must occur, and its
    value must satisfy the filter."""
    return any(m.name == wanted.name and wanted.matches({m.name: m.value}) for m in silence.matchers)


class _MatcherBody(msgspec.Struct, rename="camel"):
    name: str
    value: str
    is_regex: bool
    is_equal: bool = True


class _SilenceBody(msgspec.Struct, rename="camel"):
    matchers: list[_MatcherBody]
    starts_at: str
    ends_at: str
    created_by: str
    comment: str
    id: str = ""


def _decode(request: Request) -> DemoSilence:
    if request.content_type != "application/json":
        message = f'unsupported media type "{request.content_type}", only [application/json] are allowed'
        raise _Refused(_coded(415, 415, message))
    try:
        raw = json.loads(request.body)
    except (ValueError, RecursionError) as error:
        raise _Refused(_coded(400, 400, f'parsing silence body from "" failed, because {error}')) from None
    try:
        body = msgspec.convert(raw, _SilenceBody)
    except msgspec.ValidationError as error:
        if "missing required" in str(error):
            raise _Refused(_coded(422, 602, str(error))) from None
        raise _Refused(_coded(400, 400, f'parsing silence body from "" failed, because {error}')) from None
    try:
        starts, ends = read_time(body.starts_at), read_time(body.ends_at)
    except ValueError as error:
        raise _Refused(_coded(400, 400, f'parsing silence body from "" failed, because {error}')) from None
    if not body.matchers or not (math.isfinite(starts) and math.isfinite(ends)):
        raise _Refused(_coded(422, 612, "matchers in body should have at least 1 items"))
    return DemoSilence(
        id=body.id,
        matchers=tuple(Matcher(m.name, m.value, m.is_regex, m.is_equal) for m in body.matchers),
        starts=starts,
        ends=ends,
        created_by=body.created_by,
        comment=body.comment,
    )
