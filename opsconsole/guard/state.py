"""What the guard's machine knows: frozen, JSON-serialisable, and independent of the process that holds it.

Fields that end with `_mono` are monotonic seconds, for delays; the other times are seconds since the epoch, for
the record and for comparison with flag changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from opsconsole.model.flags import RollbackKind
from opsconsole.model.guard import RulePhase
from opsconsole.model.journal import Result
from opsconsole.text import SafeText, trusted

LEFT_ALONE = 86_400.0
"""Seconds that a flag is left alone after a person changed what the guard did, or was about to do."""

REMEMBERED = 86_400.0
"""Seconds that an action is remembered, and its flag watched for a person's change."""


UNSEEN = 60.0
"""Seconds between a value within the bound and the first beyond it in which the onset still counts as seen."""


class Moment(msgspec.Struct, frozen=True):
    """One time on both clocks."""

    wall: float
    mono: float


class RuleState(msgspec.Struct, frozen=True, kw_only=True):
    """One rule.

    `phase` is what is told; while it is UNKNOWN, `under` is what it will be again. `last_at` is the evaluation
    time of the last sample that counted, and `last_mono` when that was taken. `run` counts the samples beyond the
    bound in a row, since `run_mono`; `run_newest` is the newest scrape behind the first of them. `onset` is when
    the first of the incident was taken, kept while there is no value. It is the true one when `onset_after` is
    None; else the breach began while nobody looked, between `onset_after` and `onset`; 0.0 when nobody ever looked
    before. `good_mono` is when the last value within the bound was taken, None before there was one.

    `clear_mono` is since when it is within the clear level. `blind_mono` is since when there is no usable value,
    `blind_told` whether that was said, `seen` how many usable samples came since.

    `incident` is "" while there is none; `acted` are the flags that it rolled back, newest last, `attempts` how
    often a write of each was tried, `told` what was said once. `halted` says why nothing more is done in it.
    Nothing is decided before `wait_mono`; COOLDOWN lasts until `cool_mono`.
    """

    phase: RulePhase = RulePhase.UNKNOWN
    under: RulePhase = RulePhase.OK
    since: float = 0.0
    value: float | None = None
    reason: SafeText = trusted("not asked yet")
    note: SafeText = trusted("")
    last_at: float = 0.0
    last_mono: float | None = None
    run: int = 0
    run_mono: float | None = None
    run_newest: float | None = None
    onset: float = 0.0
    onset_after: float | None = None
    good_mono: float | None = None
    clear_mono: float | None = None
    blind_mono: float | None = None
    blind_told: bool = False
    seen: int = 0
    incident: str = ""
    acted: tuple[str, ...] = ()
    attempts: Mapping[str, int] = {}
    told: tuple[str, ...] = ()
    halted: SafeText = trusted("")
    wait_mono: float | None = None
    cool_mono: float | None = None


class Act(msgspec.Struct, frozen=True, kw_only=True):
    """A rollback that was decided, and is pending until its report comes. `id` is unique to it; `rule` is the key
    `system/rule`. `expected` is the content hash that the flag must still have. `change` says in words what was
    done to the flag, at `changed`. `breach` is when the first sample of the incident was taken."""

    id: str
    rule: str
    incident: str
    flag: str
    kind: RollbackKind
    expected: str
    at: float
    at_mono: float
    breach: float
    change: SafeText = trusted("")
    changed: float = 0.0


class Acted(msgspec.Struct, frozen=True, kw_only=True):
    """An action that was carried out, or may have been. `after` is the content hash that it left, `before` the one
    that it found. A reading that still shows `before` until `settled_mono` may be an old one. `overtaken` says
    that someone has changed the flag since."""

    id: str
    rule: str
    incident: str
    flag: str
    at: float
    at_mono: float
    settled_mono: float
    before: str
    after: str
    result: Result = Result.DONE
    overtaken: bool = False


