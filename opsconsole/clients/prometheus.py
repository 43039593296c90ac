"""Prometheus' HTTP API, version 1. Thanos, Mimir and VictoriaMetrics answer the same questions."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import TypeVar
from urllib.parse import urlsplit

import msgspec

from opsconsole.clients.decode import decode, known_time, off_loop
from opsconsole.clients.failures import body_text
from opsconsole.clients.results import decode_result
from opsconsole.clients.transport import Transport
from opsconsole.errors import BadQuery, BadReply, SourceError
from opsconsole.model.rules import BuildInfo, Rule, RuleAlert, RuleGroup, Target
from opsconsole.model.series import QueryResult
from opsconsole.text import SafeText, safe, safe_block, trusted

T = TypeVar("T")

METRICS_LIMIT = 4 << 20
"""Bytes of a server's own metrics that are read."""

RULES, TARGETS, ALERTMANAGERS = "/api/v1/rules", "/api/v1/targets", "/api/v1/alertmanagers"
RUNTIME = "/api/v1/status/runtimeinfo"


class Metadata(msgspec.Struct, frozen=True):
    """What a metric says of itself: `type` is counter, gauge, histogram, summary or unknown."""

    type: SafeText = trusted("")
    help: SafeText = trusted("")
    unit: SafeText = trusted("")


class _Envelope(msgspec.Struct):
    status: str
    data: msgspec.Raw = msgspec.Raw(b"null")
    warnings: list[str] | None = None
    infos: list[str] | None = None


class _Groups(msgspec.Struct):
    groups: tuple[RuleGroup, ...] | None = None


class _Targets(msgspec.Struct, rename="camel"):
    active_targets: tuple[Target, ...] | None = None


class _Alerts(msgspec.Struct):
    alerts: tuple[RuleAlert, ...] | None = None


class _Url(msgspec.Struct):
    url: str = ""


class _Alertmanagers(msgspec.Struct, rename="camel"):
    active_alertmanagers: list[_Url] | None = None


class _Build(msgspec.Struct):
    version: str = ""


_ENVELOPE = msgspec.json.Decoder(_Envelope)
_GROUPS = msgspec.json.Decoder(_Groups)
_TARGETS = msgspec.json.Decoder(_Targets)
_ALERTS = msgspec.json.Decoder(_Alerts)
_ALERTMANAGERS = msgspec.json.Decoder(_Alertmanagers)
_BUILD = msgspec.json.Decoder(_Build | None)
_FACTS = msgspec.json.Decoder(dict[str, str | int | float | bool | None])
_NAMES = msgspec.json.Decoder(tuple[str, ...])
_METADATA = msgspec.json.Decoder(dict[str, list[Metadata]])


class PrometheusClient:
    """One Prometheus. Every method raises a SourceError when there is no usable answer."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self.latency: float | None = None
        """Seconds that the last instant query took, None before the first."""
        self.warnings: dict[str, tuple[SafeText, ...]] = {}
        """The warnings of the last answer by path: it was partial when there are any. Queries have their own."""

    @property
    def url(self) -> SafeText:
        """The base URL, safe to show."""
        return self._transport.url

    @property
    def skew(self) -> float | None:
        """Seconds that the server's clock is ahead of ours (resolution 1 s), None when not known."""
        return self._transport.skew

    @property
    def expires(self) -> float | None:
        """When its certificate ends, seconds since the epoch; None when not known, or without TLS."""
        return self._transport.expires

    async def ready(self) -> None:
        """Return when it is ready to answer queries. Servers without `/-/ready` are asked a query instead."""
        try:
            await self._transport.request("GET", "/-/ready", small=True)
        except BadQuery as error:
            if error.status != 404:
                raise
            await self.query("vector(1)")

    async def query(self, expr: str, *, at: float | None = None) -> QueryResult:
        """The value of `expr` at `at` (seconds since the epoch), or now by the server's clock."""
        form = {"query": expr}
        if at is not None:
            form["time"] = f"{at:.3f}"
        return await self._query("/api/v1/query", form, small=True)

    async def query_range(self, expr: str, start: float, end: float, step: float) -> QueryResult:
        """The values of `expr` from `start` to `end` (seconds since the epoch, both included), every `step`
        seconds. Above 11,000 points a series the server says BadQuery."""
        form = {"query": expr, "start": f"{start:.3f}", "end": f"{end:.3f}", "step": f"{step:.3f}"}
        return await self._query("/api/v1/query_range", form)

    async def rules(self) -> tuple[RuleGroup, ...]:
        """The groups that have alerting rules, with those rules and their pending and firing alerts."""
        groups = (await self._get(RULES, _GROUPS, (("type", "alert"),))).groups or ()
        alerting = (_safe_group(group) for group in groups)
        return tuple(group for group in alerting if group.rules)

    async def alerts(self) -> tuple[RuleAlert, ...]:
        """The pending and firing alerts as Prometheus holds them."""
        return tuple(_safe_alert(a) for a in (await self._get("/api/v1/alerts", _ALERTS)).alerts or ())

    async def targets(self) -> tuple[Target, ...]:
        """The active scrape targets."""
        found = await self._get(TARGETS, _TARGETS, (("state", "active"),))
        return tuple(_safe_target(target) for target in found.active_targets or ())

    async def alertmanagers(self) -> tuple[str, ...]:
        """The base URLs of the Alertmanagers that it sends to, without credentials, each once."""
        found = await self._get(ALERTMANAGERS, _ALERTMANAGERS)
        bases = (_base_of(one.url) for one in found.active_alertmanagers or ())
        return tuple(dict.fromkeys(base for base in bases if base))

    async def buildinfo(self) -> BuildInfo:
        """Its version, "" when it does not say."""
        try:
            found = await self._get("/api/v1/status/buildinfo", _BUILD, small=True)
        except BadQuery as error:
            if error.status != 404:
                raise
            return BuildInfo()
        return BuildInfo(version=safe(found.version, 60) if found else trusted(""))

    async def runtimeinfo(self) -> dict[SafeText, SafeText]:
        """Its runtime information by name, as texts (`startTime`, `reloadConfigSuccess`, …)."""
        found = await self._get(RUNTIME, _FACTS)
        return _facts(found)

    async def flags(self) -> dict[SafeText, SafeText]:
        """Its command-line flags by name without dashes."""
        found = await self._get("/api/v1/status/flags", _FACTS)
        return _facts(found)

    async def own_metrics(self, names: Sequence[str]) -> dict[str, float]:
        """The values of its own metrics of these names, summed over their labels; without those that it does not
        have. None at all where `/metrics` is not served."""
        try:
            reply = await self._transport.request("GET", "/metrics", limit=METRICS_LIMIT)
        except SourceError as error:
            if error.status not in (403, 404, 405):
                raise
            return {}
        line = re.compile(rf"^({'|'.join(map(re.escape, names))})(?:\{{.*\}})? ([^ \n]+)", re.M)
        found: dict[str, float] = {}
        for name, value in line.findall(reply.body.decode("utf-8", "replace")):
            found[name] = found.get(name, 0.0) + _float(value)
        return found

    async def metadata(self) -> dict[SafeText, Metadata]:
        """What each metric says of itself; the first when targets differ."""
        found = await self._get("/api/v1/metadata", _METADATA)
        return {
            safe(name, 200): Metadata(safe(m[0].type, 60), safe_block(m[0].help, 1000), safe(m[0].unit, 60))
            for name, m in found.items()
            if m
        }

    async def names(self) -> tuple[str, ...]:
        """The names of all series, raw: they are for queries, not for the screen."""
        return await self._get("/api/v1/label/__name__/values", _NAMES)

    async def aclose(self) -> None:
        await self._transport.aclose()

    async def _query(self, path: str, form: dict[str, str], *, small: bool = False) -> QueryResult:
        form["timeout"] = f"{round(self._transport.timeout * 1000)}ms"  # no work for an answer nobody awaits
        reply = await self._transport.request("POST", path, form=form, small=small)
        if small:
            self.latency = reply.took
        where = f"{self.url}{path}"

        def decoded() -> QueryResult:
            envelope = _opened(reply.body, where)
            return decode_result(envelope.data, where, _texts(envelope.warnings), _texts(envelope.infos))

        return await off_loop(decoded, len(reply.body))

    async def _get(
        self,
        path: str,
        decoder: msgspec.json.Decoder[T],
        params: Sequence[tuple[str, str]] = (),
        *,
        small: bool = False,
    ) -> T:
        reply = await self._transport.request("GET", path, params=params, small=small)
        where = f"{self.url}{path}"

        def decoded() -> T:
            envelope = _opened(reply.body, where)
            self.warnings[path] = _texts(envelope.warnings)
            return decode(decoder, envelope.data, where)

        return await off_loop(decoded, len(reply.body))


