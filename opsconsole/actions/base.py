"""What every family of actions builds on: intent to the journal, do, verify, outcome."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any, Protocol, TypeVar

import msgspec

from opsconsole.actions.process import this_process
from opsconsole.clients.flags.base import FlagProvider
from opsconsole.clock import Clock
from opsconsole.errors import (
    Ambiguous,
    ApprovalRequired,
    Conflict,
    FlagNotFound,
    FlagUnsupported,
    JournalError,
    OpsError,
    Refused,
)
from opsconsole.journal.store import Journal
from opsconsole.model.alerts import Alert
from opsconsole.model.journal import Entry, Outcome, Phase, Result
from opsconsole.model.matchers import Matcher
from opsconsole.model.members import MemberSilence, Visible
from opsconsole.model.silences import Silence
from opsconsole.text import SafeText, safe, safe_block, trusted

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

Sleep = Callable[[float], Awaitable[None]]


class Reply(Protocol[T_co]):
    """A cluster's merged answer, and which members did not give theirs."""

    @property
    def data(self) -> T_co: ...

    @property
    def failures(self) -> Sequence[object]: ...


class Cluster(Protocol):
    """What actions need of an Alertmanager cluster. Every method but `silence_members` and `started` (when the
    youngest member was, seconds since the epoch) raises SourceError.
    `skew` is how many seconds its clock is ahead of ours, 0 when that is not known."""

    @property
    def name(self) -> str: ...

    @property
    def skew(self) -> float: ...

    async def alerts(self, filters: Sequence[Matcher] = ()) -> Reply[tuple[Alert, ...]]: ...

    async def silences(self) -> Reply[tuple[Silence, ...]]: ...

    async def silence(self, id: str) -> Silence | None: ...

    async def silence_members(self, id: str) -> tuple[MemberSilence, ...]: ...

    async def started(self) -> float: ...

    async def post_silence(self, silence: Silence) -> str: ...

    async def expire_silence(self, id: str) -> None: ...


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """What a family's work ended with.

    `detail` goes to the journal; `undo` says how to take it back, as data that survives a restart (see
    `undo.py`), and `undoes` names the op that this took back. `cluster` is where it was done, which the message
    says when the context has several, and `visible` on which members a write shows, which it says too.
    """

    message: SafeText
    result: Result = Result.DONE
    hint: SafeText = trusted("")
    detail: Mapping[str, object] = {}
    undo: Mapping[str, object] | None = None
    undoes: str = ""
    silence_id: str = ""
    output: SafeText = trusted("")
    exit_status: int | None = None
    cluster: str = ""
    visible: Visible | None = None
    kind: str = ""


