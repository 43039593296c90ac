"""Flags of Unleash (https://docs.getunleash.io), through its admin API: one project, one environment.

Unleash has no precondition for a write, so a flag is read again right before one. Turning a flag on that has no
enabled strategy adds one for everybody: that is never done.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence

from opsconsole.clients.flags.base import content_hash
from opsconsole.clients.flags.edit import unified_diff
from opsconsole.clients.flags.unleash_api import Feature, UnleashApi
from opsconsole.clients.flags.unleash_definition import ON, Definition, Step, steps_between
from opsconsole.clients.flags.unleash_log import Event, counts, replay
from opsconsole.clients.transport import Transport
from opsconsole.clock import Clock
from opsconsole.config.schema import Endpoint
from opsconsole.errors import (
    Conflict,
    FlagError,
    FlagNotFound,
    FlagRateLimited,
    FlagUnauthorised,
    OpsError,
    Refused,
)
from opsconsole.model.flags import (
    Capabilities,
    Flag,
    FlagChange,
    FlagSet,
    RollbackKind,
    RollbackPlan,
    Swap,
)
from opsconsole.text import SafeText, safe, trusted

AT_ONCE = 8
"""Flags that are asked for at the same time."""

RECENT = 100
"""Events that tell which flags have to be read again."""

ALL_AGAIN = 300.0
"""Seconds after which every flag is read again, whatever the events say."""

_TRIES = 3


class UnleashProvider:
    """The flags of one project in one environment. Off is Unleash's own switch of that environment, which leaves
    the strategies as they are; a former definition is brought back strategy by strategy."""

    name = "unleash"
    # Its SDKs ask every 15 s. The log takes 15 questions a minute from Unleash 8 on.
    capabilities = Capabilities(
        swap=Swap.REREAD,
        change_log=True,
        partial=True,
        dry_run=True,
        approvals=True,
        propagation=20.0,
        rate_limit=15.0,
    )

    def __init__(self, endpoint: Endpoint, project: str, environment: str, *, clock: Clock) -> None:
        self._api = UnleashApi(Transport(endpoint, clock=clock), clock, project, environment)
        self.source: SafeText = self._api.source
        self._environment = environment
        self._clock = clock
        self._reading = asyncio.Lock()
        self._known: dict[str, Definition] = {}
        self._seen: frozenset[int] | None = None
        self._all_at = 0.0

    async def read(self) -> FlagSet:
        """All flags that are not archived. `revision` is the hash of all their definitions."""
        async with self._reading:
            events, again = await self._changed()
            features = await self._api.features()
            await self._refresh(features, again)
            self._seen = events
        flags = tuple(self._flag(feature) for feature in features if feature.name in self._known)
        revision = content_hash({flag.key: flag.content_hash for flag in flags})
        return FlagSet(provider=self.name, source=self.source, revision=revision, flags=flags)

    async def definition(self, key: str) -> str:
        """Whether the flag is on in the environment, and its strategies there."""
        return (await self._fresh(key)).text()

    async def changes(self, since: float, key: str = "") -> tuple[FlagChange, ...]:
        """The log. What stood before and after is worked out from what stands now, and "" where that does not fit
        the log; for what happened to all environments at once it is not known."""
        if key:
            await self._fresh(key)
        events: list[Event] = []
        present: dict[str, Definition | None] = {}
        for _ in range(_TRIES):
            # What stood the same before and after the log was read, stood like that when it was read.
            before = dict(self._known)
            found = await self._api.events_since(since, key)
            events = [event for event in found if counts(event, self._environment)]
            keys = {event.feature_name or "" for event in events}
            now = await self._all_fresh(keys)
            present = {key: at for key, at in now.items() if at is None or at == before.get(key)}
            if len(present) == len(now):
                break
        each = [
            replay(present.get(name), [event for event in events if event.feature_name == name])
            for name in {event.feature_name or "" for event in events}
        ]
        order = {str(event.id): position for position, event in enumerate(events)}
        return tuple(sorted((change for part in each for change in part), key=lambda change: order[change.id]))

    async def plan_off(self, key: str) -> RollbackPlan:
        """The plan to turn the flag off in the environment."""
        now = await self._fresh(key)
        if now.off:
            told = "is already off" if not now.enabled else "is on, for 0 % of the users: nobody gets it"
            raise Refused(f"flag {safe(key, 80)} {told}", where=self.source)
        return self._plan(key, now, Definition(False, now.strategies), RollbackKind.OFF, "turn off")

    async def plan_to(
        self,
        key: str,
        definition: str,
        kind: RollbackKind,
        *,
        expected_hash: str = "",
        restore: bool = False,
        version: str = "",
    ) -> RollbackPlan:
        """The plan to bring a former definition back."""
        now, then = await self._fresh(key), Definition.parse(definition)
        if expected_hash and now.hash != expected_hash:
            raise Conflict(
                f"flag {safe(key, 80)} was changed since; what stood before is not written over that",
                where=self.source,
                hint="look at what changed, then change it in Unleash",
            )
        if now.hash == then.hash:
            raise Refused(f"flag {safe(key, 80)} already stands like that", where=self.source)
        what = f"bring back the definition from before the {'rollback' if restore else 'last change'}"
        return self._plan(key, now, then, kind, what, restore=restore, version=version)

    async def apply(self, plan: RollbackPlan, reason: str = "") -> str:
        """Carry the plan out, one write after the other. Unleash has no place for the reason."""
        now, then = await self._fresh(plan.key), Definition.parse(plan.replacement)
        if now.hash != plan.revision:
            raise Conflict(
                f"flag {safe(plan.key, 80)} changed since the plan was made; nothing was written",
                where=self.source,
                hint="look again, then decide again",
            )
        await self._carry_out(plan.key, steps_between(now, then), then)
        try:
            return (await self.read()).revision
        except FlagError as error:
            error.sent = True
            raise

    def content_hash(self, definition: str) -> str:
        """The content hash of a definition as `definition` and the plans give it."""
        return Definition.parse(definition).hash

    async def aclose(self) -> None:
        await self._api.aclose()

    # Reading

    async def _changed(self) -> tuple[frozenset[int] | None, Collection[str] | None]:
        """The newest events' numbers, and the flags that they say have changed since the last reading: None for
        all flags, when that is not certain."""
        try:
            events = await self._api.latest_events(RECENT)
        except (FlagNotFound, FlagRateLimited, FlagUnauthorised):
            return None, None
        numbers = frozenset(event.id for event in events)
        if self._seen is None or self._clock.monotonic() - self._all_at >= ALL_AGAIN:
            return numbers, None
        unseen = [event for event in events if event.id not in self._seen]
        # When all of them are new, there may be more that were not asked for.
        if len(unseen) == RECENT or any(not event.feature_name for event in unseen):
            return numbers, None
        return numbers, {event.feature_name or "" for event in unseen}

    async def _refresh(self, features: Sequence[Feature], again: Collection[str] | None) -> None:
        """Read the definitions that are not known, or may have changed."""
        listed = {feature.name: feature.place(self._environment) for feature in features}
        gone = [key for key in self._known if key not in listed]
        for key in gone:
            del self._known[key]
        self._api.forget(gone)
        if again is None:
            self._all_at = self._clock.monotonic()
        asked = [
            key
            for key, place in listed.items()
            if again is None
            or key in again
            or key not in self._known
            or (place is not None and place.enabled != self._known[key].enabled)
        ]
        await self._all_fresh(asked)

    async def _all_fresh(self, keys: Iterable[str]) -> Mapping[str, Definition | None]:
        """The definitions as they stand now, None for a flag that is not there."""
        gate = asyncio.Semaphore(AT_ONCE)

        async def one(key: str) -> tuple[str, Definition | None]:
            async with gate:
                try:
                    return key, await self._fresh(key)
                except FlagNotFound:
                    self._known.pop(key, None)
                    return key, None

        return dict(await asyncio.gather(*(one(key) for key in keys)))

    async def _fresh(self, key: str) -> Definition:
        _, definition = await self._api.feature(key)
        self._known[key] = definition
        return definition

    def _flag(self, feature: Feature) -> Flag:
        definition = self._known[feature.name]
        tags = [tag.value if tag.type == "simple" else f"{tag.type}:{tag.value}" for tag in feature.tags or ()]
        return Flag(
            key=feature.name,
            enabled=definition.enabled,
            default_variant=trusted("on" if definition.enabled else "off"),
            variants=(trusted("on"), trusted("off")),
            serves=trusted(definition.serves() + (" (stale)" if feature.stale else "")),
            has_targeting=any(strategy.percent is None for strategy in definition.active),
            safe_variant=trusted("off"),
            content_hash=definition.hash,
            off=definition.off,
            rollout=definition.rollout,
            tags=tuple(safe(tag, 80) for tag in tags),
            type=safe(feature.type, 40),
        )

    # Writing

    def _plan(
        self,
        key: str,
        now: Definition,
        then: Definition,
        kind: RollbackKind,
        what: str,
        *,
        restore: bool = False,
        version: str = "",
    ) -> RollbackPlan:
        try:
            steps = steps_between(now, then)
        except Refused as error:
            error.where = self.source
            raise
        words = f"{safe(key, 80)} in {safe(self._environment, 60)}: {what} ({now.serves()} -> {then.serves()})"
        if len(steps) > 1:
            words += ", in this order: " + ", ".join(step.words for step in steps)
        original, replacement = now.text(), then.text()
        return RollbackPlan(
            key=key,
            kind=kind,
            words=trusted(words),
            diff=unified_diff(key, original, replacement, is_yaml=False),
            revision=now.hash,
            original=original,
            replacement=replacement,
            restore=restore,
            version=version,
        )

    async def _carry_out(self, key: str, steps: Sequence[Step], then: Definition) -> None:
        for number, step in enumerate(steps):
            try:
                if number and step is ON:
                    await self._ready_to_turn_on(key, then)
                await self._api.write(key, step.method, step.path, step.body)
            except OpsError as error:
                if not number:
                    raise
                failed = await self._half_done(key, steps, number, error)
                raise failed from None

    async def _ready_to_turn_on(self, key: str, then: Definition) -> None:
        if (await self._fresh(key)).hash != Definition(False, then.strategies).hash:
            raise FlagError(
                "somebody else changed it at the same time",
                where=self.source,
                hint="look at what stands now, then decide again",
            )

    async def _half_done(self, key: str, steps: Sequence[Step], number: int, error: OpsError) -> FlagError:
        """The error, with what was done before it and what is there now."""
        done = ", ".join(step.words for step in steps[:number])
        try:
            now = f"it now is {(await self._fresh(key)).serves()}"
        except FlagError:
            now = "what stands now cannot be read"
        failed = error if isinstance(error, FlagError) else FlagError("", where=error.where, hint=error.hint)
        failed.message = f"done: {done}; then {steps[number].words} failed: {error.message}; {now}"
        failed.args = (failed.message,)
        failed.sent = True
        return failed
