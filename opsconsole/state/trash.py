"""Large lists taken apart off the event loop.

Freeing 10,000 alerts at once takes tens of milliseconds in which no key is answered. Here the last reference is
held until nobody else has one, and then given up object by object in a thread, which lets others run between.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from opsconsole.turns import in_turns

LARGE = 1000


class Trash:
    """Holds what was replaced until the next thing is, by when the screens have drawn the new."""

    def __init__(self) -> None:
        self._held: list[object] = []

    async def put(self, lists: Sequence[Sequence[object] | None]) -> None:
        """Hold these lists and free those held before."""
        before, self._held = self._held, [item for item in lists if item is not None and len(item) >= LARGE]
        if before:
            await asyncio.to_thread(_free, before)


def _free(lists: list[object]) -> None:
    items: list[object] = []
    while lists:
        found = lists.pop()
        if isinstance(found, tuple):
            items += found
        del found
    for _ in in_turns(range(len(items))):
        items.pop()
