"""What to do about a rule that is confirmed: act, say what would be done, wait, or ask a person."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from opsconsole.guard.candidates import FlagView, Standing, Suspect, suspects
from opsconsole.guard.decisions import Decision, Look, Report, Tell, Watched, Would
from opsconsole.guard.samples import slow_within
from opsconsole.guard.state import LEFT_ALONE, Act, Acted, Moment, RuleState, State
from opsconsole.guard.words import age_words, bound_words, clock_words, value_words
from opsconsole.model.guard import RulePhase
from opsconsole.text import SafeText, safe, trusted

HOUR = 3600.0

ATTEMPTS = 3
"""How often the rollback of one flag is tried in an incident, when it is certain that nothing was written."""

PATIENCE = 10.0
"""Seconds beyond a rule's hold that flags which are not known are waited for, before a person is asked."""

SETTLE_SLACK = 30.0
"""Seconds that are waited beyond propagation and window: for two scrapes."""

UNSETTLED = 60.0
"""Seconds after its decision when people are told that nobody knows what became of a rollback."""

_SHOWN = 5
"""Suspects that one message names."""


def settle_time(watched: Watched, view: FlagView) -> float:
    """How long after a flag changed a rule's value may still show what was before, seconds."""
    return view.propagation + slow_within(watched.rule.expr) + SETTLE_SLACK


def choose(state: State, each: Watched, look: Look) -> tuple[State, list[Decision]]:
    """What follows from a rule's being confirmed, with its run of samples as it stands."""
    chooser = _Choice(state, each, look)
    chooser.decide()
    return chooser.state, chooser.decisions


