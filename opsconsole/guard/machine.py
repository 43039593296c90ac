"""The guard's machine: time and samples in, a new state and decisions out. No clock, no I/O, nothing remembered
but the state.

At most one action is under way in a whole context, and after one nothing is decided until it has had time to show.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from opsconsole.guard.choosing import choose, settle_time
from opsconsole.guard.decisions import Decision, Look, Tell, Watched
from opsconsole.guard.samples import Sample
from opsconsole.guard.state import LEFT_ALONE, REMEMBERED, UNSEEN, Acted, Moment, RuleState, State
from opsconsole.guard.words import age_words, bound_words, incident_id, value_words
from opsconsole.model.guard import RulePhase
from opsconsole.model.journal import Result
from opsconsole.text import SafeText, safe, trusted

_GAP, _LEAST_GAP = 2.5, 5.0
"""Intervals without a look after which samples are no longer in a row; at least so many seconds more than one."""

_OLDER = 60.0
"""Seconds that the server's clock must be behind an earlier answer's to count as set back."""


def step(state: State, watched: Sequence[Watched], look: Look) -> tuple[State, tuple[Decision, ...]]:
    """One round. The rules are taken in order; the first that may act keeps the others waiting."""
    now, decisions = look.now, list[Decision]()
    rules = {each.key: state.rules.get(each.key) or RuleState(since=now.wall) for each in watched}
    state = replace(state, rules=rules, wall=now.wall, now_mono=now.mono)
    state = _forget(state, watched, now)
    state, found = _people(state, look)
    decisions += found
    for each in watched:
        sample = look.samples.get(each.key)
        if sample is None:
            continue
        rule, told, confirmed = _advance(state, each, sample, look)
        decisions += told
        state = with_rule(state, each.key, rule)
        if confirmed:
            state, chosen = choose(state, each, look)
            decisions += chosen
    return state, tuple(decisions)


def with_rule(state: State, key: str, rule: RuleState) -> State:
    return replace(state, rules={**state.rules, key: rule})


def _forget(state: State, watched: Sequence[Watched], now: Moment) -> State:
    keep = max([REMEMBERED, *(each.guard.cooldown for each in watched)])
    return replace(
        state,
        acts=tuple(act for act in state.acts if now.mono - act.at_mono < keep),
        left_alone={flag: until for flag, until in state.left_alone.items() if until > now.mono},
    )


def _people(state: State, look: Look) -> tuple[State, list[Decision]]:
    """Find out whether someone has changed what the guard did, and whether what was not known to be written is."""
    decisions: list[Decision] = []
    if look.view.flags is None or look.view.problem:
        return state, decisions
    newest = {act.flag: act for act in state.acts}
    for act in state.acts:
        flag = look.view.flags.get(act.flag)
        standing = flag.content_hash if flag is not None else ""
        if act is not newest[act.flag] or act.overtaken or not act.after:
            continue
        if standing == act.after:
            if act.result is Result.AMBIGUOUS:
                state, told = _found_written(state, act, look.now)
                decisions += told
        elif act.result is Result.DONE and not (standing == act.before and look.now.mono < act.settled_mono):
            state, told = _taken_over(state, act, look.now)
            decisions += told
    return state, decisions


def _found_written(state: State, act: Acted, now: Moment) -> tuple[State, list[Decision]]:
    state = _with_act(state, replace(act, result=Result.DONE))
    rule = state.rules.get(act.rule)
    if rule is not None and rule.incident == act.incident:
        state = with_rule(state, act.rule, replace(rule, halted=trusted("")))
    summary = safe(f"{safe(act.flag, 80)} was rolled back after all: it now reads back as wanted")
    return state, [_tell(f"{act.id}/written", "rolled-back", act.rule, act.incident, now, summary, (act.flag,))]


def _taken_over(state: State, act: Acted, now: Moment) -> tuple[State, list[Decision]]:
    name = safe(act.flag, 80)
    state = _with_act(state, replace(act, overtaken=True))
    state = replace(state, left_alone={**state.left_alone, act.flag: now.mono + LEFT_ALONE})
    words = safe(f"{name} was changed after the guard rolled it back; the guard leaves it alone for a day", 300)
    rule = state.rules.get(act.rule)
    if rule is not None and rule.incident == act.incident:
        words = safe(f"{words} and does nothing more in this incident", 300)
        rule = phased(replace(rule, halted=words, run=0), RulePhase.DISARMED, now, words)
        state = with_rule(state, act.rule, rule)
    return state, [_tell(f"{act.id}/disarmed", "disarmed", act.rule, act.incident, now, words, (act.flag,))]


def _with_act(state: State, act: Acted) -> State:
    return replace(state, acts=tuple(act if old.id == act.id else old for old in state.acts))


def _tell(
    id: str,
    kind: str,
    rule: str,
    incident: str,
    now: Moment,
    summary: SafeText,
    flags: tuple[str, ...] = (),
    **more: Any,
) -> Tell:
    return Tell(id=id, kind=kind, rule=rule, incident=incident, at=now.wall, summary=summary, flags=flags, **more)


def phased(rule: RuleState, phase: RulePhase, now: Moment, reason: str) -> RuleState:
    """The rule in a phase; its `since` stays while the phase does. What is not known stays so."""
    if rule.phase is RulePhase.UNKNOWN and phase is not RulePhase.UNKNOWN and rule.value is None:
        return replace(rule, under=phase)
    since = rule.since if rule.phase is phase else now.wall
    return replace(rule, phase=phase, since=since, reason=safe(reason, 400))


def _advance(state: State, each: Watched, sample: Sample, look: Look) -> tuple[RuleState, list[Decision], bool]:
    """A rule after one sample, and whether it is confirmed with this one."""
    rule, now = state.rules[each.key], look.now
    gap = max(_GAP * each.guard.interval, each.guard.interval + _LEAST_GAP)
    late = rule.last_mono is not None and now.mono - rule.last_mono > gap
    if sample.problem or sample.value is None or sample.value - sample.value != 0:  # not finite
        return *_unknown(rule, each, now, sample.problem or trusted("not a finite number"), sample.quiet), False
    if rule.last_at - _OLDER <= sample.at <= rule.last_at:
        if not late:
            return rule, [], False
        words = safe(f"no newer answer for {now.mono - (rule.last_mono or 0.0):.0f}s")
        return *_unknown(rule, each, now, words, False), False
    if late or sample.at < rule.last_at:
        rule = _broken(rule)
        if not rule.incident and now.mono - (rule.last_mono or now.mono) > each.guard.look_back:
            rule = replace(rule, onset=0.0, onset_after=None)  # it may have ended, and begun again
    rule, decisions = _seen(rule, each, sample, now)
    held = max(rule.wait_mono or 0.0, _settling(state, each, look))
    rule = _counted(rule, each, sample, now, counts=now.mono >= held)
    rule, told, confirmed = _moved(rule, each, sample, now, state)
    return rule, decisions + told, confirmed


def _broken(rule: RuleState) -> RuleState:
    """Whatever was in a row is not any more. The onset stays: nothing says that the breach is over."""
    return replace(rule, run=0, run_mono=None, run_newest=None, clear_mono=None)


def _settling(state: State, each: Watched, look: Look) -> float:
    """Until when this rule may still show what was before the last action of any rule (monotonic)."""
    return max((act.at_mono + settle_time(each, look.view) for act in state.acts), default=0.0)


def _unknown(
    rule: RuleState, each: Watched, now: Moment, why: SafeText, quiet: bool
) -> tuple[RuleState, list[Decision]]:
    """No usable value."""
    under = rule.phase
    if under is RulePhase.UNKNOWN:
        under = rule.under
    elif under is RulePhase.PENDING:
        under = RulePhase.OK
    rule = replace(_broken(rule), under=under, value=None, note=trusted(""), seen=0)
    rule = phased(rule, RulePhase.UNKNOWN, now, why)
    if quiet:
        return replace(rule, blind_mono=None), []
    since = now.mono if rule.blind_mono is None else rule.blind_mono
    rule = replace(rule, blind_mono=since)
    if rule.blind_told or now.mono - since < each.guard.blind_after:
        return rule, []
    words = safe(f"no usable value of {each.rule.title} for {age_words(now.mono - since)}: {why}", 400)
    told = _tell(f"{each.key}/blind/{now.wall:.0f}", "blind", each.key, rule.incident, now, words)
    return replace(rule, blind_told=True), [told]


def _seen(rule: RuleState, each: Watched, sample: Sample, now: Moment) -> tuple[RuleState, list[Decision]]:
    """A usable value: what was there before is there again."""
    rule = replace(
        rule,
        value=sample.value,
        note=sample.note,
        last_at=sample.at,
        last_mono=now.mono,
        seen=rule.seen + 1,
        blind_mono=rule.blind_mono if rule.blind_told else None,
    )
    if rule.phase is RulePhase.UNKNOWN:
        rule = phased(rule, rule.under, now, rule.halted or "")
    if not rule.blind_told or rule.seen < each.guard.samples:
        return rule, []
    words = safe(f"{each.rule.title} has a value again: {value_words(each.rule, rule.value)}")
    told = _tell(f"{each.key}/seeing/{now.wall:.0f}", "seeing-again", each.key, rule.incident, now, words)
    return replace(rule, blind_told=False, blind_mono=None), [told]


def _counted(rule: RuleState, each: Watched, sample: Sample, now: Moment, *, counts: bool) -> RuleState:
    """The samples in a row beyond the bound, and since when it is within the clear level."""
    assert sample.value is not None
    if not each.rule.crossed(sample.value):
        clear = _is_clear(each, sample.value)
        since = (now.mono if rule.clear_mono is None else rule.clear_mono) if clear else None
        return replace(rule, run=0, run_mono=None, run_newest=None, clear_mono=since, good_mono=now.mono)
    rule = replace(rule, clear_mono=None)
    if not counts:
        return replace(rule, run=0, run_mono=None, run_newest=None)
    if not rule.run:
        return replace(rule, run=1, run_mono=now.mono, run_newest=sample.newest)
    return replace(rule, run=rule.run + 1)


def _is_clear(each: Watched, value: float) -> bool:
    rule, ratio = each.rule, each.guard.clear_ratio
    if rule.above is not None:
        return value <= rule.above * ratio
    return rule.below is not None and value >= rule.below / ratio


def _confirmed(rule: RuleState, each: Watched, sample: Sample, now: Moment) -> bool:
    """Enough samples in a row, over long enough, and from more than one scrape."""
    if rule.run < each.guard.samples or rule.run_mono is None or now.mono - rule.run_mono < each.rule.hold:
        return False
    return rule.run_newest is None or (sample.newest is not None and sample.newest > rule.run_newest)


def _moved(
    rule: RuleState, each: Watched, sample: Sample, now: Moment, state: State
) -> tuple[RuleState, list[Decision], bool]:
    """The rule in the phase that follows, and whether something is to be decided."""
    assert sample.value is not None
    if each.rule.crossed(sample.value):
        return _beyond(rule, each, sample, now)
    within = f"{value_words(each.rule, sample.value)}, {bound_words(each.rule)}"
    if not rule.incident:
        cool = rule.cool_mono is not None and now.mono < rule.cool_mono
        rule = replace(rule, onset=0.0, onset_after=None, cool_mono=rule.cool_mono if cool else None)
        reason = f"{within}; nothing is done before its cool-down is over" if cool else within
        return phased(rule, RulePhase.COOLDOWN if cool else RulePhase.OK, now, reason), [], False
    if rule.clear_mono is None or now.mono - rule.clear_mono < each.guard.clear_for:
        return phased(rule, rule.phase, now, f"{within}; not yet clear for long enough"), [], False
    return *_closed(rule, each, now, within), False


def _beyond(rule: RuleState, each: Watched, sample: Sample, now: Moment) -> tuple[RuleState, list[Decision], bool]:
    words = f"{value_words(each.rule, sample.value)}, {bound_words(each.rule)}"
    confirmed = _confirmed(rule, each, sample, now)
    if rule.incident:
        reason = f"{words}; {rule.halted}" if rule.halted else words
        rule = phased(rule, rule.phase, now, reason)
        told: list[Decision] = []
        if confirmed and rule.phase is RulePhase.ACTED and not rule.halted:
            rule, told = _not_recovered(rule, each, now, words)
        return rule, told, confirmed and not rule.halted
    cooling = rule.cool_mono is not None and now.mono < rule.cool_mono
    if not rule.onset:
        rule = replace(rule, onset=now.wall, onset_after=_onset_after(rule, each, now))
    if not confirmed:
        since = now.mono - rule.run_mono if rule.run_mono is not None else 0.0
        enough = min(rule.run, each.guard.samples)
        reason = f"{words}, for {since:.0f}s of {each.rule.hold:.0f}s, {enough} of {each.guard.samples} samples"
        return phased(rule, RulePhase.COOLDOWN if cooling else RulePhase.PENDING, now, reason), [], False
    rule = replace(
        rule, incident=incident_id(each, rule.onset), told=(), acted=(), attempts={}, halted=trusted("")
    )
    rule = phased(rule, RulePhase.CONFIRMED, now, words)
    if not cooling:
        return rule, [], True
    why = trusted("it is beyond its bound again within the cool-down of its last rollback")
    rule = replace(rule, halted=why)
    id = f"{rule.incident}/again"
    asked = _tell(id, "ask-human", each.key, rule.incident, now, safe(f"{words}: {why}", 400), page=True)
    return replace(rule, told=(*rule.told, "again")), [asked], False


def _onset_after(rule: RuleState, each: Watched, now: Moment) -> float | None:
    """For the first value beyond the bound: None when the onset was seen, else since when it may have been, by the
    wall clock as it is now."""
    if rule.good_mono is None:
        return 0.0
    passed = now.mono - rule.good_mono
    return None if passed <= max(UNSEEN, _GAP * each.guard.interval) else now.wall - passed


def _not_recovered(rule: RuleState, each: Watched, now: Moment, words: str) -> tuple[RuleState, list[Decision]]:
    rule = phased(rule, RulePhase.CONFIRMED, now, words)
    marker = f"not-recovered:{len(rule.acted)}"
    if marker in rule.told:
        return rule, []
    flags = ", ".join(safe(flag, 80) for flag in rule.acted)
    summary = safe(f"rolling back {flags} did not help: {words}", 400)
    id = f"{rule.incident}/{marker}"
    told = _tell(id, "not-recovered", each.key, rule.incident, now, summary, rule.acted[::-1], page=True)
    return replace(rule, told=(*rule.told, marker)), [told]


def _closed(rule: RuleState, each: Watched, now: Moment, within: str) -> tuple[RuleState, list[Decision]]:
    """The end of an incident, told if anything of it was."""
    decisions: list[Decision] = []
    if rule.told or rule.acted:
        after = f" after {', '.join(safe(flag, 80) for flag in rule.acted)} was rolled back" if rule.acted else ""
        summary = safe(f"{each.rule.title} is back{after}: {within} for {age_words(each.guard.clear_for)}", 400)
        id = f"{rule.incident}/recovered"
        decisions.append(
            _tell(id, "recovered", each.key, rule.incident, now, summary, rule.acted[::-1], resolved=True)
        )
    cool = now.mono + each.guard.cooldown if rule.acted else rule.cool_mono
    cooling = cool is not None and now.mono < cool
    rule = replace(
        rule,
        incident="",
        onset=0.0,
        onset_after=None,
        acted=(),
        attempts={},
        told=(),
        halted=trusted(""),
        wait_mono=None,
        cool_mono=cool if cooling else None,
    )
    reason = f"{within}; nothing is done before its cool-down is over" if cooling else within
    return phased(rule, RulePhase.COOLDOWN if cooling else RulePhase.OK, now, reason), decisions
