"""Are the alerting rules loaded, healthy and evaluated lately?"""

from __future__ import annotations

from collections.abc import Iterator

from opsconsole.checks.base import Check
from opsconsole.checks.sources import unknown
from opsconsole.model.rules import RuleGroup
from opsconsole.model.verdicts import Level, Verdict
from opsconsole.state.snapshot import Snapshot
from opsconsole.text import safe, trusted


def check_rules(snapshot: Snapshot) -> Iterator[Verdict]:
    """One verdict on the health of all rules, and one on each playbook's alerts being loaded."""
    reading = snapshot.rules
    if reading is None:
        return
    if not reading.known(snapshot.now) or reading.data is None:
        yield unknown("rules", trusted("Alerting rules are healthy"), reading, snapshot.now)
        return
    yield _health(reading.data, snapshot.now)
    loaded = {rule.name for group in reading.data for rule in group.rules}
    for playbook in snapshot.playbooks:
        missing = [safe(name, 80) for name in playbook.alerts if name not in loaded]
        system = safe(playbook.system, 40)
        yield Verdict(
            id=f"rules.loaded.{system}",
            title=trusted(f"The alerts of {system} are loaded"),
            level=Level.CRITICAL if missing else Level.OK,
            reason=trusted(f"not loaded: {', '.join(missing)}" if missing else f"{len(playbook.alerts)} loaded"),
            hint=trusted("add the playbook's rules.yaml to rule_files" if missing else ""),
        )


def _health(groups: tuple[RuleGroup, ...], now: float) -> Verdict:
    id, title = "rules.health", trusted("Alerting rules are healthy")
    rules = [rule for group in groups for rule in group.rules]
    if not rules:
        return Verdict(
            id=id,
            title=title,
            level=Level.UNKNOWN,
            reason=trusted("Prometheus has no alerting rule: nothing can fire"),
            hint=trusted("check rule_files"),
        )
    failing = [rule for rule in rules if rule.health not in ("ok", "unknown")]
    if failing:
        return Verdict(
            id=id,
            title=title,
            level=Level.CRITICAL,
            reason=trusted(f"{len(failing)} of {len(rules)} fail: {failing[0].name}"),
            evidence=tuple(trusted(f"{r.name}: {r.last_error}") for r in failing),
        )
    waiting = [rule for rule in rules if rule.health == "unknown"]
    if waiting:
        return Verdict(
            id=id,
            title=title,
            level=Level.UNKNOWN,
            reason=trusted(f"{len(waiting)} of {len(rules)} not evaluated yet: {waiting[0].name}"),
        )
    late = [g for g in groups if g.rules and now - g.last_evaluation.timestamp() > max(60.0, 3 * g.interval)]
    if late:
        return Verdict(
            id=id,
            title=title,
            level=Level.UNKNOWN,
            reason=trusted(f"group {late[0].name} was not evaluated lately"),
            evidence=tuple(trusted(f"{g.name}: last at {g.last_evaluation:%H:%M:%S} UTC") for g in late),
        )
    return Verdict(id=id, title=title, level=Level.OK, reason=trusted(f"{len(rules)} rules"))


CHECKS = (
    Check(
        id="rules",
        group="rules",
        title=trusted("Alerting rules are healthy"),
        explains="Every alerting rule was evaluated lately and without an error, and every alert of a playbook is "
        "loaded (else CRITICAL). UNKNOWN when there is no rule at all.",
        needs=frozenset({"rules"}),
        run=check_rules,
    ),
)