class _Choice:
    """The work of `choose`: `state` is the state so far."""

    def __init__(self, state: State, each: Watched, look: Look) -> None:
        self.state = state
        self.decisions: list[Decision] = []
        self._each = each
        self._look = look

    @property
    def _rule(self) -> RuleState:
        return self.state.rules[self._each.key]

    def _keep(self, rule: RuleState) -> None:
        self.state = replace(self.state, rules={**self.state.rules, self._each.key: rule})

    def decide(self) -> None:
        pending, view = self.state.pending, self._look.view
        if pending is not None:
            return self._unsettled(pending)
        if view.flags is None or view.problem:
            words = f"the flags are not known: {view.problem or 'they were not read'}"
            return self._reason(words) if self._patient() else self._ask("flags", words)
        found = self._suspects()
        held = [s for s in found if s.standing is Standing.HELD and f"held:{s.key}" not in self._rule.told]
        if held:
            return self._wait(held)
        unseen = [s for s in found if s.standing is Standing.UNSEEN]
        eligible = [s for s in found if s.standing is Standing.ELIGIBLE]
        if unseen:
            return self._uncertain(unseen, [s for s in found if s in unseen or s in eligible])
        if not eligible:
            return self._nobody(found)
        return self._limits(eligible, found)

    def _unsettled(self, act: Act) -> None:
        """Another guard began it, and it is not known what became of that: nothing else is done meanwhile."""
        age, name = self._look.now.mono - act.at_mono, safe(act.flag, 80)
        if age < UNSETTLED:
            return self._reason(f"waiting for the rollback of {name}")
        words = (
            f"another guard has not said for {age_words(age)} whether it rolled back {name}, and may still do so"
        )
        return self._ask(f"unsettled:{act.flag}", words)

    def _patient(self) -> bool:
        """Whether a provider that does not answer may still do so in time."""
        began = self._rule.run_mono
        return began is not None and self._look.now.mono - began < self._each.rule.hold + PATIENCE

    def _suspects(self) -> tuple[Suspect, ...]:
        guard, now = self._each.guard, self._look.now
        cooling = {
            act.flag: trusted(f"it was rolled back {age_words(now.mono - act.at_mono)} ago")
            for act in self.state.acts
            if now.mono - act.at_mono < guard.cooldown
        }
        alone = dict.fromkeys(self.state.left_alone, trusted("a person changed what the guard did to it"))
        rule, view = self._rule, self._look.view
        return suspects(guard, view, rule.onset, onset_after=rule.onset_after, left_alone=alone, cooling=cooling)

    def _began(self) -> str:
        """When the breach began, if nobody saw that; "" if somebody did."""
        after, first = self._rule.onset_after, clock_words(self._rule.onset)
        if after is None:
            return ""
        when = f"between {clock_words(after)} and {first}" if after else f"before {first}"
        return f"the breach began while nobody looked, {when}"

    def _uncertain(self, unseen: Sequence[Suspect], about: Sequence[Suspect]) -> None:
        """What changed while nobody looked may be what someone did about it: nothing is done without a person."""
        names = ", ".join(suspect.name for suspect in unseen[:_SHOWN])
        within = "within that" if self._rule.onset_after else "shortly before that"
        self._ask("unseen", f"{self._began()}; {names} changed {within}", about)

    def _wait(self, held: Sequence[Suspect]) -> None:
        """A person is at it: what that does is waited for, once for each flag."""
        settle = settle_time(self._each, self._look.view)
        names = ", ".join(suspect.name for suspect in held)
        for suspect in held:
            words = f"{suspect.name} was changed by someone since the onset and is left alone"
            self._tell("disarmed", f"held:{suspect.key}", words, [suspect])
        self._keep(replace(self._rule, wait_mono=self._look.now.mono + settle, run=0, run_mono=None))
        self._reason(f"{names} was changed since the onset: waiting {settle:.0f}s for what that does")

    def _nobody(self, found: Sequence[Suspect]) -> None:
        proposed = [s for s in found if s.standing is Standing.PROPOSED]
        if proposed:
            words = "; ".join(f"{s.name}: {s.change.summary} ({s.why})" for s in proposed[:_SHOWN])
            return self._ask("proposal", f"a person has to decide, undoing is proposed: {words}", proposed)
        since = age_words(self._each.guard.look_back)
        words = f"no flag that may be rolled back was changed within {since} before the onset"
        if self._look.view.known_since > self._rule.onset - self._each.guard.look_back:
            words += f", as far as is known: nobody looked before {clock_words(self._look.view.known_since)}"
        if self._rule.onset_after is not None:
            words += f"; {self._began()}"
        if found:
            words += "; " + "; ".join(f"{s.name}: {s.why}" for s in found[:_SHOWN])
        if not self._rule.acted:  # that what was done did not help is told already
            self._tell("no-candidate", "no-candidate", words, found, page=True)
        return self._reason("no flag explains it")

    def _limits(self, eligible: Sequence[Suspect], found: Sequence[Suspect]) -> None:
        guard, rule, now = self._each.guard, self._rule, self._look.now
        flags = len({*(s.key for s in eligible), *rule.acted})
        if flags > guard.max_flags:
            names = ", ".join(s.name for s in eligible[:_SHOWN])
            words = f"{flags} flags may be the cause, at most {guard.max_flags} may be rolled back: {names}"
            return self._ask("candidates", words, eligible, halt=True)
        lately = sum(1 for act in self.state.acts if now.mono - act.at_mono < HOUR)
        if lately >= guard.max_actions:
            words = f"{lately} rollbacks within an hour, at most {guard.max_actions} are allowed"
            return self._ask("actions", words, eligible, halt=True)
        act = self._act(eligible[0])
        permission = self._look.permission
        if not permission.granted:
            marker = f"{'follows' if permission.follower else 'would'}:{act.flag}"
            if marker not in rule.told:
                self._keep(replace(rule, told=(*rule.told, marker)))
                self.decisions.append(Would(act=act, permission=permission))
            return self._reason(f"would roll back {eligible[0].name}: {permission.why}")
        attempts = {**rule.attempts, act.flag: rule.attempts.get(act.flag, 0) + 1}
        self._keep(replace(rule, attempts=attempts))
        self.state = replace(self.state, pending=act)
        self.decisions.append(act)
        return self._reason(f"rolling back {eligible[0].name}")

    def _act(self, suspect: Suspect) -> Act:
        rule, now = self._rule, self._look.now
        assert suspect.flag is not None
        number = rule.attempts.get(suspect.key, 0) + 1
        return Act(
            id=f"{rule.incident}/{suspect.key}/{number}",
            rule=self._each.key,
            incident=rule.incident,
            flag=suspect.key,
            kind=self._each.guard.kind,
            expected=suspect.flag.content_hash,
            at=now.wall,
            at_mono=now.mono,
            breach=rule.onset,
            change=suspect.change.summary,
            changed=suspect.change.at,
        )

    def _ask(self, marker: str, words: str, about: Sequence[Suspect] = (), *, halt: bool = False) -> None:
        self._tell("ask-human", marker, words, about, page=True)
        if halt:
            self._keep(replace(self._rule, halted=safe(f"a person was asked: {words}", 300)))
        self._reason(words)

    def _tell(
        self, kind: str, marker: str, words: str, about: Sequence[Suspect] = (), *, page: bool = False
    ) -> None:
        """Say it, once in an incident."""
        rule, now = self._rule, self._look.now
        if marker in rule.told:
            return
        value = value_words(self._each.rule, rule.value)
        self._keep(replace(rule, told=(*rule.told, marker)))
        self.decisions.append(
            Tell(
                id=f"{rule.incident}/{marker}",
                kind=kind,
                rule=self._each.key,
                incident=rule.incident,
                at=now.wall,
                summary=safe(f"{value}, {bound_words(self._each.rule)}: {words}", 600),
                page=page,
                flags=tuple(suspect.key for suspect in about),
            )
        )

    def _reason(self, words: str) -> None:
        rule = self._rule
        value = value_words(self._each.rule, rule.value)
        self._keep(replace(rule, reason=safe(f"{value}, {bound_words(self._each.rule)}; {words}", 400)))