def _opened(body: bytes, where: str) -> _Envelope:
    envelope = decode(_ENVELOPE, body, where)
    if envelope.status != "success":
        raise BadReply(
            f"it says {safe(envelope.status, 40)}: {body_text(body)}",
            where=where,
            hint="the server reports an error although its HTTP status says otherwise",
        )
    return envelope


def _float(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _texts(texts: Sequence[str] | None) -> tuple[SafeText, ...]:
    return tuple(safe(text, 300) for text in texts or ())


def _facts(found: Mapping[str, object]) -> dict[SafeText, SafeText]:
    return {safe(name, 100): safe("" if value is None else str(value), 1000) for name, value in found.items()}


def _base_of(url: str) -> str:
    """The base URL of an Alertmanager from the URL that alerts are sent to, "" when it is not usable."""
    for suffix in ("/api/v2/alerts", "/api/v1/alerts"):
        url = url.removesuffix(suffix)
    try:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and url.isprintable()
    except ValueError:
        return ""
    return f"{parts.scheme}://{host}{parts.path}".rstrip("/") if usable else ""


def _safe_group(group: RuleGroup) -> RuleGroup:
    return msgspec.structs.replace(
        group,
        name=safe(group.name),
        file=safe(group.file),
        last_evaluation=known_time(group.last_evaluation),
        rules=tuple(_safe_rule(rule) for rule in group.rules if rule.type == "alerting"),
    )


def _safe_rule(rule: Rule) -> Rule:
    return msgspec.structs.replace(
        rule,
        name=safe(rule.name),
        query=safe_block(rule.query),
        labels={name: safe(value) for name, value in rule.labels.items()},
        annotations={safe(name): safe_block(value) for name, value in rule.annotations.items()},
        alerts=tuple(_safe_alert(alert) for alert in rule.alerts),
        health=safe(rule.health, 40),
        last_error=safe(rule.last_error, 1000),
        last_evaluation=known_time(rule.last_evaluation),
    )


def _safe_alert(alert: RuleAlert) -> RuleAlert:
    return msgspec.structs.replace(
        alert,
        annotations={safe(name): safe_block(value) for name, value in alert.annotations.items()},
        active_at=known_time(alert.active_at),
        state=safe(alert.state, 40),
        value=safe(alert.value, 60),
    )


def _safe_target(target: Target) -> Target:
    return msgspec.structs.replace(
        target,
        scrape_pool=safe(target.scrape_pool),
        scrape_url=safe(target.scrape_url, 300),
        health=safe(target.health, 40),
        last_error=safe(target.last_error, 1000),
        last_scrape=known_time(target.last_scrape),
        scrape_interval=safe(target.scrape_interval, 40),
    )
