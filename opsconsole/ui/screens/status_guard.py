"""The lines of the Status screen about the guard: whether it does its work, and where each of its rules is."""

from __future__ import annotations

from collections.abc import Iterable

from rich.text import Text

from opsconsole.model.guard import RulePhase, RuleStatus
from opsconsole.model.guardstatus import is_over
from opsconsole.model.verdicts import Level
from opsconsole.render.glyphs import LEVEL_STYLES, Glyphs
from opsconsole.render.row import Row, width_of
from opsconsole.render.theme import Theme
from opsconsole.render.times import ago
from opsconsole.state.snapshot import Snapshot
from opsconsole.text import SafeText, safe

PHASE_LEVELS = {
    RulePhase.OK: Level.OK,
    RulePhase.PENDING: Level.WARNING,
    RulePhase.CONFIRMED: Level.CRITICAL,
    RulePhase.ACTED: Level.WARNING,
    RulePhase.COOLDOWN: Level.WARNING,
    RulePhase.UNKNOWN: Level.UNKNOWN,
    RulePhase.DISARMED: Level.WARNING,
}

_COARSE = 60.0


def rule_lines(
    snapshot: Snapshot, *, width: int, theme: Theme, glyphs: Glyphs
) -> Iterable[tuple[str, Text, SafeText]]:
    """Key, line and whole text of each rule of the guard that was seen; nothing when none was."""
    reading = snapshot.guard
    status = reading.data.status if reading is not None and reading.data is not None else None
    if reading is None or status is None:
        return
    known = reading.known(snapshot.now) and not is_over(status, snapshot.now)
    names = min(30 if width >= 100 else 24, max((width_of(_name(rule)) for rule in status.rules), default=0))
    for rule in status.rules:
        level = PHASE_LEVELS[rule.phase] if known else Level.UNKNOWN
        row = Row(width, glyphs)
        row.space()
        row.add(f"{glyphs.level(level)} ", theme[LEVEL_STYLES[level]])
        phase = rule.phase.value if known else f"was {rule.phase.value}"
        row.add(phase, theme[LEVEL_STYLES[level]], 10 if known else 14)
        row.space()
        row.add(_name(rule), None, names)
        row.space()
        row.add(_words(rule, snapshot.now), theme["dim"], max(0, row.left))
        whole = safe(f"{_name(rule)}: {phase}, {_words(rule, snapshot.now)}")
        yield f"guard.{rule.system}.{rule.rule}", row.done(), whole


def _name(rule: RuleStatus) -> SafeText:
    return safe(f"{rule.system}/{rule.rule}", 100)


def _words(rule: RuleStatus, now: float) -> SafeText:
    """What is known of it besides its phase. A long time is told coarsely: a quiet screen stays as it is."""
    lasted = max(0.0, now - rule.since)
    since = f"for {ago(lasted - lasted % _COARSE) if lasted >= _COARSE else 'under 1m'}" if rule.since else ""
    value = f"value {rule.value:.4g}" if rule.value is not None else "no value"
    return safe(", ".join(part for part in (value, since, rule.reason, rule.title) if part), 300)