def report(state: State, outcome: Report, propagation: float) -> tuple[State, tuple[Decision, ...]]:
    """The state after what became of the pending act. A report of any other act changes nothing."""
    act = state.pending
    if act is None or act.id != outcome.id:
        return state, ()
    state = replace(state, pending=None)
    rule = state.rules.get(act.rule) or RuleState(incident=act.incident)
    rule = replace(rule, run=0, run_mono=None, clear_mono=None)
    if outcome.code in ("done", "unknown"):
        return _written(state, rule, act, outcome, propagation)
    return _not_written(state, rule, act, outcome)


def _written(
    state: State, rule: RuleState, act: Act, outcome: Report, propagation: float
) -> tuple[State, tuple[Decision, ...]]:
    now, name = outcome.at, safe(act.flag, 80)
    acted = Acted(
        id=act.id,
        rule=act.rule,
        incident=act.incident,
        flag=act.flag,
        at=now.wall,
        at_mono=now.mono,
        settled_mono=now.mono + propagation + SETTLE_SLACK,
        before=outcome.before or act.expected,
        after=outcome.after,
        result=outcome.result,
    )
    state = replace(state, acts=(*state.acts, acted))
    rule = replace(rule, acted=(*rule.acted, act.flag))
    if outcome.code == "done":
        named = name in outcome.message
        words = outcome.message if named else f"rolled back {name}: {outcome.message}"
        told = _told(act, now, "rolled-back", safe(words, 600))
        rule = _as(rule, RulePhase.ACTED, now, f"{name} was rolled back; watching whether that helps")
    else:
        why = safe(f"it is not known whether {name} was rolled back: {outcome.message}", 600)
        told = _told(act, now, "ask-human", why, page=True)
        rule = replace(_as(rule, RulePhase.ACTED, now, why), halted=why)
    return replace(state, rules={**state.rules, act.rule: rule}), (told,)


def _not_written(state: State, rule: RuleState, act: Act, outcome: Report) -> tuple[State, tuple[Decision, ...]]:
    now, name = outcome.at, safe(act.flag, 80)
    if outcome.code == "conflict":
        words = safe(f"{name} was changed since it was decided to roll it back, and is left alone", 400)
        state = replace(state, left_alone={**state.left_alone, act.flag: now.mono + LEFT_ALONE})
        rule = replace(_as(rule, RulePhase.DISARMED, now, words), halted=words)
        marker, told = f"held:{act.flag}", _told(act, now, "disarmed", words, page=True)
    else:
        words = safe(f"{name} was not rolled back: {outcome.message}", 600)
        rule = _as(rule, RulePhase.CONFIRMED, now, words)
        if outcome.code == "refused" or (outcome.code == "failed" and rule.attempts.get(act.flag, 0) >= ATTEMPTS):
            rule = replace(rule, halted=words)
        marker = f"{outcome.code if outcome.code in ('stopped', 'dropped') else 'failed'}:{act.flag}"
        told = _told(act, now, "not-rolled-back", words, page=outcome.code != "dropped")
    decisions = () if marker in rule.told else (told,)
    rule = replace(rule, told=(*rule.told, *(() if marker in rule.told else (marker,))))
    return replace(state, rules={**state.rules, act.rule: rule}), decisions


def _told(act: Act, now: Moment, kind: str, words: SafeText, *, page: bool = False) -> Tell:
    return Tell(
        id=f"{act.id}/{kind}",
        kind=kind,
        rule=act.rule,
        incident=act.incident,
        at=now.wall,
        summary=words,
        page=page,
        flags=(act.flag,),
        act=act,
    )


def _as(rule: RuleState, phase: RulePhase, now: Moment, reason: str) -> RuleState:
    if rule.phase is RulePhase.UNKNOWN:
        return replace(rule, under=phase)
    return replace(rule, phase=phase, since=now.wall, reason=safe(reason, 400))
