"""Long loops in threads that let the screen have its turn.

A thread that computes holds the interpreter until it is asked to let go, and asking takes milliseconds. A loop
over `in_turns` lets go by itself every few items, once the console has asked for it with `take_turns`; the
short-lived commands, which have no screen, run at full speed.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")

ITEMS = 40
"""Items between two pauses: well under a millisecond of the work that is done on one."""

_pause = 0.0


def take_turns(seconds: float) -> None:
    """Pause this long (seconds) every ITEMS items from now on, in the whole process; 0 for never."""
    global _pause
    _pause = seconds


def in_turns(items: Iterable[T]) -> Iterator[T]:
    """The items, with a pause now and then. Only for loops that run in a thread of their own."""
    if not _pause:
        yield from items
        return
    for count, item in enumerate(items, start=1):
        if count % ITEMS == 0:
            time.sleep(_pause)
        yield item
