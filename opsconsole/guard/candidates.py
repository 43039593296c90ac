"""Which flags may have caused an incident, and which of them the guard may touch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from fnmatch import fnmatchcase

import msgspec

from opsconsole.guard.state import LEFT_ALONE
from opsconsole.model.flags import Flag, FlagChange, FlagSet, RollbackKind
from opsconsole.model.guard import EXCLUDED_TYPES, Guard
from opsconsole.text import SafeText, safe, trusted

_LONGEST_GAP = 60.0
"""Seconds before it was seen in which a change that nobody saw made may have caused what came first."""

_WHILE_NOBODY_LOOKED = "it was changed while nobody looked"

SKEW = 2.0
"""Seconds that a flag provider's clock may be ahead of ours."""


class FlagView(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of the flags now. `changes` are newest first; `problem` says why they cannot be told, "" when
    they can. `looks` is how many seconds lie between two looks: a change that is not exact happened within
    them before its time. Nothing is known of changes before `known_since`. `propagation` is after how many
    seconds at most a change has reached the applications.
    """

    flags: FlagSet | None = None
    changes: tuple[FlagChange, ...] = ()
    problem: SafeText = trusted("")
    looks: float = 10.0
    known_since: float = 0.0
    propagation: float = 10.0


class Standing(Enum):
    """What the guard may do about a suspect."""

    ELIGIBLE = "eligible"
    UNSEEN = "unseen"  # only a person may: the breach began while nobody looked, and it changed meanwhile
    PROPOSED = "proposed"  # only a person may: it would or may turn something on, or the change may be too old
    HELD = "held"  # a person has changed it since the onset: it is waited for what that does
    BARRED = "barred"  # excluded, left alone, in its cool-down, gone, or nothing to do


class Suspect(msgspec.Struct, frozen=True, kw_only=True):
    """A flag that was changed within the look-back before an onset. `change` is the newest of those changes,
    `since` the newest that came after; `why` says in words why it is not eligible."""

    key: str
    change: FlagChange
    standing: Standing
    why: SafeText = trusted("")
    since: FlagChange | None = None
    flag: Flag | None = None

    @property
    def name(self) -> SafeText:
        return safe(self.key, 80)


def suspects(
    guard: Guard,
    view: FlagView,
    onset: float,
    *,
    onset_after: float | None = None,
    left_alone: Mapping[str, SafeText] = {},
    cooling: Mapping[str, SafeText] = {},
) -> tuple[Suspect, ...]:
    """The flags that changed within the look-back before `onset` (seconds since the epoch), the newest first.

    When the breach began while nobody looked it did so after `onset_after` (0.0: nobody ever looked before): what
    changed since may be its cause or its cure. Our own changes do not count. `left_alone` and `cooling` say of
    flags why they may not be touched now.
    """
    if view.flags is None:
        return ()
    found = []
    oldest = (onset_after or onset) - guard.look_back
    for key in dict.fromkeys(change.key for change in view.changes):
        history = [change for change in view.changes if change.key == key]
        before = [change for change in history if not _after(change, onset, view.looks)]
        if not before or before[0].ours or before[0].at < oldest:
            continue
        since = next((change for change in history if _after(change, onset, view.looks)), None)
        suspect = Suspect(
            key=key, change=before[0], standing=Standing.ELIGIBLE, since=since, flag=view.flags.get(key)
        )
        standing, why = _standing(guard, suspect, before[1:], left_alone.get(key) or cooling.get(key))
        if standing is Standing.ELIGIBLE:
            standing, why = _in_time(suspect.change, onset, onset_after, guard.look_back)
        found.append(msgspec.structs.replace(suspect, standing=standing, why=safe(why, 300)))
    return tuple(sorted(found, key=lambda suspect: -suspect.change.at))


def _in_time(
    change: FlagChange, onset: float, onset_after: float | None, look_back: float
) -> tuple[Standing, str]:
    """Whether it is certain that the change came before the onset, and within the look-back."""
    if onset_after is not None and change.at > onset_after:
        return Standing.UNSEEN, f"{_WHILE_NOBODY_LOOKED}, before the onset or after"
    earliest = change.at if change.exact else change.earliest
    if onset_after is not None and change.at < onset - look_back:
        return Standing.PROPOSED, f"it was changed maybe longer than {look_back / 60:.0f}m before the onset"
    if earliest is not None and earliest < onset - look_back:
        return Standing.PROPOSED, f"{_WHILE_NOBODY_LOOKED}, maybe longer than {look_back / 60:.0f}m before"
    return Standing.ELIGIBLE, ""


def _after(change: FlagChange, onset: float, looks: float) -> bool:
    """Whether a change came after the onset. One that was only seen at a look may be what caused it."""
    if change.exact:
        return change.at > onset + SKEW
    apart = 0.0 if change.earliest is None else min(change.at - change.earliest, _LONGEST_GAP)
    return change.at > onset + SKEW + max(looks, apart)


def _standing(
    guard: Guard, suspect: Suspect, earlier: Sequence[FlagChange], held_back: str | None
) -> tuple[Standing, str]:
    flag, change = suspect.flag, suspect.change
    if flag is None:
        return Standing.BARRED, "it is gone"
    excluded = exclusion(guard, flag)
    if excluded:
        return Standing.BARRED, excluded
    if held_back:
        return Standing.BARRED, held_back
    if suspect.since is not None:
        if suspect.since.ours:
            return Standing.BARRED, "it was rolled back or restored since"
        return Standing.HELD, "someone has changed it since the onset"
    undid = earlier and earlier[0].ours and earlier[0].off is not False
    if undid and change.at - earlier[0].at < LEFT_ALONE:
        return Standing.BARRED, "its change undid a rollback"
    if change.after_hash and change.after_hash != flag.content_hash:
        return Standing.HELD, "it is no longer what that change made it"
    if change.off is True or flag.off:
        return _turned_off(change, earlier)
    return _undoable(change, earlier) if guard.kind is RollbackKind.UNDO else (Standing.ELIGIBLE, "")


def _turned_off(change: FlagChange, earlier: Sequence[FlagChange]) -> tuple[Standing, str]:
    """Off is useless. To undo its change would turn it on, and is proposed when it is known that it was on."""
    was_off = change.before_off
    if was_off is None and earlier:
        was_off = earlier[0].off
    new = bool(change.after_hash) and not change.before_hash
    if change.off is not True or was_off or new:
        return Standing.BARRED, "it is off, and nothing tells that it was on"
    return Standing.PROPOSED, "it was turned off; undoing that would turn it on"


def _undoable(change: FlagChange, earlier: Sequence[FlagChange]) -> tuple[Standing, str]:
    """Undoing a change may only take something away from users."""
    if not change.before:
        return Standing.PROPOSED, "what stood before its change is not known"
    was_off = change.before_off
    if was_off is None and earlier and earlier[0].after_hash == change.before_hash:
        was_off = earlier[0].off
    if was_off is not True:
        return Standing.PROPOSED, "it is not known that undoing its change would turn nothing on"
    return Standing.ELIGIBLE, ""


def exclusion(guard: Guard, flag: Flag) -> str:
    """Why a guard may not touch a flag, "" when it may."""
    if not _text(flag.key):
        return "its name cannot be written down"
    if any(matches(pattern, flag) for pattern in guard.never):
        return "the playbook says never"
    named = flag.key in guard.only
    if guard.only and not named and not any(matches(pattern, flag) for pattern in guard.only):
        return "it is not among those that the playbook allows"
    if flag.type in EXCLUDED_TYPES and not named:
        return f"it is a {flag.type} flag"
    return ""


def matches(pattern: str, flag: Flag) -> bool:
    """Whether an entry of `never` or `only` is meant for a flag: its key, `tag:NAME`, `type:NAME`, or a pattern of
    the key."""
    kind, colon, name = pattern.partition(":")
    if pattern == flag.key:
        return True
    if colon and kind == "tag":
        return name in flag.tags
    if colon and kind == "type":
        return name == flag.type
    return fnmatchcase(flag.key, pattern)


def _text(key: str) -> bool:
    """Whether the state can keep the name: half a character is no text."""
    try:
        key.encode()
    except UnicodeEncodeError:
        return False
    return True
