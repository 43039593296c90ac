"""The write of a flag: re-read, apply once, and read back what stands."""

from __future__ import annotations

from collections.abc import Callable

from opsconsole.actions.base import Desk
from opsconsole.clients.flags.base import FlagProvider
from opsconsole.errors import (
    Ambiguous,
    ApprovalRequired,
    Conflict,
    FlagError,
    FlagNotFound,
    FlagRateLimited,
    FlagUnauthorised,
    FlagUnsupported,
    Refused,
    Unverified,
)
from opsconsole.model.flags import FlagSet, RollbackPlan
from opsconsole.text import SafeText, safe

BeforeWrite = Callable[[], None]
"""Called right before the write; may raise Refused, and then nothing is written."""

LONGEST = 30.0
"""Seconds for which what was written is looked for at most, however slow the provider says it is."""

_FIRST_WAIT, _LONGEST_WAIT = 0.5, 5.0
_NOTHING_DONE = (ApprovalRequired, FlagNotFound, FlagRateLimited, FlagUnauthorised, FlagUnsupported)


async def write_plan(
    desk: Desk,
    provider: FlagProvider,
    observe: Callable[[FlagSet], None],
    plan: RollbackPlan,
    after: str,
    reason: str,
    before_write: BeforeWrite | None = None,
) -> None:
    """Carry out a plan, once, and return when the flag reads back with the content hash `after`.

    An error of the write counts only if the flag does not stand as wanted. Raises Refused, Conflict or FlagError
    when nothing was done, Unverified when something else stands there, and Ambiguous when that cannot be known.
    """
    name = safe(plan.key, 80)
    flag = (await provider.read()).get(plan.key)
    if flag is None:
        raise Refused(f"flag {name} is gone")
    if flag.content_hash != plan.revision:
        hint = "look again, then decide again"
        raise Conflict(f"flag {name} changed since the plan was made; nothing was written", hint=hint)
    if before_write is not None:
        before_write()
    failure: FlagError | None = None
    try:
        await provider.apply(plan, reason)
    except FlagError as error:
        if isinstance(error, _NOTHING_DONE) and not error.sent:
            raise
        failure = error
    await _Verifier(desk, provider, observe, plan, after, failure).verify()


class _Verifier:
    """Looks for what was written, until it is there or the time for it is over."""

    def __init__(
        self,
        desk: Desk,
        provider: FlagProvider,
        observe: Callable[[FlagSet], None],
        plan: RollbackPlan,
        after: str,
        failure: FlagError | None,
    ) -> None:
        self._desk = desk
        self._provider = provider
        self._observe = observe
        self._plan = plan
        self._after = after
        self._failure = failure
        self._name: SafeText = safe(plan.key, 80)

    async def verify(self) -> None:
        """Raises as `write_plan`."""
        left, wait = min(max(self._provider.capabilities.propagation, 5.0), LONGEST), _FIRST_WAIT
        while True:
            began = self._desk.clock.monotonic()
            stands, unread = await self._look()
            left -= self._desk.clock.monotonic() - began
            if unread is None and stands == self._after:
                return
            if unread is None and stands != self._plan.revision:
                raise self._something_else()
            never_sent = self._failure is not None and not self._failure.sent
            if left <= 0 or (unread is None and never_sent):
                raise self._end(unread)
            if isinstance(unread, FlagRateLimited) and unread.retry_after is not None:
                wait = max(wait, unread.retry_after)
            wait = min(wait, left)
            await self._desk.sleep(wait)
            left -= wait
            wait = min(2 * wait, _LONGEST_WAIT)

    async def _look(self) -> tuple[str, FlagError | None]:
        """The content hash that the flag has, "" for one that is gone; or why that cannot be read."""
        try:
            flagset = await self._provider.read()
        except FlagError as error:
            return "", error
        self._observe(flagset)
        flag = flagset.get(self._plan.key)
        return (flag.content_hash if flag is not None else ""), None

    def _something_else(self) -> Unverified:
        """What is raised when it stands neither as before nor as wanted: half was done, or another is at it."""
        if self._failure is not None:
            return Unverified(
                f"flag {self._name} is neither as it was nor as it was to be: {self._failure.message}",
                where=self._failure.where,
                hint="look at it where your flags are managed before anything else",
            )
        return Unverified(
            f"flag {self._name} was written, but now reads back as something else",
            hint="someone else may be changing it: look at it before anything else",
        )

    def _end(self, unread: FlagError | None) -> Exception:
        """What is raised when it was looked for long enough: it stands as before, or cannot be read."""
        if unread is not None:
            first = f": {self._failure.message}" if self._failure is not None else ""
            return Ambiguous(
                f"it is not known whether flag {self._name} was written{first}; it cannot be read back: "
                f"{unread.message}",
                where=unread.where,
                hint="look at the flag where your flags are managed before you try again; it is not tried again",
            )
        if self._failure is not None:
            return self._failure
        return Unverified(
            f"flag {self._name} was written, but still reads back as it was",
            hint="look at it before you try again: it may be served from a cache, or the write was dropped",
        )
