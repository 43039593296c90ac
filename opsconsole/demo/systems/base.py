"""What a simulated system is: its jobs, its metrics, its faults, and what it exports at one time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Literal

import msgspec

from opsconsole.demo.shapes import daily, noise

Labels = tuple[tuple[str, str], ...]
Sample = tuple[str, str, Labels, float]
"""Job, series name as Prometheus stores it, labels in name order without job and instance, and a value: a
level for a gauge, a rate per second for a series of a counter or histogram (the world adds rates up)."""

Kind = Literal["counter", "gauge", "histogram", "summary"]


class Metric(msgspec.Struct, frozen=True):
    """One metric family under the name that the application's code gives it: prometheus-client appends
    `_total` to a counter's name that lacks it, so its series end in `_total` either way."""

    name: str
    kind: Kind
    help: str


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """A scrape job of the system and the instance label of its one target. While the fault named `down` is
    on, the target does not answer."""

    name: str
    instance: str
    down: str = "down"


class Lag(msgspec.Struct, frozen=True):
    """Time constants, in seconds, with which a fault takes hold and lets go."""

    rise: float = 12.0
    fall: float = 8.0


class Moment(msgspec.Struct, frozen=True):
    """One time: `t` is wall seconds, `faults` says how far each fault has taken hold (0 to 1)."""

    seed: int
    t: float
    faults: Mapping[str, float] = {}

    def fault(self, name: str) -> float:
        """How far a fault has taken hold; 0 when it is off."""
        return self.faults.get(name, 0.0)

    def wobble(self, name: str, amount: float) -> float:
        """A factor around 1, at most `amount` away from it, that changes smoothly."""
        return 1.0 + amount * noise(self.seed, name, self.t)

    def daily(self, amount: float) -> float:
        """A factor around 1 over the day: highest at 14:00 UTC."""
        return 1.0 + amount * daily(self.t)


class System(msgspec.Struct, frozen=True, kw_only=True):
    """One simulated system. Its name is its playbook's.

    `samples` yields every series of every job at a moment, always the same ones in the same order. `faults`
    are what the control endpoint can turn on. `flags` is the content of the flag file by key (flagd
    definitions); while `release` is served, the faults of `release_faults` are on. `proves` maps faults to
    the alert that each makes fire.
    """

    name: str
    jobs: tuple[Job, ...]
    metrics: tuple[Metric, ...]
    samples: Callable[[Moment], Iterator[Sample]]
    faults: Mapping[str, Lag]
    flags: Mapping[str, Mapping[str, object]] = {}
    release: str = ""
    release_faults: tuple[str, ...] = ()
    proves: Mapping[str, str] = {}
