"""Whether something is worse after a change than before: a test of two shares, stated and pure.

The test is two-sided. With at least fifty expected in every cell of the 2x2 table it is the z-test of two
proportions with pooled variance (Fleiss, Levin and Paik, Statistical Methods for Rates and Proportions, 3rd
edition, section 3.1, without continuity correction), below that Fisher's exact test with the smaller tail doubled
(Fisher's own two-sided p; unlike the sum of all unlikelier tables it only falls while the bad ones of one side
grow). Cochran's rule would change over at five: at fifty the two give nearly the same.

`same` has to be shown too: the 95 % confidence interval of the difference (Newcombe, Statistics in Medicine 17,
1998, method 10) lies within MARGIN. What is neither shown to differ nor shown to be the same
is too little data.
"""

from __future__ import annotations

import math
from enum import Enum

import msgspec

from opsconsole.text import SafeText, safe, trusted

ALPHA = 0.001
"""A difference is believed when chance alone gives one as large less often than this."""

EFFECT, RELATIVE_EFFECT = 0.002, 0.1
"""The least difference that makes anything worse or better, however many were counted: of the shares, and as a
part of the share of both together. The larger of the two counts."""

MARGIN, RELATIVE_MARGIN = 0.005, 0.2
"""The largest difference that `same` leaves open, in the same two ways."""

LEAST = 50
"""With fewer in either window nothing is said."""

_Z95 = 1.959963984540054
_EXACT_BELOW = 50.0


class Weight(Enum):
    """What the numbers say. UNKNOWN: there are none that can be trusted."""

    WORSE = "worse"
    SAME = "same"
    BETTER = "better"
    TOO_LITTLE = "too little data"
    UNKNOWN = "unknown"


class Counts(msgspec.Struct, frozen=True):
    """How many of how many: `bad` of `all`, whole, 0 <= bad <= all."""

    bad: int
    all: int

    @property
    def share(self) -> float:
        """From 0 to 1; NaN of nothing."""
        return self.bad / self.all if self.all else math.nan


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """A verdict with what it stands on. `p` is the probability of a difference at least this large by chance, None
    when nothing was tested; `test` names the test; `reason` says why there is no verdict."""

    weight: Weight
    before: Counts | None = None
    after: Counts | None = None
    p: float | None = None
    test: SafeText = trusted("")
    reason: SafeText = trusted("")


def unknown(reason: str) -> Comparison:
    """No verdict, and why."""
    return Comparison(weight=Weight.UNKNOWN, reason=safe(reason, 300))


def compare(before: Counts, after: Counts) -> Comparison:
    """What happened to the share of bad ones. Swapping the two swaps WORSE and BETTER and nothing else."""
    few = min(before.all, after.all)
    if few < LEAST:
        where = "before" if before.all < LEAST else "after"
        reason = safe(f"only {few} {where}, {LEAST} are needed")
        return Comparison(weight=Weight.TOO_LITTLE, before=before, after=after, reason=reason)
    exact = _least_expected(before, after) < _EXACT_BELOW
    p = fisher(before, after) if exact else two_proportions(before, after)
    test = trusted("Fisher's exact test" if exact else "two-proportion z-test")
    difference = after.share - before.share
    pooled = (before.bad + after.bad) / (before.all + after.all)
    found = Comparison(weight=Weight.SAME, before=before, after=after, p=p, test=test)
    if p < ALPHA and abs(difference) >= max(EFFECT, RELATIVE_EFFECT * pooled):
        return msgspec.structs.replace(found, weight=Weight.WORSE if difference > 0 else Weight.BETTER)
    margin = max(MARGIN, RELATIVE_MARGIN * pooled)
    low, high = difference_interval(before, after)
    if -margin <= low and high <= margin:
        return found
    hidden = max(high, -low) * 100
    reason = safe(f"a difference of {hidden:.2g} points could still hide")
    return msgspec.structs.replace(found, weight=Weight.TOO_LITTLE, reason=reason)


def two_proportions(before: Counts, after: Counts) -> float:
    """The two-sided p of the z-test with pooled variance; 1 when all or none are bad."""
    total = before.all + after.all
    pooled = (before.bad + after.bad) / total
    variance = pooled * (1 - pooled) * (1 / before.all + 1 / after.all)
    if variance <= 0:
        return 1.0
    return math.erfc(abs(after.share - before.share) / math.sqrt(2 * variance))


def fisher(before: Counts, after: Counts) -> float:
    """Twice the smaller tail of Fisher's exact test. Takes time in proportion to the smallest margin."""
    bad, total = before.bad + after.bad, before.all + after.all
    base = _log_choose(total, bad)

    def tail(tables: range) -> float:
        return math.fsum(
            math.exp(_log_choose(after.all, k) + _log_choose(before.all, bad - k) - base) for k in tables
        )

    lowest, highest = max(0, bad - before.all), min(bad, after.all)
    if after.bad * total > after.all * bad:
        smaller = tail(range(after.bad, highest + 1))
    else:
        smaller = tail(range(lowest, after.bad + 1))
    return min(1.0, 2 * smaller)


def difference_interval(before: Counts, after: Counts) -> tuple[float, float]:
    """The 95 % interval of the share after minus the share before (Newcombe's, made of Wilson's two)."""
    (low_b, high_b), (low_a, high_a) = _wilson(before), _wilson(after)
    difference = after.share - before.share
    low = math.hypot(after.share - low_a, high_b - before.share)
    high = math.hypot(high_a - after.share, before.share - low_b)
    return difference - low, difference + high


def _wilson(counts: Counts) -> tuple[float, float]:
    """Wilson's score interval of one share."""
    n, share, z = counts.all, counts.share, _Z95
    middle = share + z * z / (2 * n)
    spread = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    return (middle - spread) / scale, (middle + spread) / scale


def _least_expected(before: Counts, after: Counts) -> float:
    """The smallest count of the table's four cells if nothing had changed."""
    bad, total = before.bad + after.bad, before.all + after.all
    return min(before.all, after.all) * min(bad, total - bad) / total


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
