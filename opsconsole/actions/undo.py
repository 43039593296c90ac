"""Taking the last action back: expire what was created, re-create what was expired, put back what was edited or
extended, restore what was rolled back. What can be undone is read from the journal, so it survives a restart."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence

import msgspec

from opsconsole.actions.ack import narrowing, nobody_has_it
from opsconsole.actions.base import Desk, Done
from opsconsole.actions.first import withdraw_unless_first
from opsconsole.actions.rollback import FlagActions, restoring
from opsconsole.actions.silence import SKEW, created, draft_of, plain_comment
from opsconsole.actions.silence_edit import put_back
from opsconsole.actions.writing import clock_words, expire_now, moment, overwrite, post
from opsconsole.errors import JournalError, Refused
from opsconsole.model.alerts import Alert
from opsconsole.model.journal import Entry, Outcome, Phase, Result, shows_on
from opsconsole.model.matchers import match_all
from opsconsole.model.silences import Silence
from opsconsole.text import safe, safe_block, trusted

UNDO_SECONDS = 24 * 3600.0
"""How far back `u` reaches."""

_LOOK_BACK = 500


class Undo:
    """Undoes this user's last undoable action in this context."""

    def __init__(self, desk: Desk, flags: FlagActions) -> None:
        self._desk = desk
        self._flags = flags
        self._cache: tuple[int, Entry | None] | None = None
        # Of two keys in a row the second takes back what was done before, not the same thing again.
        self._one_by_one = asyncio.Lock()

    def last(self) -> Entry | None:
        """The outcome that `undo` would take back; None when there is none or the journal cannot be read.
        Cheap: the journal is read again only after an action has ended."""
        if self._cache is None or self._cache[0] != self._desk.written:
            try:
                self._cache = (self._desk.written, self._find())
            except JournalError:
                return None
        entry = self._cache[1]
        return None if entry is None or self._too_old(entry) else entry

    async def undo(self) -> Outcome:
        """Take it back; what one key did to several, as a whole. What cannot be taken back says why, and the next
        undo goes on to what was done before it. What is still being written when the key is pressed is what it
        means: that is waited for."""
        async with self._one_by_one:
            await self._desk.idle()
            self._cache = None
            entry = self.last()
            if entry is None:
                words = safe("there is nothing to undo")
                return Outcome(op="", action="undo", result=Result.REFUSED, message=words)
            return _together(entry, [await self._undo_one(one) for one in self._group_of(entry)])

    async def _undo_one(self, entry: Entry) -> Outcome:
        how = entry.detail["undo"]
        assert isinstance(how, dict)
        kinds = {
            "expire": self._expire,
            "create": self._create,
            "put back": self._put_back,
            "set-back": self._set_back,
            "restore": self._restore,
        }

        async def work(op: str) -> Done:
            try:
                done = await kinds[str(how["kind"])]({**how, "subject": entry.subject, "action": entry.action}, op)
            except Refused as error:
                words = f"{entry.action} of {entry.subject} cannot be undone: {error.message}"
                done = Done(
                    message=safe_block(words),
                    result=Result.REFUSED,
                    hint=safe(f"{error.hint}; the next undo goes on to what was done before".removeprefix("; ")),
                )
            return msgspec.structs.replace(done, undo=None, undoes=entry.op)

        detail: dict[str, object] = {"of": entry.action, "undoes": entry.op}
        if how["kind"] == "restore":
            detail |= restoring(entry)
        return await self._desk.perform("undo", f"{entry.action} {entry.subject}", detail, work)

    def _find(self) -> Entry | None:
        return next(self._undoable(), None)

    def _group_of(self, entry: Entry) -> list[Entry]:
        """What one key did, as far as it is not undone yet: the entries of its group, else the entry alone."""
        group = entry.detail.get("group")
        return [one for one in self._undoable() if group and one.detail.get("group") == group] or [entry]

    def _undoable(self) -> Iterator[Entry]:
        """This user's outcomes that can be undone and were not, nor tried in vain, newest first."""
        desk = self._desk
        undone: set[str] = set()
        for entry in desk.journal.entries(_LOOK_BACK, context=desk.context):
            if entry.phase is not Phase.OUTCOME:
                continue
            if entry.result is Result.REFUSED and entry.action == "undo":
                undone.add(str(entry.detail.get("undoes", "")))
            if entry.result is not Result.DONE:
                continue
            undone.add(str(entry.detail.get("undoes", "")))
            mine = entry.user == safe(desk.user, 200) and isinstance(entry.detail.get("undo"), dict)
            if mine and entry.op not in undone:
                yield entry

    def _too_old(self, entry: Entry) -> bool:
        return self._desk.clock.now() - entry.at > UNDO_SECONDS

    async def _expire(self, how: dict[str, object], op: str) -> Done:
        """Everything that carries the op, whatever id it has now."""
        cluster = self._desk.cluster(str(how["cluster"]))
        made = [s for s in (await cluster.silences()).data if s.op == how["op"] and s.status.state != "expired"]
        if not made:
            words = f"the {how['action']} on {how['subject']} had already ended; nothing was done"
            return Done(message=safe(words), cluster=cluster.name)
        for silence in made:
            visible = await expire_now(self._desk, cluster, silence)
        what = "ack" if made[0].is_ack else "silence"
        return Done(
            message=safe(f"undone: expired the {what} on {how['subject']}"),
            silence_id=made[0].id,
            cluster=cluster.name,
            visible=visible,
        )

    async def _create(self, how: dict[str, object], op: str) -> Done:
        old = msgspec.convert(how["silence"], Silence)
        cluster = self._desk.cluster(old.cluster)
        now = self._desk.now(cluster)
        if old.ends <= now:
            words = f"it would have ended at {clock_words(old.ends_at)}; nothing was done"
            return Done(message=trusted(words), cluster=cluster.name)
        silence = msgspec.structs.replace(
            draft_of(old),
            created_by=safe(self._desk.user, 200),
            comment=safe_block(f"{plain_comment(old)} [op={op}]"),
            starts_at=old.starts_at if old.starts_at.timestamp() > now else moment(now - SKEW),
        )
        hidden: list[Alert] = []
        if old.is_ack:
            # Someone else may have acknowledged its alerts since it was expired.
            listed = (await cluster.alerts(narrowing(old.matchers))).data
            hidden = [alert for alert in listed if match_all(old.matchers, alert.labels)]
            await nobody_has_it(self._desk, cluster, hidden)
        made = await post(self._desk, cluster, silence, op)
        if hidden:
            await withdraw_unless_first(self._desk, cluster, made, hidden)
        return created(made, f"silenced again until {clock_words(made.silence.ends_at)}", op)

    async def _set_back(self, how: dict[str, object], op: str) -> Done:
        """Give a silence the end and the comment back that it had. One that would have ended by now is expired."""
        old = msgspec.convert(how["silence"], Silence)
        cluster = self._desk.cluster(old.cluster)
        current = await cluster.silence(old.id)
        if current is None or current.status.state == "expired":
            return Done(message=trusted("it had already ended; nothing was done"), cluster=cluster.name)
        current = msgspec.structs.replace(current, cluster=cluster.name)
        if frozenset(current.matchers) != frozenset(old.matchers):
            raise Refused("the silence has other matchers now", hint="look at it under Silences")
        if old.ends <= self._desk.now(cluster):
            visible = await expire_now(self._desk, cluster, current)
            words = f"it would have ended at {clock_words(old.ends_at)}: expired it"
            return Done(message=trusted(words), silence_id=current.id, cluster=cluster.name, visible=visible)
        wanted = msgspec.structs.replace(current, ends_at=old.ends_at, comment=old.comment)
        made = await overwrite(self._desk, cluster, current, wanted)
        return Done(
            message=trusted(f"it ends at {clock_words(made.silence.ends_at)} again"),
            silence_id=made.silence.id,
            cluster=cluster.name,
            visible=made.visible,
        )

    async def _put_back(self, how: dict[str, object], op: str) -> Done:
        return await put_back(self._desk, how)

    async def _restore(self, how: dict[str, object], op: str) -> Done:
        rollback = self._flags.last_rollback(str(how["key"]))
        if rollback is None or rollback.op != how["op"]:
            raise Refused("the flag was rolled back again or restored since")
        return await self._flags.restore_now(str(how["key"]), op)


def _together(entry: Entry, outcomes: Sequence[Outcome]) -> Outcome:
    """One outcome for a group: how many are undone, and what became of the first that is not."""
    if len(outcomes) == 1:
        return outcomes[0]
    bad = [outcome for outcome in outcomes if outcome.result is not Result.DONE]
    done = len(outcomes) - len(bad)
    words = f"undid {done} of {len(outcomes)} {_PLURALS.get(entry.action, entry.action)}"
    if not bad:
        message = safe_block(f"{words}{shows_on(outcomes)}")
        return msgspec.structs.replace(outcomes[0], message=message, silence_id="")
    return msgspec.structs.replace(bad[0], message=safe_block(f"{words}; {bad[0].message}"))


_PLURALS = {"ack": "acks", "expire": "expiries"}
