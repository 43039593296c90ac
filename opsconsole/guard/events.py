"""What the guard decided, as what people are told: each with all that is known of its incident."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from opsconsole.guard.decisions import Tell, Watched, Would
from opsconsole.guard.state import Act, State
from opsconsole.guard.words import bound_words, clock_words, value_words
from opsconsole.model.flags import RollbackPlan
from opsconsole.model.guard import GuardEvent
from opsconsole.model.guard_words import restore_command
from opsconsole.text import SafeText, safe, trusted

_KEPT = 20
"""Incidents whose timeline is kept."""


class EventMaker:
    """Makes events of one context, and keeps the timelines of their incidents in the state."""

    def __init__(self, context: str, watched: Sequence[Watched]) -> None:
        self._context = context
        self._watched: Mapping[str, Watched] = {each.key: each for each in watched}

    def decided(self, state: State, act: Act) -> tuple[State, GuardEvent]:
        words = safe(f"decided to roll back {safe(act.flag, 80)} ({act.kind.value})", 300)
        return self._make(state, f"{act.id}/decided", "decided", act.rule, act.incident, act.at, words, act=act)

    def would(self, state: State, would: Would, plan: RollbackPlan | SafeText) -> tuple[State, GuardEvent]:
        """`plan` is what would have been written, or why that cannot be told."""
        act = would.act
        words = f"would roll back {safe(act.flag, 80)}, but writes nothing: {would.permission.why}"
        if not isinstance(plan, RollbackPlan):
            words += f" (and it could not: {plan})"
        diff = plan.diff if isinstance(plan, RollbackPlan) else trusted("")
        kind = "would-roll-back"
        state, event = self._make(
            state, f"{act.id}/would", kind, act.rule, act.incident, act.at, safe(words, 600), act=act
        )
        return state, replace(event, diff=diff)

    def told(self, state: State, tell: Tell, diff: SafeText, verified: SafeText) -> tuple[State, GuardEvent]:
        """`diff` and `verified` are of the rollback that it tells of, "" for none."""
        flag = tell.flags[0] if tell.flags else ""
        state, event = self._make(
            state,
            tell.id,
            tell.kind,
            tell.rule,
            tell.incident or f"{tell.rule.replace('/', '-')}-sight",
            tell.at,
            tell.summary,
            flag=flag,
            act=tell.act,
        )
        undo = restore_command(self._context, flag) if tell.kind in _DONE and flag else trusted("")
        return state, replace(
            event, page=tell.page, resolved=tell.resolved, diff=diff, verified=verified, undo=undo
        )

    def _make(
        self,
        state: State,
        id: str,
        kind: str,
        rule: str,
        incident: str,
        at: float,
        summary: SafeText,
        *,
        flag: str = "",
        act: Act | None = None,
    ) -> tuple[State, GuardEvent]:
        known = state.rules.get(rule)
        each = self._watched.get(rule)
        lines = state.timelines.get(incident, ())
        if not lines and known is not None and known.onset:
            lines = (safe(f"{clock_words(known.onset)} the first value beyond the bound"),)
        if act is not None and act.changed and not any("was changed" in line for line in lines):
            lines = (_changed(act), *lines)
        lines = (*lines, safe(f"{clock_words(at)} {summary}", 700))
        kept = {**state.timelines}
        kept.pop(incident, None)
        kept[incident] = lines
        state = replace(state, timelines=dict(list(kept.items())[-_KEPT:]))
        return state, GuardEvent(
            id=id,
            at=at,
            kind=kind,
            incident=incident,
            system=rule.partition("/")[0],
            context=self._context,
            rule=rule.partition("/")[2],
            title=each.rule.title if each is not None else safe(rule, 80),
            summary=summary,
            flag=safe(flag or (act.flag if act is not None else ""), 200),
            value=value_words(each.rule, known.value) if each is not None and known is not None else trusted(""),
            bound=bound_words(each.rule) if each is not None else trusted(""),
            change=_changed(act) if act is not None and act.changed else trusted(""),
            timeline=lines,
        )


_DONE = frozenset({"rolled-back", "recovered", "not-recovered"})


def _changed(act: Act) -> SafeText:
    return safe(f"{clock_words(act.changed)} {safe(act.flag, 80)} was changed: {act.change}", 400)
