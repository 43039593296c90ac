"""Time series as Prometheus' query API gives them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

from opsconsole.text import SafeText


class Series(msgspec.Struct, frozen=True, gc=False):
    """One series: raw labels, and points as two parallel tuples (times in seconds since the epoch).

    An instant vector is a series of one point. NaN stays NaN: it is unknown, not zero.
    """

    labels: dict[str, str]
    times: tuple[float, ...]
    values: tuple[float, ...]

    @property
    def last(self) -> float | None:
        """The latest value; None when there is none or it is NaN."""
        if not self.values or math.isnan(self.values[-1]):
            return None
        return self.values[-1]


class QueryResult(msgspec.Struct, frozen=True):
    """The answer to one query. `kind` is vector, matrix, scalar or string.

    A reply with `warnings` is partial; it must not be shown as OK.
    """

    kind: str
    series: tuple[Series, ...]
    warnings: tuple[SafeText, ...] = ()
    infos: tuple[SafeText, ...] = ()


def latest(series: Sequence[Series]) -> float | None:
    """The one latest value of a result that should have one series: None unless exactly one is known."""
    known = [s.last for s in series]
    return known[0] if len(known) == 1 else None
