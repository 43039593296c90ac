"""What is known of a source: its last good answer, how old it is, and why there is no newer one."""

from __future__ import annotations

from enum import Enum
from typing import Generic, TypeVar

import msgspec

from opsconsole.text import SafeText, trusted

T = TypeVar("T")


class Freshness(Enum):
    """WAITING: not asked yet. FRESH. STALE: older than allowed. FAILED: the last poll failed."""

    WAITING = "waiting"
    FRESH = "fresh"
    STALE = "stale"
    FAILED = "failed"


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """Why a poll failed. `kind` is a SourceError's (`unreachable`, `timed out`, …)."""

    kind: str
    message: SafeText
    hint: SafeText = trusted("")
    where: SafeText = trusted("")


class Reading(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """One source's state. Times are wall seconds since the epoch.

    `at` is when `data` was asked for, `limit` the age in seconds above which it is stale, `failure` why the
    last poll gave nothing new and `failing_since` when the first of the failures in a row was.
    `warnings` make the data partial: shown, but never OK.
    """

    data: T | None = None
    at: float = 0.0
    limit: float = 15.0
    failure: Failure | None = None
    failing_since: float = 0.0
    warnings: tuple[SafeText, ...] = ()

    def freshness(self, now: float) -> Freshness:
        if self.failure is not None:
            return Freshness.FAILED
        if self.data is None:
            return Freshness.WAITING
        return Freshness.FRESH if abs(now - self.at) <= self.limit else Freshness.STALE

    def known(self, now: float) -> bool:
        """Whether the data may be believed: present, fresh, whole."""
        return self.freshness(now) is Freshness.FRESH and not self.warnings

    def age(self, now: float) -> float | None:
        """Seconds since the data was asked for; None when there never was any."""
        return None if self.data is None else max(0.0, now - self.at)

    def good(self, data: T, at: float, warnings: tuple[SafeText, ...] = ()) -> Reading[T]:
        """After a good answer."""
        return Reading(data=data, at=at, limit=self.limit, warnings=warnings)

    def failed(self, failure: Failure, now: float) -> Reading[T]:
        """After a failed poll: the data stays, marked."""
        since = self.failing_since if self.failure is not None else now
        return Reading(
            data=self.data,
            at=self.at,
            limit=self.limit,
            failure=failure,
            failing_since=since,
            warnings=self.warnings,
        )

    def why(self, now: float) -> SafeText:
        """One line saying why it is not known; "" when it is."""
        state = self.freshness(now)
        if state is Freshness.FAILED and self.failure is not None:
            return trusted(f"{self.failure.kind}: {self.failure.message}")
        if state is Freshness.WAITING:
            return trusted("not asked yet")
        if state is Freshness.STALE:
            return trusted(f"no answer for {round(now - self.at)}s")
        return trusted(f"partial: {self.warnings[0]}") if self.warnings else trusted("")
