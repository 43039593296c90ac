"""The changes of flags: a provider's log and our journal as one, and what a rollback should be."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

import msgspec

from opsconsole.model.flags import Capabilities, Flag, FlagChange, RollbackKind
from opsconsole.text import SafeText, safe, trusted

SLACK = 5.0
"""Seconds by which the clocks of a provider and of this machine may be apart for one change to be the same."""

SUSPICIOUS = 3600.0
"""Seconds before the onset of an alert within which a flag change is suspected."""


def merged(native: Iterable[FlagChange], ours: Iterable[FlagChange]) -> tuple[FlagChange, ...]:
    """Both logs, each newest first, as one; a change that both tell of is there once.

    When it was and who made it are the provider's words (of our own changes, whose token was used), that it was
    `ours`, by whom and what it was for are the journal's.
    The journal tells a change after it happened, and several in a row as one.
    """
    free: dict[str, list[FlagChange]] = defaultdict(list)
    log = _oldest_first(native)
    for change in log:
        free[change.key].append(change)
    ended: dict[str, float] = {}
    told = []  # of the journal: each with when the one before it of the same flag was told
    for change in _oldest_first(ours):
        told.append((change, ended.get(change.key, float("-inf"))))
        ended[change.key] = change.at
    same: dict[int, FlagChange] = {}
    only = []
    for change, before in reversed(told):
        match = _match(free[change.key], change, before)
        if match is None:
            only.append(change)
        else:
            same[id(match)] = change
    both = [_one(change, same[id(change)]) if id(change) in same else change for change in log]
    return tuple(sorted([*reversed(only), *both], key=lambda change: change.at)[::-1])


def _oldest_first(changes: Iterable[FlagChange]) -> list[FlagChange]:
    found = list(changes)
    found.reverse()  # two at the same time stay in their order
    return sorted(found, key=lambda change: change.at)


def _match(free: list[FlagChange], change: FlagChange, before: float) -> FlagChange | None:
    """Which of the provider's changes of the flag (oldest first) this one of the journal is; taken out of `free`.
    It is the last before it was seen, and came after the journal had told the one before it. A log that does
    not know what stood after it matches by that alone."""
    for at in range(len(free) - 1, -1, -1):
        one = free[at]
        if one.at > change.at + SLACK:
            continue
        if one.at < before - SLACK:
            return None
        if one.after_hash == change.after_hash or not one.after_hash:
            return free.pop(at)
        if one.at <= change.at - SLACK:
            return None  # by the log something else stood there then: it does not tell of this one yet
    return None


def _one(native: FlagChange, journal: FlagChange) -> FlagChange:
    ours = journal.ours
    # Of several changes in a row the journal knows only what stood before the first of them.
    alike = not native.before_hash or native.before_hash == journal.before_hash
    return msgspec.structs.replace(
        native,
        ours=ours or native.ours,
        who=_who(native.who, journal.who if ours else trusted("")),
        summary=journal.summary if ours or not native.summary else native.summary,
        before_hash=native.before_hash or journal.before_hash,
        before=native.before or (journal.before if alike else ""),
        after=native.after or journal.after,
        off=native.off if native.off is not None else journal.off,
        before_off=native.before_off if native.before_off is not None or not alike else journal.before_off,
        served=native.served or (journal.served if alike else trusted("")),
    )


def _who(native: SafeText, own: SafeText) -> SafeText:
    """Our own change is a person's or the guard's, who used the token of the one that the provider names."""
    return safe(f"{own} (as {native})", 200) if native and own and native != own else native or own


def last_change(changes: Iterable[FlagChange], key: str) -> FlagChange | None:
    """The newest change of a flag, of changes that are newest first; None when none is known."""
    return max((change for change in changes if change.key == key), key=lambda change: change.at, default=None)


def changed_since(changes: Iterable[FlagChange], key: str, content_hash: str) -> FlagChange | None:
    """The newest change of a flag after the one that made it stand as `content_hash`, None when there is none."""
    own = sorted((change for change in changes if change.key == key), key=lambda change: -change.at)
    for at, change in enumerate(own):
        if change.after_hash == content_hash:
            return own[0] if at else None
    return own[0] if own else None


def nearest_before(changes: Iterable[FlagChange], key: str, onset: float) -> float | None:
    """How many seconds before the onset (seconds since the epoch) a flag changed, the nearest; None when it did
    not in the time in which a change is suspected."""
    apart = (onset - change.at for change in changes if change.key == key)
    return min((seconds for seconds in apart if 0 <= seconds <= SUSPICIOUS), default=None)


def most_suspected_first(flags: Iterable[Flag], changes: Iterable[FlagChange], onset: float | None) -> list[Flag]:
    """The flags that changed soonest before the onset first, then those that changed last, then by name."""
    own: dict[str, list[FlagChange]] = defaultdict(list)
    for change in changes:
        own[change.key].append(change)

    def rank(flag: Flag) -> tuple[float, float, str]:
        of = own.get(flag.key, [])
        apart = nearest_before(of, flag.key, onset) if onset is not None else None
        return float("inf") if apart is None else apart, -max((c.at for c in of), default=0.0), flag.key

    return sorted(flags, key=rank)


class Proposal(msgspec.Struct, frozen=True, kw_only=True):
    """What a rollback would be. `words` name it (`off`, `undo the last change: 100 % -> 50 %`), `why` says why
    it is that; `change` is the one that would be undone, None when it is none."""

    kind: RollbackKind
    words: SafeText
    why: SafeText
    change: FlagChange | None = None


def propose(
    flag: Flag, changes: Sequence[FlagChange], capabilities: Capabilities, onset: float | None = None
) -> Proposal:
    """What rolling this flag back should be: undoing its last change when that turned it off (turning it off
    would be useless), or when some users had it before (off would take it from them too); else off.

    `onset` (seconds since the epoch) is when the trouble began, None without one: a change after it is not its
    cause, and is not undone. Neither is one of our own: that is a restore's.
    """
    last = last_change(changes, flag.key)
    why_not = _not_undone(flag, last, capabilities, onset)
    if last is None or why_not:
        return _off(why_not or "no change of it is known")
    before_off = last.before_off if last.before_off is not None else _stood_off(changes, last)
    if (flag.off or last.off) and not before_off:
        who = "the last change turned it off" if before_off is False else "it is off"
        return _undo(flag, last, f"{who}: off again would change nothing")
    if before_off is False:
        return _undo(flag, last, "some users had it before the last change")
    if not capabilities.off:
        return _undo(flag, last, "this provider cannot turn it off")
    return _off("it was off before the last change" if before_off else "it is not known who had it before")


def undoable(flag: Flag, last: FlagChange | None) -> SafeText:
    """Why the last change of a flag cannot be undone, "" when it can."""
    if last is None:
        return trusted("no change of it is known")
    if not last.before:
        return trusted("what stood before its last change is not known")
    if last.after_hash and flag.content_hash and last.after_hash != flag.content_hash:
        return trusted("it does not stand as its last known change left it")
    return trusted("")


def undo_words(flag: Flag, last: FlagChange) -> SafeText:
    """`undo the last change: 100 % -> 50 %`, from what is served now to what was before."""
    words = RollbackKind.UNDO.value
    return safe(f"{words}: {flag.serves} -> {last.served}" if last.served else words, 300)


def _not_undone(flag: Flag, last: FlagChange | None, capabilities: Capabilities, onset: float | None) -> SafeText:
    if not capabilities.undo:
        return trusted("this provider cannot write a former definition back")
    why = undoable(flag, last)
    if why or last is None:
        return why
    if last.ours:
        return trusted("the last change was made here")
    if onset is not None and last.exact and last.at > onset:
        return trusted("the last change came after the trouble began")
    return trusted("")


def _stood_off(changes: Iterable[FlagChange], last: FlagChange) -> bool | None:
    """Whether what stood before a change served the safe variant to everyone, from the changes before it."""
    before = [c for c in changes if c.key == last.key and c.at < last.at and c.after_hash == last.before_hash]
    return max(before, key=lambda change: change.at).off if before and last.before_hash else None


def _off(why: str) -> Proposal:
    return Proposal(kind=RollbackKind.OFF, words=trusted(RollbackKind.OFF.value), why=safe(why, 200))


def _undo(flag: Flag, last: FlagChange, why: str) -> Proposal:
    return Proposal(kind=RollbackKind.UNDO, words=undo_words(flag, last), why=trusted(why), change=last)
