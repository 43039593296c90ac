"""The units that a panel may name."""

from __future__ import annotations

UNITS: dict[str, str] = {
    "none": "",
    "percent": "%",
    "ratio": "%",
    "ms": "ms",
    "s": "s",
    "rps": "/s",
    "per_minute": "/min",
    "per_hour": "/h",
    "bytes": "B",
    "bytes_per_second": "B/s",
    "count": "",
}
"""Unit -> suffix. `ratio` is 0 to 1 and is shown as percent; bytes get binary prefixes, ms grows into s."""