class Desk:
    """Who acts, on what, and where it is written down. One per console; the families share it."""

    def __init__(
        self,
        *,
        clusters: Mapping[str, Cluster],
        flags: FlagProvider | None,
        journal: Journal,
        clock: Clock,
        user: str,
        host: str,
        context: str,
        read_only: bool,
        refresh: Callable[[], None],
        nonce: Callable[[], str] = lambda: secrets.token_hex(4),
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self.clusters = clusters
        self.flags = flags
        self.journal = journal
        self.clock = clock
        self.user = user
        self.host = host
        self.context = context
        self.read_only = read_only
        self.refresh = refresh
        self.nonce = nonce
        self.sleep = sleep
        self.written = 0
        """How many actions have ended: what was worked out from the journal before is old when it rises."""
        self._begun = 0
        self._idle = asyncio.Event()
        self._idle.set()

    def cluster(self, name: str) -> Cluster:
        """The cluster of that name. Raises Refused when the context has none."""
        if name in self.clusters:
            return self.clusters[name]
        if not name and len(self.clusters) == 1:
            return next(iter(self.clusters.values()))
        raise Refused(
            f"this context has no Alertmanager cluster {safe(name or '(unnamed)', 80)}",
            hint="name it under `alertmanager:` or with --alertmanager",
        )

    def now(self, cluster: Cluster) -> float:
        """Seconds since the epoch on a cluster's own clock: the starts and ends of silences are counted by it,
        so they are computed by it."""
        return self.clock.now() + cluster.skew

    @property
    def writing(self) -> bool:
        """Whether something that a person began, and can undo, has not ended yet."""
        return self._begun > 0

    @contextmanager
    def begun(self) -> Iterator[None]:
        """For as long as what one key did is under way: an undo waits for its end."""
        self._begun += 1
        self._idle.clear()
        try:
            yield
        finally:
            self._begun -= 1
            if not self._begun:
                self._idle.set()

    async def idle(self) -> None:
        """Wait until nothing is under way that an undo pressed now would mean."""
        await self._idle.wait()

    async def perform(
        self,
        action: str,
        subject: str,
        detail: Mapping[str, object],
        work: Callable[[str], Awaitable[Done]],
    ) -> Outcome:
        """Run one action: the intent is on the disk before `work(op)` starts, its outcome after.

        Never raises an OpsError: the outcome says what happened. When it is cancelled, the journal says that
        it is not known whether it happened.
        """
        apart = action in _NOT_AWAITED or detail.get("automatic")
        with nullcontext() if apart else self.begun():
            return await self._perform(action, subject, detail, work)

    async def _perform(
        self,
        action: str,
        subject: str,
        detail: Mapping[str, object],
        work: Callable[[str], Awaitable[Done]],
    ) -> Outcome:
        op = self.nonce()
        if self.read_only:
            hint = trusted("start without --read-only, or set `read_only: false` in the context")
            return _outcome(op, action, Result.REFUSED, "this console is read-only", hint)
        try:
            intended = {**detail, "process": this_process(self.host)}
            await self._record(op, Phase.INTENT, action, subject, Result.OPEN, detail=intended)
        except JournalError as error:
            message = f"nothing was done, because it cannot be journalled: {error}"
            return _outcome(op, action, Result.FAILED, message, safe(error.hint), error.kind)
        try:
            done = await work(op)
        except OpsError as error:
            message = safe_block(str(error))
            done = Done(message=message, result=_result(error), hint=safe(error.hint), kind=error.kind)
        except asyncio.CancelledError:
            hint = trusted("look whether it happened before you try again")
            done = Done(message=trusted("stopped before it was finished"), result=Result.AMBIGUOUS, hint=hint)
            await asyncio.shield(self._finish(op, action, subject, detail, done))
            raise
        return await self._finish(op, action, subject, detail, done)

    async def _finish(
        self, op: str, action: str, subject: str, intended: Mapping[str, object], done: Done
    ) -> Outcome:
        detail = outcome_detail(intended, done)
        message = self.told(done, intended)
        try:
            await self._record(op, Phase.OUTCOME, action, subject, done.result, message, detail)
        except JournalError as error:
            message = safe_block(f"{message} (not journalled: {error})")
        self.written += 1
        self.refresh()
        return Outcome(
            op=op,
            action=action,
            result=done.result,
            message=message,
            hint=done.hint,
            undo=op if done.undo is not None else "",
            output=done.output,
            exit_status=done.exit_status,
            silence_id=done.silence_id,
            visible=done.visible.words() if done.visible is not None else trusted(""),
            kind=done.kind,
        )

    def told(self, done: Done, intended: Mapping[str, object]) -> SafeText:
        """The message, with the cluster when there are several, and the members that a write shows on."""
        where = done.cluster or cluster_of(intended)
        place = f"cluster {safe(where, 40)}: " if where and len(self.clusters) > 1 else ""
        visible = done.visible.words() if done.visible is not None else ""
        return safe_block(f"{place}{done.message}{visible and f'; {visible}'}")

    async def _record(
        self,
        op: str,
        phase: Phase,
        action: str,
        subject: str,
        result: Result,
        message: str = "",
        detail: Mapping[str, object] | None = None,
    ) -> Entry:
        return await asyncio.to_thread(
            self.journal.record,
            op,
            phase,
            action,
            subject,
            self.user,
            self.context,
            result,
            message,
            detail,
        )


_NOT_AWAITED = ("undo", "command", "synthetic")
"""What an undo does not wait for: undos come one after another by themselves, and the others cannot be undone."""


def _result(error: OpsError) -> Result:
    if isinstance(error, Refused | Conflict | FlagNotFound | ApprovalRequired | FlagUnsupported):
        return Result.REFUSED
    return Result.AMBIGUOUS if isinstance(error, Ambiguous) else Result.FAILED


def _outcome(op: str, action: str, result: Result, message: str, hint: SafeText, kind: str = "refused") -> Outcome:
    return Outcome(op=op, action=action, result=result, message=safe_block(message), hint=hint, kind=kind)


def outcome_detail(intended: Mapping[str, object], done: Done) -> dict[str, object]:
    """What the journal keeps with an outcome."""
    detail = {**intended, **done.detail}
    if done.undo is not None:
        detail["undo"] = dict(done.undo)
    if done.undoes:
        detail["undoes"] = done.undoes
    if done.kind:
        detail["error"] = done.kind
    if done.result is Result.AMBIGUOUS and done.hint:
        # Whoever reads of it later has to find out, and the outcome on the screen is gone by then.
        detail["hint"] = str(done.hint)
    if done.visible is not None:
        detail["visible_on"] = done.visible.shown
        detail["not_visible_on"] = dict(done.visible.missing)
    return detail


def cluster_of(intended: Mapping[str, object]) -> str:
    """The cluster that the detail of an intent names, "" for none."""
    silence = intended.get("silence")
    named = silence.get("cluster") if isinstance(silence, dict) else intended.get("cluster")
    return named if isinstance(named, str) else ""


def as_data(value: object) -> Any:
    """JSON-compatible data of a model struct, for the journal; `msgspec.convert` brings it back."""
    return msgspec.to_builtins(value)
