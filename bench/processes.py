"""Whole processes timed against each other, in turn, so that a drifting machine drifts for both."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

PROGRAM = str(Path(sys.executable).with_name("opsconsole"))
"""The installed command, as a person runs it."""


@dataclass(frozen=True)
class Ratio:
    """The median of the ratios pair by pair, with the medians of both sides in seconds."""

    ratio: float
    low: float
    high: float
    ours: float
    theirs: float

    def line(self, what: str, target: float) -> str:
        """One line for a person: the ratio, its range, the target."""
        mark = "met" if self.ratio <= target else "MISSED"
        return (
            f"{what}: ratio {self.ratio:.2f} (min {self.low:.2f}, max {self.high:.2f}; ours {self.ours:.3f} s, "
            f"theirs {self.theirs:.3f} s), target at most {target:g}: {mark}"
        )


def seconds(command: Sequence[str], *, env: dict[str, str] | None = None, ok: Sequence[int] = (0,)) -> float:
    """Wall seconds of one process, its output thrown away. Raises RuntimeError for another exit code."""
    begin = time.perf_counter()
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=env
    )
    spent = time.perf_counter() - begin
    if done.returncode not in ok:
        raise RuntimeError(f"{command[0]} exited {done.returncode}: {done.stderr.decode(errors='replace')[-500:]}")
    return spent


def against(ours: Sequence[str], theirs: Sequence[Sequence[str]], *, runs: int, ok: Sequence[int] = (0,)) -> Ratio:
    """Our one process against theirs one after another, `runs` pairs after one warm-up of each, in which the
    bytecode is written that an installed program has."""
    env = {**os.environ, "NO_COLOR": "1"}
    env.pop("PYTHONDONTWRITEBYTECODE", None)
    pairs: list[tuple[float, float]] = []
    for _ in range(runs + 1):
        mine = seconds(ours, env=env, ok=ok)
        peer = sum(seconds(command, env=env) for command in theirs)
        pairs.append((mine, peer))
    pairs = pairs[1:]
    return ratio_of(pairs)


def ratio_of(pairs: Sequence[tuple[float, float]]) -> Ratio:
    """Pairs of (ours, theirs) in seconds."""
    ratios = [a / b for a, b in pairs]
    return Ratio(
        ratio=statistics.median(ratios),
        low=min(ratios),
        high=max(ratios),
        ours=statistics.median(a for a, _ in pairs),
        theirs=statistics.median(b for _, b in pairs),
    )
