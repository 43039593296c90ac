"""What became of an action that was cut off, as far as the servers tell: for `settle`.

Nothing here writes. Each function gives how the action ended, with the undo that it would have had, or raises
Unsettled with the reason why that cannot be said now.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from opsconsole.actions.base import Cluster, Desk, Done, as_data, cluster_of
from opsconsole.actions.first import earliest
from opsconsole.actions.rollback import FlagActions
from opsconsole.actions.silence import plain_comment, set_back
from opsconsole.actions.writing import clock_words, moment, same, seen_on
from opsconsole.model.journal import Entry, Phase, Result
from opsconsole.model.silence_changes import changes_between
from opsconsole.model.silences import Silence
from opsconsole.text import SafeText, safe, safe_block, trusted

LATE_SECONDS = 60.0
"""For so long after it was begun a write whose process died may still reach the server."""

KEPT_SECONDS = 4 * 86_400.0
"""For so long an expired silence is surely kept (5 days unless configured): then its absence proves nothing."""

_LOOK_BACK = 20


class Unsettled(Exception):
    """It cannot be said now; `why` in words."""

    def __init__(self, why: str) -> None:
        super().__init__()
        self.why = safe(why, 300)


class Silences:
    """All silences of one cluster in one look, and whether every member took part in it."""

    def __init__(self, desk: Desk, cluster: Cluster, listed: Sequence[Silence], silent: Sequence[str]) -> None:
        self.desk = desk
        self.cluster = cluster
        self.listed = [msgspec.structs.replace(silence, cluster=cluster.name) for silence in listed]
        self.live = [silence for silence in self.listed if silence.status.state != "expired"]
        self._silent = silent

    @classmethod
    async def of(cls, desk: Desk, name: str) -> Silences:
        """Ask. Raises Refused for a cluster that is not there, and SourceError."""
        cluster = desk.cluster(name)
        reply = await cluster.silences()
        silent = [str(failure[0]) for failure in reply.failures if isinstance(failure, tuple)]
        return cls(desk, cluster, reply.data, silent or [""] * len(reply.failures))

    def by_op(self, op: str) -> list[Silence]:
        return [silence for silence in self.listed if silence.op == op]

    def by_id(self, id: str) -> Silence | None:
        return next((silence for silence in self.listed if silence.id == id), None)

    def absent(self, intent: Entry) -> None:
        """Return when that something is not there proves that it was not done. Raises Unsettled."""
        if self._silent:
            who = ", ".join(filter(None, self._silent)) or "a member"
            raise Unsettled(f"{who} does not answer, and may have it")
        age = self.desk.clock.now() - intent.at
        if 0 <= age < LATE_SECONDS:
            raise Unsettled(f"it began {round(age)} s ago and may still arrive")

    async def done(self, silence: Silence, words: str, done: Done) -> Done:
        """`done` with what a write of this silence says."""
        answers = await self.cluster.silence_members(silence.id)
        visible = seen_on(
            answers, lambda version: version is not None and version.updated_at >= silence.updated_at
        )
        return msgspec.structs.replace(
            done,
            message=safe(words, 600),
            silence_id=silence.id,
            cluster=self.cluster.name,
            detail={**done.detail, "silence_id": silence.id, "cluster": self.cluster.name},
            visible=visible,
        )


async def created_or_not(desk: Desk, intent: Entry, cluster: str) -> Done:
    """A new silence, which carries the op of its intent."""
    look = await Silences.of(desk, cluster)
    made = look.by_op(intent.op)
    live = [silence for silence in made if silence.status.state != "expired"]
    if live:
        words = f"it is on the server, until {clock_words(live[0].ends_at)}: adopted"
        first = _first_of(look.live, live[0])
        if first is not None:
            words += f"; but {first.owner} acknowledged it first, until {clock_words(first.ends_at)}"
        undo = {"kind": "expire", "cluster": look.cluster.name, "op": intent.op}
        return await look.done(live[0], words, Done(message=trusted(""), undo=undo))
    if made:
        words = f"it was made and ended at {clock_words(made[0].ends_at)}"
        return await look.done(made[0], words, Done(message=trusted("")))
    look.absent(intent)
    if desk.clock.now() - intent.at > KEPT_SECONDS:
        return _not_known("it is not on the server, which would have forgotten it by now")
    return _not_done("it is not on the server, and was not repeated")


def _first_of(live: Sequence[Silence], made: Silence) -> Silence | None:
    """Somebody else's ack of the same alerts that began before this one: it died before it could withdraw."""
    same_alerts = [
        s for s in live if s.is_ack and made.is_ack and frozenset(s.matchers) == frozenset(made.matchers)
    ]
    first = earliest(same_alerts)
    return None if first is None or first.id == made.id else first


async def expired_or_not(desk: Desk, intent: Entry) -> Done:
    """The end of a silence."""
    before = msgspec.convert(intent.detail["silence"], Silence)
    look = await Silences.of(desk, before.cluster)
    now = look.by_id(before.id)
    undo = None if intent.detail.get("automatic") else {"kind": "create", "silence": as_data(before)}
    if now is not None and now.status.state == "expired":
        # One that reached its own end is not worth making again.
        early = before.ends - now.ends > 1.0
        done = Done(message=trusted(""), undo=undo if early else None, undoes=before.op)
        return await look.done(now, f"it has expired, at {clock_words(now.ends_at)}", done)
    look.absent(intent)
    if now is None:
        return Done(message=trusted("the silence is gone"), undoes=before.op, cluster=look.cluster.name)
    return _not_done(f"the silence stands until {clock_words(now.ends_at)}; the expiry was not repeated")


