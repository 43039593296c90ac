"""The demo's world: six hours of calm, then one scripted incident, as series on a fixed grid of times.

Everything follows from the seed, the start and what the flag served when (`switch`); the clock only says how
much of it has happened. Nothing that has happened ever changes.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator, Sequence

from opsconsole.demo.accubooks import INSTANCE, JOB, Labels, Moment, is_counter, moment, samples
from opsconsole.demo.shapes import DAY, noise

HISTORY = 6 * 3600.0
"""Seconds of calm before the start."""

COARSE = 120.0
"""Seconds between samples before the start."""

FINE = 5.0
"""Seconds between samples after the start."""

LOOKBACK = 300.0
"""Seconds for which the latest sample stands for a time after it, as in Prometheus."""

RELEASE_AFTER = 20.0
"""Seconds after the start at which the release turns the flag on."""

Column = list[float | None]
"""A value for each asked time; None where there is none."""


class Track:
    """One series: raw labels (with `__name__`) and a value for each time of the grid."""

    __slots__ = ("labels", "total", "values")

    def __init__(self, labels: dict[str, str], total: float | None) -> None:
        self.labels = labels
        self.total = total
        self.values = array("d")

    def add(self, value: float, elapsed: float) -> None:
        """Append a level; for a counter (`total` is not None) `value` is a rate over `elapsed` seconds."""
        if self.total is None:
            self.values.append(value)
        else:
            self.total += value * elapsed
            self.values.append(self.total)


class World:
    """The series of the scenario. `start` is the wall time at which the calm ends; `pace` shortens the
    incident's delays by that factor."""

    def __init__(self, *, seed: int, start: float, pace: float = 1.0) -> None:
        self.seed = seed
        self.start = start
        self.pace = pace
        self._switches: list[tuple[float, float]] = []
        self._tracks: dict[tuple[str, Labels], Track] = {}
        self._names: dict[str, list[Track]] = {}
        self.times = array("d")
        self._first = start - HISTORY
        self._coarse_points = round(HISTORY / COARSE)
        self.advance(start)

    @property
    def end(self) -> float:
        """The time of the latest sample."""
        return self.times[-1]

    def switch(self, at: float, share: float) -> None:
        """The flag serves `share` of the users (0 to 1) from `at` on; `at` is after everything sampled."""
        self._switches.append((max(at, self.end), share))

    def moment(self, t: float) -> Moment:
        return moment(self.seed, t, self.start, self._switches, self.pace)

    def advance(self, now: float) -> list[float]:
        """Sample every time of the grid up to `now`; returns the new times."""
        new: list[float] = []
        while (t := self._time(len(self.times))) <= now:
            self._sample(t)
            new.append(t)
        return new

    def _time(self, index: int) -> float:
        if index <= self._coarse_points:
            return self._first + index * COARSE
        return self.start + (index - self._coarse_points) * FINE

    def _sample(self, t: float) -> None:
        elapsed = t - self.times[-1] if self.times else 3.0 * DAY
        for name, labels, value in self._everything(t):
            track = self._tracks.get((name, labels))
            if track is None:
                track = Track({"__name__": name, **dict(labels)}, 0.0 if is_counter(name) else None)
                self._tracks[name, labels] = track
                self._names.setdefault(name, []).append(track)
            track.add(value, elapsed)
        self.times.append(t)

    def _everything(self, t: float) -> Iterator[tuple[str, Labels, float]]:
        target = (("instance", INSTANCE), ("job", JOB))
        for name, labels, value in samples(self.moment(t)):
            yield name, (*target, *labels), value
        yield "up", target, 1.0
        yield "scrape_samples_scraped", target, float(len(self._tracks))
        yield from _neighbours(self.seed, t, self.start)

    def names(self) -> list[str]:
        return sorted(self._names)

    def tracks(self, name: str) -> Sequence[Track]:
        """The series of one metric, none for an unknown name."""
        return self._names.get(name, ())

    def columns(self, name: str, times: Sequence[float]) -> list[tuple[dict[str, str], Column]]:
        """The series of one metric with a value for each of `times`: between the coarse samples of the
        calm by interpolation, after it the latest sample."""
        places = [self._place(t) for t in times]
        return [(track.labels, _read(track.values, places)) for track in self.tracks(name)]

    def _place(self, t: float) -> tuple[int, float] | None:
        if t < self._first or t > self.end + LOOKBACK:
            return None
        if t >= self.start:
            index = self._coarse_points + math.floor((t - self.start) / FINE)
            return min(index, len(self.times) - 1), 0.0
        at = (t - self._first) / COARSE
        index = math.floor(at)
        return index, at - index


def _read(values: array[float], places: Sequence[tuple[int, float] | None]) -> Column:
    column: Column = []
    for place in places:
        if place is None:
            column.append(None)
            continue
        index, part = place
        value = values[index]
        column.append(value + (values[index + 1] - value) * part if part else value)
    return column


def _neighbours(seed: int, t: float, start: float) -> Iterator[tuple[str, Labels, float]]:
    """What other machines export, for the alerts that have nothing to do with the incident."""
    disk = (("instance", "db-replica-2:9100"), ("job", "node"))
    mount = (*disk, ("mountpoint", "/var/lib/postgresql"))
    yield "up", disk, 1.0
    yield "filesystem_used_percent", mount, 86.0 + 0.3 * noise(seed, "disk", t, 600.0)
    probe = (("host", "accubooks.example"), ("instance", "probe-1:9115"), ("job", "probe"))
    yield "up", probe[1:], 1.0
    yield "tls_certificate_days_left", probe, 13.95 - (t - start) / DAY
