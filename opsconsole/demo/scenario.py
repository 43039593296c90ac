"""The running scenario: the world, its rules and the flag file, moved along by the clock."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from opsconsole.clock import Clock
from opsconsole.demo.alarms import HISTORY_NAMES, Alarms
from opsconsole.demo.evaluate import Evaluator
from opsconsole.demo.release import FlagWatch, initial_flags, release, write_flags
from opsconsole.demo.rulebook import DemoGroup
from opsconsole.demo.vectors import Column
from opsconsole.demo.world import RELEASE_AFTER, World

COMPRESS = 10.0
"""Alert delays and range windows are divided by this, so that the incident fits into four minutes."""


class Scenario:
    """Everything the demo's servers answer from. `tick` brings it up to the clock."""

    def __init__(
        self, *, clock: Clock, flags_file: Path, groups: Sequence[DemoGroup], seed: int, speed: float
    ) -> None:
        self.clock = clock
        self.start = clock.now()
        self.flags_file = flags_file
        self._release_at = self.start + RELEASE_AFTER / speed
        self._released = False
        self._share = 0.0
        write_flags(flags_file, initial_flags())
        self._watch = FlagWatch(flags_file)
        self.world = World(seed=seed, start=self.start, pace=speed)
        self.evaluator = Evaluator(self, compress=COMPRESS * speed)
        self.alarms = Alarms(groups, Evaluator(self.world, compress=COMPRESS * speed))
        self.alarms.advance(list(self.world.times))

    def tick(self) -> float:
        """Release the flag when its time has come, see what the file serves, sample what has passed.
        Returns the time."""
        now = self.clock.now()
        if not self._released and now >= self._release_at:
            self._released = True
            self._advance(self._release_at)
            release(self.flags_file)
            self._switch(self._release_at)
        self._advance(now)
        self._switch(now)
        return now

    def _advance(self, now: float) -> None:
        self.alarms.advance(self.world.advance(now))

    def _switch(self, at: float) -> None:
        share = self._watch.share()
        if share != self._share:
            self._share = share
            self.world.switch(at, share)

    def names(self) -> Iterable[str]:
        return [*self.world.names(), *HISTORY_NAMES]

    def columns(self, name: str, times: Sequence[float]) -> list[tuple[dict[str, str], Column]]:
        """The series of one metric, the history of alerts included."""
        if name in HISTORY_NAMES:
            return list(self.alarms.columns(name, times))
        return self.world.columns(name, times)
