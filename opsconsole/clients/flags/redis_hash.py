"""Flags in one Redis hash, with every change that is made here appended to a stream in the same script.

A field of the hash is a flag's key, its value the definition (`redis_value` says in which form). Applications that
write the hash by themselves leave no entry in the stream, unless they append the same fields.
"""

from __future__ import annotations

import difflib
import getpass
import hashlib
import json
import math
import socket
from collections.abc import Iterator, Mapping

from opsconsole.clients.flags.redis_link import RedisLink
from opsconsole.clients.flags.redis_value import Value, as_flag, read_value, turned_off, value_hash
from opsconsole.config.schema import RedisSettings
from opsconsole.errors import Conflict, FlagError, FlagNotFound, Refused
from opsconsole.model.flags import Capabilities, FlagChange, FlagSet, RollbackKind, RollbackPlan, Swap
from opsconsole.text import SafeText, safe, safe_block, trusted

STREAM_LENGTH = 10_000
"""Changes that the stream keeps, about."""

_PAGE = 500

# Redis runs a script as one step, and takes nothing back when it fails: a change that cannot be recorded is taken
# back here, before anybody can have seen it.
_SWAP = """\
local now = redis.call('HGET', KEYS[1], ARGV[1])
if now ~= ARGV[2] then return {0} end
local time = redis.call('TIME')
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
local id = redis.pcall('XADD', KEYS[2], 'MAXLEN', '~', ARGV[4], '*', 'key', ARGV[1],
  'at', time[1] .. '.' .. string.format('%06d', time[2]), 'who', ARGV[5], 'reason', ARGV[6], 'op', ARGV[7],
  'by', 'opsconsole', 'before', ARGV[2], 'after', ARGV[3])
if type(id) == 'table' then
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
  return id
end
return {1, id}
"""


class RedisProvider:
    """The flags of one hash. A rollback sets `enabled` to false: everyone gets what the code does without the
    feature. `who` is written into the stream, the login name and host when left out."""

    name = "redis"
    capabilities = Capabilities(
        swap=Swap.ATOMIC, change_log=True, revert=True, partial=True, dry_run=True, reason=True, propagation=10.0
    )

    def __init__(self, settings: RedisSettings, *, who: str = "") -> None:
        self._settings = settings
        self._who = who
        self._link = RedisLink(settings)
        self.source: SafeText = safe(f"{settings.url} {settings.key}", 300)
        self._versions: dict[str, tuple[str, str]] = {}
        self._seen = "-"

    async def read(self) -> FlagSet:
        """All flags. `revision` is a hash of everything in the Redis hash."""
        fields = await self._fields()
        await self._learn_versions()
        return FlagSet(
            provider=self.name,
            source=self.source,
            revision=_revision(fields),
            flags=tuple(as_flag(key, text, self._version(key, text)) for key, text in sorted(fields.items())),
        )

    async def definition(self, key: str) -> str:
        """One flag's value as the hash has it."""
        return await self._value(key)

    async def changes(self, since: float, key: str = "") -> tuple[FlagChange, ...]:
        """What the stream tells, newest first. Entries without a `key` are somebody else's."""
        first = f"{max(0, math.ceil(since * 1000))}-0"
        found: list[FlagChange] = []
        last = "+"
        while True:
            entries = await self._link.ask("XREVRANGE", self._settings.stream, last, first, "COUNT", _PAGE)
            read = [_entry(entry) for entry in entries]
            found += [
                _change(id, fields) for id, fields in read if fields.get("key", "") and key in ("", fields["key"])
            ]
            if len(entries) < _PAGE:
                return tuple(found)
            last = f"({read[-1][0]}"

    async def plan_off(self, key: str) -> RollbackPlan:
        """The plan to switch the flag off."""
        text = await self._value(key)
        value = read_value(text)
        name = safe(key, 80)
        if value.problem:
            raise Refused(
                f"flag {name} cannot be switched off, its value means nothing: {value.problem}",
                where=self.source,
                hint="undo the last change of it",
            )
        if value.off:
            raise Refused(f"flag {name} is off already", where=self.source)
        return self._plan(key, text, turned_off(text), RollbackKind.OFF, f"{name}: {value.serves} -> off")

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
        """The plan to write a former value back, byte for byte."""
        text, wanted = await self._value(key), read_value(definition)
        name = safe(key, 80)
        if expected_hash and value_hash(text) != expected_hash:
            raise Conflict(
                f"flag {name} was changed since; what stood before is not written over that",
                where=self.source,
                hint="look at what changed, then change it where your flags are managed",
            )
        if value_hash(text) == value_hash(definition):
            raise Refused(f"flag {name} already stands like that", where=self.source)
        if wanted.problem:
            raise Refused(f"flag {name}: what stood before means nothing: {wanted.problem}", where=self.source)
        back = (
            f"version {safe(version, 40)}" if version else f"before the {'rollback' if restore else 'last change'}"
        )
        words = f"{name}: {read_value(text).serves} -> {wanted.serves}, as {'in ' if version else ''}{back}"
        return self._plan(key, text, definition, kind, words, restore=restore, version=version)

    async def apply(self, plan: RollbackPlan, reason: str = "") -> str:
        """Write the plan and its entry in the stream, in one step, and return the new revision."""
        fields = await self._fields()
        now = fields.get(plan.key)
        if now is None or value_hash(now) != plan.revision:
            raise self._conflict(plan.key)
        op = "restore" if plan.restore else plan.kind.name.lower()
        done = await self._link.ask(
            *("EVAL", _SWAP, 2, self._settings.key, self._settings.stream),
            *(_bytes(plan.key), _bytes(now), _bytes(plan.replacement), STREAM_LENGTH),
            *(_bytes(self._who or _login()), _bytes(reason), op),
            write=True,
        )
        if done[0] != 1:
            raise self._conflict(plan.key)
        return _revision({**fields, plan.key: plan.replacement})

    def content_hash(self, definition: str) -> str:
        """The content hash of a value."""
        return value_hash(definition)

    async def aclose(self) -> None:
        await self._link.aclose()

    async def _fields(self) -> dict[str, str]:
        found = await self._link.ask("HGETALL", self._settings.key)
        return {_text(key): _text(value) for key, value in found.items()}

    async def _value(self, key: str) -> str:
        found = await self._link.ask("HGET", self._settings.key, _bytes(key))
        if found is None:
            raise FlagNotFound(f"there is no flag {safe(key, 80)}", where=self.source)
        return _text(found)

    async def _learn_versions(self) -> None:
        """Read on in the stream: which entry gave each flag the value that it has."""
        while True:
            first = self._seen if self._seen == "-" else f"({self._seen}"
            entries = await self._link.ask("XRANGE", self._settings.stream, first, "+", "COUNT", _PAGE)
            for id, fields in map(_entry, entries):
                self._seen = id
                self._versions[fields.get("key", "")] = (id, value_hash(fields.get("after", "")))
            if len(entries) < _PAGE:
                return

    def _version(self, key: str, text: str) -> str:
        id, after = self._versions.get(key, ("", ""))
        return id if after == value_hash(text) else ""

    def _plan(
        self,
        key: str,
        before: str,
        after: str,
        kind: RollbackKind,
        words: str,
        *,
        restore: bool = False,
        version: str = "",
    ) -> RollbackPlan:
        return RollbackPlan(
            key=key,
            kind=kind,
            words=trusted(words),
            diff=_diff(key, before, after),
            revision=value_hash(before),
            original=before,
            replacement=after,
            restore=restore,
            version=version,
        )

    def _conflict(self, key: str) -> Conflict:
        return Conflict(
            f"flag {safe(key, 80)} changed since the plan was made; nothing was written",
            where=self.source,
            hint="look again, then decide again",
        )


