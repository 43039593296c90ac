"""How the alerts that a Prometheus has loaded differ from those of the playbooks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from opsconsole.model.durations import duration_text
from opsconsole.model.expressions import same_meaning
from opsconsole.model.playbook import Playbook, RuleSpec
from opsconsole.model.rules import Rule, RuleGroup


class Difference(msgspec.Struct, frozen=True):
    """One part of an alert (`expr`, `for` or `severity`), raw: as the playbook says it and as it is loaded."""

    part: str
    wanted: str
    loaded: str


def differences(spec: RuleSpec, rule: Rule) -> tuple[Difference, ...]:
    """What a loaded rule does differently; white space, superfluous parentheses and other ways to write the
    same thing do not count."""
    found = []
    if not same_meaning(spec.expr, rule.query):
        found.append(Difference("expr", " ".join(spec.expr.split()), " ".join(rule.query.split())))
    if abs(spec.hold - rule.duration) > 0.0005:
        found.append(Difference("for", duration_text(spec.hold), duration_text(rule.duration)))
    severity = str(rule.labels.get("severity", ""))
    if spec.severity != severity:
        found.append(Difference("severity", spec.severity or "none", severity or "none"))
    return tuple(found)


def loaded_rules(playbooks: Sequence[Playbook], groups: Iterable[RuleGroup]) -> Mapping[tuple[str, str], Rule]:
    """The loaded rule of each alert, by system and name. Playbooks may give different alerts the same name: each
    gets the rule that is as it says, and only then one that nobody else claims."""
    by_name: dict[str, list[Rule]] = {}
    for group in groups:
        for rule in group.rules:
            by_name.setdefault(str(rule.name), []).append(rule)
    found: dict[tuple[str, str], Rule] = {}
    claimed: set[int] = set()
    for playbook in playbooks:
        for spec in playbook.rules:
            same = [r for r in by_name.get(spec.name, []) if id(r) not in claimed and not differences(spec, r)]
            if same:
                found[playbook.system, spec.name] = same[0]
                claimed.add(id(same[0]))
    for playbook in playbooks:
        for name in playbook.alert_names:
            free = [r for r in by_name.get(name, []) if id(r) not in claimed]
            if free and (playbook.system, name) not in found:
                found[playbook.system, name] = free[0]
                claimed.add(id(free[0]))
    return found
