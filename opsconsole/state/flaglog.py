"""The provider's own log of flag changes, asked seldom, and told together with the journal's."""

from __future__ import annotations

from opsconsole.clients.flags.base import FlagProvider
from opsconsole.clock import Clock
from opsconsole.errors import FlagError, FlagRateLimited
from opsconsole.model.flagchanges import merged
from opsconsole.model.flags import FlagChange
from opsconsole.model.reading import Reading
from opsconsole.state.failures import failure_of

EVERY = 30.0
"""Seconds between two looks at a log, when the flags did not change meanwhile."""

BACK = 3 * 86_400.0
"""Seconds of the log that are kept: what happened before a long weekend."""


class FlagLog:
    """One provider's log. `reading` is what is known of it, None for a provider that keeps none."""

    def __init__(self, provider: FlagProvider, clock: Clock) -> None:
        self._provider = provider
        self._clock = clock
        self._revision = ""
        self._due = float("-inf")
        self._merged: tuple[tuple[FlagChange, ...], tuple[FlagChange, ...], tuple[FlagChange, ...]] = ((), (), ())
        self.reading: Reading[tuple[FlagChange, ...]] | None = (
            Reading(limit=4 * EVERY) if provider.capabilities.change_log else None
        )

    async def poll(self, revision: str) -> None:
        """Ask, if it is time to; `revision` is the flags' present one. Never raises a FlagError: that the log
        cannot be read says nothing about the flags."""
        now = self._clock.monotonic()
        failed = self.reading is not None and self.reading.failure is not None
        changed = revision != self._revision and not failed
        if self.reading is None or (now < self._due and not changed):
            return
        asked = self._clock.now()
        self._due = now + EVERY
        try:
            log = await self._provider.changes(asked - BACK)
        except FlagError as error:
            if isinstance(error, FlagRateLimited) and error.retry_after is not None:
                self._due = now + max(EVERY, error.retry_after)
            self.reading = self.reading.failed(failure_of(error), self._clock.now())
            return
        self._revision = revision
        self.reading = self.reading.good(log, asked)

    def with_journal(self, ours: tuple[FlagChange, ...]) -> tuple[FlagChange, ...]:
        """Both, newest first."""
        log = (self.reading.data or ()) if self.reading is not None else ()
        if not log:
            return ours
        if self._merged[0] != log or self._merged[1] != ours:
            self._merged = (log, ours, merged(log, ours))
        return self._merged[2]
