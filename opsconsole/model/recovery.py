"""Does an alert's condition hold no longer? From its own expression, and never from the mere lack of data.

No result of the expression can mean that all is well, that there is no traffic to judge by, or that the metrics
are gone. So its value (without the bound) and the age of the metrics that it needs are asked beside it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum

import msgspec

from opsconsole.model.alertrule import own_series
from opsconsole.model.expressions import NotPromql, parse
from opsconsole.model.matchers import quote
from opsconsole.model.promql import split_comparison
from opsconsole.model.series import QueryResult, Series
from opsconsole.model.uses import Metric, uses
from opsconsole.text import SafeText, safe, trusted

STALE = 150.0
"""Seconds after which a metric's newest sample is too old to say anything: two scrapes a minute apart and more."""


class State(Enum):
    """What can be said of a condition."""

    RECOVERED = "recovered"
    NOT_YET = "not recovered"
    UNKNOWN = "cannot tell"


class Recovery(msgspec.Struct, frozen=True, kw_only=True):
    """`at` is the first time (seconds since the epoch) from which on the condition held no longer, None unless
    it is recovered; `reason` says why it is not, or what makes it impossible to tell."""

    state: State
    at: float | None = None
    reason: SafeText = trusted("")


class Questions(msgspec.Struct, frozen=True, kw_only=True):
    """What to ask Prometheus, each as a range. `condition` is the alert's expression; `value` is it without its
    bound, "" when it has no one value; `fresh` give the time of the newest sample of what it needs."""

    condition: str
    value: str = ""
    fresh: tuple[str, ...] = ()

    @property
    def all(self) -> tuple[str, ...]:
        return tuple(filter(None, (self.condition, self.value, *self.fresh)))


class Answers(msgspec.Struct, frozen=True, kw_only=True):
    """The ranges that the Questions brought, from `since` to `now` every `step` seconds. `value` is None when it
    was not asked."""

    condition: QueryResult
    value: QueryResult | None = None
    fresh: tuple[QueryResult, ...] = ()
    since: float
    now: float
    step: float


def questions(expr: str) -> Questions:
    """What to ask of an alert's expression. Raises ValueError for one that cannot be understood: what it needs
    is not known then, and no result of it would mean nothing."""
    try:
        parse(expr)
    except NotPromql as error:
        raise ValueError(str(error)) from error
    split = split_comparison(expr)
    needed = sorted(uses(expr).needed, key=sorted)
    return Questions(
        condition=expr,
        value=split[0] if split is not None else "",
        fresh=tuple(_newest(metrics) for metrics in needed),
    )


def answers(asked: Questions, found: Sequence[QueryResult], since: float, now: float, step: float) -> Answers:
    """The results of `Questions.all`, in its order."""
    rest = list(found[1:])
    value = rest.pop(0) if asked.value else None
    return Answers(condition=found[0], value=value, fresh=tuple(rest), since=since, now=now, step=step)


def recovery(
    told: Answers, labels: Mapping[str, str], ignored: Iterable[str] = (), *, hold: float = 0.0
) -> Recovery:
    """Whether the condition of the alert with these labels holds no longer, since `told.since`.

    `ignored` are the labels that its rule sets. It must have been clear for `hold` seconds; a single clear sample
    is enough for 0.
    """
    skip = tuple(ignored)
    doubt = next((w for r in _results(told) for w in r.warnings), None)
    if doubt is not None:
        return _unknown(f"Prometheus answers in part: {doubt}")
    held = _times(own_series(told.condition.series, labels, skip))
    if held and told.now - held[-1] < 1.5 * told.step:
        return Recovery(state=State.NOT_YET, reason=trusted("its condition still holds"))
    why = _old_metrics(told)
    if why:
        return _unknown(why)
    clear_from = max(held[-1] + told.step if held else told.since, told.since)
    if told.value is not None:
        known = [
            (time, value)
            for series in own_series(told.value.series, labels, skip)
            for time, value in zip(series.times, series.values, strict=True)
        ]
        latest = max(known, default=None, key=lambda point: point[0])
        if latest is None or told.now - latest[0] >= 1.5 * told.step:
            return _unknown("its expression has no value now: no data, or too little traffic to judge by")
        if any(math.isnan(value) for time, value in known if time == latest[0]):
            return _unknown("its expression gives NaN: no traffic to judge by")
        clear_from = _whole_from(known, clear_from, told.step)
    elif told.now < told.since + told.step:
        return _unknown("nothing was measured since")
    if told.now - clear_from < hold:
        return Recovery(
            state=State.NOT_YET, reason=trusted(f"clear for {max(0, round(told.now - clear_from))} s so far")
        )
    return Recovery(state=State.RECOVERED, at=clear_from)


def _whole_from(known: Sequence[tuple[float, float]], clear_from: float, step: float) -> float:
    """From when on there is a known value at every step up to the newest: what is not known is not clear."""
    times = sorted({time for time, value in known if time >= clear_from - step / 2 and not math.isnan(value)})
    start = times[-1] if times else clear_from
    for time in reversed(times):
        if start - time > 1.5 * step:
            break
        start = time
    return start


def _old_metrics(told: Answers) -> str:
    for result in told.fresh:
        times = [
            (time, value)
            for series in result.series
            for time, value in zip(series.times, series.values, strict=True)
        ]
        latest = max(times, default=None, key=lambda point: point[0])
        if latest is None or math.isnan(latest[1]) or told.now - latest[0] >= 1.5 * told.step:
            return "the metrics of its expression are not there"
        if told.now - latest[1] > STALE:
            return f"the metrics of its expression are {round(told.now - latest[1])} s old"
    return ""


def _results(told: Answers) -> tuple[QueryResult, ...]:
    return (told.condition, *((told.value,) if told.value is not None else ()), *told.fresh)


def _times(series: Iterable[Series]) -> list[float]:
    return sorted({time for one in series for time in one.times})


def _newest(metrics: Iterable[Metric]) -> str:
    """The query for the time of the newest sample of any of these metrics."""
    return f"max({' or '.join(f'timestamp({_selector(metric)})' for metric in sorted(metrics))})"


def _selector(metric: Metric) -> str:
    inside = [f"__name__={quote(metric.name)}", *(f"{m.name}{m.op}{quote(m.value)}" for m in metric.job)]
    return "{" + ",".join(inside) + "}"


def _unknown(why: str) -> Recovery:
    return Recovery(state=State.UNKNOWN, reason=safe(why, 300))
