"""What the guard's loop needs of the rest, so that each can be replaced in a test.

All of these are read or called anew at every round: an operator's switch counts at once.
"""

from __future__ import annotations

from typing import Protocol

from opsconsole.model.guard import Armed, GuardEvent, GuardStatus
from opsconsole.text import SafeText


class Arming(Protocol):
    """Whether the guard may write."""

    def armed(self) -> Armed | None:
        """The arming that counts now; None when there is none, it has expired, or it cannot be read."""
        ...


class KillSwitch(Protocol):
    """A file whose presence stops every write."""

    def pulled(self) -> SafeText:
        """Why nothing may be written, "" when it may. A file that cannot be looked at counts as there."""
        ...


class Lease(Protocol):
    """Which of several guards of one context acts. Held for a time and renewed; never shared."""

    def hold(self) -> bool:
        """Take or renew it; whether it is ours, for at least the time of one write. False on any doubt."""
        ...

    def holder(self) -> SafeText:
        """Who has it (host and process), "" when nobody or not known."""
        ...

    def release(self) -> None:
        """Let another have it at once. Never raises."""
        ...


class Channel(Protocol):
    """One way to tell people. A message that is sent again, as nobody knows whether it arrived, can be known as
    the same by its id, its dedup_key or its Message-ID."""

    @property
    def name(self) -> str:
        """Unique among the channels of a guard."""
        ...

    def wants(self, event: GuardEvent) -> bool:
        """Whether it is told of this."""
        ...

    async def send(self, event: GuardEvent) -> None:
        """Send it once, within a deadline. Raises NotifyError."""
        ...

    async def aclose(self) -> None: ...


class Outbox(Protocol):
    """Durable notifications. What was put is sent at least once, however often the guard is killed."""

    def put(self, event: GuardEvent) -> None:
        """Keep it; on the disk when this returns. The same `id` again changes nothing. Raises OpsError when it
        cannot be kept: that never stops a rollback."""
        ...

    async def deliver(self) -> None:
        """Try what is due once, each channel with its own back-off. Never raises an OpsError. Takes as long as the
        channels' deadlines: run it beside what must not wait."""
        ...

    def waiting(self) -> int:
        """How many deliveries were not made: those that wait, and those given up within the last hour."""
        ...


class Heartbeat(Protocol):
    """Tells the world that the guard lives."""

    def beat(self, status: GuardStatus) -> None:
        """Publish. Never raises."""
        ...
