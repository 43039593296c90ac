"""Silences: create, extend and expire, each read back before it counts as done."""

from __future__ import annotations

import re

import msgspec

from opsconsole.actions.base import Cluster, Desk, Done, as_data
from opsconsole.actions.writing import Written, clock_words, expire_now, moment, overwrite, post, subject_of
from opsconsole.errors import Refused, UsageError
from opsconsole.model.journal import Outcome
from opsconsole.model.radius import refuse_everything
from opsconsole.model.silences import Silence, SilenceStatus
from opsconsole.text import safe, safe_block

SKEW = 60.0
"""Seconds before now at which a silence that is to start at once starts: what is left of the difference between
the clocks must not make it start late. Alertmanager makes of a past start its own now."""

_NONCE = re.compile(r"\s*\[op=[0-9a-zA-Z_-]+\]\s*$")


async def create(desk: Desk, draft: Silence, again: str = "") -> Outcome:
    """Create the drafted silence in `draft.cluster`; the comment gets the op's nonce. A draft that starts now
    or before starts at once. Its times are those of the server's clock (`Desk.now`). With `again`, the id of an
    expired one, it is journalled as the recreation of that."""

    async def work(op: str) -> Done:
        cluster = desk.cluster(draft.cluster)
        now = desk.now(cluster)
        check(draft, now)
        silence = msgspec.structs.replace(
            draft,
            created_by=safe(desk.user, 200),
            comment=safe_block(f"{plain_comment(draft)} [op={op}]"),
            starts_at=draft.starts_at if draft.starts_at.timestamp() > now + SKEW else moment(now - SKEW),
        )
        made = await post(desk, cluster, silence, op)
        words = (
            f"silenced {subject_of(made.silence)} {again and 'again '}until {clock_words(made.silence.ends_at)}"
        )
        return created(made, words, op)

    detail = {"silence": as_data(draft), **({"recreates": again} if again else {})}
    return await desk.perform("recreate" if again else "silence", subject_of(draft), detail, work)


async def extend(desk: Desk, silence: Silence, until: float, *, because: str) -> Outcome:
    """Move the end of a silence to `until` (seconds since the epoch, on the server's clock) without a person:
    theirs is `silence_edit.extend`. Alertmanager may give a new id."""

    async def work(op: str) -> Done:
        cluster = desk.cluster(silence.cluster)
        current = await _current(cluster, silence)
        if until <= desk.now(cluster):
            raise Refused("the new end has already passed", hint="to end it now, expire it")
        wanted = msgspec.structs.replace(current, ends_at=moment(until))
        made = await overwrite(desk, cluster, current, wanted)
        end = clock_words(made.silence.ends_at)
        words = f"extended {subject_of(made.silence)} until {end}, {because}"
        return Done(
            message=safe(words),
            silence_id=made.silence.id,
            detail={"silence_id": made.silence.id},
            cluster=cluster.name,
            visible=made.visible,
        )

    detail = {"silence": as_data(silence), "until": until, "automatic": True}
    return await desk.perform("extend", subject_of(silence), detail, work)


async def expire(desk: Desk, silence: Silence, *, because: str = "", group: str = "") -> Outcome:
    """End a silence now; done once it reads back as expired. Those of one `group` are undone together."""

    async def work(op: str) -> Done:
        cluster = desk.cluster(silence.cluster)
        current = await _current(cluster, silence)
        visible = await expire_now(desk, cluster, current)
        what = "ack" if current.is_ack else "silence"
        words = f"expired the {what} on {subject_of(current)}{because and f': {because}'}"
        undo = None if because else {"kind": "create", "silence": as_data(current)}
        return Done(
            message=safe(words),
            silence_id=current.id,
            undo=undo,
            undoes=current.op,
            cluster=cluster.name,
            visible=visible,
        )

    detail = {"silence": as_data(silence), "automatic": bool(because), **({"group": group} if group else {})}
    return await desk.perform("expire", subject_of(silence), detail, work)


def created(written: Written, words: str, op: str) -> Done:
    """The end of creating a silence; undone by expiring whatever carries the op."""
    made = written.silence
    undo = {"kind": "expire", "cluster": made.cluster, "op": op}
    late = "" if made.status.state == "active" else f" (it is {safe(made.status.state, 20)})"
    return Done(
        message=safe(f"{words}{late}"),
        silence_id=made.id,
        undo=undo,
        detail={"silence_id": made.id, "cluster": made.cluster},
        cluster=made.cluster,
        visible=written.visible,
    )


def set_back(before: Silence, made: Silence) -> dict[str, object]:
    """How to undo a change of a silence's end or comment: what it had, under the id that it has now."""
    old = msgspec.structs.replace(before, id=made.id, cluster=made.cluster)
    return {"kind": "set-back", "silence": as_data(old)}


def plain_comment(silence: Silence) -> str:
    """The comment without an earlier op's nonce."""
    return _NONCE.sub("", silence.comment)


def check(draft: Silence, now: float) -> None:
    """Raise Refused, with the reason, when Alertmanager would not take the draft or nobody could want it."""
    if not plain_comment(draft).strip():
        raise Refused("a silence needs a comment", hint="say why, for whoever reads it next")
    try:
        refuse_everything(draft.matchers)
    except UsageError as error:
        raise Refused(error.message, hint=error.hint) from error
    if draft.ends <= now:
        raise Refused("the silence would already have ended", hint="give an end in the future")
    if draft.starts_at.timestamp() >= draft.ends:
        raise Refused("the silence would end before it starts")


async def _current(cluster: Cluster, silence: Silence) -> Silence:
    current = await cluster.silence(silence.id)
    if current is None:
        raise Refused(f"silence {safe(silence.id, 60)} is gone")
    if current.status.state == "expired":
        raise Refused(f"the silence on {subject_of(current)} ended at {clock_words(current.ends_at)}")
    return msgspec.structs.replace(current, cluster=cluster.name)


def draft_of(silence: Silence) -> Silence:
    """A new silence like an old one: no id and nothing of its state."""
    return msgspec.structs.replace(silence, id="", status=SilenceStatus())
