"""Changing a silence that stands: bound to what it was when the person looked, adopted under the id that it
gets, and never with the old one left in force beside the new one."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import msgspec

from opsconsole.actions.base import Cluster, Desk, Done, as_data
from opsconsole.actions.silence import check, expire, plain_comment
from opsconsole.actions.writing import clock_words, expire_now, moment, overwrite, subject_of
from opsconsole.errors import JournalError, Refused
from opsconsole.model.journal import Entry, Outcome, Phase, Result
from opsconsole.model.silence_changes import SAME_SECONDS, changes_between, successor
from opsconsole.model.silences import Silence
from opsconsole.text import SafeText, safe, safe_block

_LOOK_BACK = 200


async def edit(desk: Desk, before: Silence, wanted: Silence) -> Outcome:
    """Give the silence `before`, as it was shown, the matchers, times and comment of `wanted`.

    It is read again right before the write: when anyone has changed it since, nothing is written. The new one is
    signed by this user and keeps the nonce of the op that made it.
    """

    async def work(op: str) -> Done:
        cluster = desk.cluster(before.cluster)
        draft = _signed(desk, before, wanted)
        current = await unchanged(desk, cluster, before)
        check(draft, desk.now(cluster))
        if not changes_between(current, msgspec.structs.replace(draft, created_by=current.created_by)):
            raise Refused("nothing was changed in it; nothing was done")
        return await replace(desk, cluster, current, draft, "edited")

    detail = {"silence": as_data(before), "wanted": as_data(wanted)}
    return await desk.perform("edit", subject_of(before), detail, work)


async def extend(desk: Desk, silence: Silence, until: float) -> Outcome:
    """Move the end of a silence, as it was shown, to `until` (seconds since the epoch)."""

    async def work(op: str) -> Done:
        cluster = desk.cluster(silence.cluster)
        if until <= desk.now(cluster):
            raise Refused("the new end has already passed", hint="to end it now, expire it")
        current = await unchanged(desk, cluster, silence)
        wanted = msgspec.structs.replace(current, ends_at=moment(until))
        return await replace(desk, cluster, current, wanted, "extended")

    detail = {"silence": as_data(silence), "until": until, "automatic": False}
    return await desk.perform("extend", subject_of(silence), detail, work)


async def expire_all(desk: Desk, silences: Sequence[Silence]) -> tuple[Outcome, ...]:
    """End several silences, one after another, each journalled; one undo takes all of them back."""
    group = desk.nonce() if len(silences) > 1 else ""
    with desk.begun():
        return tuple([await expire(desk, silence, group=group) for silence in silences])


async def put_back(desk: Desk, how: Mapping[str, object]) -> Done:
    """Undo an edit or a move of the end: what stood before stands again, unless anyone changed it since. When that
    would have ended by now, it is expired."""
    before = msgspec.convert(how["before"], Silence)
    after = msgspec.convert(how["after"], Silence)
    cluster = desk.cluster(after.cluster)
    after = msgspec.structs.replace(after, id=await _present_id(desk, after.id))
    current = await unchanged(desk, cluster, after)
    if before.ends <= desk.now(cluster):
        visible = await expire_now(desk, cluster, current)
        words = f"it would have ended at {clock_words(before.ends_at)}: expired it"
        return Done(message=safe(words), silence_id=current.id, cluster=cluster.name, visible=visible)
    wanted = msgspec.structs.replace(before, id=current.id)
    if current.status.state == "active":
        wanted = msgspec.structs.replace(wanted, starts_at=current.starts_at)
    done = await replace(desk, cluster, current, wanted, "put back")
    return msgspec.structs.replace(done, undo=None)


async def unchanged(desk: Desk, cluster: Cluster, before: Silence) -> Silence:
    """The silence as it stands, when that is as it was shown. Raises Refused that says who changed what, and
    SourceError."""
    current = await cluster.silence(before.id)
    name = safe(before.id, 60)
    if current is None:
        raise Refused(f"silence {name} is gone; nothing was written")
    changes = changes_between(before, current)
    if changes:
        next_one = None
        if current.status.state == "expired":
            next_one = successor(current, (await cluster.silences()).data)
        by = await who(desk, before, current, next_one)
        lines = [f"silence {name} was changed since, by {by}", *map(str, changes)]
        if next_one is not None:
            lines.append(f"{safe(next_one.id, 60)} took its place: {subject_of(next_one)}")
        raise Refused(
            "\n".join([*lines, "nothing was written"]), hint="look at what it is now, then begin again from that"
        )
    if current.status.state == "expired":
        raise Refused(
            f"the silence on {subject_of(current)} ended at {clock_words(current.ends_at)}",
            hint="create it again instead",
        )
    return msgspec.structs.replace(current, cluster=cluster.name)


async def who(desk: Desk, before: Silence, now: Silence, next_one: Silence | None = None) -> SafeText:
    """Who changed a silence, as far as anything tells: our journal, or the creator that it has now."""
    try:
        entries = await asyncio.to_thread(desk.journal.entries, _LOOK_BACK, context=desk.context)
    except JournalError:
        entries = ()
    since = before.updated_at.timestamp() - SAME_SECONDS
    signed = next_one or now
    new_name = signed.created_by if signed.created_by != before.created_by else ""
    for entry in entries:
        silence = entry.detail.get("silence")
        same = isinstance(silence, dict) and silence.get("id") == before.id
        if not same or entry.phase is not Phase.OUTCOME or entry.result is not Result.DONE or entry.at < since:
            continue
        if not _made(entry, before) and new_name in ("", entry.user):
            return safe(f"{entry.user} with opsconsole at {clock_words(moment(entry.at))}")
    if new_name:
        return safe(new_name, 60)
    return safe("someone: Alertmanager does not say who")


def _made(entry: Entry, silence: Silence) -> bool:
    """Whether an entry tells of the very change that made a silence what it was."""
    undo = entry.detail.get("undo")
    after = undo.get("after") if isinstance(undo, dict) else None
    if not isinstance(after, dict):
        return False
    # Its id may be another one by now.
    made = msgspec.convert(after, Silence)
    return msgspec.structs.replace(made, id=silence.id, cluster=silence.cluster) == silence


async def _present_id(desk: Desk, id: str) -> str:
    """The id that a silence has by now: putting back later edits may have given it new ones."""
    entries = await asyncio.to_thread(desk.journal.entries, _LOOK_BACK, context=desk.context)
    for entry in reversed(entries):
        if entry.phase is Phase.OUTCOME and entry.result is Result.DONE and entry.detail.get("replaced") == id:
            id = str(entry.detail.get("silence_id", id))
    return id


async def replace(desk: Desk, cluster: Cluster, current: Silence, wanted: Silence, verb: str) -> Done:
    """Write `wanted` over `current` and adopt the id that it gets. Raises as `overwrite` does."""
    written = await overwrite(desk, cluster, current, wanted)
    made = written.silence
    words = f"{verb} {subject_of(made)}, until {clock_words(made.ends_at)}"
    if made.id != current.id:
        words += f"; it is {safe(made.id, 60)} now, and the old one, {safe(current.id, 60)}, is expired"
    late = "" if made.status.state == "active" else f" (it is {safe(made.status.state, 20)})"
    return Done(
        message=safe(f"{words}{late}"),
        silence_id=made.id,
        detail={"silence_id": made.id, "cluster": cluster.name, "replaced": current.id},
        undo={"kind": "put back", "before": as_data(current), "after": as_data(made)},
        cluster=cluster.name,
        visible=written.visible,
    )


def _signed(desk: Desk, before: Silence, wanted: Silence) -> Silence:
    nonce = f" [op={before.op}]" if before.op else ""
    return msgspec.structs.replace(
        wanted,
        id=before.id,
        created_by=safe(desk.user, 200),
        comment=safe_block(f"{plain_comment(wanted).rstrip()}{nonce}"),
    )
