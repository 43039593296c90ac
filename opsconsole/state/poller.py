"""One source asked again and again: one request in flight, jitter, back-off, a kick."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable

from opsconsole.errors import SourceError

MAX_BACKOFF = 30.0


class Poller:
    """Runs `poll` every `interval` seconds, at the times `phase + n * interval` of the monotonic `clock`:
    pollers of one console share a phase, so that what they find is drawn at once, and each console has a random
    one, so that many consoles do not ask at once.

    `poll` returns normally after a good answer and raises SourceError after a failed one, having recorded
    both. After failures in a row the wait grows to at most MAX_BACKOFF with full jitter, or to what the
    server asked for. An unexpected error goes to `broken`; its reading grows stale by itself. `took` are the
    seconds of the last poll.
    """

    def __init__(
        self,
        name: str,
        interval: float,
        poll: Callable[[], Awaitable[None]],
        rng: random.Random,
        broken: Callable[[str, Exception], None] = lambda name, error: None,
        *,
        phase: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self.interval = interval
        self.took = 0.0
        self._poll = poll
        self._rng = rng
        self._broken = broken
        self._phase = phase
        self._clock = clock
        self._kick = asyncio.Event()
        self._failures = 0
        self._lock = asyncio.Lock()

    def kick(self) -> None:
        """Ask now instead of at the next tick."""
        self._kick.set()

    async def once(self) -> SourceError | None:
        """Poll one time; returns the failure, if it failed. A second caller waits for the first."""
        async with self._lock:
            began = time.perf_counter()
            try:
                await self._poll()
            except SourceError as error:
                self._failures += 1
                return error
            finally:
                self.took = time.perf_counter() - began
            self._failures = 0
            return None

    async def run(self, running: asyncio.Event) -> None:
        """Poll until cancelled, while `running` is set."""
        while True:
            await running.wait()
            self._kick.clear()
            try:
                error = await self.once()
            except Exception as unexpected:  # noqa: BLE001  the top of the loop: one source must not end the rest
                self._failures += 1
                self._broken(self.name, unexpected)
                error = SourceError("internal error")
            await self._wait(self.delay(error))

    def delay(self, error: SourceError | None) -> float:
        """Seconds to the next poll."""
        if error is None:
            return self.interval - (self._clock() - self._phase) % self.interval or self.interval
        if error.retry_after is not None:
            return min(error.retry_after, 10 * MAX_BACKOFF)
        ceiling = min(self.interval * 2.0 ** min(self._failures, 8), MAX_BACKOFF)
        return max(min(1.0, self.interval), self._rng.uniform(0, ceiling))

    async def _wait(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._kick.wait()
        except TimeoutError:
            return
