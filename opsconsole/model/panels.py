"""From a panel and what is known of its queries to a value and a verdict."""

from __future__ import annotations

import math
import re

import msgspec

from opsconsole.model.playbook import Panel
from opsconsole.model.reading import Reading
from opsconsole.model.series import QueryResult, Series
from opsconsole.model.verdicts import Level, badness
from opsconsole.text import SafeText, safe, trusted

_TEMPLATE = re.compile(r"\{\{\s*\.?(?:Labels\.)?([a-zA-Z_][a-zA-Z0-9_]*)\s*\}\}")


class PanelData(msgspec.Struct, frozen=True):
    """The results of a panel's queries, in their order: matrices for line charts and numbers with a
    sparkline, vectors for gauges, tables and bars."""

    results: tuple[QueryResult, ...]


class PanelState(msgspec.Struct, frozen=True, kw_only=True):
    """A panel's headline value and verdict. `value` is None when unknown; it is the last known value when
    the level is UNKNOWN because of age."""

    value: float | None
    level: Level
    reason: SafeText


def legend_of(template: str, labels: dict[str, str]) -> SafeText:
    """The legend of a series: `{{label}}` filled in; without a template, the labels themselves."""
    if template:
        return safe(_TEMPLATE.sub(lambda m: labels.get(m[1], ""), template), 60)
    inside = ",".join(f"{k}={v}" for k, v in sorted(labels.items()) if k != "__name__")
    return safe(inside, 60)


def headline_series(panel: Panel, data: PanelData) -> tuple[Series, ...]:
    """The series of the query whose legend is the panel's headline, else of the first query."""
    index = headline_index(panel)
    return data.results[index].series if index < len(data.results) else ()


def headline_index(panel: Panel) -> int:
    """Which of the panel's queries gives its value."""
    legends = [query.legend for query in panel.queries]
    return legends.index(panel.headline) if panel.headline in legends else 0


def panel_state(panel: Panel, reading: Reading[PanelData], now: float) -> PanelState:
    """The panel's value against its thresholds. The worst of several series counts.

    UNKNOWN when the reading is not known, a value is NaN, or no series has a point newer than
    `stale_after`; an empty result is what the panel's `empty` says. A series that ended before that is gone
    and does not count.
    """
    if reading.data is None:
        return PanelState(value=None, level=Level.UNKNOWN, reason=reading.why(now))
    series = [s for s in headline_series(panel, reading.data) if s.times]
    alive = [s for s in series if reading.at - s.times[-1] <= stale_after(panel)]
    known = [v for v in (s.last for s in alive) if v is not None]
    value = _worst_value(panel, known)
    if not reading.known(now):
        return PanelState(value=value, level=Level.UNKNOWN, reason=reading.why(now))
    if not series:
        return _empty(panel)
    if not alive:
        old = reading.at - max(s.times[-1] for s in series)
        return PanelState(value=None, level=Level.UNKNOWN, reason=trusted(f"last sample {round(old)}s old"))
    if len(known) < len(alive):
        return PanelState(value=value, level=Level.UNKNOWN, reason=trusted("the value is not a number"))
    return _judged(panel, value)


def stale_after(panel: Panel) -> float:
    """Seconds without a new sample after which a panel's value is old: two steps and a minute."""
    return 2 * step_of(panel.window) + 60.0


def step_of(window: float) -> float:
    """The range query step for a window, whole seconds: at most 240 points, at least 5 s apart."""
    for step in (5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600):
        if window / step <= 240:
            return float(step)
    return 7200.0


HOLD_SAMPLES = 20
"""Samples with which `coarse_span` looks at a threshold's `hold`: every 15 s for five minutes."""


def hold_span(panel: Panel) -> tuple[float, float]:
    """The window and step, in seconds, that show whether a threshold was crossed for its whole `hold`: one
    step more than the longest; (0, 0) when none has to last."""
    return _span(panel, 0.0)


def coarse_span(panel: Panel) -> tuple[float, float]:
    """As `hold_span`, with as few samples as a single look needs."""
    return _span(panel, HOLD_SAMPLES)


def _span(panel: Panel, samples: float) -> tuple[float, float]:
    hold = max((t.hold for t in panel.thresholds), default=0.0)
    if hold <= 0:
        return 0.0, 0.0
    step = max(step_of(hold), float(math.ceil(hold / samples)) if samples else 0.0)
    return (math.ceil(hold / step) + 1) * step, step


def _worst_value(panel: Panel, known: list[float]) -> float | None:
    if not known:
        return None
    downwards = any(t.below is not None for t in panel.thresholds)
    return max(known, key=lambda v: (badness(_level(panel, v)), -v if downwards else v))


def _level(panel: Panel, value: float) -> Level:
    return max((t.level for t in panel.thresholds if t.crossed(value)), key=badness, default=Level.OK)


def _empty(panel: Panel) -> PanelState:
    if panel.empty == "zero":
        return _judged(panel, 0.0)
    if panel.empty == "ok":
        return PanelState(value=None, level=Level.OK, reason=trusted("nothing to show, which is fine here"))
    return PanelState(value=None, level=Level.UNKNOWN, reason=trusted("no data"))


def _judged(panel: Panel, value: float | None) -> PanelState:
    if value is None:
        return PanelState(value=None, level=Level.UNKNOWN, reason=trusted("no data"))
    crossed = [t for t in panel.thresholds if t.crossed(value)]
    if not crossed:
        return PanelState(value=value, level=Level.OK, reason=trusted("within its thresholds"))
    hit = max(crossed, key=lambda t: badness(t.level))
    side = "above" if hit.above is not None else "below"
    return PanelState(value=value, level=hit.level, reason=trusted(f"{side} {hit.bound:g}"))
