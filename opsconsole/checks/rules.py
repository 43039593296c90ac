"""Are the alerting rules loaded, healthy and evaluated lately?"""

from __future__ import annotations

from collections.abc import Iterator

from opsconsole.checks.base import Check
from opsconsole.checks.doubt import CLOCK, MAX_SKEW, follows, skew_of
from opsconsole.model.ruledrift import loaded_rules
from opsconsole.model.rules import Rule, RuleGroup
from opsconsole.model.runbooks import leads_to_runbook
from opsconsole.model.verdicts import Level, Verdict
from opsconsole.state.snapshot import Snapshot
from opsconsole.text import SafeText, safe, trusted

READ = "rules.read"
_EVALUATED = "rules.evaluated"
_NEEDS = frozenset({"rules"})


def check_read(snapshot: Snapshot) -> Iterator[Verdict]:
    """Whether Prometheus tells its rules at all."""
    reading, title = snapshot.rules, trusted("Prometheus tells its rules")
    if reading is None:
        return
    if not reading.known(snapshot.now) or reading.data is None:
        yield follows(READ, title, reading, snapshot, what="its rules")
        return
    count = sum(len(group.rules) for group in reading.data)
    if not count:
        yield Verdict(
            id=READ,
            title=title,
            level=Level.UNKNOWN,
            reason=trusted("Prometheus has no alerting rule: nothing can fire"),
            hint=trusted("check rule_files"),
        )
        return
    reason = trusted(f"{count} alerting rules in {len(reading.data)} groups")
    yield Verdict(id=READ, title=title, level=Level.OK, reason=reason)


def known_groups(snapshot: Snapshot) -> tuple[RuleGroup, ...] | None:
    """The groups, None when they may not be believed."""
    reading = snapshot.rules
    return reading.data if reading is not None and reading.known(snapshot.now) else None


def dark(id: str, title: SafeText, snapshot: Snapshot) -> Iterator[Verdict]:
    """The verdict of a check of rules when these are not known: nothing without a Prometheus."""
    if snapshot.rules is not None:
        yield follows(id, title, snapshot.rules, snapshot, READ, "its rules")


def check_health(snapshot: Snapshot) -> Iterator[Verdict]:
    """Whether the last evaluation of every alerting rule went well."""
    id, title = "rules.health", trusted("Alerting rules are healthy")
    groups = known_groups(snapshot)
    if groups is None:
        yield from dark(id, title, snapshot)
        return
    rules = [rule for group in groups for rule in group.rules]
    failing = [rule for rule in rules if rule.health not in ("ok", "unknown")]
    waiting = [rule for rule in rules if rule.health == "unknown"]
    if failing:
        yield Verdict(
            id=id,
            title=title,
            level=Level.CRITICAL,
            reason=trusted(f"{len(failing)} of {len(rules)} fail: {failing[0].name}"),
            evidence=tuple(trusted(f"{r.name}: {r.last_error}") for r in failing),
            hint=trusted("an alert whose rule fails cannot fire: correct its expression"),
        )
    elif waiting or not rules:
        yield Verdict(
            id=id,
            title=title,
            level=Level.UNKNOWN,
            reason=_waiting(waiting, len(rules)) if waiting else trusted("there is no rule"),
            because=_EVALUATED if waiting else READ,
        )
    else:
        yield Verdict(id=id, title=title, level=Level.OK, reason=trusted(f"{len(rules)} rules"))


def _waiting(waiting: list[Rule], count: int) -> SafeText:
    return trusted(f"{len(waiting)} of {count} not evaluated yet: {waiting[0].name}")


def check_evaluated(snapshot: Snapshot) -> Iterator[Verdict]:
    """Whether every group was evaluated within three of its intervals, by the clock of Prometheus."""
    id, title = _EVALUATED, trusted("Alerting rules are evaluated in time")
    groups = known_groups(snapshot)
    if groups is None:
        yield from dark(id, title, snapshot)
        return
    rules = [rule for group in groups for rule in group.rules]
    waiting = [rule for rule in rules if rule.health == "unknown"]
    skew = skew_of(snapshot)
    now = snapshot.now + skew
    late = [g for g in groups if g.rules and now - g.last_evaluation.timestamp() > max(60.0, 3 * g.interval)]
    late = [g for g in late if any(rule.health != "unknown" for rule in g.rules)]
    if waiting:
        yield Verdict(id=id, title=title, level=Level.UNKNOWN, reason=_waiting(waiting, len(rules)))
    elif late:
        yield Verdict(
            id=id,
            title=title,
            level=Level.UNKNOWN,
            reason=trusted(f"group {late[0].name} was not evaluated lately"),
            evidence=tuple(trusted(f"{g.name}: last at {g.last_evaluation:%H:%M:%S} UTC") for g in late),
            hint=trusted("Prometheus is overloaded, or has been paused"),
            because=CLOCK if abs(skew) > MAX_SKEW else "",
        )
    elif rules:
        yield Verdict(id=id, title=title, level=Level.OK, reason=trusted(f"{len(groups)} groups"))
    else:
        reason = trusted("there is no rule")
        yield Verdict(id=id, title=title, level=Level.UNKNOWN, reason=reason, because=READ)


