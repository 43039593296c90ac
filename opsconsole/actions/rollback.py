"""Flags: roll back, and bring the original back. For all providers the same way: plan, re-read, apply, verify."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from opsconsole.actions.base import Desk, Done
from opsconsole.actions.flagwatch import FlagWatch
from opsconsole.actions.flagwrite import BeforeWrite, write_plan
from opsconsole.clients.flags.base import FlagProvider
from opsconsole.errors import Conflict, FlagError, FlagNotFound, FlagUnsupported, JournalError, Refused
from opsconsole.model.flagchanges import (
    Proposal,
    changed_since,
    last_change,
    merged,
    propose,
    undo_words,
    undoable,
)
from opsconsole.model.flags import Flag, FlagChange, RollbackKind, RollbackPlan
from opsconsole.model.journal import Entry, Outcome, Phase, Result
from opsconsole.text import SafeText, safe, trusted

_LOOK_BACK = 2000
"""Entries of the journal that are searched for the rollback of a flag."""

LOG_SECONDS = 30 * 86_400.0
VERSIONS_SECONDS = 365 * 86_400.0
"""How far back a provider's log is asked for the last change of a flag, and for its versions."""


class _Look(msgspec.Struct, frozen=True):
    """A flag and what is known of its changes; `doubt` says why that may not be all."""

    flag: Flag
    changes: tuple[FlagChange, ...]
    doubt: SafeText = trusted("")


