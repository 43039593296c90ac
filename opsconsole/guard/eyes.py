"""How the guard looks: the rules' questions to Prometheus, and the flags with their changes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from msgspec.structs import replace

from opsconsole.clock import Clock
from opsconsole.errors import OpsError, SourceError
from opsconsole.guard.candidates import FlagView
from opsconsole.guard.decisions import Watched
from opsconsole.guard.samples import Sample, failed_sample, freshness_query, sample_of
from opsconsole.guard.state import State
from opsconsole.model.flags import Capabilities, FlagChange, FlagSet
from opsconsole.model.series import QueryResult
from opsconsole.text import SafeText, safe, trusted

Query = Callable[[str], Awaitable[QueryResult]]
"""Asks Prometheus for the value of an expression now. Raises SourceError."""

_LOG_GAP = 10.0
"""Fewest seconds between two looks into a provider's log."""

_LASTS = 60.0
"""Seconds for which what was seen will do while the provider does not answer."""

_LONGEST_LOOK = 60.0
"""Seconds before it was seen in which a change may have been made that only our own looks tell of."""

_MARGIN = 120.0
"""Seconds of changes that are asked for beyond the look-back."""


class Flags(Protocol):
    """What the guard reads of a flag provider."""

    @property
    def capabilities(self) -> Capabilities: ...

    async def read(self) -> FlagSet:
        """All flags as they stand. Raises FlagError."""
        ...


class Changes(Protocol):
    """Where the changes of flags are known: opsconsole.actions.runner.Runner."""

    def observe_flags(self, flagset: FlagSet) -> None: ...

    @property
    def observing_problem(self) -> SafeText: ...

    @property
    def observing_since(self) -> float:
        """Since when our own record has every change, seconds since the epoch."""
        ...

    async def flag_changes(self, since: float, key: str = "") -> tuple[FlagChange, ...]:
        """Raises FlagError or ActionError."""
        ...


async def sample(watched: Watched, query: Query, now: float) -> Sample:
    """One look at a rule. Never raises an OpsError: what was not answered, or too late for the samples to be in a
    row, is not known."""
    every = watched.guard.interval
    limit = max(1.5 * every, every + 2.0)
    try:
        async with asyncio.timeout(limit):
            return await _sample(watched, query, now)
    except TimeoutError:
        return failed_sample(now, f"no answer within {limit:g}s")


async def _sample(watched: Watched, query: Query, now: float) -> Sample:
    rule = watched.rule
    texts = [rule.expr, freshness_query(rule.expr), rule.traffic]
    asked = [query(text) for text in texts if text]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    for answer in answers:
        if isinstance(answer, SourceError):
            return failed_sample(now, f"{answer.kind}: {answer.message}")
        if isinstance(answer, OpsError):
            return failed_sample(now, answer.message)
        if isinstance(answer, Exception):
            return failed_sample(now, f"unexpected {type(answer).__name__}; this is a fault of opsconsole")
        if isinstance(answer, BaseException):
            raise answer
    found = iter([answer for answer in answers if isinstance(answer, QueryResult)])
    results = [next(found, None) if text else None for text in texts]
    value = results[0]
    assert value is not None
    return sample_of(rule, value, freshness=results[1], traffic=results[2])


class FlagEyes:
    """Looks at the flags as often as the provider allows. What was seen a moment ago will do while it does not
    answer: each write looks again, and what changed before an onset stays as it was."""

    def __init__(self, flags: Flags | None, changes: Changes, clock: Clock, watched: Sequence[Watched]) -> None:
        self._flags = flags
        self._changes = changes
        self._clock = clock
        self._interval = min((each.guard.interval for each in watched), default=10.0)
        self._look_back = max((each.guard.look_back for each in watched), default=1800.0)
        limit = flags.capabilities.rate_limit if flags is not None else None
        # Half of what it takes for the flags, half for their log, and a fifth of both for others.
        self._gap = 150.0 / limit if limit else 0.0
        self._read_at = self._log_at = float("-inf")
        self._log: tuple[FlagChange, ...] = ()
        self._view = FlagView()
        self._written = False
        self._looking: asyncio.Task[FlagView] | None = None

    @property
    def provided(self) -> bool:
        """Whether the context has a flag provider."""
        return self._flags is not None

    @property
    def propagation(self) -> float:
        """Seconds after which a change has reached the applications."""
        return self._flags.capabilities.propagation if self._flags is not None else 0.0

    async def look(self, state: State) -> FlagView:
        """What is known of the flags now. A provider that is slow keeps no rule from being looked at: its answer
        is waited for half an interval, and counts at a later look."""
        if self._flags is None:
            return FlagView(problem=trusted("this context has no flag provider"))
        if self._looking is None:
            self._looking = asyncio.ensure_future(self._look(self._flags, state))
        await asyncio.wait({self._looking}, timeout=max(self._interval / 2, 1.0))
        if self._looking.done():
            found, self._looking = self._looking.result(), None
            return found
        if self._will_do(self._clock.monotonic()) and not self._view.problem:
            return self._view
        return FlagView(problem=trusted("the provider does not answer"), propagation=self.propagation)

    def _will_do(self, now: float) -> bool:
        """Whether both were seen a moment ago: flags without their log look like flags that nobody changed."""
        return not self._written and now - self._read_at <= _LASTS and now - self._log_at <= _LASTS

    async def forget(self) -> None:
        """What was seen before a write will not do after it."""
        self._written = True
        await self.aclose()

    async def aclose(self) -> None:
        """Give up the look that is under way."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)
            self._looking = None

    async def _look(self, flags: Flags, state: State) -> FlagView:
        now = self._clock.monotonic()
        try:
            logged = self._log_is_due(state, now)
            # A change in the log that the flags were read before would look like one that was undone since.
            if logged or now - self._read_at >= self._gap - 0.001:
                await self._read(flags, now)
            changes = await self._known(state, now) if logged else self._log
        except OpsError as error:
            if self._will_do(now):
                return self._view
            return FlagView(problem=safe(error.message, 300), propagation=self.propagation)
        except Exception as error:  # noqa: BLE001  a fault of a provider's code is one more reason not to write
            words = safe(f"unexpected {type(error).__name__}; this is a fault of opsconsole")
            return FlagView(problem=words, propagation=self.propagation)
        self._view = replace(self._view, changes=changes, problem=self._changes.observing_problem)
        return self._view

    async def _read(self, flags: Flags, now: float) -> None:
        found = await flags.read()
        self._changes.observe_flags(found)
        apart = min(_LONGEST_LOOK, max(self._interval, now - self._read_at)) + self._interval
        self._read_at, self._written = now, False
        since = 0.0 if flags.capabilities.change_log else self._changes.observing_since
        self._view = FlagView(
            flags=found, changes=self._log, looks=apart, propagation=self.propagation, known_since=since
        )

    def _log_is_due(self, state: State, now: float) -> bool:
        """The log is asked for while something may be decided on it."""
        deciding = any(rule.run >= 1 or rule.incident for rule in state.rules.values())
        return deciding and now - self._log_at >= max(_LOG_GAP, self._gap) - 0.001

    async def _known(self, state: State, now: float) -> tuple[FlagChange, ...]:
        """The changes. Raises FlagError or ActionError."""
        onset = min((rule.onset for rule in state.rules.values() if rule.onset), default=self._clock.now())
        self._log = await self._changes.flag_changes(onset - self._look_back - _MARGIN)
        self._log_at = now
        return self._log
