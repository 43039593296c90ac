"""Times in words: relative first, exact where asked, and the durations that people type."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta, tzinfo

from opsconsole.errors import UsageError
from opsconsole.text import SafeText, safe, trusted

_UNITS = {"y": 31_536_000.0, "w": 604_800.0, "d": 86_400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_DURATION = re.compile(
    r"(?:(?P<y>\d+)y)?(?:(?P<w>\d+)w)?(?:(?P<d>\d+)d)?(?:(?P<h>\d+)h)?(?:(?P<m>\d+)m)?"
    r"(?:(?P<s>\d+)s)?(?:(?P<ms>\d+)ms)?",
    re.ASCII,
)
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?", re.ASCII)
_LONGEST = 100 * _UNITS["y"]


def ago(seconds: float) -> SafeText:
    """One unit, rounded down: `42s` under a minute, then `4m`, `2h`, after two days `3d`. Negative is 0s."""
    whole = 0 if not math.isfinite(seconds) or seconds < 0 else int(seconds)
    if whole < 60:
        return trusted(f"{whole}s")
    if whole < 3600:
        return trusted(f"{whole // 60}m")
    if whole < 172_800:
        return trusted(f"{whole // 3600}h")
    return trusted(f"{whole // 86_400}d")


def left(seconds: float) -> SafeText:
    """What remains, as `ago`; `over` when nothing does."""
    return ago(seconds) if seconds > 0 else trusted("over")


def span(seconds: float) -> SafeText:
    """Two units for a detail: `42s`, `4m12s`, `1h30m`, `3d4h`."""
    whole = 0 if not math.isfinite(seconds) or seconds < 0 else int(seconds)
    if whole < 60:
        return trusted(f"{whole}s")
    for big, small, size, inner in (("m", "s", 60, 1), ("h", "m", 3600, 60), ("d", "h", 86_400, 3600)):
        if whole < size * (60 if big == "m" else 24) or big == "d":
            rest = whole % size // inner
            return trusted(f"{whole // size}{big}{rest}{small}" if rest else f"{whole // size}{big}")
    return trusted(f"{whole}s")


def countdown(seconds: float) -> SafeText:
    """Time to a deadline in at most seven cells: `0:48`, `11m`, `2h`; `overdue` when it has passed."""
    if seconds <= 0:
        return trusted("overdue")
    return trusted(f"0:{int(seconds):02d}") if seconds < 60 else ago(seconds)


def respond(seconds: float) -> SafeText:
    """Time to a deadline in words: `respond in 48s`, `overdue 3m`."""
    return trusted(f"respond in {ago(seconds)}" if seconds > 0 else f"overdue {ago(-seconds)}")


def clock(at: float, tz: tzinfo, *, seconds: bool = False) -> SafeText:
    """`03:08`, or `03:08:32` with seconds. Times that no calendar holds are `--:--`."""
    moment = _moment(at, tz)
    if moment is None:
        return trusted("--:--:--" if seconds else "--:--")
    return trusted(moment.strftime("%H:%M:%S" if seconds else "%H:%M"))


def exact(at: float, tz: tzinfo, now: float | None = None) -> SafeText:
    """Local and UTC: `03:08:32 (01:08:32 UTC)`; with the date in front when `now` is given and is another
    local day. Only `01:08:32 UTC` when the local time is UTC."""
    moment = _moment(at, tz)
    if moment is None:
        return trusted("an impossible time")
    utc = moment.astimezone(UTC)
    today = _moment(now, tz) if now is not None else None
    date = f"{moment:%Y-%m-%d} " if today is not None and today.date() != moment.date() else ""
    if moment.utcoffset() == timedelta(0):
        return trusted(f"{date}{utc:%H:%M:%S} UTC")
    utc_date = f"{utc:%Y-%m-%d} " if date and utc.date() != moment.date() else ""
    return trusted(f"{date}{moment:%H:%M:%S} ({utc_date}{utc:%H:%M:%S} UTC)")


def when(at: float, now: float, tz: tzinfo) -> SafeText:
    """For lists: `03:02` today, `yesterday 03:02`, `Jan 02 03:02` earlier or later."""
    moment, today = _moment(at, tz), _moment(now, tz)
    if moment is None or today is None:
        return trusted("--:--")
    days = (today.date() - moment.date()).days
    if days == 0:
        return trusted(f"{moment:%H:%M}")
    return trusted(f"yesterday {moment:%H:%M}" if days == 1 else f"{moment:%b %d %H:%M}")


def _moment(at: float, tz: tzinfo) -> datetime | None:
    try:
        return datetime.fromtimestamp(at, tz)
    except (ValueError, OverflowError, OSError):
        return None


def parse_duration(text: str) -> float:
    """Seconds of a Prometheus duration such as `1h30m`, `500ms` or `0`. Raises UsageError."""
    text = text.strip()
    if text == "0":
        return 0.0
    found = _DURATION.fullmatch(text) if text else None
    if found is None or len(text) > 40:
        raise UsageError(
            f"{safe(text, 40) or 'an empty text'} is not a duration",
            hint="write it as 30s, 5m, 2h, 1h30m or 3d",
        )
    seconds = sum(int(count) * _UNITS[unit] for unit, count in found.groupdict().items() if count)
    if seconds > _LONGEST:
        raise UsageError(f"{safe(text, 40)} is longer than a hundred years")
    return seconds


def format_duration(seconds: float) -> SafeText:
    """The shortest Prometheus duration of this many seconds, to the millisecond: `1h30m`, `90m` is `1h30m`.
    Weeks and years only when they come out even, as Prometheus prints them. Negative is `0s`."""
    millis = 0 if not math.isfinite(seconds) else max(0, round(seconds * 1000))
    if millis == 0:
        return trusted("0s")
    parts: list[str] = []
    for unit, whole_only in (
        ("y", True),
        ("w", True),
        ("d", False),
        ("h", False),
        ("m", False),
        ("s", False),
    ):
        size = int(_UNITS[unit] * 1000)
        if millis < size or (whole_only and millis % size):
            continue
        parts.append(f"{millis // size}{unit}")
        millis %= size
    if millis:
        parts.append(f"{millis}ms")
    return trusted("".join(parts))


def parse_until(text: str, now: float, tz: tzinfo) -> float:
    """When something shall end, seconds since the epoch.

    `2h` is from now; `05:12` is the next time that the local clock shows it; `2026-01-02T05:12` is local,
    with `Z` or `+02:00` it is that zone's. A time that the clock skips when it is set forward is as late as if it
    had not been. Raises UsageError when it is none of them or has passed.
    """
    text = text.strip()
    found = _CLOCK.fullmatch(text)
    if found is not None:
        return _next_clock(text, tuple(int(part or 0) for part in found.groups()), now, tz)
    is_date = len(text) >= 10 and text[4:5] == "-"
    at = _iso(text, tz) if is_date else now + parse_duration(text.removeprefix("+"))
    if at <= now:
        raise UsageError(f"{safe(text, 40)} is not in the future", hint="write 2h, 05:12 or 2026-01-02T05:12")
    return at


def _next_clock(text: str, parts: tuple[int, ...], now: float, tz: tzinfo) -> float:
    today = datetime.fromtimestamp(now, tz)
    for days in (0, 1, 2):
        try:
            moment = datetime(
                today.year, today.month, today.day, parts[0], parts[1], parts[2], tzinfo=tz
            ) + timedelta(days=days)
        except ValueError:
            raise UsageError(f"{safe(text, 40)} is not a time of day", hint="write it as 05:12") from None
        for fold in (0, 1):
            at = moment.replace(fold=fold).timestamp()
            if at > now:
                return at
    raise UsageError(f"{safe(text, 40)} is not in the future")


def _iso(text: str, tz: tzinfo) -> float:
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo is not None else moment.replace(tzinfo=tz)).timestamp()
    except (ValueError, OverflowError):
        raise UsageError(
            f"{safe(text, 40)} is not a time", hint="write it as 2026-01-02T05:12 or with +02:00 behind"
        ) from None
