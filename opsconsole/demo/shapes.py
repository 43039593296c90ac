"""Small pure functions that the demo's signals are made of."""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence

Switches = Sequence[tuple[float, float]]
"""What a flag served over time: (wall time, share of users that get it), in time order."""

DAY = 86_400.0


def noise(seed: int, name: str, t: float, period: float = 45.0) -> float:
    """Smooth noise in -1..1: random values every `period` seconds, joined by a cosine. The same seed, name
    and time always give the same value."""
    at = t / period
    left = math.floor(at)
    weight = (1.0 - math.cos(math.pi * (at - left))) / 2.0
    return _random(seed, name, left) * (1.0 - weight) + _random(seed, name, left + 1) * weight


def _random(seed: int, name: str, index: int) -> float:
    return zlib.crc32(f"{seed}:{name}:{index}".encode()) / 0x7FFFFFFF - 1.0


def daily(t: float) -> float:
    """A wave in -1..1 over the day: highest at 14:00 UTC, lowest at 02:00."""
    return math.cos(2.0 * math.pi * ((t % DAY) / DAY - 14.0 / 24.0))


def follow(switches: Switches, t: float, rise: float, fall: float) -> float:
    """How far a thing has followed the share served at `t`: a first-order lag with time constants `rise`
    and `fall`, in seconds."""
    level, target, since = 0.0, 0.0, 0.0
    for at, share in switches:
        if at > t:
            break
        level = _lag(level, target, at - since, rise, fall)
        target, since = share, at
    return _lag(level, target, t - since, rise, fall)


def _lag(level: float, target: float, elapsed: float, rise: float, fall: float) -> float:
    if level == target:
        return target
    tau = rise if target > level else fall
    return target + (level - target) * math.exp(-elapsed / tau)


def lognormal_below(bound: float, median: float, sigma: float) -> float:
    """The share of a log-normal distribution at or below `bound`."""
    return 0.5 * (1.0 + math.erf(math.log(bound / median) / (sigma * math.sqrt(2.0))))


def lognormal_mean(median: float, sigma: float) -> float:
    return median * math.exp(sigma * sigma / 2.0)
