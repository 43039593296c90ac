"""Everything that changes the world goes through here: thin wiring of the families."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence

from opsconsole.actions import ack, ack_keep, command, silence, silence_edit
from opsconsole.actions.ack import AckPlan
from opsconsole.actions.base import Cluster, Desk, Sleep
from opsconsole.actions.flagwatch import FlagWatch
from opsconsole.actions.flagwrite import BeforeWrite
from opsconsole.actions.rollback import FlagActions
from opsconsole.actions.settle import settle_open
from opsconsole.actions.undo import Undo
from opsconsole.clients.flags.base import FlagProvider
from opsconsole.clock import Clock
from opsconsole.errors import JournalError
from opsconsole.journal.store import Journal
from opsconsole.model.acks import AckPolicy
from opsconsole.model.alerts import Alert
from opsconsole.model.flagchanges import Proposal
from opsconsole.model.flags import FlagChange, FlagSet, RollbackKind, RollbackPlan
from opsconsole.model.journal import Entry, Outcome, Phase, Result
from opsconsole.model.matchers import Matchers
from opsconsole.model.radius import Radius, radius_of
from opsconsole.model.runbook import Command
from opsconsole.model.silence_changes import successor
from opsconsole.model.silences import Silence
from opsconsole.text import SafeText, safe, safe_block


class Runner:
    """The actions of one context, as one user on one host.

    Each returns an Outcome and raises no OpsError: it says DONE, FAILED, REFUSED or AMBIGUOUS, with a reason.
    `preview` and the plans only read, and raise. `nonce` and `sleep` are for tests.
    """

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
        acks: AckPolicy = AckPolicy(),  # noqa: B008 - frozen
        nonce: Callable[[], str] = lambda: secrets.token_hex(4),
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self.user = safe(user, 200)
        self.host = safe(host, 200)
        self._desk = Desk(
            clusters=clusters,
            flags=flags,
            journal=journal,
            clock=clock,
            user=user,
            host=host,
            context=context,
            read_only=read_only,
            refresh=refresh,
            nonce=nonce,
            sleep=sleep,
        )
        self._watch = FlagWatch(self._desk)
        self._flags = FlagActions(self._desk, self._watch)
        self._undo = Undo(self._desk, self._flags)
        self._acks = acks
        self._keeper = ack_keep.AckKeeper(self._desk, acks)

    async def ack(self, alert: Alert, reason: str) -> Outcome:
        """Acknowledge one alert."""
        return await ack.ack(self._desk, alert, reason, self._acks)

    async def ack_all(self, alerts: Sequence[Alert], reason: str, *, one: bool = True) -> tuple[Outcome, ...]:
        """Acknowledge these alerts: by `one` silence when that hides exactly them, else by one each."""
        return await ack.ack_all(self._desk, alerts, reason, self._acks, one=one)

    async def plan_ack(self, alerts: Sequence[Alert]) -> AckPlan:
        """Which of the two it would be now, and why. Only reads."""
        return await ack.plan_ack(self._desk, alerts)

    async def ack_again(self, current: Silence) -> Outcome:
        """Begin the age of one's own ack anew."""
        return await ack_keep.ack_again(self._desk, current, self._acks)

    async def silence(self, draft: Silence, again: str = "") -> Outcome:
        """Create the drafted silence in the cluster that it names; `again` is the id of the expired one that it
        is created like."""
        return await silence.create(self._desk, draft, again)

    async def edit(self, before: Silence, wanted: Silence) -> Outcome:
        """Give a silence, as it was shown, the matchers, times and comment of `wanted`; refused, with what is
        different, when anyone has changed it since."""
        return await silence_edit.edit(self._desk, before, wanted)

    async def extend(self, current: Silence, until: float) -> Outcome:
        """Move a silence's end to `until`, seconds since the epoch; refused as an edit is."""
        return await silence_edit.extend(self._desk, current, until)

    async def expire(self, current: Silence) -> Outcome:
        """End a silence now."""
        return await silence.expire(self._desk, current)

    async def expire_all(self, silences: Sequence[Silence]) -> tuple[Outcome, ...]:
        """End several silences now; one undo brings all of them back."""
        return await silence_edit.expire_all(self._desk, silences)

    async def read(self, cluster: str, id: str) -> Silence | None:
        """A silence as it stands now. Raises SourceError, or Refused for a cluster that is not there."""
        return await self._desk.cluster(cluster).silence(id)

    async def successor(self, ended: Silence) -> Silence | None:
        """What took the place of a silence whose matchers someone edited. Raises as `read`."""
        return successor(ended, (await self._desk.cluster(ended.cluster).silences()).data)

    async def preview(self, cluster: str, matchers: Matchers) -> Radius:
        """The alerts that these matchers hide now, asked of Alertmanager. Raises SourceError, or Refused for
        a cluster that is not there."""
        reply = await self._desk.cluster(cluster).alerts(matchers)
        return radius_of(reply.data, reply.failures)

    async def plan_rollback(
        self, key: str, kind: RollbackKind | None = None, version: str = "", onset: float | None = None
    ) -> RollbackPlan:
        """What rolling a flag back in this way would do; for None as `proposal` says, a `version` for REVERT.
        `onset` is when the trouble began. Raises FlagError or ActionError."""
        return await self._flags.plan_rollback(key, kind, version, onset)

    async def proposal(self, key: str, onset: float | None = None) -> Proposal:
        """What a rollback of a flag should be, and why. Raises FlagError or ActionError."""
        return await self._flags.proposal(key, onset)

    async def flag_changes(self, since: float, key: str = "") -> tuple[FlagChange, ...]:
        """The provider's log, asked now, with our journal, since then. Raises FlagError or ActionError."""
        return await self._flags.changes(since, key)

    async def changed_since(self, key: str, content_hash: str) -> FlagChange | None:
        """The newest change of a flag since it stood like that, None when it stands like that. Raises
        FlagError or ActionError."""
        return await self._flags.changed_since(key, content_hash)

    async def plan_restore(self, key: str) -> RollbackPlan:
        """What restoring a flag would do. Raises FlagError, ActionError or JournalError."""
        return await self._flags.plan_restore(key)

    async def rollback(
        self,
        plan: RollbackPlan,
        reason: str = "",
        extra: Mapping[str, object] | None = None,
        before_write: BeforeWrite | None = None,
    ) -> Outcome:
        """Carry out a rollback that was shown. `extra` is added to the journal's detail (a guard's `automatic`,
        `rule`, `incident`); `before_write` is called right before the write, and may raise Refused."""
        return await self._flags.rollback(plan, reason, extra, before_write)

    async def restore(self, key: str, shown: RollbackPlan | None = None) -> Outcome:
        """Bring back what stood before this flag's last rollback; when a plan was `shown`, only if that is still
        it."""
        return await self._flags.restore(key, shown)

    async def run_command(
        self,
        chosen: Command,
        alert: Alert,
        *,
        timeout: float = 60.0,
        on_output: Callable[[SafeText], None] | None = None,
    ) -> Outcome:
        """Run a runbook's command with the alert's labels in its environment."""
        return await command.run_command(self._desk, chosen, alert, timeout=timeout, on_output=on_output)

    async def undo(self) -> Outcome:
        """Take the last undoable action of this user in this context back."""
        return await self._undo.undo()

    async def settle(self) -> tuple[Outcome, ...]:
        """What became of this user's actions that were cut off: for the start. Those that cannot be told yet come
        with the result OPEN. Raises JournalError."""
        return await settle_open(self._desk, self._flags)

    @property
    def writing(self) -> bool:
        """Whether something that can be undone has not ended yet: `undo` waits for it."""
        return self._desk.writing

    def last_undoable(self) -> Entry | None:
        """The outcome that `undo` would take back."""
        return self._undo.last()

    async def note(self, text: str) -> Outcome:
        """Write a line into the journal; allowed when read-only, it changes nothing else."""
        words = safe_block(text.strip(), 4000)
        op = self._desk.nonce()
        if not words:
            empty = safe("an empty note is not written")
            return Outcome(op=op, action="note", result=Result.REFUSED, message=empty)
        desk = self._desk
        args = (op, Phase.NOTE, "note", "", desk.user, desk.context, Result.DONE, words)
        try:
            await asyncio.to_thread(desk.journal.record, *args)
        except JournalError as error:
            message, hint = safe_block(str(error)), safe(error.hint)
            return Outcome(op=op, action="note", result=Result.FAILED, message=message, hint=hint)
        desk.refresh()
        return Outcome(op=op, action="note", result=Result.DONE, message=safe("noted"))

    async def keep_acks(
        self,
        alerts: Iterable[Alert],
        silences: Iterable[Silence],
        *,
        whole: bool = True,
        extends: bool = True,
    ) -> tuple[Outcome, ...]:
        """Extend this user's acks near their end while their alert fires, unless someone else `extends` them, and
        end those whose alert is gone, unless the readings are not `whole`. Both must be fresh. Raises
        JournalError."""
        return await self._keeper.keep(alerts, silences, whole=whole, extends=extends)

    def observe_flags(self, flagset: FlagSet) -> None:
        """Journal the flags that changed since the last reading, by whomever. Never raises."""
        self._watch.observe(flagset)

    def changes(self) -> tuple[FlagChange, ...]:
        """The flag changes that are known, newest first."""
        return self._watch.changes()

    @property
    def observing_since(self) -> float:
        """Since when our own record has every flag change, seconds since the epoch."""
        return self._watch.since()

    @property
    def observing_problem(self) -> SafeText:
        """Why flag changes are not being journalled, or ""."""
        return self._watch.problem
