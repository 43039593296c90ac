"""A simulated system over time: rates added up into counters, faults that take hold and let go."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from opsconsole.demo.shapes import DAY, follow
from opsconsole.demo.systems.base import Labels, Metric, Moment, System

STEP = 1.0
"""Counters are added up in steps of at most this many seconds while the system runs."""

BEFORE = 3.0 * DAY
"""Seconds of calm that the counters hold at the first sample."""

Key = tuple[str, str, Labels]
"""Job, series name, labels."""

_PARTS = {
    "counter": ("_total",),
    "gauge": ("",),
    "histogram": ("_bucket", "_sum", "_count"),
    "summary": ("", "_sum", "_count"),
}


class Families:
    """Which metric family a series belongs to. Raises ValueError when two families share a series name."""

    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._by_series: dict[str, tuple[Metric, bool]] = {}
        for metric in metrics:
            base = metric.name.removesuffix("_total") if metric.kind == "counter" else metric.name
            for part in _PARTS[metric.kind]:
                series = base + part
                if series in self._by_series:
                    raise ValueError(f"{series} is declared twice")
                self._by_series[series] = (metric, metric.kind != "gauge" and part != "")

    def of(self, series: str) -> Metric:
        """The family of a series name. Raises ValueError when none is declared."""
        return self._found(series)[0]

    def grows(self, series: str) -> bool:
        """Whether a series only ever grows, so that its sample is a rate."""
        return self._found(series)[1]

    def _found(self, series: str) -> tuple[Metric, bool]:
        try:
            return self._by_series[series]
        except KeyError:
            raise ValueError(f"no metric of the system is called {series}") from None


class SystemWorld:
    """The series of a system at one time, which moves on with `advance`.

    `end` is the wall time of the values; `totals` are counters to go on from (what another world's `totals`
    gave), else they begin with three calm days. `pace` makes faults take hold and let go that much faster.
    """

    def __init__(
        self,
        system: System,
        *,
        seed: int,
        start: float,
        pace: float = 1.0,
        totals: Mapping[Key, float] | None = None,
    ) -> None:
        self.system = system
        self.end = start
        self.families = Families(system.metrics)
        self._seed = seed
        self._pace = pace
        self._switches: dict[str, list[tuple[float, float]]] = {name: [] for name in system.faults}
        self._values: dict[Key, float] = dict(totals or {})
        self._sample(start, 0.0 if totals is not None else BEFORE)

    def switch(self, fault: str, at: float, level: float) -> None:
        """From `at` on (never before what is sampled already) the fault is on by `level`, 0 to 1. Raises
        KeyError for a fault that the system does not have."""
        self._switches[fault].append((max(at, self.end), level))

    def advance(self, now: float) -> None:
        """Bring every series up to `now`, in steps of at most a second."""
        while self.end < now:
            t = min(now, self.end + STEP)
            self._sample(t, t - self.end)

    def jump(self, t: float) -> None:
        """Go to `t` in one step: for a history whose samples are far apart."""
        self._sample(t, t - self.end)

    def fault(self, name: str) -> float:
        """How far a fault has taken hold at `end`, 0 to 1."""
        return self._level(name, self.end)

    def values(self) -> Mapping[Key, float]:
        """The value of every series at `end`, in the order in which the system yields them."""
        return self._values

    def totals(self) -> dict[Key, float]:
        """The counters among the values."""
        return {key: value for key, value in self._values.items() if self.families.grows(key[1])}

    def _level(self, name: str, t: float) -> float:
        lag = self.system.faults[name]
        return follow(self._switches[name], t, lag.rise / self._pace, lag.fall / self._pace)

    def _sample(self, t: float, elapsed: float) -> None:
        before, values = self._values, {}
        faults = {name: level for name in self.system.faults if (level := self._level(name, t)) > 0.0}
        for job, name, labels, value in self.system.samples(Moment(self._seed, t, faults)):
            key = (job, name, labels)
            if key in values:
                raise ValueError(f"{job} yields {name}{dict(labels)} twice")
            values[key] = before.get(key, 0.0) + value * elapsed if self.families.grows(name) else value
        self._values, self.end = values, t