def check_loaded(snapshot: Snapshot) -> Iterator[Verdict]:
    """One verdict on each playbook's alerts being loaded."""
    groups = known_groups(snapshot)
    loaded = loaded_rules(snapshot.playbooks, groups or ())
    for playbook in snapshot.playbooks:
        system = safe(playbook.system, 40)
        id, title = f"rules.loaded.{system}", trusted(f"The alerts of {system} are loaded")
        names = playbook.alert_names
        if playbook.rules_problem:
            reason = trusted(f"the rules.yaml of {system} cannot be used")
            evidence = (playbook.rules_problem,)
            yield Verdict(id=id, title=title, level=Level.UNKNOWN, reason=reason, evidence=evidence)
        elif groups is None:
            yield from dark(id, title, snapshot) if names else ()
        elif names:
            missing = [safe(name, 80) for name in names if loaded.get((playbook.system, name)) is None]
            yield Verdict(
                id=id,
                title=title,
                level=Level.CRITICAL if missing else Level.OK,
                reason=trusted(f"not loaded: {', '.join(missing)}" if missing else f"{len(names)} loaded"),
                hint=trusted("add the playbook's rules.yaml to rule_files" if missing else ""),
            )


def check_runbooks(snapshot: Snapshot) -> Iterator[Verdict]:
    """One verdict for each playbook: every alert leads to one of its runbooks."""
    groups = known_groups(snapshot)
    loaded = loaded_rules(snapshot.playbooks, groups or ())
    for playbook in snapshot.playbooks:
        if not playbook.rules:
            continue
        system = safe(playbook.system, 40)
        id, title = f"rules.runbook.{system}", trusted(f"The alerts of {system} have runbooks")
        if groups is None:
            yield from dark(id, title, snapshot)
            continue
        evidence = []
        for spec in playbook.rules:
            rule = loaded.get((playbook.system, spec.name))
            url = rule.annotations.get("runbook_url", trusted("")) if rule is not None else trusted("")
            if url and not leads_to_runbook(url, playbook.runbook_names):
                evidence.append(trusted(f"{safe(spec.name, 80)}: {safe(url, 200)} is no runbook of the playbook"))
            elif not url and not spec.has_runbook:
                evidence.append(trusted(f"{safe(spec.name, 80)}: no runbook_url, and no runbook of its name"))
        yield Verdict(
            id=id,
            title=title,
            level=Level.WARNING if evidence else Level.OK,
            reason=evidence[0] if evidence else trusted(f"{len(playbook.rules)} alerts have one"),
            evidence=tuple(evidence),
            hint=trusted("annotate the alert with the URL of a file of runbooks/" if evidence else ""),
        )


def check_strangers(snapshot: Snapshot) -> Iterator[Verdict]:
    """The alerts that no playbook knows: only a warning when a playbook asks for that (`strict`), because a
    Prometheus may well serve others too."""
    id, title = "rules.unknown", trusted("A playbook knows every loaded alert")
    if not any(playbook.alert_names for playbook in snapshot.playbooks):
        return
    groups = known_groups(snapshot)
    if groups is None:
        yield from dark(id, title, snapshot)
        return
    known = {name for playbook in snapshot.playbooks for name in playbook.alert_names}
    names = dict.fromkeys(rule.name for group in groups for rule in group.rules if rule.name not in known)
    strict = any(playbook.strict for playbook in snapshot.playbooks)
    count = f"{len(names)} alert is" if len(names) == 1 else f"{len(names)} alerts are"
    first = ", ".join([*names][:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    yield Verdict(
        id=id,
        title=title,
        level=Level.WARNING if names and strict else Level.OK,
        reason=trusted(f"{count} in no playbook: {first}" if names else "none is unknown"),
        evidence=tuple(safe(name, 200) for name in names)[:50],
        hint=trusted("write a runbook for it, or take it out of rule_files" if names and strict else ""),
    )


CHECKS = (
    Check(
        id=READ,
        group="rules",
        title=trusted("Prometheus tells its rules"),
        explains="Prometheus lists its alerting rules, and there are some. The other checks of rules follow from "
        "it.",
        needs=_NEEDS,
        run=check_read,
    ),
    Check(
        id="rules.health",
        group="rules",
        title=trusted("Alerting rules are healthy"),
        explains="The last evaluation of every alerting rule went well; CRITICAL when one failed, because its "
        "alert cannot fire then.",
        needs=_NEEDS,
        run=check_health,
    ),
    Check(
        id=_EVALUATED,
        group="rules",
        title=trusted("Alerting rules are evaluated in time"),
        explains="Every group of rules was evaluated within a minute or three of its intervals, else UNKNOWN.",
        needs=_NEEDS,
        run=check_evaluated,
    ),
    Check(
        id="rules.loaded",
        group="rules",
        title=trusted("The alerts of the playbook are loaded"),
        explains="Every alert of a playbook's rules.yaml is loaded, else CRITICAL.",
        needs=_NEEDS,
        run=check_loaded,
    ),
    Check(
        id="rules.runbook",
        group="rules",
        title=trusted("Every alert has a runbook"),
        explains="The runbook_url of every alert of a playbook, as loaded, leads to one of the playbook's "
        "runbooks; an alert without one has a runbook of its name. Else WARNING.",
        needs=_NEEDS,
        run=check_runbooks,
    ),
    Check(
        id="rules.unknown",
        group="rules",
        title=trusted("A playbook knows every loaded alert"),
        explains="Names the alerts that are in no playbook. WARNING only if a playbook says `prometheus: {strict: "
        "true}`: a Prometheus may serve others too.",
        needs=_NEEDS,
        run=check_strangers,
    ),
)