class State(msgspec.Struct, frozen=True, kw_only=True):
    """All rules of a context's guards by `system/rule`, what was done, and what is being done. `left_alone` are
    flags and until when they are (monotonic). `timelines` are what was told of each incident. `wall` and
    `now_mono` are the time of the last step."""

    rules: Mapping[str, RuleState] = {}
    acts: tuple[Acted, ...] = ()
    pending: Act | None = None
    left_alone: Mapping[str, float] = {}
    timelines: Mapping[str, tuple[SafeText, ...]] = {}
    wall: float = 0.0
    now_mono: float = 0.0


def encode(state: State) -> bytes:
    """The state as JSON."""
    return msgspec.json.encode(state)


def decode(data: bytes) -> State:
    """The state that `encode` wrote. Raises msgspec.ValidationError or msgspec.DecodeError."""
    return msgspec.json.decode(data, type=State)


def rebase(state: State, now: Moment, *, same_boot: bool) -> State:
    """The state of an earlier process on this one's monotonic clock.

    Within one boot that clock goes on, whatever became of the wall clock. After another boot the time between is
    taken from the wall clock, but never as negative: a clock that was set back must not end a delay, and makes it
    longer instead.
    """
    if same_boot and state.now_mono <= now.mono:
        return state
    passed = max(0.0, now.wall - state.wall) if state.wall else 0.0
    shift = now.mono - (state.now_mono + passed)
    rules = {key: _shifted(rule, shift) for key, rule in state.rules.items()}
    if now.wall < state.wall:  # nobody knows how long nobody looked
        rules = {key: msgspec.structs.replace(rule, good_mono=None) for key, rule in rules.items()}
    return msgspec.structs.replace(
        state,
        rules=rules,
        acts=tuple(_shifted(act, shift) for act in state.acts),
        pending=None if state.pending is None else _shifted(state.pending, shift),
        left_alone={flag: until + shift for flag, until in state.left_alone.items()},
        now_mono=now.mono,
    )


def taken_over(known: State, own: State) -> State:
    """The state of the guard that acted before, with what a guard that only looked on saw since.

    That one told nobody of its own incidents: they begin anew, within the cool-down that is known.
    """
    rules = {**known.rules}
    for key, mine in own.rules.items():
        theirs = known.rules.get(key)
        if theirs is None or not theirs.incident:
            rules[key] = _looked_on(_joined(mine, theirs, own.wall - own.now_mono), theirs or RuleState())
    return msgspec.structs.replace(known, rules=rules)


def _joined(mine: RuleState, theirs: RuleState | None, epoch: float) -> RuleState:
    """What one that came within a breach did not see of its onset, another may have. `epoch` is the wall clock's
    time at 0 of the monotonic clock."""
    if theirs is None or not mine.onset or mine.onset_after is None:
        return mine
    seen = mine.onset_after < theirs.onset <= mine.onset
    if seen and mine.onset - theirs.last_at <= UNSEEN:
        return msgspec.structs.replace(mine, onset=theirs.onset, onset_after=theirs.onset_after)
    good = epoch + theirs.good_mono if theirs.good_mono is not None else 0.0
    if not mine.onset_after < good <= mine.onset:
        return mine
    return msgspec.structs.replace(mine, onset_after=None if mine.onset - good <= UNSEEN else good)


def _looked_on(mine: RuleState, theirs: RuleState) -> RuleState:
    phase = RulePhase.PENDING if mine.incident else RulePhase.OK
    unknown = mine.phase is RulePhase.UNKNOWN
    return msgspec.structs.replace(
        mine,
        phase=mine.phase if unknown or not mine.incident else phase,
        under=RulePhase.OK if unknown else mine.under,
        incident="",
        acted=(),
        attempts={},
        told=(),
        halted=trusted(""),
        wait_mono=None,
        cool_mono=theirs.cool_mono,
        blind_told=theirs.blind_told,
    )


T = TypeVar("T", RuleState, Acted, Act)


def _shifted(struct: T, shift: float) -> T:
    moved: dict[str, Any] = {
        name: getattr(struct, name) + shift
        for name in struct.__struct_fields__
        if name.endswith("_mono") and getattr(struct, name) is not None
    }
    return msgspec.structs.replace(struct, **moved)
