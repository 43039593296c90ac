"""Taking the last action back: expire what was created, re-create what was expired, restore what was rolled
back. What can be undone is read from the journal, so it survives a restart."""

from __future__ import annotations

import msgspec

from opsconsole.actions.base import Desk, Done
from opsconsole.actions.rollback import FlagActions, restoring
from opsconsole.actions.silence import SKEW, created, draft_of, plain_comment
from opsconsole.actions.writing import clock_words, expire_now, moment, post
from opsconsole.errors import JournalError, Refused
from opsconsole.model.journal import Entry, Outcome, Phase, Result
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
        """Take it back."""
        self._cache = None
        entry = self.last()
        if entry is None:
            words = safe("there is nothing to undo")
            return Outcome(op="", action="undo", result=Result.REFUSED, message=words)
        how = entry.detail["undo"]
        assert isinstance(how, dict)
        kinds = {
            "expire": self._expire,
            "create": self._create,
            "restore": self._restore,
            "set-back": self._set_back,
        }
        together = self._together(entry)

        async def work(op: str) -> Done:
            if len(together) > 1:
                done = await self._expire_all(together)
            else:
                done = await kinds[str(how["kind"])](how, op)
            return msgspec.structs.replace(done, undo=None, undoes=entry.op)

        detail: dict[str, object] = {"of": entry.action, "undoes": entry.op}
        if len(together) > 1:
            detail["undoes_all"] = [one.op for one in together]
        if how["kind"] == "restore":
            detail |= restoring(entry)
        subject = f"{len(together)} acks" if len(together) > 1 else f"{entry.action} {entry.subject}"
        return await self._desk.perform("undo", subject, detail, work)

    def _together(self, entry: Entry) -> list[Entry]:
        """The outcomes that one key made: those of the entry's group, else the entry alone."""
        group = entry.detail.get("group")
        if not group:
            return [entry]
        entries = self._desk.journal.entries(_LOOK_BACK, context=self._desk.context)
        same = [e for e in entries if e.detail.get("group") == group and e.phase is Phase.OUTCOME]
        return [e for e in same if e.result is Result.DONE and isinstance(e.detail.get("undo"), dict)]

    def _find(self) -> Entry | None:
        desk = self._desk
        undone: set[str] = set()
        for entry in desk.journal.entries(_LOOK_BACK, context=desk.context):
            if entry.phase is not Phase.OUTCOME or entry.result is not Result.DONE:
                continue
            undone.add(str(entry.detail.get("undoes", "")))
            several = entry.detail.get("undoes_all")
            undone.update(map(str, several) if isinstance(several, list) else ())
            mine = entry.user == safe(desk.user, 200) and isinstance(entry.detail.get("undo"), dict)
            if mine and entry.op not in undone:
                return entry
        return None

    def _too_old(self, entry: Entry) -> bool:
        return self._desk.clock.now() - entry.at > UNDO_SECONDS

    async def _expire(self, how: dict[str, object], op: str) -> Done:
        """Everything that carries the op, whatever id it has now."""
        cluster = self._desk.cluster(str(how["cluster"]))
        made = [s for s in (await cluster.silences()).data if s.op == how["op"] and s.status.state != "expired"]
        if not made:
            return Done(message=trusted("it had already ended; nothing was done"), cluster=cluster.name)
        for silence in made:
            visible = await expire_now(self._desk, cluster, silence)
        what = "ack" if made[0].is_ack else "silence"
        return Done(
            message=trusted(f"expired the {what} again"),
            silence_id=made[0].id,
            cluster=cluster.name,
            visible=visible,
        )

    async def _expire_all(self, entries: list[Entry]) -> Done:
        count = 0
        for entry in entries:
            how = entry.detail["undo"]
            assert isinstance(how, dict)
            cluster = self._desk.cluster(str(how["cluster"]))
            for silence in (await cluster.silences()).data:
                if silence.op == how["op"] and silence.status.state != "expired":
                    await expire_now(self._desk, cluster, silence)
                    count += 1
        ended = len(entries) - count
        already = f"; {ended} had already ended" if ended > 0 else ""
        return Done(message=trusted(f"expired the {count} acks again{already}"))

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
        made = await post(self._desk, cluster, wanted, "")
        return Done(
            message=trusted(f"it ends at {clock_words(made.silence.ends_at)} again"),
            silence_id=made.silence.id,
            cluster=cluster.name,
            visible=made.visible,
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
            starts_at=moment(now - SKEW),
        )
        made = await post(self._desk, cluster, silence, op)
        return created(made, f"silenced again until {clock_words(made.silence.ends_at)}", op)

    async def _restore(self, how: dict[str, object], op: str) -> Done:
        rollback = self._flags.last_rollback(str(how["key"]))
        if rollback is None or rollback.op != how["op"]:
            raise Refused("the flag was rolled back again or restored since")
        return await self._flags.restore_now(str(how["key"]))
