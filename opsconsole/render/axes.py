"""Where axes begin and end and what stands on them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo

from opsconsole.render import numbers

_NICE = (1.0, 2.0, 2.5, 5.0, 10.0)
_TIME_STEPS = (
    15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800,
    2_592_000,
)  # fmt: skip
_TIME_LABEL = 10
_SMALLEST = 1e-100


def whole_steps(now: float, window: float, step: float) -> tuple[float, float]:
    """The last `window` seconds before `now`, moved in whole steps, so that a chart stays the same between
    two scrapes: (start, end)."""
    end = math.floor(now / step) * step if step > 0 else now
    return end - window, end


def value_range(
    values: Sequence[float],
    thresholds: Sequence[float] = (),
    minimum: float | None = None,
    maximum: float | None = None,
) -> tuple[float, float]:
    """Lowest and highest value to show, low < high.

    It starts at zero unless the values stay far from it, and takes in a threshold unless that would press
    the values flat (more than four times as far out). `minimum` and `maximum` widen it.
    """
    low, high = (min(values), max(values)) if values else (0.0, 0.0)
    reach = 4 * max(abs(low), abs(high))
    near = [t for t in thresholds if not values or reach == 0 or abs(t) <= reach]
    low, high = min([low, *near]), max([high, *near])
    if low > 0 and low < 0.7 * high:
        low = 0.0
    elif high < 0 and high > 0.7 * low:
        high = 0.0
    if minimum is not None:
        low = min(low, minimum)
    if maximum is not None:
        high = max(high, maximum)
    if high - low <= max(max(abs(high), abs(low)) * 1e-9, _SMALLEST):
        flat = abs(high) * 0.1
        low, high = (low - flat, high + flat) if flat > _SMALLEST else (0.0, 1.0)
    return low, high


def ticks(low: float, high: float, count: int, unit: str) -> tuple[float, ...]:
    """Round values from at or below `low` to at or above `high`, at most about `count` steps apart."""
    base = _base(unit, (high - low) / max(1, count))
    step = _nice((high - low) / max(1, count) / base) * base
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    if not (math.isfinite(step) and step > 0) or last - first > 1000:
        return (low, high)
    return tuple(index * step for index in range(first, max(last, first + 1) + 1))


def _base(unit: str, size: float) -> float:
    """What a step of this unit should be a round number of: KiB and MiB, minutes and hours."""
    if unit in {"bytes", "bytes_per_second"} and size >= 1:
        return float(1024.0 ** math.floor(math.log(size, 1024)))
    second = {"s": 1.0, "ms": 1000.0}.get(unit)
    if second is not None and size >= 60 * second:
        return (3600 if size >= 3600 * second else 60) * second
    return 1.0


def _nice(size: float) -> float:
    if not math.isfinite(size) or size <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(size))
    if power == 0:
        return size
    return next((n * power for n in _NICE if n * power >= size * (1 - 1e-9)), 10 * power)


def label(value: float, unit: str) -> str:
    """A tick's label: the number and its unit without a space; zero alone."""
    return "0" if value == 0 else numbers.value(value, unit).replace(" ", "")


def time_labels(start: float, end: float, width: int, tz: tzinfo) -> list[tuple[float, str]]:
    """Round local times between `start` and `end` with their labels, far enough apart for `width` cells."""
    span = end - start
    fits = max(1, width // _TIME_LABEL)
    step = next((s for s in _TIME_STEPS if span / s <= fits), _TIME_STEPS[-1])
    try:
        offset = datetime.fromtimestamp(start, tz).utcoffset()
        shift = offset.total_seconds() if offset is not None else 0.0
        first = math.ceil((start + shift) / step) * step - shift
        form = "%H:%M" if step < 86_400 else "%m-%d"
        if step < 60:
            form = "%H:%M:%S"
        count = min(int((end - first) // step) + 1, fits + 1)
        moments = [first + step * index for index in range(count)]
        return [(at, datetime.fromtimestamp(at, UTC).astimezone(tz).strftime(form)) for at in moments]
    except (ValueError, OverflowError, OSError):
        return []