class FlagActions:
    """The flag family. `watch` is told of every reading, so that our own changes are journalled as ours."""

    def __init__(self, desk: Desk, watch: FlagWatch) -> None:
        self._desk = desk
        self._watch = watch

    async def changes(self, since: float, key: str = "") -> tuple[FlagChange, ...]:
        """What the provider's log and our journal know since then (seconds since the epoch), of one flag or of
        all, newest first. Raises FlagError when the provider's log cannot be read."""
        provider = self._provider()
        native = await provider.changes(since, key) if provider.capabilities.change_log else ()
        ours = (c for c in self._watch.changes() if c.at >= since and (not key or c.key == key))
        return merged(native, ours)

    async def proposal(self, key: str, onset: float | None = None) -> Proposal:
        """What a rollback of this flag should be. Raises FlagError or Refused."""
        return self._propose(await self._look(key), onset)

    async def plan_rollback(
        self, key: str, kind: RollbackKind | None = None, version: str = "", onset: float | None = None
    ) -> RollbackPlan:
        """What a rollback of this kind would do, of the proposed one for None; a `version` asks for REVERT.
        Raises FlagError or ActionError."""
        provider, look = self._provider(), None
        if kind is None and version:
            kind = RollbackKind.REVERT
        if kind is None:
            look = await self._look(key)
            kind = self._propose(look, onset).kind
        self._can(kind)
        name = safe(key, 80)
        if kind is RollbackKind.OFF:
            return await provider.plan_off(key)
        if kind is RollbackKind.REVERT:
            former = await self._version(key, version)
            plan = await provider.plan_to(key, former, kind, version=version)
            return msgspec.structs.replace(plan, words=safe(f"{name}: {kind.value} {safe(version, 40)}"))
        look = look or await self._look(key)
        last = last_change(look.changes, key)
        why_not = undoable(look.flag, last)
        if why_not or last is None:
            hint = "turn it off, or change it where your flags are managed"
            doubt = f"; {look.doubt}" if look.doubt else ""
            raise Refused(f"the last change of {name} cannot be undone: {why_not}{doubt}", hint=hint)
        plan = await provider.plan_to(key, last.before, kind, expected_hash=last.after_hash)
        return msgspec.structs.replace(plan, words=safe(f"{name}: {undo_words(look.flag, last)}"))

    async def changed_since(self, key: str, content_hash: str) -> FlagChange | None:
        """The newest change of a flag since it stood as `content_hash`, by whomever; None when it stands like
        that. Raises FlagError: then it is not known."""
        flagset = await self._provider().read()
        self._watch.observe(flagset)
        flag = flagset.get(key)
        if flag is not None and flag.content_hash == content_hash:
            return None
        now = self._desk.clock.now()
        found = changed_since(await self.changes(now - LOG_SECONDS, key), key, content_hash)
        summary = safe("removed" if flag is None else f"it serves {flag.serves} now")
        return found or FlagChange(key=key, at=now, summary=summary, before_hash=content_hash)

    async def plan_restore(self, key: str) -> RollbackPlan:
        """What a restore would do. Raises FlagError, Conflict, Refused or JournalError."""
        plan, _ = await self._plan_restore(key)
        return plan

    async def rollback(
        self,
        plan: RollbackPlan,
        reason: str = "",
        extra: Mapping[str, object] | None = None,
        before_write: BeforeWrite | None = None,
    ) -> Outcome:
        """Carry out a plan that was shown. The original stays in the journal for the restore. `extra` goes into
        the journal's detail; `before_write` is called right before the write, and may raise Refused."""
        if plan.restore:
            return await self.restore(plan.key, plan)
        after = "" if self._desk.flags is None else self._desk.flags.content_hash(plan.replacement)

        async def work(op: str) -> Done:
            await self._write(plan, after, self._reason(reason or "rollback", op), before_write)
            undo = {"kind": "restore", "key": plan.key, "op": op}
            return Done(message=safe(f"rolled back {plan.words}; verified"), undo=undo)

        detail = {
            "key": plan.key,
            "source": self._source(),
            "kind": plan.kind.name.lower(),
            "version": plan.version,
            "reason": reason,
            "original": plan.original,
            "replacement": plan.replacement,
            "before_hash": plan.revision,
            "after_hash": after,
            **(extra or {}),
        }
        return await self._desk.perform("rollback", plan.key, detail, work)

    async def restore(self, key: str, shown: RollbackPlan | None = None) -> Outcome:
        """Bring back what stood before the last rollback of this flag, if nobody has changed it since; when a plan
        was `shown`, only if that is still it."""

        async def work(op: str) -> Done:
            return await self.restore_now(key, op, shown)

        try:
            rollback = self.last_rollback(key)
        except JournalError:
            rollback = None  # writing the intent fails as well, and says why
        detail = restoring(rollback) if rollback is not None else {"key": key, "source": self._source()}
        return await self._desk.perform("restore", key, detail, work)

    async def restore_now(self, key: str, op: str, shown: RollbackPlan | None = None) -> Done:
        """The work of a restore, for `restore` and for undo."""
        plan, rollback = await self._plan_restore(key)
        if shown is not None and (plan.revision, plan.replacement) != (shown.revision, shown.replacement):
            raise Conflict(
                f"another rollback of {safe(key, 80)} came in between; nothing was written",
                hint="look again, then decide again",
            )
        before = str(rollback.detail["before_hash"])
        await self._write(plan, before, self._reason("restore", op), None)
        return Done(
            message=safe(f"restored {safe(key, 80)} to what it was before the rollback; verified"),
            undoes=rollback.op,
        )

    async def _plan_restore(self, key: str) -> tuple[RollbackPlan, Entry]:
        rollback = self.last_rollback(key)
        if rollback is None:
            raise Refused(
                f"the journal knows of no rollback of {safe(key, 80)} that could be taken back",
                hint="change it where your flags are managed",
            )
        original, after = str(rollback.detail["original"]), str(rollback.detail["after_hash"])
        provider = self._provider()
        plan = await provider.plan_to(key, original, RollbackKind.UNDO, expected_hash=after, restore=True)
        return plan, rollback

    def last_rollback(self, key: str) -> Entry | None:
        """The intent of the last rollback of a flag that was carried out, or may have been (a crash), and was
        not restored. Raises JournalError."""
        desk = self._desk
        restored = {
            entry.detail.get("undoes")
            for action in ("restore", "undo")
            for entry in desk.journal.entries(_LOOK_BACK, action=action, context=desk.context)
            if entry.phase is Phase.OUTCOME and entry.result is Result.DONE
        }
        failed: set[str] = set()
        for entry in desk.journal.entries(_LOOK_BACK, action="rollback", context=desk.context):
            if entry.phase is Phase.OUTCOME and entry.result in (Result.REFUSED, Result.FAILED):
                failed.add(entry.op)
            mine = entry.detail.get("key") == key and entry.detail.get("source") == self._source()
            if entry.phase is Phase.INTENT and mine and entry.op not in failed and entry.op not in restored:
                return entry
        return None

    async def _look(self, key: str) -> _Look:
        """A flag as it stands, and its changes. A log that cannot be read must not keep anyone from rolling back:
        then there is what the journal knows. Raises FlagError when the flag itself cannot be read."""
        flagset = await self._provider().read()
        self._watch.observe(flagset)
        flag = flagset.get(key)
        if flag is None:
            raise FlagNotFound(f"there is no flag {safe(key, 80)}", where=flagset.source)
        try:
            return _Look(flag, await self.changes(self._desk.clock.now() - LOG_SECONDS, key))
        except FlagError as error:
            ours = tuple(change for change in self._watch.changes() if change.key == key)
            return _Look(flag, ours, safe(f"the provider's log cannot be read: {error.message}", 300))

    def _propose(self, look: _Look, onset: float | None) -> Proposal:
        found = propose(look.flag, look.changes, self._provider().capabilities, onset)
        why = safe(f"{found.why}; {look.doubt}", 400) if look.doubt else found.why
        return msgspec.structs.replace(found, why=why)

    async def _version(self, key: str, version: str) -> str:
        """The definition of that version, from the provider's log. Raises FlagError or Refused."""
        provider = self._provider()
        since = self._desk.clock.now() - VERSIONS_SECONDS
        log = [change for change in await provider.changes(since, key) if change.key == key]
        found = next((change.after for change in log if version and change.version == version), "")
        if not found:
            known = ", ".join(safe(c.version, 40) for c in log[:10] if c.version and c.after)
            words = f"version {safe(version, 40)} of {safe(key, 80)} is not in its log"
            raise Refused(
                words if version else "no version to revert to was named",
                hint=f"versions: {known}" if known else "its log has no versions",
            )
        return found

    def _can(self, kind: RollbackKind) -> None:
        """Raises FlagUnsupported when the provider cannot do that."""
        provider = self._provider()
        can = {
            RollbackKind.OFF: (provider.capabilities.off, "turn a flag off"),
            RollbackKind.UNDO: (provider.capabilities.undo, "write a former definition back"),
            RollbackKind.REVERT: (provider.capabilities.revert, "revert to a version: its log numbers none"),
        }
        yes, words = can[kind]
        if not yes:
            others = [k.value for k, (able, _) in can.items() if able]
            hint = f"it can: {', '.join(others)}" if others else "change it where your flags are managed"
            raise FlagUnsupported(f"{safe(provider.name, 40)} cannot {words}", where=provider.source, hint=hint)

    def _reason(self, reason: str, op: str) -> str:
        return str(safe(f"{safe(reason, 300)}, by {safe(self._desk.user, 80)} [opsconsole {op}]", 500))

    async def _write(self, plan: RollbackPlan, after: str, reason: str, before_write: BeforeWrite | None) -> None:
        await write_plan(self._desk, self._provider(), self._watch.observe, plan, after, reason, before_write)

    def _provider(self) -> FlagProvider:
        if self._desk.flags is None:
            raise Refused("this context has no flag provider", hint="name one under `flags:`")
        return self._desk.flags

    def _source(self) -> str:
        return "" if self._desk.flags is None else self._desk.flags.source


def restoring(rollback: Entry) -> dict[str, object]:
    """What the journal's intent to take a rollback back says; `after_hash` lets every console know the change
    as ours when it sees it."""
    detail = rollback.detail
    return {
        "key": detail.get("key"),
        "source": detail.get("source"),
        "before_hash": detail.get("after_hash"),
        "after_hash": detail.get("before_hash"),
    }
