"""Keys one after another.

Textual hands a key to the focused widget, which takes letters at once, while what is bound (backspace, tab, enter,
a letter that opens a filter) first travels up to the application. Of keys that arrive together, as on a slow
connection or from a fast typist, letters would overtake them: "10m", backspace, "h" became "10" and not "10h".
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TypeVar

from textual import events
from textual.app import App
from textual.message import Message

T = TypeVar("T")

LIMIT = 0.3
"""Seconds after which the next key is looked at all the same: a widget that is gone sends nothing on."""


class KeyPassed(Message):
    """Travels behind a key, through the same queues; where it arrives the key has been dealt with."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


class KeysInTurn(App[T]):
    """An application that looks at a key, or at a paste, when the one before it has been dealt with."""

    _number = 0
    _underway = False
    _overdue: asyncio.TimerHandle | None = None

    def __init__(self) -> None:
        super().__init__()
        self._waiting: deque[events.Key | events.Paste] = deque()

    async def on_event(self, event: events.Event) -> None:
        if not isinstance(event, events.Key | events.Paste) or event.is_forwarded:
            await super().on_event(event)
        elif self._underway or self._waiting:
            self._waiting.append(event)
        else:
            await self._send(event)

    async def on_key_passed(self, message: KeyPassed) -> None:
        message.stop()
        if message.number == self._number:
            self._passed()
            while self._waiting and not self._underway:
                await self._send(self._waiting.popleft())

    async def _send(self, event: events.Key | events.Paste) -> None:
        self._underway = True
        self._number += 1
        target = self.focused or self.screen
        try:
            await super().on_event(event)
        except BaseException:
            self._passed()
            raise
        mark = KeyPassed(self._number)
        # What comes from a widget's parent does not travel further up.
        mark.set_sender(target)
        if not event.is_forwarded or not target.post_message(mark):
            self._passed()
            return
        again = KeyPassed(self._number)
        self._overdue = asyncio.get_running_loop().call_later(LIMIT, self.post_message, again)

    def _passed(self) -> None:
        self._underway = False
        if self._overdue is not None:
            self._overdue.cancel()
            self._overdue = None
