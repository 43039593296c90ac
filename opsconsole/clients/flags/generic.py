"""A provider for systems that are described in the configuration: list, get, off and restore as requests or
commands. `generic_item` says what a flag means, `generic_http` and `generic_exec` how a system is spoken to."""

from __future__ import annotations

import asyncio
import getpass
import hashlib
import json
import math
import socket
from collections.abc import Mapping
from typing import Any

import msgspec

from opsconsole.clients.flags.base import content_hash
from opsconsole.clients.flags.document import parse_definition
from opsconsole.clients.flags.edit import unified_diff
from opsconsole.clients.flags.generic_item import Items
from opsconsole.clients.flags.generic_log import read_changes
from opsconsole.clients.flags.generic_words import Channel, Words
from opsconsole.clients.flags.paths import Missing, find
from opsconsole.config.schema import GenericSettings
from opsconsole.errors import Conflict, FlagError, FlagNotFound, FlagUnsupported, Refused
from opsconsole.model.flags import FlagChange, FlagSet, RollbackKind, RollbackPlan
from opsconsole.text import safe, trusted

_AT_ONCE = 4
"""Flags that are asked for at once where each is asked for by itself."""


class GenericProvider:
    """The flags of one described system. With a call `get`, `list` tells only which flags there are."""

    def __init__(self, name: str, settings: GenericSettings, channel: Channel) -> None:
        self.name = name
        self.source = channel.source
        self.capabilities = settings.capabilities
        self._calls = settings.calls
        self._channel = channel
        self._items = Items(settings, channel.source)
        self._gate = asyncio.Semaphore(_AT_ONCE)

    async def read(self) -> FlagSet:
        """All flags. `revision` is a hash of all their definitions."""
        items = await self._all()
        flags = tuple(self._items.flag(key, item) for key, item in sorted(items.items()))
        return FlagSet(
            provider=self.name,
            source=self.source,
            revision=_revision({flag.key: flag.content_hash for flag in flags}),
            flags=flags,
        )

    async def definition(self, key: str) -> str:
        """One flag's definition: what the system tells of it, without the members that are to be ignored."""
        return self._items.definition(await self._one(key))

    async def changes(self, since: float, key: str = "") -> tuple[FlagChange, ...]:
        """What the system's log tells, newest first; nothing when the description has no `changes`."""
        if "changes" not in self._calls:
            return ()
        found = await self._asked("changes", Words(since=str(max(0, math.floor(since)))))
        told = read_changes(found, self._calls["changes"], self._items, self.source)
        return tuple(change for change in told if change.at >= since and key in ("", change.key))

    async def plan_off(self, key: str) -> RollbackPlan:
        """The plan to turn the flag off."""
        if "off" not in self._calls:
            raise FlagUnsupported(
                "this system cannot turn a flag off: the description has no `off`", where=self.source
            )
        item = await self._one(key)
        flag, definition, name = self._items.flag(key, item), self._items.definition(item), safe(key, 80)
        if flag.off:
            raise Refused(f"flag {name} is off already", where=self.source)
        after = self._items.turned_off(key, definition)
        if not self._items.flag(key, json.loads(after)).off:
            raise FlagError(
                f"flag {name} would not be off with what `off` sets",
                where=self.source,
                hint="look at `sets` of `off` in the configuration",
            )
        return self._plan(key, definition, after, RollbackKind.OFF, f"{name}: {flag.serves} -> off")

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
        """The plan to hand a former definition to `restore`."""
        if not self.capabilities.undo or "restore" not in self._calls:
            message = "this system cannot bring a former definition back: the description has no `restore`"
            raise FlagUnsupported(message, where=self.source, hint="change it where your flags are managed")
        item = await self._one(key)
        now, name = self._items.definition(item), safe(key, 80)
        if expected_hash and self.content_hash(now) != expected_hash:
            raise Conflict(
                f"flag {name} was changed since; what stood before is not written over that",
                where=self.source,
                hint="look at what changed, then change it where your flags are managed",
            )
        if self.content_hash(now) == self.content_hash(definition):
            raise Refused(f"flag {name} already stands like that", where=self.source)
        served = self._items.flag(key, item).serves
        wanted = self._items.flag(key, parse_definition(definition, is_yaml=False)).serves
        back = f"before the {'rollback' if restore else 'last change'}"
        back = f"in version {safe(version, 40)}" if version else back
        plan = self._plan(key, now, definition, kind, f"{name}: {served} -> {wanted}, as {back}")
        return msgspec.structs.replace(plan, restore=restore, version=version)

    async def apply(self, plan: RollbackPlan, reason: str = "") -> str:
        """Look again, then send the request or run the command, once; the revision that should stand then."""
        items = await self._all()
        item = items.get(plan.key)
        now = "" if item is None else self._items.definition(item)
        if item is None or self.content_hash(now) != plan.revision:
            raise Conflict(
                f"flag {safe(plan.key, 80)} changed since the plan was made; nothing was written",
                where=self.source,
                hint="look again, then decide again",
            )
        words = Words(
            key=plan.key,
            reason=safe(reason),  # for people: no control characters go further
            who=_login(),
            definition=plan.replacement,
            expected=now,
            version=self._items.version(item),
        )
        await self._channel.tell("off" if plan.kind is RollbackKind.OFF else "restore", words)
        hashes = {key: self.content_hash(self._items.definition(other)) for key, other in items.items()}
        return _revision({**hashes, plan.key: self.content_hash(plan.replacement)})

    def content_hash(self, definition: str) -> str:
        """The content hash of a definition."""
        return content_hash(parse_definition(definition, is_yaml=False))

    async def aclose(self) -> None:
        await self._channel.aclose()

    async def _all(self) -> dict[str, Any]:
        items = self._items.keyed(await self._asked("list", Words()), self._calls["list"].items)
        if "get" not in self._calls:
            return items
        found = await asyncio.gather(*(self._got(key) for key in items))
        return dict(zip(items, found, strict=True))

    async def _one(self, key: str) -> Any:
        if "get" in self._calls:
            return await self._got(key)
        items = await self._all()
        if key not in items:
            raise FlagNotFound(f"there is no flag {safe(key, 80)}", where=self.source)
        return items[key]

    async def _got(self, key: str) -> Any:
        async with self._gate:
            try:
                item = await self._asked("get", Words(key=key))
            except FlagNotFound:
                raise FlagNotFound(f"there is no flag {safe(key, 80)}", where=self.source) from None
        self._items.same_key(key, item)
        return item

    async def _asked(self, name: str, words: Words) -> Any:
        """What is wanted of the answer to a call. Raises FlagError that names the path when it is not there."""
        call = self._calls[name]
        try:
            answer = parse_definition(await self._channel.ask(name, words), is_yaml=False)
        except FlagError as error:
            if error.where != "the kept definition":
                raise
            raise FlagError(f"the answer to `{name}` is no JSON: {error.message}", where=self.source) from None
        path = call.items
        try:
            found = find(answer, path)
            path = call.total
            total = find(answer, path) if path else None
        except Missing:
            raise FlagError(
                f"the answer to `{name}` has no `{safe(path, 100)}`",
                where=self.source,
                hint="compare what it answers with `flags:` in the configuration",
            ) from None
        if path and (not isinstance(found, list | dict) or total != len(found)):
            count = len(found) if isinstance(found, list | dict) else 0
            raise FlagError(
                f"the answer to `{name}` has {count} of {safe(json.dumps(total), 40)}: not all are there",
                where=self.source,
                hint="ask for all of them at once: a larger page",
            )
        return found

    def _plan(self, key: str, before: str, after: str, kind: RollbackKind, words: str) -> RollbackPlan:
        return RollbackPlan(
            key=key,
            kind=kind,
            words=trusted(words),
            diff=unified_diff(key, _spread(before), _spread(after), is_yaml=False),
            revision=self.content_hash(before),
            original=before,
            replacement=after,
        )


def _spread(definition: str) -> str:
    return json.dumps(json.loads(definition), indent=2, ensure_ascii=False)


def _revision(hashes: Mapping[str, str]) -> str:
    return hashlib.sha256(json.dumps(sorted(hashes.items())).encode("ascii")).hexdigest()


def _login() -> str:
    try:
        return f"{getpass.getuser()}@{socket.gethostname()}"
    except (KeyError, OSError):
        return socket.gethostname()
