"""Durations as Prometheus writes them."""

from __future__ import annotations

import re

_PARTS = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|[smhdwy])")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0, "y": 31536000.0}


def seconds_of(text: str) -> float | None:
    """Seconds of `1h30m` or `1m0s`; None when it is not a duration."""
    if text == "0":
        return 0.0
    if not text or len(text) > 60 or _PARTS.sub("", text):
        return None
    return sum(float(n) * _SECONDS[unit] for n, unit in _PARTS.findall(text))


def duration_text(seconds: float) -> str:
    """The shortest exact way to write it: `1h30m`, `15s`, `500ms`, `0s`."""
    left = round(seconds * 1000)
    if not left:
        return "0s"
    parts = []
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)):
        count, left = divmod(left, size)
        parts += [f"{count}{unit}"] if count else []
    return "".join(parts)
