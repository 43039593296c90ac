"""Range queries that ask only for what is new.

The first query asks for the whole window. Each later one starts two steps before the end of the last, so
that points which were still being scraped are corrected, and is merged with what is kept.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import msgspec

from opsconsole.model.series import QueryResult, Series

OVERLAP = 2


class RangeAsk(msgspec.Struct, frozen=True, kw_only=True):
    """A range to ask for. All times are seconds since the epoch, multiples of `step`."""

    start: float
    end: float
    step: float
    full: bool

    @property
    def points(self) -> int:
        """Samples asked for a series."""
        return int((self.end - self.start) / self.step) + 1


class RangeCache:
    """One expression's points over a sliding window of `window` seconds in steps of `step` seconds."""

    def __init__(self, window: float, step: float) -> None:
        self.window = window
        self.step = step
        self._end: float | None = None
        self._series: dict[tuple[tuple[str, str], ...], Series] = {}

    def plan(self, now: float) -> RangeAsk:
        """What to ask for now."""
        end = math.floor(now / self.step) * self.step
        whole = end - self.window
        if self._end is None or self._end < whole or self._end > end:
            return RangeAsk(start=whole, end=end, step=self.step, full=True)
        start = max(whole, self._end - OVERLAP * self.step)
        return RangeAsk(start=start, end=end, step=self.step, full=False)

    def merge(self, ask: RangeAsk, result: QueryResult) -> QueryResult:
        """The whole window after the answer to `ask`. A partial answer (with warnings) is shown, but the
        next ask starts from the whole window again."""
        fresh = {_key(s): s for s in result.series}
        begin = ask.end - self.window
        keys: Iterable[tuple[tuple[str, str], ...]] = fresh if ask.full else {**self._series, **fresh}
        merged = {
            key: series
            for key in keys
            if (series := _join(None if ask.full else self._series.get(key), fresh.get(key), begin, ask.start))
        }
        if result.warnings:
            self.reset()
        else:
            self._series, self._end = merged, ask.end
        return QueryResult(
            kind="matrix", series=tuple(merged.values()), warnings=result.warnings, infos=result.infos
        )

    def reset(self) -> None:
        """Forget everything: the next ask is for the whole window."""
        self._end = None
        self._series = {}


def _key(series: Series) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(series.labels.items()))


def _join(old: Series | None, new: Series | None, begin: float, cut: float) -> Series | None:
    times: list[float] = []
    values: list[float] = []
    if old is not None:
        kept = [(t, v) for t, v in zip(old.times, old.values, strict=True) if begin <= t < cut]
        times += [t for t, _ in kept]
        values += [v for _, v in kept]
    if new is not None:
        times += new.times
        values += new.values
    labels = new.labels if new is not None else old.labels if old is not None else {}
    return Series(labels, tuple(times), tuple(values)) if times else None
