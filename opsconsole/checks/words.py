"""Words that several checks use."""

from __future__ import annotations

from opsconsole.model.verdicts import Measure, Range

EXPIRES_SOON, EXPIRES_NOW = 14 * 86_400.0, 3 * 86_400.0
"""Seconds that a certificate must still be good for."""


def good_for(left: float) -> Measure:
    """The seconds that a certificate is still good for, against what it must be."""
    return Measure(value=left, unit="s", warning=Range(low=EXPIRES_SOON), critical=Range(low=EXPIRES_NOW))


def age_words(seconds: float) -> str:
    """A time span in one unit, rounded down: `42s`, `4m`, `2h`, after two days `3d`."""
    whole = max(0, int(seconds))
    for unit, size, until in (("s", 1, 60), ("m", 60, 3600), ("h", 3600, 172_800)):
        if whole < until:
            return f"{whole // size}{unit}"
    return f"{whole // 86_400}d"


def count(number: int, one: str) -> str:
    """`1 alert`, `2 alerts`."""
    return f"{number} {one}" if number == 1 else f"{number} {one}s"
