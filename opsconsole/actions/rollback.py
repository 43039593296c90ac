"""Flags: roll back to the safe variant and bring the original back, each verified by reading again."""

from __future__ import annotations

from collections.abc import Callable

from opsconsole.actions.base import Desk, Done
from opsconsole.clients.flags.base import FlagProvider
from opsconsole.errors import Conflict, FlagError, JournalError, Refused, Unverified
from opsconsole.model.flags import FlagSet, RollbackKind, RollbackPlan
from opsconsole.model.journal import Entry, Outcome, Phase, Result
from opsconsole.text import safe

_LOOK_BACK = 2000
"""Entries of the journal that are searched for the rollback of a flag."""


class FlagActions:
    """The flag family. `observe` is told of every reading, so that our own changes are journalled as ours."""

    def __init__(self, desk: Desk, observe: Callable[[FlagSet], None]) -> None:
        self._desk = desk
        self._observe = observe

    async def plan_rollback(self, key: str) -> RollbackPlan:
        """What a rollback would do. Raises FlagError or Refused."""
        return await self._provider().plan_off(key)

    async def plan_restore(self, key: str) -> RollbackPlan:
        """What a restore would do. Raises FlagError, Conflict, Refused or JournalError."""
        plan, _ = await self._plan_restore(key)
        return plan

    async def rollback(self, plan: RollbackPlan) -> Outcome:
        """Carry out a plan that was shown. The original stays in the journal for the restore."""
        if plan.restore:
            return await self.restore(plan.key)
        after = "" if self._desk.flags is None else self._desk.flags.content_hash(plan.replacement)

        async def work(op: str) -> Done:
            await self._write(plan, after)
            undo = {"kind": "restore", "key": plan.key, "op": op}
            return Done(message=safe(f"rolled back {plan.words}; verified"), undo=undo)

        detail = {
            "key": plan.key,
            "source": self._source(),
            "original": plan.original,
            "replacement": plan.replacement,
            "before_hash": plan.revision,
            "after_hash": after,
        }
        return await self._desk.perform("rollback", plan.key, detail, work)

    async def restore(self, key: str) -> Outcome:
        """Bring back what stood before the last rollback of this flag, if nobody has changed it since."""

        async def work(op: str) -> Done:
            return await self.restore_now(key)

        try:
            rollback = self.last_rollback(key)
        except JournalError:
            rollback = None  # writing the intent fails as well, and says why
        detail = restoring(rollback) if rollback is not None else {"key": key, "source": self._source()}
        return await self._desk.perform("restore", key, detail, work)

    async def restore_now(self, key: str) -> Done:
        """The work of a restore, for `restore` and for undo."""
        plan, rollback = await self._plan_restore(key)
        before = str(rollback.detail["before_hash"])
        await self._write(plan, before)
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

    async def _write(self, plan: RollbackPlan, after: str) -> None:
        """Re-read, apply and verify. An error on the way counts only if the flag does not stand as wanted."""
        provider = self._provider()
        name = safe(plan.key, 80)
        flag = (await provider.read()).get(plan.key)
        if flag is None:
            raise Refused(f"flag {name} is gone")
        if flag.content_hash != plan.revision:
            hint = "look again, then decide again"
            raise Conflict(f"flag {name} changed since the plan was made; nothing was written", hint=hint)
        failure: FlagError | None = None
        try:
            await provider.apply(plan)
        except FlagError as error:
            failure = error
        flagset = await provider.read()
        self._observe(flagset)
        written = flagset.get(plan.key)
        if written is not None and written.content_hash == after:
            return
        if failure is not None:
            raise failure
        raise Unverified(
            f"flag {name} was written, but now reads back as something else",
            hint="someone else may be changing it: look at it before anything else",
        )

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
