"""Which metrics, and which labels of them, the expressions of a playbook need."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache

import msgspec

from opsconsole.model.expressions import Matcher, Node, NotPromql, parse
from opsconsole.model.playbook import Playbook

OPTIONAL = frozenset({"ALERTS", "ALERTS_FOR_STATE"})
"""Metrics that are there only while something happens."""

_KEEPS = frozenset({"topk", "bottomk", "limitk", "limit_ratio"})
_CONSTANT = frozenset({"vector", "absent", "absent_over_time", "time", "scalar"})


class Metric(msgspec.Struct, frozen=True, order=True):
    """A metric where it is looked for: `job` are the matchers of that label, so that what another system calls
    the same does not count."""

    name: str
    job: tuple[Matcher, ...] = ()


class Uses(msgspec.Struct, frozen=True):
    """`needed`: of each set at least one metric must be there, because the others merely stand in for it or it
    for them. `labels` are the labels that are asked of each metric, needed or not."""

    needed: frozenset[frozenset[Metric]] = frozenset()
    labels: Mapping[Metric, frozenset[str]] = {}


class _Found(msgspec.Struct, frozen=True):
    needed: frozenset[frozenset[Metric]] = frozenset()
    labels: tuple[tuple[Metric, frozenset[str]], ...] = ()

    def __add__(self, other: _Found) -> _Found:
        return _Found(self.needed | other.needed, self.labels + other.labels)


def uses_of(playbook: Playbook) -> Uses:
    """What the panels, rules and guard of a playbook need. A panel that may be empty needs none of its metrics;
    an expression that cannot be understood is left out."""
    needed: set[frozenset[Metric]] = set()
    labels: dict[Metric, frozenset[str]] = {}
    for expr, may_be_empty in _expressions(playbook):
        found = uses(expr)
        needed |= frozenset() if may_be_empty else found.needed
        for metric, names in found.labels:
            labels[metric] = labels.get(metric, frozenset()) | names
    return Uses(frozenset(needed), labels)


def metrics_of(exprs: Iterable[str]) -> frozenset[Metric]:
    """Every metric of some expressions, needed or not."""
    return frozenset(metric for expr in exprs for metric, _ in uses(expr).labels)


def _expressions(playbook: Playbook) -> Iterator[tuple[str, bool]]:
    for dashboard in playbook.dashboards:
        for panel in dashboard.panels:
            for query in panel.queries:
                yield query.expr, panel.empty != "unknown"
    for rule in playbook.rules:
        yield rule.expr, False
    for guarded in playbook.guard.rules if playbook.guard is not None else ():
        yield guarded.expr, False
        if guarded.traffic:
            yield guarded.traffic, False


@lru_cache(maxsize=1024)
def uses(expr: str) -> _Found:
    """What one expression needs."""
    try:
        return _uses(parse(expr), frozenset())
    except NotPromql:
        return _Found()


def _uses(node: Node, wanted: frozenset[str]) -> _Found:
    """`wanted` are the labels that what is around the node asks of it."""
    if node.kind == "selector":
        return _selector(node, wanted)
    if node.kind == "aggregate":
        kept = wanted if node.value in _KEEPS or node.how == "without" else frozenset[str]()
        own = frozenset(node.labels) if node.how == "by" else frozenset[str]()
        return _all(node.parts, (kept - set(node.labels) if node.how == "without" else kept | own))
    if node.kind == "binary":
        return _binary(node, wanted)
    if node.kind == "call":
        if node.value in ("label_replace", "label_join") and len(node.parts) > 1:
            return _all(node.parts, wanted - {node.parts[1].value})
        found = _all(node.parts, wanted)
        return _Found(labels=found.labels) if node.value in _CONSTANT else found
    return _all(node.parts, wanted)


def _all(parts: Iterable[Node], wanted: frozenset[str]) -> _Found:
    found = _Found()
    for part in parts:
        found = found + _uses(part, wanted)
    return found


def _selector(node: Node, wanted: frozenset[str]) -> _Found:
    if not node.value:
        return _Found()
    job = tuple(m for m in node.matchers if m.name == "job")
    metric = Metric(node.value, job)
    names = frozenset(m.name for m in node.matchers if m.name != "__name__") | wanted
    needed = frozenset() if node.value in OPTIONAL else frozenset({frozenset({metric})})
    return _Found(needed, ((metric, names),))


def _binary(node: Node, wanted: frozenset[str]) -> _Found:
    op, on = node.value.partition(" ")[0], frozenset(node.labels) if node.how == "on" else None
    left = right = wanted - set(node.labels) if node.how == "ignoring" else wanted
    if on is not None:
        keeps = op in ("and", "or", "unless")
        carried = frozenset(node.carried)
        left = on | (wanted if keeps else frozenset())
        right = on | (wanted if op == "or" else frozenset())
        if node.side == "group_left":
            left, right = on | (wanted - carried), on | carried
        elif node.side == "group_right":
            left, right = on | carried, on | (wanted - carried)
    one, other = _uses(node.parts[0], left), _uses(node.parts[1], right)
    if op == "unless":
        return _Found(one.needed, one.labels + other.labels)
    if op != "or":
        return one + other
    # Either side is enough; with a constant in its place nothing is needed at all.
    either = frozenset(a | b for a in one.needed for b in other.needed)
    return _Found(either, one.labels + other.labels)
