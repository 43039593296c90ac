"""Points in time as Prometheus writes them."""

from __future__ import annotations

from datetime import datetime


def read_time(text: str) -> float:
    """Seconds since the epoch of an RFC 3339 time, to the microsecond; 0 when it is not one."""
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return 0.0
