"""Writing silences: post and expire, each read back on every member before it counts as done.

An answer that does not come is settled by looking for what was written, never by writing again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime

import msgspec

from opsconsole.actions.base import Cluster, Desk, T
from opsconsole.errors import (
    Ambiguous,
    BadQuery,
    Conflict,
    OpsError,
    SourceError,
    Unauthorised,
    Unverified,
)
from opsconsole.model.matchers import format_matchers
from opsconsole.model.members import MemberSilence, Visible
from opsconsole.model.silences import Silence, merge_silences
from opsconsole.text import SafeText, safe, trusted

PAUSES = (0.2, 0.4, 0.8, 1.6, 3.0)
"""Seconds between looks for what an unanswered request did, or for what gossip has not brought yet."""

SETTLE_SECONDS = 30.0
"""The longest that those looks may take in all."""


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """A silence as it stands after a write, and on which members that shows."""

    silence: Silence
    visible: Visible


async def post(desk: Desk, cluster: Cluster, silence: Silence, op: str) -> Written:
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
        identity = found.id
    return await _read_back(desk, cluster, identity, silence)


async def overwrite(desk: Desk, cluster: Cluster, old: Silence, wanted: Silence) -> Written:
    """Write `wanted`, which has the id of `old`, and read it back; one of both is in force afterwards.

    Alertmanager gives a new id when the matchers differ, but also when `old` was ended between our reading and
    our writing. Raises as `post` does; Conflict when someone else was first, and ours is taken back; Unverified
    when both would be left in force.
    """
    written = await post(desk, cluster, wanted, "")
    made = written.silence
    if made.id == old.id:
        return written
    name, other = safe(made.id, 60), safe(old.id, 60)
    try:
        found = await cluster.silence(old.id)
        everything = (await cluster.silences()).data
        rival = next((s for s in everything if s.id != old.id and _was_before(s, made)), None)
        # What our own write ends, Alertmanager ends after it has looked at the clock for the new one.
        late = found is not None and found.status.state == "expired" and found.updated_at < made.updated_at
        if rival is not None or late:
            await expire_now(desk, cluster, made)
        elif found is not None and found.status.state != "expired":
            await expire_now(desk, cluster, found)
    except OpsError as error:
        why = f"{error.kind}: {error.message}" if isinstance(error, SourceError) else error.message
        raise Unverified(
            f"BOTH ARE IN FORCE: {name} was made, but the old one, {other}, is not known to have ended ({why})",
            hint=f"look which of {name} and {other} stand, and expire one by hand",
        ) from error
    if rival is not None:
        raise Conflict(
            f"{rival.created_by} changed silence {other} at the same moment and was first: {safe(rival.id, 60)} "
            f"took its place; what this wrote ({name}) is expired again",
            hint="look at what it is now, then begin again from that",
        )
    if late:
        raise Conflict(
            f"silence {other} was ended at the same moment, before this was written; what this wrote ({name}) is "
            "expired again",
            hint="create it again if it is still wanted",
        )
    return written


def _was_before(other: Silence, made: Silence) -> bool:
    """Whether another silence in force is what someone else made of the same one, before."""
    same_one = bool(made.op) and other.op == made.op and other.id != made.id and other.status.state != "expired"
    return same_one and (other.updated_at, other.id) < (made.updated_at, made.id)


async def _read_back(desk: Desk, cluster: Cluster, identity: str, silence: Silence) -> Written:
    def stands(version: Silence | None) -> bool:
        return version is not None and same(version, silence)

    answers = await _look(desk, cluster, identity, stands)
    newest, visible = _newest(answers), seen_on(answers, stands)
    if newest is not None and stands(newest):
        return Written(silence=msgspec.structs.replace(newest, cluster=cluster.name), visible=visible)
    name = safe(identity, 60)
    hint = "look for it under Silences before you try again"
    if newest is None:
        words = f"Alertmanager accepted the silence as {name}, but it cannot be read back"
        raise Ambiguous(f"{words}{_reasons(visible)}", hint=hint)
    words = (
        f"silence {name} reads back as {subject_of(newest)}, {safe(newest.status.state, 20)}, "
        f"until {clock_words(newest.ends_at)}, which is not what was asked for"
    )
    if _silent(answers):
        raise Ambiguous(f"it is not known whether the silence stands: {words}{_reasons(visible)}", hint=hint)
    raise Unverified(words, hint="look at it under Silences")


async def expire_now(desk: Desk, cluster: Cluster, silence: Silence) -> Visible:
    """Expire, and read back on which members it has ended. Raises SourceError, Ambiguous or Unverified."""

    def ended(version: Silence | None) -> bool:
        return version is None or version.status.state == "expired"

    cause: SourceError | None = None
    try:
        await cluster.expire_silence(silence.id)
    except SourceError as error:
        if certain(error):
            raise
        cause = error
    answers = await _look(desk, cluster, silence.id, ended)
    newest, visible = _newest(answers), seen_on(answers, ended)
    # That some know none is no proof while one that does not answer may have it.
    if ended(newest) and (newest is not None or (answers and not _silent(answers))):
        return visible
    name = safe(silence.id, 60)
    if cause is not None or _silent(answers):
        why = f" ({cause.kind}: {cause.message})" if cause is not None else _reasons(visible)
        raise Ambiguous(
            f"it is not known whether silence {name} was expired{why}",
            where=cause.where if cause is not None else "",
            hint="look at its state under Silences before you try again",
        ) from cause
    raise Unverified(f"silence {name} does not read back as expired", hint="look at it under Silences")


async def _look(
    desk: Desk, cluster: Cluster, identity: str, stands: Callable[[Silence | None], bool]
) -> tuple[MemberSilence, ...]:
    """What the members say of a silence, once all that answer say what is wanted, else in the last look."""
    last: tuple[MemberSilence, ...] = ()

    async def look() -> bool | None:
        nonlocal last
        last = await cluster.silence_members(identity)
        answered = [answer for answer in last if answer.error is None]
        newest = _newest(last)
        met = bool(answered) and all(stands(answer.silence) for answer in answered) and stands(newest)
        return True if met and (newest is not None or len(answered) == len(last)) else None

    await settle(desk, look)
    return last


def seen_on(answers: Sequence[MemberSilence], stands: Callable[[Silence | None], bool]) -> Visible:
    """On which members that stands which is wanted, and why not on the others."""
    shown, missing = [], []
    for answer in answers:
        if answer.error is not None:
            missing.append((answer.url, trusted("does not answer")))
        elif stands(answer.silence):
            shown.append(answer.url)
        else:
            missing.append((answer.url, trusted("does not have it yet")))
    return Visible(shown=tuple(shown), missing=tuple(missing))


def _newest(answers: Sequence[MemberSilence]) -> Silence | None:
    merged = merge_silences([answer.silence] for answer in answers if answer.silence is not None)
    return merged[0] if merged else None


def _silent(answers: Sequence[MemberSilence]) -> bool:
    return not answers or any(answer.error is not None for answer in answers)


def _reasons(visible: Visible) -> str:
    return "".join(f"; {url} {why}" for url, why in visible.missing)


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


def moment(seconds: float) -> datetime:
    """An aware UTC datetime, to the millisecond as Alertmanager keeps it."""
    return datetime.fromtimestamp(round(seconds, 3), UTC)


def clock_words(at: datetime) -> str:
    """`2026-11-21 03:20 UTC`: the journal is read later and elsewhere."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def _is(found: Silence, silence: Silence, op: str) -> bool:
    """Whether a listed silence is the one that was posted."""
    return found.op == op if op else same(found, silence)


def same(found: Silence, wanted: Silence) -> bool:
    """Whether a silence stands with these matchers, this end and this comment."""
    return (
        frozenset(found.matchers) == frozenset(wanted.matchers)
        and found.comment == wanted.comment
        and abs(found.ends - wanted.ends) < 1.0
        and found.status.state != "expired"
    )


def subject_of(silence: Silence) -> SafeText:
    """Its matchers in words."""
    return safe(format_matchers(silence.matchers), 300)
