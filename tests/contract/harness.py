"""What the contract suite needs to know of a flag provider to put it through the same tests as all others.

A provider takes part by a module `tests/contract/<name>_harness.py` with

    HARNESSES = {"name": make, …}        # ids of the tests; make(request, tmp_path) gives a Harness

`make` is called outside of an event loop, so that it may ask for session fixtures: `request.getfixturevalue`.
A module that needs a real server gives `MARKS = (pytest.mark.live,)` too.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from dataclasses import dataclass, field

from opsconsole.clients.flags.base import FlagProvider
from opsconsole.model.flags import Flag

HOSTILE = "\x1b[31m[bold]evil\u202e\x00"
"""For the names and descriptions of flags and the names of people, as far as a system takes it."""


@dataclass(frozen=True)
class Keys:
    """The flags that a harness makes; "" for one that the system cannot have."""

    full: str = "full"
    """On for everyone."""
    partial: str = "partial"
    """On for half of the users; the suite raises it to all before each test, as another user."""
    off: str = "off"
    """Off for everyone, and nothing about it is disabled, scheduled or targeted."""
    turned_off: str = "turned_off"
    """On for everyone; the suite turns it off before each test, as another user."""
    hostile: str = "hostile"
    """On for everyone; its texts are HOSTILE, its key as far as the system takes that."""
    no_safe: str = ""
    """On for everyone, with variants of which none is known to be the safe one."""
    kill_switch: str = ""
    """On for everyone, of the type kill-switch (or `permission`)."""
    targeted: str = ""
    """Off by default and on for some users by a rule; a rollback has to reach those too."""


class Harness(ABC):
    """One provider with its flags. `start` and `aclose` are called once for each test."""

    keys = Keys()
    other = ""
    """The name that the provider's log has for whoever makes `change`; "" when it tells none."""
    steps = 12
    """Steps of the random walk: fewer where each takes long."""

    @abstractmethod
    async def start(self) -> None:
        """Make the flags of `keys` afresh, as Keys describes them."""

    @abstractmethod
    def provider(self) -> FlagProvider:
        """A provider of these flags, made from a configuration as a user would. The suite closes it."""

    @abstractmethod
    async def serves(self, key: str) -> float:
        """The percentage of users who get something else than the safe variant, asked the way applications ask.
        For `targeted`: above 0 while its rule gives anybody something else."""

    @abstractmethod
    async def change(self, key: str, percent: float) -> None:
        """Serve a flag to so many per cent of the users (0, 50 or 100), as another user with the provider's own
        means: not through opsconsole. 0 is the provider's usual way to turn it off."""

    @abstractmethod
    def unreachable(self) -> FlagProvider | None:
        """A provider of something that surely takes no request: a port that refuses, a file that is not there."""

    def unauthorised(self) -> FlagProvider | None:
        """A provider whose credentials are not accepted; None when there are none."""
        return None

    def answerless(self) -> FlagProvider | None:
        """A provider whose reads work, whose writes arrive and whose answers to writes are lost (with a short
        timeout); None when that cannot be."""
        return None

    def writes(self) -> int | None:
        """How many requests to change something have arrived since `start`; None when nobody counts."""
        return None

    async def aclose(self) -> None:  # noqa: B027 - most have nothing to do
        """Clean up."""


@dataclass
class Scene:
    """A harness whose flags were made and changed, and a provider of them. `former` are the definitions of
    `partial` and `turned_off` before they were changed; `began` is wall time before that."""

    harness: Harness
    provider: FlagProvider
    former: dict[str, str] = field(default_factory=dict)
    began: float = field(default_factory=time.time)

    async def change(self) -> None:
        """Change two of the flags as another user."""
        for key, percent in ((self.keys.partial, 100), (self.keys.turned_off, 0)):
            self.former[key] = await self.provider.definition(key)
            await self.harness.change(key, percent)

    @property
    def keys(self) -> Keys:
        return self.harness.keys

    async def flag(self, key: str) -> Flag:
        """The flag as it is read now."""
        found = (await self.provider.read()).get(key)
        assert found is not None, f"{key!r} is not among the flags that were read"
        return found

    async def hashes(self) -> dict[str, str]:
        """The content hash of every flag."""
        return {flag.key: flag.content_hash for flag in (await self.provider.read()).flags}
