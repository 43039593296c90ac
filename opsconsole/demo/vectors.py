"""Arithmetic, aggregation and quantiles over columns of values."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable

import msgspec

from opsconsole.demo.expr import Aggregate, Binary, NoData

Column = list[float | None]
"""A value for each asked time; None where there is none."""


class Frame(msgspec.Struct, frozen=True):
    """One series: labels, and a value for each asked time."""

    labels: dict[str, str]
    values: Column


Vector = list[Frame]
Operate = Callable[[float | None, float | None], float | None]
Key = tuple[tuple[str, str], ...]

_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
}


def _divide(a: float, b: float) -> float:
    if b:
        return a / b
    return math.nan if a == 0 or math.isnan(a) else math.copysign(math.inf, a)


_ARITHMETIC: dict[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": _divide,
    "%": lambda a, b: math.fmod(a, b) if b else math.nan,
    "^": math.pow,
}


def compare(node: Binary) -> Operate | None:
    """The comparison of a node: filters, or gives 0 and 1 with `bool`; None when it is no comparison."""
    holds = _COMPARE.get(node.op)
    if holds is None:
        return None

    def operate(a: float | None, b: float | None) -> float | None:
        if a is None or b is None:
            return None
        if node.returns_bool:
            return float(holds(a, b))
        return a if holds(a, b) else None

    return operate


def arithmetic(node: Binary) -> Operate:
    """The arithmetic of a node. Raises NoData for an operator that the demo does not compute."""
    function = _ARITHMETIC.get(node.op)
    if function is None:
        raise NoData(f"the operator {node.op}")

    def operate(a: float | None, b: float | None) -> float | None:
        return None if a is None or b is None else function(a, b)

    return operate


def signature(node: Binary, labels: dict[str, str]) -> Key:
    """The labels by which two sides of an operator are matched."""
    if node.on:
        return tuple((name, labels[name]) for name in sorted(node.labels) if name in labels)
    dropped = {"__name__", *node.labels}
    return tuple(sorted((k, v) for k, v in labels.items() if k not in dropped))


def _group(node: Aggregate, labels: dict[str, str]) -> Key:
    if node.by:
        return tuple((name, labels[name]) for name in sorted(node.labels) if name in labels)
    dropped = {"__name__", *node.labels}
    return tuple(sorted((k, v) for k, v in labels.items() if k not in dropped))


def _grouped(node: Aggregate, frames: Vector) -> dict[Key, Vector]:
    groups: dict[Key, Vector] = {}
    for frame in frames:
        groups.setdefault(_group(node, frame.labels), []).append(frame)
    return groups


_REDUCE: dict[str, Callable[[list[float]], float]] = {
    "sum": math.fsum,
    "avg": lambda v: math.fsum(v) / len(v),
    "min": min,
    "max": max,
    "count": lambda v: float(len(v)),
    "group": lambda v: 1.0,
}


def aggregate(node: Aggregate, frames: Vector) -> Vector:
    """sum, avg, min, max, count or group of each group of series."""
    reduce = _REDUCE[node.op]
    out: Vector = []
    for key, members in _grouped(node, frames).items():
        column: Column = []
        for row in zip(*(m.values for m in members), strict=True):
            known = [v for v in row if v is not None]
            column.append(reduce(known) if known else None)
        out.append(Frame(dict(key), column))
    return out


def pick(node: Aggregate, frames: Vector, count: int) -> Vector:
    """topk and bottomk: the series keep their labels, and at each time only the chosen have a value."""
    out: Vector = []
    for members in _grouped(node, frames).values():
        columns: list[Column] = [[] for _ in members]
        for row in zip(*(m.values for m in members), strict=True):
            ranked = sorted(
                (i for i, v in enumerate(row) if v is not None),
                key=lambda i: row[i] or 0.0,
                reverse=node.op == "topk",
            )
            chosen = set(ranked[:count])
            for i, value in enumerate(row):
                columns[i].append(value if i in chosen else None)
        out += [Frame(m.labels, c) for m, c in zip(members, columns, strict=True)]
    if len(frames) and len(frames[0].values) == 1:
        out.sort(key=lambda f: f.values[0] or 0.0, reverse=node.op == "topk")
    return out


def merged(frames: Vector) -> Vector:
    """Series with the same labels joined into one; the first value counts."""
    by_labels: dict[Key, Frame] = {}
    for frame in frames:
        key = tuple(sorted(frame.labels.items()))
        known = by_labels.get(key)
        if known is None:
            by_labels[key] = frame
        else:
            column = [b if a is None else a for a, b in zip(known.values, frame.values, strict=True)]
            by_labels[key] = Frame(known.labels, column)
    return list(by_labels.values())


def histogram_quantile(phi: Column, frames: Vector) -> Vector:
    """Prometheus' histogram_quantile: linear interpolation inside the bucket that holds the quantile."""
    groups: dict[Key, list[tuple[float, Column]]] = {}
    for frame in frames:
        if "le" in frame.labels:
            key = tuple(sorted((k, v) for k, v in frame.labels.items() if k not in ("le", "__name__")))
            groups.setdefault(key, []).append((float(frame.labels["le"]), frame.values))
    out: Vector = []
    for key, buckets in groups.items():
        buckets.sort(key=lambda bucket: bucket[0])
        bounds = [bound for bound, _ in buckets]
        column: Column = []
        for q, *row in zip(phi, *(values for _, values in buckets), strict=True):
            known = [v for v in row if v is not None]
            column.append(None if q is None or len(known) < len(row) else _quantile(q, bounds, known))
        out.append(Frame(dict(key), column))
    return out


def _quantile(q: float, bounds: list[float], counts: list[float]) -> float:
    total = counts[-1]
    if len(bounds) < 2 or not math.isinf(bounds[-1]) or total <= 0 or math.isnan(q):
        return math.nan
    if q < 0:
        return -math.inf
    if q > 1:
        return math.inf
    rank = q * total
    index = next((i for i, count in enumerate(counts[:-1]) if count >= rank), len(counts) - 1)
    if index == len(counts) - 1:
        return bounds[-2]
    lower = bounds[index - 1] if index else 0.0
    below = counts[index - 1] if index else 0.0
    inside = counts[index] - below
    return lower + (bounds[index] - lower) * ((rank - below) / inside if inside else 0.0)
