"""Silences: create, extend and expire, each read back before it counts as done.

An answer that does not come is settled by looking for what was written, never by writing again.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import msgspec

from opsconsole.actions.base import Cluster, Desk, Done, T, as_data
from opsconsole.errors import Ambiguous, BadQuery, Refused, SourceError, Unauthorised, Unverified, UsageError
from opsconsole.model.journal import Outcome
from opsconsole.model.matchers import format_matchers, matches_everything
from opsconsole.model.silences import Silence, SilenceStatus
from opsconsole.text import SafeText, safe, safe_block

PAUSES = (0.2, 0.4, 0.8, 1.6, 3.0)
"""Seconds between looks for what an unanswered request did, or for what gossip has not brought yet."""

SETTLE_SECONDS = 30.0
"""The longest that those looks may take in all."""

SKEW = 60.0
"""Seconds that our clock may be ahead of Alertmanager's without a new silence starting late: it starts a
silence with a past start at once."""

_NONCE = re.compile(r"\s*\[op=[0-9a-zA-Z_-]+\]\s*$")


async def create(desk: Desk, draft: Silence) -> Outcome:
    """Create the drafted silence in `draft.cluster`; the comment gets the op's nonce. A draft that starts now
    or before starts at once."""

    async def work(op: str) -> Done:
        cluster = desk.cluster(draft.cluster)
        now = desk.clock.now()
        _check(draft, now)
        silence = msgspec.structs.replace(
            draft,
            created_by=safe(desk.user, 200),
            comment=safe_block(f"{plain_comment(draft)} [op={op}]"),
            starts_at=draft.starts_at if draft.starts_at.timestamp() > now + SKEW else moment(now - SKEW),
        )
        made = await post(desk, cluster, silence, op)
        return created(made, f"silenced {_subject(made)} until {clock_words(made.ends_at)}", op)

    return await desk.perform("silence", _subject(draft), {"silence": as_data(draft)}, work)


async def extend(desk: Desk, silence: Silence, until: float, *, because: str = "") -> Outcome:
    """Move the end of a silence to `until` (seconds since the epoch). Alertmanager may give a new id."""

    async def work(op: str) -> Done:
        cluster = desk.cluster(silence.cluster)
        current = await _current(cluster, silence)
        if until <= desk.clock.now():
            raise Refused("the new end has already passed", hint="to end it now, expire it")
        wanted = msgspec.structs.replace(current, ends_at=moment(until))
        made = await post(desk, cluster, wanted, "")
        words = f"extended {_subject(made)} until {clock_words(made.ends_at)}{because and f', {because}'}"
        return Done(message=safe(words), silence_id=made.id, detail={"silence_id": made.id})

    detail = {"silence": as_data(silence), "until": until, "automatic": bool(because)}
    return await desk.perform("extend", _subject(silence), detail, work)


async def expire(desk: Desk, silence: Silence, *, because: str = "") -> Outcome:
    """End a silence now; done once it reads back as expired."""

    async def work(op: str) -> Done:
        cluster = desk.cluster(silence.cluster)
        current = await _current(cluster, silence)
        await expire_now(desk, cluster, current)
        what = "ack" if current.is_ack else "silence"
        words = f"expired the {what} on {_subject(current)}{because and f': {because}'}"
        undo = None if because else {"kind": "create", "silence": as_data(current)}
        return Done(message=safe(words), silence_id=current.id, undo=undo, undoes=current.op)

    detail = {"silence": as_data(silence), "automatic": bool(because)}
    return await desk.perform("expire", _subject(silence), detail, work)


async def post(desk: Desk, cluster: Cluster, silence: Silence, op: str) -> Silence:
    """Write a silence and read it back. With `op`, a new one is found again by its nonce.

    Raises SourceError when it certainly was not written, Ambiguous when that is not known, Unverified when
    what stands differs from what was sent.
    """

    async def listed() -> Silence | None:
        for found in (await cluster.silences()).data:
            if found.status.state != "expired" and _is(found, silence, op):
                return found
        return None

    try:
        identity = await cluster.post_silence(silence)
    except SourceError as error:
        if certain(error):
            raise
        found = await settle(desk, listed)
        if found is None:
            look = f"[op={op}] in its comment" if op else f"id {safe(silence.id, 60)} and its new end"
            raise Ambiguous(
                f"it is not known whether the silence was written ({error.kind}: {error.message})",
                where=error.where,
                hint=f"look for a silence with {look} before you try again",
            ) from error
        return msgspec.structs.replace(found, cluster=cluster.name)
    return await _read_back(desk, cluster, identity, silence)


async def _read_back(desk: Desk, cluster: Cluster, identity: str, silence: Silence) -> Silence:
    seen: list[Silence] = []

    async def read() -> Silence | None:
        back = await cluster.silence(identity)
        seen[:] = [back] if back is not None else seen
        return back if back is not None and _same(back, silence) else None

    back = await settle(desk, read)
    if back is not None:
        return msgspec.structs.replace(back, cluster=cluster.name)
    if not seen:
        raise Ambiguous(
            f"Alertmanager accepted the silence as {safe(identity, 60)}, but it cannot be read back",
            hint="look for it under Silences",
        )
    raise Unverified(
        f"silence {safe(identity, 60)} reads back as {_subject(seen[0])}, {safe(seen[0].status.state, 20)}, "
        f"until {clock_words(seen[0].ends_at)}, which is not what was asked for",
        hint="look at it under Silences",
    )


async def expire_now(desk: Desk, cluster: Cluster, silence: Silence) -> None:
    """Expire and read back. Raises SourceError, Ambiguous or Unverified."""

    async def ended() -> Silence | None:
        found = await cluster.silence(silence.id)
        if found is None:
            return msgspec.structs.replace(silence, status=SilenceStatus("expired"))
        return found if found.status.state == "expired" else None

    cause: SourceError | None = None
    try:
        await cluster.expire_silence(silence.id)
    except SourceError as error:
        if certain(error):
            raise
        cause = error
    if await settle(desk, ended) is not None:
        return
    name = safe(silence.id, 60)
    if cause is not None:
        raise Ambiguous(
            f"it is not known whether silence {name} was expired ({cause.kind}: {cause.message})",
            where=cause.where,
            hint="look at its state under Silences before you try again",
        ) from cause
    raise Unverified(f"silence {name} does not read back as expired", hint="look at it under Silences")


async def settle(desk: Desk, look: Callable[[], Awaitable[T | None]]) -> T | None:
    """Look until something is found; None when the tries or the time are used up."""
    try:
        async with asyncio.timeout(SETTLE_SECONDS):
            for pause in (*PAUSES, None):
                try:
                    found = await look()
                except SourceError:
                    found = None  # the next look may get an answer; if none does, it stays unknown
                if found is not None or pause is None:
                    return found
                await desk.sleep(pause)
    except TimeoutError:
        return None
    return None


def certain(error: SourceError) -> bool:
    """Whether a failed write certainly did not happen."""
    return not error.sent or isinstance(error, BadQuery | Unauthorised)


def created(made: Silence, words: str, op: str) -> Done:
    """The end of creating a silence; undone by expiring whatever carries the op."""
    undo = {"kind": "expire", "cluster": made.cluster, "op": op}
    late = "" if made.status.state == "active" else f" (it is {safe(made.status.state, 20)})"
    return Done(
        message=safe(f"{words}{late}"),
        silence_id=made.id,
        undo=undo,
        detail={"silence_id": made.id, "cluster": made.cluster},
    )


def plain_comment(silence: Silence) -> str:
    """The comment without an earlier op's nonce."""
    return _NONCE.sub("", silence.comment)


