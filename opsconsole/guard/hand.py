"""The guard's hand: one rollback carried out, or found out about after a crash, and reported to the machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from opsconsole.actions.flagwrite import BeforeWrite
from opsconsole.clock import Clock
from opsconsole.errors import Conflict, FlagError, FlagNotFound, JournalError, OpsError, Refused
from opsconsole.guard.decisions import Report
from opsconsole.guard.state import Act, Moment
from opsconsole.guard.words import clock_words
from opsconsole.journal.store import Journal
from opsconsole.model.flags import RollbackKind, RollbackPlan
from opsconsole.model.journal import Entry, Outcome, Phase, Result
from opsconsole.text import SafeText, safe

ACT = "guard_act"
"""The key of the journal's detail that names the act: by it a later process finds out what became of it."""

_LOOKED_THROUGH = 500

_STOPPED = "stopped before the write"
"""How the journal says that it was no longer permitted."""

_CERTAIN = {
    "conflict": "conflict",
    "flag not found": "conflict",
    "refused": "refused",
    "approval required": "refused",
    "flags unsupported": "refused",
    "flags unauthorised": "refused",
    "flags rate limited": "failed",
    "flags unavailable": "failed",
    "flags": "failed",
    "journal": "failed",
}
"""What a failed rollback is to the machine, by the kind of its error. Any other may have been written."""


class Rollbacks(Protocol):
    """What carries a rollback out: opsconsole.actions.runner.Runner."""

    async def plan_rollback(
        self, key: str, kind: RollbackKind | None = None, version: str = "", onset: float | None = None
    ) -> RollbackPlan:
        """Raises FlagError or ActionError."""
        ...

    async def rollback(
        self,
        plan: RollbackPlan,
        reason: str = "",
        extra: Mapping[str, object] | None = None,
        before_write: BeforeWrite | None = None,
    ) -> Outcome: ...

    async def settle(self) -> tuple[Outcome, ...]:
        """Raises JournalError."""
        ...


class Hand:
    """`refusal` says why nothing may be written, "" when something may: asked again right before the write. `at`
    is told of each step, by its name."""

    def __init__(
        self,
        runner: Rollbacks,
        journal: Journal,
        clock: Clock,
        context: str,
        refusal: Callable[[], SafeText],
        at: Callable[[str], None],
    ) -> None:
        self._runner = runner
        self._journal = journal
        self._clock = clock
        self._context = context
        self._refusal = refusal
        self._at = at
        self.diff: SafeText = safe("")
        """Of the last plan."""
        self.verified: SafeText = safe("")
        """What was read back after the last write, and when."""

    @property
    def _now(self) -> Moment:
        return Moment(self._clock.now(), self._clock.monotonic())

    async def plan(self, act: Act) -> RollbackPlan | SafeText:
        """What an act would write, or why that cannot be told."""
        try:
            return await self._runner.plan_rollback(act.flag, act.kind, onset=act.breach)
        except OpsError as error:
            return safe(error.message, 300)
        except Exception as error:  # noqa: BLE001  what would be done is told all the same
            return safe(_fault(error), 300)

    async def act(self, act: Act) -> Report:
        """Carry it out, once. Never raises an Exception."""
        self.diff = self.verified = safe("")
        try:
            plan = await self._runner.plan_rollback(act.flag, act.kind, onset=act.breach)
            if plan.revision != act.expected:
                raise Conflict(f"flag {safe(act.flag, 80)} changed since the decision")
        except (Conflict, FlagNotFound) as error:
            return self._report(act, "conflict", error.message)
        except FlagError as error:
            return self._report(act, _CERTAIN.get(error.kind, "failed"), error.message)
        except OpsError as error:
            return self._report(act, "refused", error.message)
        except Exception as error:  # noqa: BLE001  nothing was written yet
            return self._report(act, "refused", _fault(error))
        self.diff = plan.diff
        self._at("planned")
        try:
            return await self._write(act, plan)
        except Exception as error:  # noqa: BLE001  it may have been written
            return self._report(act, "unknown", _fault(error))

    async def _write(self, act: Act, plan: RollbackPlan) -> Report:
        stopped: list[SafeText] = []
        began: list[float] = []

        def before_write() -> None:
            self._at("intended")
            why = self._refusal()
            if why:
                stopped.append(why)
                raise Refused(f"{_STOPPED}: {why}")
            began.append(self._clock.now())
            self._at("writing")

        outcome = await self._runner.rollback(
            plan,
            reason=f"guard: {act.incident}",
            extra={
                "automatic": True,
                ACT: act.id,
                "rule": act.rule,
                "incident": act.incident,
                "decided_at": act.at,
                "breach_at": act.breach,
            },
            before_write=before_write,
        )
        self._at("verified")
        if outcome.result is Result.DONE:
            now = self._clock.now()
            wrote = clock_words(began[0]) if began else clock_words(now)
            self.verified = safe(f"written {wrote}, read back as wanted {clock_words(now)}")
            return self._report(act, "done", f"{plan.words}; {self.verified}", plan)
        code = "stopped" if stopped else _code(outcome.result, outcome.kind)
        return self._report(act, code, outcome.message, plan)

    async def settle(self, act: Act) -> Report | None:
        """What became of an act of an earlier process; None while that cannot be told. Nothing is written."""
        open_before = self._entry(act)
        if open_before is not None and open_before.phase is Phase.INTENT:
            await self._runner.settle()
        entry = self._entry(act)
        if entry is None:
            return self._report(act, "dropped", "the guard was stopped before it began")
        if entry.phase is Phase.INTENT:
            return None
        error = entry.detail.get("error")
        code = _code(entry.result, error if isinstance(error, str) else "", settled="settled" in entry.detail)
        if code == "refused" and _STOPPED in entry.message:
            code = "stopped"
        if code == "done":
            self.verified = safe("found as wanted after the guard was stopped")
        report = self._report(act, code, entry.message)
        before, after = (str(entry.detail.get(name, "")) for name in ("before_hash", "after_hash"))
        return Report(id=act.id, code=code, at=report.at, message=report.message, before=before, after=after)

    def _entry(self, act: Act) -> Entry | None:
        """The newest entry of the journal about an act. Raises JournalError."""
        entries = self._journal.entries(_LOOKED_THROUGH, action="rollback", context=self._context)
        return next((entry for entry in entries if entry.detail.get(ACT) == act.id), None)

    def _report(self, act: Act, code: str, message: str, plan: RollbackPlan | None = None) -> Report:
        before = plan.revision if plan is not None else act.expected
        after = self._after(plan) if plan is not None else ""
        return Report(id=act.id, code=code, at=self._now, message=safe(message, 500), before=before, after=after)

    def _after(self, plan: RollbackPlan) -> str:
        """The content hash that the journal's intent names; "" when that cannot be read: it is not watched."""
        try:
            entries = self._journal.entries(20, action="rollback", context=self._context)
        except JournalError:
            return ""
        found = next((entry for entry in entries if entry.detail.get("key") == plan.key), None)
        return str(found.detail.get("after_hash", "")) if found is not None else ""


def _code(result: Result, kind: str, *, settled: bool = False) -> str:
    if result is Result.DONE:
        return "done"
    if result is Result.AMBIGUOUS:
        return "unknown"
    if settled and result is Result.FAILED:
        return "failed"  # the flag was found as it had been
    return _CERTAIN.get(kind, "unknown")


def _fault(error: Exception) -> str:
    return f"unexpected {type(error).__name__}; this is a fault of opsconsole"