def _entry(entry: tuple[bytes, Mapping[bytes, bytes]]) -> tuple[str, dict[str, str]]:
    id, fields = entry
    return _text(id), {_text(name): _text(value) for name, value in (fields or {}).items()}


def _change(id: str, fields: Mapping[str, str]) -> FlagChange:
    before, after = fields.get("before", ""), fields.get("after", "")
    was, stands = (read_value(text) if text else None for text in (before, after))
    reason = fields.get("reason", "")
    return FlagChange(
        key=fields["key"],
        at=int(id.partition("-")[0]) / 1000,
        summary=trusted(_words(was, stands) + (f": {safe(reason, 200)}" if reason else "")),
        who=safe(fields.get("who", ""), 80),
        exact=True,
        before_hash=value_hash(before) if before else "",
        after_hash=value_hash(after) if after else "",
        ours=fields.get("by") == "opsconsole",
        before=before,
        after=after,
        version=id,
        off=None if stands is None or stands.problem else stands.off,
        before_off=None if was is None or was.problem else was.off,
        served=was.serves if was is not None else trusted(""),
        id=id,
    )


def _words(was: Value | None, stands: Value | None) -> str:
    if stands is None:
        return "removed"
    if was is None:
        return f"new: serves {stands.serves}"
    if was.serves == stands.serves:
        return f"definition changed, serves {stands.serves}"
    return f"{was.serves} -> {stands.serves}"


def _diff(key: str, before: str, after: str) -> SafeText:
    """A unified diff of two values, spread out over lines where they are JSON."""
    name = safe(key, 80)
    old, new = list(_lines(before)), list(_lines(after))
    return safe_block("\n".join(difflib.unified_diff(old, new, f"{name} (now)", f"{name} (then)", lineterm="")))


def _lines(text: str) -> Iterator[str]:
    value = read_value(text)
    spread = text if value.problem else json.dumps(value.data, indent=2, ensure_ascii=False)
    yield from spread.splitlines()


def _revision(fields: Mapping[str, str]) -> str:
    digest = hashlib.sha256()
    for key in sorted(fields):
        for part in (_bytes(key), _bytes(fields[key])):
            digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()


def _text(raw: bytes) -> str:
    """Bytes that are not UTF-8 are shown as escapes: no flag has such a key, no value with them is JSON."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return "(not UTF-8) " + raw.decode("utf-8", "backslashreplace")


def _bytes(text: str) -> bytes:
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        raise FlagError("a lone surrogate cannot be written to Redis; nothing was written") from None


def _login() -> str:
    try:
        return f"{getpass.getuser()}@{socket.gethostname()}"
    except (KeyError, OSError):
        return socket.gethostname()