def moment(seconds: float) -> datetime:
    """An aware UTC datetime, to the millisecond as Alertmanager keeps it."""
    return datetime.fromtimestamp(round(seconds, 3), UTC)


def clock_words(at: datetime) -> str:
    """`2026-11-21 03:20 UTC`: the journal is read later and elsewhere."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def _check(draft: Silence, now: float) -> None:
    if not plain_comment(draft).strip():
        raise Refused("a silence needs a comment", hint="say why, for whoever reads it next")
    try:
        everything = matches_everything(draft.matchers)
    except UsageError as error:
        raise Refused(error.message, hint=error.hint) from error
    if not draft.matchers or everything:
        raise Refused(
            "these matchers match every alert there is; Alertmanager does not allow that",
            hint="give at least one matcher that does not match an empty value",
        )
    if draft.ends <= now:
        raise Refused("the silence would already have ended", hint="give an end in the future")
    if draft.starts_at.timestamp() >= draft.ends:
        raise Refused("the silence would end before it starts")


async def _current(cluster: Cluster, silence: Silence) -> Silence:
    current = await cluster.silence(silence.id)
    if current is None:
        raise Refused(f"silence {safe(silence.id, 60)} is gone")
    if current.status.state == "expired":
        raise Refused(f"the silence on {_subject(current)} ended at {clock_words(current.ends_at)}")
    return msgspec.structs.replace(current, cluster=cluster.name)


def _is(found: Silence, silence: Silence, op: str) -> bool:
    """Whether a listed silence is the one that was posted."""
    return found.op == op if op else found.comment == silence.comment and _same(found, silence)


def _same(found: Silence, wanted: Silence) -> bool:
    return (
        frozenset(found.matchers) == frozenset(wanted.matchers)
        and abs(found.ends - wanted.ends) < 1.0
        and found.status.state != "expired"
    )


def _subject(silence: Silence) -> SafeText:
    return safe(format_matchers(silence.matchers), 300)


def draft_of(silence: Silence) -> Silence:
    """A new silence like an old one: no id and nothing of its state."""
    return msgspec.structs.replace(silence, id="", status=SilenceStatus())
