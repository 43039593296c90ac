"""Words that several checks use."""

from __future__ import annotations


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
