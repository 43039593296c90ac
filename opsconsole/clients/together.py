"""Asking all members of a cluster at once, without waiting for one that hangs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from typing import TypeVar

from opsconsole.errors import SourceError, TimedOut

T = TypeVar("T")

STRAGGLE = 5.0
"""Seconds that members have to answer after the first one did."""


async def answers_of(asked: Sequence[tuple[str, Awaitable[T]]]) -> list[T | SourceError]:
    """What each member answers. Once one has, the others have STRAGGLE seconds more, or as long again as that one
    took: a member that hangs must not make old what the others say."""

    async def one(ask: Awaitable[T]) -> T | SourceError:
        try:
            return await ask
        except SourceError as error:
            return error

    loop = asyncio.get_running_loop()
    began = loop.time()
    tasks = [asyncio.ensure_future(one(ask)) for _, ask in asked]
    try:
        pending: set[asyncio.Future[T | SourceError]] = set(tasks)
        while pending:
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            if any(not isinstance(task.result(), SourceError) for task in done) and pending:
                await asyncio.wait(pending, timeout=max(STRAGGLE, loop.time() - began))
                break
        return [
            task.result() if task.done() else _straggler(url) for task, (url, _) in zip(tasks, asked, strict=True)
        ]
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _straggler(url: str) -> TimedOut:
    return TimedOut(
        "no answer long after another member gave its own",
        where=url,
        hint="the member hangs or is overloaded: look at its load and its log",
    )
