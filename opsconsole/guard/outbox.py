"""Durable notifications: what was put reaches each channel at least once and in order, or is dead with a reason.

A channel's messages of one incident are sent one after the other; nothing holds up another channel, and a message
that is dead holds up nothing. A crash between sending and writing that down sends the same message again.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from opsconsole.clock import Clock
from opsconsole.errors import NotifyError, OpsError, OutboxError
from opsconsole.guard.outbox_file import Delivery, OutboxFile
from opsconsole.guard.ports import Channel
from opsconsole.model.guard import GuardEvent
from opsconsole.text import SafeText, safe, trusted

FIRST_WAIT = 5.0
LONGEST_WAIT = 300.0
"""Seconds between two tries: they double up to the longest, and each is made shorter by up to a half at random."""

LONGEST_ASKED = 3600.0
"""Seconds that a channel may ask to wait."""

MAX_AGE = 86_400.0
"""Seconds after which a message that was never taken is dead."""

RECENT = 3600.0
"""Seconds for which what was given up counts as undelivered: long enough for an alert."""

KEPT = 30 * 86_400.0
"""Seconds for which what ended is kept."""

AT_ONCE = 200
"""Messages that a channel is sent in one go."""

_NOTHING = trusted("")

Told = Callable[[Delivery], None]


class FileOutbox:
    """An outbox in the file at `path`, for these channels.

    `told` hears of each delivery that ends, `sent` or `dead`, as it then is; an OpsError that it raises is a
    `problem` and nothing more. What is older than `max_age` is dead when its next try fails.
    `problem` says what went wrong at the last delivery, "" when nothing did.
    """

    def __init__(
        self,
        path: Path,
        channels: Sequence[Channel],
        clock: Clock,
        *,
        told: Told = lambda delivery: None,
        chance: Callable[[], float] = random.random,
        max_age: float = MAX_AGE,
    ) -> None:
        self.file = OutboxFile(path)
        self.problem = trusted("")
        self._channels = {channel.name: channel for channel in channels}
        self._clock = clock
        self._told = told
        self._chance = chance
        self._max_age = max_age
        self._waiting = 0

    def put(self, event: GuardEvent) -> None:
        """Keep it; on the disk when this returns. The same `id` again changes nothing. Raises OutboxError."""
        # Half a character cannot be written down, and must not keep anyone from hearing of the rest.
        labels = {_whole(name): _whole(value) for name, value in event.labels.items()}
        event = msgspec.structs.replace(event, labels=labels)
        names = [name for name, channel in self._channels.items() if channel.wants(event)]
        self.file.put(event, names, self._clock.now())

    async def deliver(self) -> None:
        """Try what is due once, each channel with its own back-off. Never raises an OpsError. Does nothing while
        another process, or another call, delivers."""
        self.problem = trusted("")
        try:
            with self.file.turn() as ours:
                if ours:
                    await self._turn()
        except OutboxError as error:
            self.problem = safe(str(error), 400)

    def waiting(self) -> int:
        """How many deliveries were not made: those that wait, and those given up within the last hour. The last
        count that is known when the file cannot be read."""
        try:
            self._waiting = self.file.count("waiting", "dead", since=self._clock.now() - RECENT)
        except OutboxError as error:
            self.problem = safe(str(error), 400)
        return self._waiting

    async def aclose(self) -> None:
        for channel in self._channels.values():
            await channel.aclose()

    async def _turn(self) -> None:
        if not self.file.path.exists():
            return
        self._expire()
        async with asyncio.TaskGroup() as group:
            for channel in self._channels.values():
                group.create_task(self._serve(channel))
        self.file.forget(self._clock.now() - KEPT)

    async def _serve(self, channel: Channel) -> None:
        """Send what is due, until the channel fails: what else is due would fail too."""
        try:
            for _ in range(AT_ONCE):
                now = self._clock.now()
                due = [head for head in self.file.heads(channel.name) if head.due_in(now) <= 0]
                if not due or not await self._try(channel, due[0]):
                    return
        except OutboxError as error:
            self.problem = safe(str(error), 400)

    async def _try(self, channel: Channel, delivery: Delivery) -> bool:
        """Whether the channel works."""
        try:
            await channel.send(delivery.event)
        except NotifyError as error:
            failure = error
        except Exception as error:  # noqa: BLE001  a fault of one channel's code must not end the guard
            failure = NotifyError(f"unexpected {type(error).__name__}; this is a fault of opsconsole")
        else:
            self._end(delivery, "sent")
            return True
        reason = safe(" - ".join(part for part in (str(failure), failure.hint) if part), 1000)
        if not failure.retry:
            self._end(delivery, "dead", reason)
            return True
        if self._clock.now() - delivery.since > self._max_age:
            self._end(delivery, "dead", self._too_old(reason))
            return False
        wait = min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** min(delivery.tries, 20)) * (1 - self._chance() / 2)
        wait = max(wait, min(failure.retry_after or 0.0, LONGEST_ASKED))
        self.file.again(delivery.number, self._clock.now(), wait, reason)
        return False

    def _expire(self) -> None:
        """Give up what is old and for a channel that there is no longer."""
        now = self._clock.now()
        gone = [head for head in self.file.heads() if head.channel not in self._channels]
        for head in gone:
            if now - head.since > self._max_age:
                self._end(head, "dead", self._too_old("no such channel is configured"), tried=False)

    def _too_old(self, why: str) -> SafeText:
        return safe(f"not taken within {self._max_age / 3600:g} h: {why}", 1000)

    def _end(self, delivery: Delivery, state: str, reason: SafeText = _NOTHING, *, tried: bool = True) -> None:
        """Told first: what is told twice after a crash was done twice, too."""
        now = self._clock.now()
        tries = delivery.tries + int(tried)
        ended = msgspec.structs.replace(delivery, state=state, reason=reason, ended_at=now, tries=tries)
        try:
            self._told(ended)
        except OpsError as error:
            self.problem = safe(str(error), 400)
        self.file.end(delivery.number, now, state, reason, tried=tried)


def _whole(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
