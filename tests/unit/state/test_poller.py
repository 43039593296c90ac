"""How often a source is asked."""

from __future__ import annotations

import asyncio
import random

from opsconsole.errors import Overloaded, SourceError, Unreachable
from opsconsole.state.poller import MAX_BACKOFF, Poller


class Source:
    """Counts polls; fails while `error` is set."""

    def __init__(self) -> None:
        self.polls = 0
        self.in_flight = 0
        self.most_in_flight = 0
        self.error: SourceError | None = None
        self.gate = asyncio.Event()
        self.gate.set()
        self.polled = asyncio.Event()

    async def poll(self) -> None:
        self.polls += 1
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            self.polled.set()
            await self.gate.wait()
        finally:
            self.in_flight -= 1
        if self.error is not None:
            raise self.error


def poller(source: Source, interval: float = 5.0) -> Poller:
    return Poller("test", interval, source.poll, random.Random(1))


async def test_two_askers_never_have_two_requests_in_flight() -> None:
    source = Source()
    source.gate.clear()
    one = poller(source)
    both = [asyncio.create_task(one.once()) for _ in range(2)]
    await asyncio.wait_for(source.polled.wait(), 5)
    source.gate.set()
    await asyncio.gather(*both)
    assert source.most_in_flight == 1


async def test_failures_back_off_with_jitter_up_to_a_limit() -> None:
    source = Source()
    source.error = Unreachable("refused")
    one = poller(source)
    delays = []
    for _ in range(40):
        delays.append(one.delay(await one.once()))
    assert all(1.0 <= d <= MAX_BACKOFF for d in delays)
    assert max(delays) > 10, "it never backs off"
    assert len({round(d, 3) for d in delays}) > 20, "no jitter"
    source.error = None
    assert one.delay(await one.once()) < 6, "it does not come back to its interval after a good answer"


async def test_the_wait_that_a_server_asks_for_is_kept() -> None:
    error = Overloaded("too many requests")
    error.retry_after = 17.0
    assert poller(Source()).delay(error) == 17.0


async def test_a_kick_asks_at_once_and_a_pause_asks_nothing() -> None:
    source = Source()
    one = poller(source, interval=3600)
    running = asyncio.Event()
    task = asyncio.create_task(one.run(running))
    await asyncio.sleep(0)
    assert source.polls == 0, "it polled while paused"
    running.set()
    await asyncio.wait_for(source.polled.wait(), 5)
    source.polled.clear()
    while not source.polled.is_set():
        one.kick()
        await asyncio.sleep(0)
    assert source.polls >= 2
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
