"""How full an application is: gauges whose names say what they fill."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import msgspec

from opsconsole.golden.families import Family, JobFacts, Kind
from opsconsole.golden.promql import selector
from opsconsole.golden.requests import breakdown_of
from opsconsole.golden.signals import Hit, Signal, hit, own_name, words_of

MOST = 4
"""Gauges of one job that are offered."""


class GaugeRule(msgspec.Struct, frozen=True):
    """Gauges whose name matches: their weight, unit, and how instances come together."""

    pattern: re.Pattern[str]
    weight: int
    unit: str
    how: str


_FULL = r"(?:util|pool|worker|queue|memory|cpu|disk)"

RULES = (
    GaugeRule(re.compile(r"(?:^|_)queue_(?:depth|size|length)$|_(?:queued|backlog|pending)$"), 67, "count", "sum"),
    GaugeRule(re.compile(rf"{_FULL}\w*_percent$"), 66, "percent", "max"),
    GaugeRule(re.compile(rf"{_FULL}\w*_ratio$"), 66, "ratio", "max"),
    GaugeRule(
        re.compile(r"_pool_(?:in_use|active|used|busy|checked_out|waiting)$|_active_connections$"),
        65,
        "count",
        "sum",
    ),
    GaugeRule(re.compile(r"_connections(?:_(?:active|in_use|open))?$"), 62, "count", "sum"),
    GaugeRule(re.compile(r"_(?:in_?progress|in_?flight|active_requests)$"), 62, "count", "sum"),
    GaugeRule(re.compile(r"(?:^|_)resource_usage$|_utili[sz]ation$|_saturation$"), 61, "none", "max"),
    GaugeRule(re.compile(r"_pool_size$"), 60, "count", "sum"),
    GaugeRule(re.compile(r"(?:^|_)active_[a-z]+$|_active$"), 55, "count", "sum"),
    GaugeRule(re.compile(r"_memory_(?:usage|used)_bytes$"), 52, "bytes", "sum"),
    GaugeRule(re.compile(r"_hit_(?:rate|ratio)_percent$|_percent$"), 36, "percent", "max"),
)
"""The first that matches counts."""

_A_LIMIT = re.compile(r"(?:^|_)(?:max|min|limit|total|capacity|threshold|target)(?:_|$)")


def rule_for(family: Family) -> GaugeRule | None:
    """What a gauge's name says, or None. Limits are no fill."""
    if family.kind is not Kind.GAUGE or _A_LIMIT.search(family.name):
        return None
    return next((rule for rule in RULES if rule.pattern.search(family.name)), None)


def gauge_names(families: Sequence[Family]) -> list[str]:
    """The gauges among these that tell how full something is, the most telling first."""
    ruled = [(-rule.weight, f.name) for f in families if (rule := rule_for(f)) is not None]
    return [name for _, name in sorted(ruled)]


def gauge_hits(facts: JobFacts, families: Sequence[Family]) -> Iterator[Hit]:
    """A panel for each of the job's most telling gauges."""
    by_name = {f.name: f for f in families}
    for name in gauge_names(families)[:MOST]:
        rule = rule_for(by_name[name])
        assert rule is not None
        series, label = selector(name, facts.job), breakdown_of(facts, name)
        query = ("value", f"{rule.how}({series})")
        if label:
            query = (f"{{{{{label}}}}}", f"{rule.how} by ({label}) ({series})")
        yield hit(
            Signal.SATURATION, rule.weight, own_name(name, facts.job), words_of(name, facts.job), rule.unit, query
        )
