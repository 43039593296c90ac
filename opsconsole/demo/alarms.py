"""Evaluates the demo's rules at each time of the grid: pending, firing, resolved, and the history of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from opsconsole.demo.evaluate import Evaluator
from opsconsole.demo.expr import NoData
from opsconsole.demo.rulebook import DemoGroup, DemoRule, expand
from opsconsole.demo.vectors import Column, Frame
from opsconsole.model.alerts import fingerprint_of

HISTORY_NAMES = ("ALERTS", "ALERTS_FOR_STATE")
"""The metrics in which Prometheus keeps the history of alerts."""


class Occurrence:
    """One time that one alert was active. Times are seconds since the epoch; `fired` and `ended` are None
    until it fires and ends."""

    __slots__ = ("active", "ended", "fingerprint", "fired", "labels", "last_true", "rule", "value")

    def __init__(self, rule: DemoRule, labels: dict[str, str], active: float) -> None:
        self.rule = rule
        self.labels = labels
        self.fingerprint = fingerprint_of(labels)
        self.active = active
        self.last_true = active
        self.fired: float | None = None
        self.ended: float | None = None
        self.value = 0.0

    @property
    def state(self) -> str:
        return "pending" if self.fired is None else "firing"

    def annotations(self) -> dict[str, str]:
        return {k: expand(v, self.labels, self.value) for k, v in self.rule.annotations.items()}

    def during(self, state: str) -> tuple[float, float] | None:
        """When it was in that state: from, and up to but without."""
        end = self.ended if self.ended is not None else float("inf")
        if state == "pending":
            until = self.fired if self.fired is not None else end
            return (self.active, until) if until > self.active else None
        return None if self.fired is None else (self.fired, end)


class Alarms:
    """The state of all rules. `advance` must be given every time of the grid once, in order."""

    def __init__(self, groups: Sequence[DemoGroup], evaluator: Evaluator) -> None:
        self.groups = tuple(groups)
        self.last_evaluation = 0.0
        self._evaluator = evaluator
        self._occurrences: list[Occurrence] = []
        self._active: dict[tuple[str, str], Occurrence] = {}

    def advance(self, times: Sequence[float]) -> None:
        """Evaluate every rule at each of `times`."""
        if not times:
            return
        for group in self.groups:
            for rule in group.rules:
                self._evaluate(rule, times)
        self.last_evaluation = times[-1]

    def _evaluate(self, rule: DemoRule, times: Sequence[float]) -> None:
        try:
            result = self._evaluator.run(rule.node, times)
        except NoData:
            return
        for frame in (f for f in result if isinstance(f, Frame)):
            kept = {k: v for k, v in frame.labels.items() if k != "__name__"}
            extra = {k: expand(v, kept, 0.0) for k, v in rule.labels.items()}
            labels = {**kept, **extra, "alertname": rule.name}
            key = (rule.name, fingerprint_of(labels))
            for t, value in zip(times, frame.values, strict=True):
                self._step(rule, labels, key, t, value)

    def _step(
        self, rule: DemoRule, labels: dict[str, str], key: tuple[str, str], t: float, value: float | None
    ) -> None:
        current = self._active.get(key)
        if value is None:
            if current is not None:
                self._calm(key, current, t)
            return
        if current is None:
            current = Occurrence(rule, labels, t)
            self._active[key] = current
            self._occurrences.append(current)
        current.value, current.last_true = value, t
        if current.fired is None and t - current.active >= rule.hold:
            current.fired = t

    def _calm(self, key: tuple[str, str], current: Occurrence, t: float) -> None:
        if current.fired is not None and t - current.last_true < current.rule.keep:
            return
        current.ended = t
        del self._active[key]

    def active(self) -> list[Occurrence]:
        """The pending and firing alerts, the oldest first."""
        return sorted(self._active.values(), key=lambda o: (o.active, o.fingerprint))

    def of(self, rule: DemoRule) -> list[Occurrence]:
        return [o for o in self.active() if o.rule is rule]

    def columns(self, name: str, times: Sequence[float]) -> Iterator[tuple[dict[str, str], Column]]:
        """The series of ALERTS or ALERTS_FOR_STATE."""
        series: dict[tuple[tuple[str, str], ...], Column] = {}
        for one in self._occurrences:
            for state in ("pending", "firing"):
                span = one.during(state)
                if span is None:
                    continue
                labels = {"__name__": name, **one.labels}
                if name == "ALERTS":
                    labels["alertstate"] = state
                column = series.setdefault(tuple(labels.items()), [None] * len(times))
                value = 1.0 if name == "ALERTS" else one.active
                for i, t in enumerate(times):
                    if span[0] <= t < span[1] and t <= self.last_evaluation + 300.0:
                        column[i] = value
        for key, column in series.items():
            yield dict(key), column
