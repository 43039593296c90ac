"""Times as the two APIs write and read them."""

from __future__ import annotations

from datetime import UTC, datetime

ZERO = "0001-01-01T00:00:00Z"
"""How Go writes a time that never was."""


def rfc3339(t: float) -> str:
    """`2026-01-01T00:00:00.000Z`, with milliseconds."""
    stamp = datetime.fromtimestamp(round(t, 3), UTC)
    return stamp.strftime("%Y-%m-%dT%H:%M:%S.") + f"{stamp.microsecond // 1000:03d}Z"


def read_time(text: str) -> float:
    """Seconds since the epoch from RFC 3339 or a number. Raises ValueError."""
    try:
        return float(text)
    except ValueError:
        stamp = datetime.fromisoformat(text)
        return (stamp if stamp.tzinfo else stamp.replace(tzinfo=UTC)).timestamp()
