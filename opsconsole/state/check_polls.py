"""What only the checks ask of Prometheus: as few questions as answer them all, each with a small answer."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from typing import cast

import msgspec

from opsconsole.clients.prometheus import ALERTMANAGERS, RUNTIME, PrometheusClient
from opsconsole.clock import Clock
from opsconsole.errors import BadQuery, SourceError
from opsconsole.model.matchers import quote
from opsconsole.model.playbook import Playbook
from opsconsole.model.series import QueryResult, Series
from opsconsole.model.serverfacts import COUNTERS, OWN, Contents, Extreme, MetricFacts, ScrapeFacts, ServerFacts
from opsconsole.model.times import read_time
from opsconsole.model.uses import Metric, uses_of
from opsconsole.state.snapshot import Snapshot
from opsconsole.state.told import Told
from opsconsole.text import SafeText, safe, trusted

EVERY = 60.0
"""Seconds between two askings while the Status screen is in front."""

FRESH = 180.0
"""Seconds within which a metric must have a sample, at least: three scrapes at the usual interval of 1 m."""

_PART = "opsconsole_part"
_ANY = '!=""'

Read = Callable[[str, Callable[[], Awaitable[object]]], Awaitable[None]]


class CheckPolls:
    """The polls of the checks. `read` asks and puts the answer, or the failure, into the field of the snapshot
    that has the poll's name."""

    def __init__(
        self, client: PrometheusClient, clock: Clock, snapshot: Callable[[], Snapshot], read: Read
    ) -> None:
        self._client = client
        self._clock = clock
        self._snapshot = snapshot
        self._read = read

    def all(self) -> Iterator[tuple[str, float, Callable[[], Awaitable[None]]]]:
        """Name, interval in seconds and poll of each."""
        asks = {
            "server": self._server,
            "senders": self._senders,
            "scrapes": self._scrapes,
            "metrics": self._metrics,
            "contents": self._contents,
        }
        for name, ask in asks.items():
            yield name, EVERY, lambda name=name, ask=ask: self._read(name, ask)  # type: ignore[misc]

    async def _senders(self) -> Told:
        return Told(await self._client.alertmanagers(), self._client.warnings.get(ALERTMANAGERS, ()))

    async def _server(self) -> Told:
        at = self._clock.now()
        names = "|".join(COUNTERS)
        earlier = self._client.query(f'sum by (__name__,job,instance) ({{__name__=~"{names}"}} offset 1h)')
        asked = await asyncio.gather(
            self._runtime(), self._client.own_metrics(OWN), earlier, return_exceptions=True
        )
        for answer in asked:  # all have ended: none is left behind when another has failed
            if isinstance(answer, BaseException):
                raise answer
        info, own, before = cast("tuple[Mapping[SafeText, SafeText], dict[str, float], QueryResult]", asked)
        facts = ServerFacts(
            at=at,
            started=read_time(info.get(trusted("startTime"), "")),
            retention=info.get(trusted("storageRetention"), trusted("")),
            reloaded={"True": True, "False": False}.get(info.get(trusted("reloadConfigSuccess"), "")),
            own=own,
            before=_of_one(before.series),
        )
        return Told(facts, (*before.warnings, *self._client.warnings.get(RUNTIME, ())))

    async def _runtime(self) -> Mapping[SafeText, SafeText]:
        try:
            return await self._client.runtimeinfo()
        except BadQuery:
            return {}

    async def _scrapes(self) -> Told:
        jobs = {job.name for book in self._snapshot().playbooks for job in book.jobs}
        job = f"{{job=~{quote('|'.join(map(re.escape, sorted(jobs))))}}}" if jobs else ""
        answer = await self._client.query(
            _parts(
                {
                    "samples": f"bottomk by (job) (1, scrape_samples_scraped{job})",
                    "changes": f"topk by (job) (1, changes(up{job}[1h]))",
                }
            )
        )
        found: dict[str, dict[str, Extreme]] = {"samples": {}, "changes": {}}
        for series in answer.series:
            one = Extreme(series.labels.get("instance", ""), series.values[-1])
            found.setdefault(series.labels.get(_PART, ""), {})[series.labels.get("job", "")] = one
        latency = self._client.latency or 0.0
        facts = ScrapeFacts(samples=found["samples"], changes=found["changes"], latency=latency)
        return Told(facts, answer.warnings)

    async def _metrics(self) -> Told:
        labels = _labels(self._snapshot().playbooks)
        window = _window(self._snapshot().playbooks)
        if not labels:
            return Told(MetricFacts(fresh=frozenset(), window=window))
        scopes = _scopes(labels)
        first = await self._client.query(
            _parts(
                {str(i): f"topk by (__name__) (1, last_over_time({_all(s)}[{window:.0f}s]))" for i, s in scopes}
            )
        )
        shown: dict[Metric, Mapping[str, str]] = {}
        by_part = {str(i): {m.name: m for m in metrics} for i, metrics in scopes}
        for series in first.series:
            metric = by_part.get(series.labels.get(_PART, ""), {}).get(series.labels.get("__name__", ""))
            if metric is not None:
                shown[metric] = series.labels
        missing = sorted(metric for metric in labels if metric not in shown)
        lacking = [(m, name) for m in sorted(shown) for name in sorted(labels[m]) if not shown[m].get(name)]
        facts = MetricFacts(fresh=frozenset(shown), window=window)
        if not missing and not lacking:
            return Told(facts, first.warnings)
        second = await self._client.query(_closer(missing, lacking))
        return Told(_looked_at(facts, missing, lacking, second), (*first.warnings, *second.warnings))

    async def _contents(self) -> Told:
        asked = dict(_unjudged(self._snapshot().playbooks))
        if not asked:
            return Told(Contents(filled={}))
        try:
            answer = await self._client.query(_parts(asked))
        except BadQuery:  # one of them is wrong: each for itself says which
            return await self._each(asked)
        filled = {series.labels.get(_PART, "") for series in answer.series}
        return Told(
            Contents(filled={_key(part): False for part in asked} | {_key(p): True for p in filled}),
            answer.warnings,
        )

    async def _each(self, asked: Mapping[str, str]) -> Told:
        async def ask(part: str, expr: str) -> tuple[str, QueryResult | SourceError]:
            try:
                return _key(part), await self._client.query(expr)
            except SourceError as error:
                return _key(part), error

        filled: dict[str, bool] = {}
        failed: dict[str, SafeText] = {}
        warnings: tuple[SafeText, ...] = ()
        for key, answer in await asyncio.gather(*(ask(part, expr) for part, expr in asked.items())):
            if isinstance(answer, SourceError):
                failed[key] = safe(f"{answer.kind}: {answer.message}", 300)
            else:
                filled[key] = filled.get(key, False) or bool(answer.series)
                warnings += answer.warnings
        return Told(Contents(filled=filled, failed=failed), warnings)


