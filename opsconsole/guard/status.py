"""A guard's state as it is told to others."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from opsconsole.guard.decisions import Watched
from opsconsole.guard.state import Moment, RuleState, State
from opsconsole.model.guard import GuardStatus, RulePhase, RuleStatus
from opsconsole.text import SafeText, safe


def status_of(base: GuardStatus, state: State, watched: Sequence[Watched], now: Moment) -> GuardStatus:
    """The status at `now`, with every rule's phase; what the machine does not know is as in `base`."""
    rules = tuple(_rule(each, state.rules.get(each.key) or RuleState(since=base.started)) for each in watched)
    blind = [rule.blind_mono for rule in state.rules.values() if rule.blind_mono is not None]
    since = now.wall - (now.mono - min(blind)) if blind else None
    return replace(base, at=now.wall, rules=rules, blind_since=since)


def blinded(status: GuardStatus, since: float, why: SafeText) -> GuardStatus:
    """The status of a guard whose rounds fail since then: what its rules were is no longer known."""
    rules = tuple(
        replace(rule, phase=RulePhase.UNKNOWN, value=None, reason=safe(f"the last round failed: {why}", 400))
        for rule in status.rules
    )
    return replace(status, rules=rules, blind_since=min(since, status.blind_since or since))


def _rule(each: Watched, rule: RuleState) -> RuleStatus:
    return RuleStatus(
        rule=each.rule.id,
        system=each.system,
        title=each.rule.title,
        phase=rule.phase,
        since=rule.since,
        value=rule.value,
        reason=rule.reason,
    )
