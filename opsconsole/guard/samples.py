"""What one look at a rule gave: a value that may be acted on, or why there is none."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from functools import lru_cache

import msgspec

from opsconsole.model.expressions import Node, NotPromql, parse
from opsconsole.model.guard import GuardRule
from opsconsole.model.series import QueryResult, Series
from opsconsole.text import SafeText, safe, trusted

NO_WINDOW = 90.0
"""Seconds that the newest scrape behind a value without a range window may be old: one of a minute, and a half."""

_SHORTEST, _LONGEST = 30.0, 90.0
_SHARE = 0.75


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """One evaluation of a rule's expression, at `at` on the server's clock, seconds since the epoch.

    `value` is None when it may not be acted on, and `problem` says why; `quiet` then says that nothing is wrong
    but too little traffic. `newest` is the time of the newest scrape behind it, None when that was not asked.
    `note` says of which series the value is.
    """

    at: float
    value: float | None = None
    problem: SafeText = trusted("")
    quiet: bool = False
    newest: float | None = None
    note: SafeText = trusted("")


def sample_of(
    rule: GuardRule,
    value: QueryResult,
    *,
    freshness: QueryResult | None = None,
    traffic: QueryResult | None = None,
) -> Sample:
    """The sample that the answers to a rule's questions make: of `expr`, of `freshness_query(expr)` (None when
    there is no such question) and of `traffic` (None when the rule has none). Whatever is missing, partial, not a
    finite number or old makes it one that may not be acted on."""
    at = _when(value)
    partial = _partial(value, freshness, traffic)
    if partial:
        return _unknown(at, f"partial: {partial}")
    if not understood(rule.expr):
        return _unknown(at, "this program cannot read its expression, so how old the value is is not known")
    if rule.traffic:
        flow = _worst(traffic, least=True) if traffic is not None else None
        if flow is None:
            return _unknown(at, "its traffic is not known")
        if flow[0] < rule.min_traffic:
            words = f"too little traffic: {flow[0]:.3g} of {rule.min_traffic:g} requests a second"
            return Sample(at=at, problem=safe(words, 200), quiet=True)
    newest = None
    if freshness_query(rule.expr):
        newest = _newest(freshness)
        if newest is None:
            return _unknown(at, "no scrape is behind it")
        old, limit = at - newest, fresh_within(rule.expr)
        if old > limit:
            return _unknown(at, f"stale: the newest scrape is {old:.0f}s old, allowed are {limit:.0f}s")
    if value.kind not in ("vector", "scalar"):
        return _unknown(at, f"the answer is a {safe(value.kind, 20)}, not a number")
    found = _worst(value, least=rule.above is None)
    if found is None:
        return _unknown(at, "no value" if not value.series else "not every series has a finite value")
    worst, series = found
    note = f"the worst of {len(value.series)}: {_labels(series)}" if len(value.series) > 1 else ""
    return Sample(at=at, value=worst, newest=newest, note=safe(note, 300))


def failed_sample(at: float, why: str) -> Sample:
    """The sample of a question that was not answered."""
    return _unknown(at, why)


def understood(expr: str) -> bool:
    """Whether the parser knows the expression."""
    try:
        parse(expr)
    except NotPromql:
        return False
    return True


@lru_cache(maxsize=512)
def freshness_query(expr: str) -> str:
    """A query for the time of the newest scrape behind an expression, of the metric that is most behind; "" for
    an expression that has no metrics or cannot be understood."""
    try:
        selectors = sorted(set(_selectors(parse(expr))))
    except NotPromql:
        return ""
    parts = [
        f'label_replace(max(timestamp({text})), "part", "{number}", "", "")'
        for number, text in enumerate(selectors)
    ]
    return f"min({' or '.join(parts)})" if parts else ""


@lru_cache(maxsize=512)
def windows(expr: str) -> tuple[float, ...]:
    """The range windows of an expression in seconds, the shortest first; none when it cannot be understood."""
    try:
        return tuple(sorted(_windows(parse(expr))))
    except NotPromql:
        return ()


def fresh_within(expr: str) -> float:
    """How old the newest scrape behind an expression may be, seconds: three quarters of its shortest window, from
    half a minute to one and a half."""
    shortest = windows(expr)[:1]
    return min(_LONGEST, max(_SHORTEST, _SHARE * shortest[0])) if shortest else NO_WINDOW


def slow_within(expr: str) -> float:
    """How long an expression may still show what is over, seconds: its longest window."""
    return windows(expr)[-1] if windows(expr) else 0.0


def _unknown(at: float, why: str) -> Sample:
    return Sample(at=at, problem=safe(why, 300))


def _partial(*results: QueryResult | None) -> str:
    return next((str(result.warnings[0]) for result in results if result is not None and result.warnings), "")


def _when(result: QueryResult) -> float:
    """When it was evaluated; 0 when it has no value that would say so."""
    return max((series.times[-1] for series in result.series if series.times), default=0.0)


def _worst(result: QueryResult, *, least: bool) -> tuple[float, Series] | None:
    """The greatest value, or the least, and its series; None unless all are finite numbers."""
    values = [series.values[-1] if series.values else math.nan for series in result.series]
    if not values or not all(map(math.isfinite, values)):
        return None
    choose = min if least else max
    return choose(zip(values, result.series, strict=True), key=lambda pair: pair[0])


def _newest(result: QueryResult | None) -> float | None:
    found = _worst(result, least=True) if result is not None else None
    return found[0] if found is not None else None


def _labels(series: Series) -> str:
    return ", ".join(f"{name}={value}" for name, value in sorted(series.labels.items())) or "{}"


def _selectors(node: Node) -> Iterator[str]:
    """The instant selectors of an expression, as text."""
    if node.kind == "selector":
        matchers = ",".join(f"{m.name}{m.op}{json.dumps(m.value, ensure_ascii=False)}" for m in node.matchers)
        yield f"{node.value}{{{matchers}}}" if matchers else node.value
        return
    if node.kind in ("offset", "at"):
        return  # it looks at the past on purpose
    if node.kind == "call" and node.value in ("absent", "absent_over_time"):
        return
    for part in node.parts:
        yield from _selectors(part)


def _windows(node: Node) -> Iterator[float]:
    if node.kind == "range":
        yield int(node.value.partition(":")[0]) / 1000
    for part in node.parts:
        yield from _windows(part)
