"""Evaluates expressions over the demo's series: every part as columns, a value for each asked time.

Range windows are divided by `compress`, as the demo's alert delays are; `increase` is scaled back, so that it
still means the whole window.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import Protocol

from opsconsole.demo import expr
from opsconsole.demo.expr import Aggregate, Binary, Call, NoData, Node, Number, Selector, Text
from opsconsole.demo.vectors import (
    Column,
    Frame,
    Vector,
    aggregate,
    arithmetic,
    compare,
    histogram_quantile,
    merged,
    pick,
    signature,
)
from opsconsole.model.matchers import match_all
from opsconsole.text import safe

MIN_WINDOW = 10.0
"""Range windows are never compressed below this, seconds: two samples."""

ABSENT = frozenset({"kthxbye_last_cycle_success", "ALERTS", "ALERTS_FOR_STATE"})
"""Metrics of which the demo knows when they are not there: an empty answer is the right one."""

_PROBES = 64
"""Times at which the beginning of a metric is looked for, twice."""

_LOOKS, _MOST_LOOKS = 24, 5000
"""Looks into a long window of an `…_over_time` function: at least these, and more when few times are asked."""


class Store(Protocol):
    """Where series come from."""

    def names(self) -> Iterable[str]: ...

    def columns(self, name: str, times: Sequence[float]) -> list[tuple[dict[str, str], Column]]: ...


class Evaluator:
    """Evaluates at given times against one store."""

    def __init__(self, store: Store, *, compress: float = 10.0) -> None:
        self._store = store
        self._compress = compress

    def run(self, node: Node, times: Sequence[float]) -> Vector | Column:
        """A column for a scalar, else a vector. Raises NoData, or Malformed for a wrong type."""
        return _Run(self._store, self._compress, times).value(node)


class _Run:
    def __init__(self, store: Store, compress: float, times: Sequence[float]) -> None:
        self._store = store
        self._compress = compress
        self._times = times
        self._names = set(store.names())
        self._functions: dict[str, Callable[[tuple[Node, ...]], Vector | Column]] = {
            "rate": lambda a: self._rate(a, per_second=True),
            "irate": lambda a: self._rate(a, per_second=True),
            "increase": lambda a: self._rate(a, per_second=False),
            "delta": self._delta,
            "histogram_quantile": self._quantile,
            "absent": self._absent,
            "label_replace": self._label_replace,
            "vector": lambda a: [Frame({}, self._scalar(a[0]))],
            "scalar": self._to_scalar,
            "time": lambda a: self._now(),
            "clamp_min": lambda a: self._map_with(a, max),
            "clamp_max": lambda a: self._map_with(a, min),
            "round": lambda a: self._map(a[0], lambda v: math.floor(v + 0.5)),
            "abs": lambda a: self._map(a[0], abs),
            "ceil": lambda a: self._map(a[0], math.ceil),
            "floor": lambda a: self._map(a[0], math.floor),
            "sort": lambda a: self._vector(a[0]),
            "sort_desc": lambda a: self._vector(a[0]),
            "avg_over_time": lambda a: self._over_time(a, lambda v: sum(v) / len(v)),
            "max_over_time": lambda a: self._over_time(a, max),
            "min_over_time": lambda a: self._over_time(a, min),
            "last_over_time": lambda a: self._over_time(a, lambda v: v[-1], keeps_name=True),
            "changes": lambda a: self._over_time(a, lambda v: float(sum(x != y for x, y in pairwise(v)))),
            "timestamp": self._timestamp,
            "present_over_time": lambda a: self._over_time(a, lambda v: 1.0),
        }

    def _now(self) -> Column:
        return [*self._times]

    def value(self, node: Node) -> Vector | Column:
        if isinstance(node, Number):
            return _constant(node.value, len(self._times))
        if isinstance(node, Selector):
            return self._select(node)
        if isinstance(node, Call):
            return self._call(node)
        if isinstance(node, Aggregate):
            return self._aggregate(node)
        if isinstance(node, Binary):
            return self._binary(node)
        raise NoData("a string")

    def _vector(self, node: Node) -> Vector:
        found = self.value(node)
        if found and not isinstance(found[0], Frame):
            raise expr.Malformed("1:1: parse error: expected type instant vector, got scalar")
        return [f for f in found if isinstance(f, Frame)]

    def _scalar(self, node: Node) -> Column:
        found = self.value(node)
        if not found or isinstance(found[0], Frame):
            raise expr.Malformed("1:1: parse error: expected type scalar, got instant vector")
        return [v for v in found if not isinstance(v, Frame)]

    def _select(self, node: Selector) -> Vector:
        if node.window is not None:
            raise expr.Malformed("1:1: parse error: unexpected range vector")
        return self._columns(node, [t - node.offset for t in self._times])

    def _columns(self, node: Selector, times: Sequence[float]) -> Vector:
        if node.name and node.name not in self._names and node.name not in ABSENT:
            raise NoData(f"the metric {safe(node.name, 80)}")
        named = [m for m in node.matchers if m.name == "__name__"]
        names = [node.name] if node.name else [n for n in sorted(self._names) if match_all(named, {"__name__": n})]
        found = [column for name in names for column in self._store.columns(name, times)]
        return [Frame(labels, column) for labels, column in found if match_all(node.matchers, labels)]

    def _call(self, node: Call) -> Vector | Column:
        function = self._functions.get(node.name)
        if function is None:
            raise expr.bad_call(node.name)
        try:
            return function(node.args)
        except IndexError:
            raise expr.Malformed(f"1:1: parse error: too few arguments to {node.name}()") from None

    def _window(self, args: tuple[Node, ...]) -> tuple[Selector, float]:
        node = args[0]
        if not isinstance(node, Selector) or node.window is None:
            raise expr.Malformed("1:1: parse error: expected type range vector")
        return node, max(MIN_WINDOW, node.window / self._compress)

    def _ends(self, args: tuple[Node, ...]) -> tuple[Selector, float, list[tuple[Frame, Column]]]:
        node, window = self._window(args)
        ends = [t - node.offset for t in self._times]
        late = self._columns(node, ends)
        early = self._columns(node, [t - window for t in ends])
        if any(a is not None and b is None for x, y in zip(late, early, strict=True) for a, b in _pairs(x, y)):
            # A window that begins before the data counts from their beginning, as in Prometheus.
            first = self._beginning(node, min(ends) - window, max(ends))
            early = self._columns(node, [max(t - window, first) for t in ends])
        return node, window, [(a, b.values) for a, b in zip(late, early, strict=True)]

    def _beginning(self, node: Selector, start: float, end: float) -> float:
        """The first time from `start` to `end` at which the metric has a value, a little late at most."""
        for _ in range(2):
            step = (end - start) / _PROBES
            times = [start + i * step for i in range(_PROBES + 1)]
            rows = zip(*(frame.values for frame in self._columns(node, times)), strict=True)
            end = next((t for t, row in zip(times, rows, strict=False) if any(v is not None for v in row)), end)
            start = max(start, end - step)
        return end

    def _rate(self, args: tuple[Node, ...], *, per_second: bool) -> Vector:
        node, window, pairs = self._ends(args)
        factor = 1.0 / window if per_second else (node.window or window) / window
        return [
            Frame(
                _unnamed(late.labels),
                [
                    None if a is None or b is None else (a - b) * factor
                    for a, b in zip(late.values, early, strict=True)
                ],
            )
            for late, early in pairs
        ]

    def _delta(self, args: tuple[Node, ...]) -> Vector:
        return self._rate(args, per_second=False)

    def _timestamp(self, args: tuple[Node, ...]) -> Vector:
        return [
            Frame(
                _unnamed(f.labels),
                [t if v is not None else None for t, v in zip(self._times, f.values, strict=True)],
            )
            for f in self._vector(args[0])
        ]

    def _over_time(
        self, args: tuple[Node, ...], pick_one: Callable[[list[float]], float], *, keeps_name: bool = False
    ) -> Vector:
        node, window = self._window(args)
        steps = max(2, min(int(window // 5), max(_LOOKS, _MOST_LOOKS // max(1, len(self._times)))))
        back = [window * (steps - 1 - i) / steps for i in range(steps)]
        looks = self._columns(node, [t - node.offset - ago for t in self._times for ago in back])
        frames: Vector = []
        for frame in looks:
            column: Column = []
            for at in range(0, len(frame.values), steps):
                known = [v for v in frame.values[at : at + steps] if v is not None]
                column.append(pick_one(known) if known else None)
            frames.append(Frame(frame.labels if keeps_name else _unnamed(frame.labels), column))
        return frames

    def _quantile(self, args: tuple[Node, ...]) -> Vector:
        return histogram_quantile(self._scalar(args[0]), self._vector(args[1]))

    def _absent(self, args: tuple[Node, ...]) -> Vector:
        frames = self._vector(args[0])
        column: Column = [
            1.0 if all(f.values[i] is None for f in frames) else None for i in range(len(self._times))
        ]
        node = args[0]
        equal = [m for m in node.matchers if m.op == "="] if isinstance(node, Selector) else []
        return [Frame({m.name: m.value for m in equal}, column)]

    def _label_replace(self, args: tuple[Node, ...]) -> Vector:
        words = [a.value for a in args[1:5] if isinstance(a, Text)]
        if len(words) != 4:
            raise expr.Malformed("1:1: parse error: label_replace() takes four strings")
        target, replacement, source, pattern = words
        frames: Vector = []
        for frame in self._vector(args[0]):
            hit = re.fullmatch(pattern, frame.labels.get(source, ""), re.S)
            labels = dict(frame.labels)
            if hit is not None:
                labels[target] = hit.expand(re.sub(r"\$\{?(\w+)\}?", r"\\g<\1>", replacement))
            frames.append(Frame({k: v for k, v in labels.items() if v}, frame.values))
        return frames

    def _to_scalar(self, args: tuple[Node, ...]) -> Column:
        frames = self._vector(args[0])
        if len(frames) != 1:
            return _constant(math.nan, len(self._times))
        return [v if v is not None else math.nan for v in frames[0].values]

    def _map(self, node: Node, function: Callable[[float], float]) -> Vector:
        return [
            Frame(_unnamed(f.labels), [None if v is None else float(function(v)) for v in f.values])
            for f in self._vector(node)
        ]

    def _map_with(self, args: tuple[Node, ...], function: Callable[[float, float], float]) -> Vector:
        bounds = self._scalar(args[1])
        return [
            Frame(
                _unnamed(f.labels),
                [
                    None if v is None or b is None else function(v, b)
                    for v, b in zip(f.values, bounds, strict=True)
                ],
            )
            for f in self._vector(args[0])
        ]

    def _aggregate(self, node: Aggregate) -> Vector:
        frames = self._vector(node.body)
        if node.param is not None:
            count = self._scalar(node.param)[:1]
            return pick(node, frames, int(count[0] or 0) if count else 0)
        return aggregate(node, frames)

    def _binary(self, node: Binary) -> Vector | Column:
        left, right = self.value(node.left), self.value(node.right)
        scalars = [bool(side) and not isinstance(side[0], Frame) for side in (left, right)]
        if node.op in ("and", "or", "unless"):
            if any(scalars):
                raise expr.Malformed("1:1: parse error: set operators work on instant vectors only")
            return _set_operation(node, self._frames(left), self._frames(right))
        operate = compare(node) or arithmetic(node)
        if all(scalars):
            return [operate(a, b) for a, b in zip(self._cells(left), self._cells(right), strict=True)]
        if scalars[1]:
            return [_combine(f, self._cells(right), operate, node) for f in self._frames(left)]
        if scalars[0]:
            return [_combine(f, self._cells(left), operate, node, swapped=True) for f in self._frames(right)]
        return _matched(node, self._frames(left), self._frames(right), operate)

    @staticmethod
    def _frames(side: Vector | Column) -> Vector:
        return [f for f in side if isinstance(f, Frame)]

    @staticmethod
    def _cells(side: Vector | Column) -> Column:
        return [v for v in side if not isinstance(v, Frame)]


Operate = Callable[[float | None, float | None], float | None]


def _constant(value: float, count: int) -> Column:
    return [value] * count


def _pairs(one: Frame, other: Frame) -> Iterable[tuple[float | None, float | None]]:
    return zip(one.values, other.values, strict=True)


def _unnamed(labels: dict[str, str]) -> dict[str, str]:
    return {k: v for k, v in labels.items() if k != "__name__"}


def _keeps_name(node: Binary) -> bool:
    return node.op in ("==", "!=", ">", "<", ">=", "<=") and not node.returns_bool


def _combine(frame: Frame, other: Column, operate: Operate, node: Binary, *, swapped: bool = False) -> Frame:
    labels = frame.labels if _keeps_name(node) else _unnamed(frame.labels)
    column: Column = []
    for mine, its in zip(frame.values, other, strict=True):
        result = operate(its, mine) if swapped else operate(mine, its)
        keep_mine = swapped and _keeps_name(node) and result is not None
        column.append(mine if keep_mine else result)
    return Frame(labels, column)


def _matched(node: Binary, left: Vector, right: Vector, operate: Operate) -> Vector:
    if node.group == "group_right":
        raise NoData("group_right")
    by_key = {signature(node, f.labels): f for f in right}
    frames: Vector = []
    for frame in left:
        other = by_key.get(signature(node, frame.labels))
        if other is None:
            continue
        labels = frame.labels if _keeps_name(node) or node.group else dict(signature(node, frame.labels))
        if not _keeps_name(node):
            labels = _unnamed(labels)
        frames.append(Frame(labels, [operate(a, b) for a, b in zip(frame.values, other.values, strict=True)]))
    return frames


def _set_operation(node: Binary, left: Vector, right: Vector) -> Vector:
    mine: dict[tuple[tuple[str, str], ...], list[Frame]] = {}
    for frame in left if node.op == "or" else right:
        mine.setdefault(signature(node, frame.labels), []).append(frame)
    subject = right if node.op == "or" else left
    wanted = node.op == "and"
    kept: Vector = []
    for frame in subject:
        others = mine.get(signature(node, frame.labels), [])
        column: Column = [
            v if any(o.values[i] is not None for o in others) is wanted else None
            for i, v in enumerate(frame.values)
        ]
        kept.append(Frame(frame.labels, column))
    return merged([*left, *kept]) if node.op == "or" else kept