async def changed_or_not(desk: Desk, intent: Entry) -> Done:
    """A silence with another end, comment or matchers."""
    before = msgspec.convert(intent.detail["silence"], Silence)
    wanted = before
    until = intent.detail.get("until")
    if isinstance(until, int | float):
        wanted = msgspec.structs.replace(before, ends_at=moment(until))
    elif "wanted" in intent.detail:
        wanted = msgspec.convert(intent.detail["wanted"], Silence)
    undo = None if intent.detail.get("automatic") else "put back"
    if intent.action == "ack-again":
        undo = "set-back"
    return await _changed(await Silences.of(desk, before.cluster), intent, before, wanted, undo)


async def _changed(
    look: Silences, intent: Entry, before: Silence, wanted: Silence, undo: str | None, undoes: str = ""
) -> Done:
    now = look.by_id(before.id)
    unchanged = now is not None and not changes_between(before, now)
    stands = [s for s in look.live if same(_plain(s), _plain(wanted))]
    if intent.action == "ack-again" and now in look.live and not unchanged:
        stands = [s for s in look.live if s.id == before.id]
    here = [s for s in stands if s.id == before.id and not unchanged]
    # Under another id it carries the nonce of the first, when that has one.
    made = next(iter([*here, *(s for s in stands if s.id != before.id and s.op == before.op)]), None)
    if made is not None:
        beside = [s for s in look.live if s.id != made.id and _of_one(s, before)]
        if beside:
            # The old one, or what someone else made of it while this was being written.
            others = ", ".join(str(safe(s.id, 60)) for s in beside)
            return Done(
                message=safe(f"BOTH ARE IN FORCE: {safe(made.id, 60)} was made, and {others} stands", 400),
                result=Result.AMBIGUOUS,
                hint=safe(
                    f"look which of them is right, and expire the other by hand: {safe(made.id, 60)}, {others}"
                ),
            )
        how = _back(before, made, undo)
        replaced = {"replaced": before.id}
        words = f"it was changed, and stands until {clock_words(made.ends_at)}: adopted"
        return await look.done(made, words, Done(message=trusted(""), undo=how, undoes=undoes, detail=replaced))
    if unchanged:
        look.absent(intent)
        return _not_done("the silence is as it was; the change was not repeated")
    return _not_known("the silence is neither as it was nor as it was to be")


def _plain(silence: Silence) -> Silence:
    """Without the nonce: what a person asked for has none."""
    return msgspec.structs.replace(silence, comment=safe_block(plain_comment(silence).strip()))


def _of_one(silence: Silence, before: Silence) -> bool:
    """Whether a silence is an earlier one, or something made of it."""
    return silence.id == before.id or (bool(before.op) and silence.op == before.op)


def _back(before: Silence, made: Silence, undo: str | None) -> dict[str, object] | None:
    if undo == "set-back":
        return set_back(before, made)
    return {"kind": undo, "before": as_data(before), "after": as_data(made)} if undo else None


async def undone_or_not(desk: Desk, flags: FlagActions, intent: Entry) -> Done:
    """An undo: of what, and how, stands with the outcome that it was to take back."""
    of = str(intent.detail.get("undoes", ""))
    outcomes = [e for e in desk.journal.entries(_LOOK_BACK, op=of) if e.phase is Phase.OUTCOME]
    how = outcomes[0].detail.get("undo") if outcomes else None
    if not isinstance(how, dict):
        return _not_known("the journal does not say what it was to take back")
    if how["kind"] == "restore":
        return await flag_or_not(desk, flags, intent)
    if how["kind"] == "expire":
        look = await Silences.of(desk, str(how["cluster"]))
        live = [silence for silence in look.by_op(str(how["op"])) if silence in look.live]
        if live:
            look.absent(intent)
            return _not_done("what it was to end still stands; it was not repeated")
        return Done(message=trusted("what it was to end has ended"), undoes=of, cluster=look.cluster.name)
    if how["kind"] == "create":
        done = await created_or_not(desk, intent, cluster_of(how))
        return msgspec.structs.replace(done, undo=None, undoes=of if done.result is Result.DONE else "")
    wanted = msgspec.convert(how.get("before", how.get("silence")), Silence)
    after = msgspec.convert(how.get("after", how.get("silence")), Silence)
    return await _changed(await Silences.of(desk, after.cluster), intent, after, wanted, None, of)


async def flag_or_not(desk: Desk, flags: FlagActions, intent: Entry) -> Done:
    """A rollback or restore: what the flag is now. Raises FlagError."""
    if desk.flags is None or desk.flags.source != intent.detail.get("source"):
        raise Unsettled("its flags are not at hand here")
    key = str(intent.detail.get("key", ""))
    flag = (await desk.flags.read()).get(key)
    stands = flag.content_hash if flag is not None else ""
    if stands == intent.detail.get("after_hash"):
        if intent.action == "rollback":
            undo = {"kind": "restore", "key": key, "op": intent.op}
            return Done(message=trusted("the flag is rolled back: adopted"), undo=undo)
        rollback = flags.last_rollback(key)
        undoes = rollback.op if rollback is not None else str(intent.detail.get("undoes", ""))
        return Done(message=trusted("the flag is restored: adopted"), undoes=undoes)
    if stands == intent.detail.get("before_hash"):
        return _not_done("the flag is as it was; it was not repeated")
    return _not_known("the flag is neither as it was nor as it was to be")


def command_or_not() -> Done:
    """A command leaves no trace that could be looked for."""
    return _not_known("it is not known whether it ran, or how far")


def _not_done(words: str) -> Done:
    return Done(message=safe(words, 400), result=Result.FAILED)


def _not_known(words: str) -> Done:
    hint: SafeText = trusted("look at what it was to change before you try again")
    return Done(message=safe(words, 400), result=Result.AMBIGUOUS, hint=hint)