def unjudged_panels(playbooks: Iterable[Playbook]) -> Iterator[str]:
    """The keys of the panels that have no thresholds and may not be empty."""
    return iter(dict.fromkeys(_key(part) for part, _ in _unjudged(playbooks)))


def _unjudged(playbooks: Iterable[Playbook]) -> Iterator[tuple[str, str]]:
    for book in playbooks:
        for dashboard in book.dashboards:
            for panel in dashboard.panels:
                if not panel.thresholds and panel.empty == "unknown":
                    for index, query in enumerate(panel.queries):
                        yield f"{index} {book.system}/{panel.id}", f"count({query.expr}\n)"


def _key(part: str) -> str:
    return part.partition(" ")[2]


def _parts(exprs: Mapping[str, str]) -> str:
    """One query for all: the series of each expression get its name as a label."""
    return " or ".join(f'label_replace({expr}, "{_PART}", {quote(name)}, "", "")' for name, expr in exprs.items())


def _labels(playbooks: Iterable[Playbook]) -> dict[Metric, frozenset[str]]:
    found: dict[Metric, frozenset[str]] = {}
    for playbook in playbooks:
        for metric, names in uses_of(playbook).labels.items():
            if metric.name not in ("ALERTS", "ALERTS_FOR_STATE"):
                found[metric] = found.get(metric, frozenset()) | names
    return found


def _window(playbooks: Iterable[Playbook]) -> float:
    return max([FRESH, *(3 * job.interval for book in playbooks for job in book.jobs)])


def _scopes(metrics: Iterable[Metric]) -> list[tuple[int, list[Metric]]]:
    """The metrics by where they are looked for, numbered."""
    found: dict[object, list[Metric]] = {}
    for metric in sorted(metrics):
        found.setdefault(metric.job, []).append(metric)
    return list(enumerate(found.values()))


def _all(metrics: Sequence[Metric]) -> str:
    """One selector for metrics that are looked for in the same place."""
    return _selector(f"__name__=~{quote('|'.join(m.name for m in metrics))}", metrics[0])


def _selector(first: str, metric: Metric, *more: str) -> str:
    job = [f"{m.name}{m.op}{quote(m.value)}" for m in metric.job]
    return "{" + ",".join([first, *job, *more]) + "}"


def _one(metric: Metric, *more: str) -> str:
    return _selector(f"__name__={quote(metric.name)}", metric, *more)


def _closer(missing: Sequence[Metric], lacking: Sequence[tuple[Metric, str]]) -> str:
    """A closer look: when the last sample of what is missing was, and whether any series has what one lacks."""
    parts = {f"age {i}": f"max(timestamp({_one(metric)}))" for i, metric in enumerate(missing)}
    parts |= {f"hour {i}": f"count(last_over_time({_one(metric)}[1h]))" for i, metric in enumerate(missing)}
    parts |= {f"has {i}": f"count({_one(m, name + _ANY)})" for i, (m, name) in enumerate(lacking)}
    return _parts(parts)


def _looked_at(
    facts: MetricFacts, missing: Sequence[Metric], lacking: Sequence[tuple[Metric, str]], answer: QueryResult
) -> MetricFacts:
    found = {series.labels.get(_PART, ""): series.values[-1] for series in answer.series if series.values}
    stale = {m: found[f"age {i}"] for i, m in enumerate(missing) if f"age {i}" in found}
    return msgspec.structs.replace(
        facts,
        stale=stale,
        gone=frozenset(m for i, m in enumerate(missing) if f"hour {i}" in found and m not in stale),
        lacking=frozenset(one for i, one in enumerate(lacking) if f"has {i}" not in found),
    )


def _of_one(series: Iterable[Series]) -> dict[str, float]:
    """The values by metric when they are of one server; nothing when several are scraped, because which of them
    this one is cannot be told."""
    known = [s for s in series if s.last is not None]
    if len({(s.labels.get("job"), s.labels.get("instance")) for s in known}) > 1:
        return {}
    return {s.labels.get("__name__", ""): s.values[-1] for s in known}
