"""When a server's certificate ends."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache

_SEQUENCE, _UTC_TIME, _GENERALIZED_TIME, _VERSION = 0x30, 0x17, 0x18, 0xA0


@lru_cache(maxsize=16)
def ends_at(certificate: bytes) -> float | None:
    """Seconds since the epoch of the `notAfter` of a DER certificate; None when it cannot be found.

    Python tells it only of certificates that it has verified; here it also matters of those that
    `insecure_skip_verify` lets pass.
    """
    try:
        kind, whole, _ = _element(certificate, 0)
        _, body, _ = _element(whole, 0)
        at = 0
        if body[0] == _VERSION:
            _, _, at = _element(body, at)
        for _ in ("serial number", "signature", "issuer"):
            _, _, at = _element(body, at)
        validity, times, _ = _element(body, at)
        _, _, at = _element(times, 0)
        shape, text, _ = _element(times, at)
        if kind != _SEQUENCE or validity != _SEQUENCE:
            return None
        return _time(shape, text.decode("ascii"))
    except (IndexError, ValueError):
        return None


def _element(data: bytes, at: int) -> tuple[int, bytes, int]:
    """The tag and content of the DER element at a place, and where the next one begins."""
    tag, length, start = data[at], data[at + 1], at + 2
    if length & 0x80:
        size = length & 0x7F
        length = int.from_bytes(data[start : start + size], "big")
        start += size
    if start + length > len(data):
        raise ValueError("cut short")
    return tag, data[start : start + length], start + length


def _time(shape: int, text: str) -> float | None:
    if shape == _UTC_TIME:  # two digits of the year: 50 to 99 are of the last century
        text = ("19" if text[:2] >= "50" else "20") + text
    elif shape != _GENERALIZED_TIME:
        return None
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC).timestamp()
