"""Is every alert loaded as the playbook says it?"""

from __future__ import annotations

from collections.abc import Iterator

from opsconsole.checks.base import Check
from opsconsole.checks.rules import dark, known_groups
from opsconsole.model.ruledrift import Difference, differences, loaded_rules
from opsconsole.model.verdicts import Level, Verdict
from opsconsole.state.snapshot import Snapshot
from opsconsole.text import SafeText, safe, trusted

_SHOWN = 1500
"""Characters of an expression that are shown."""


def check_drift(snapshot: Snapshot) -> Iterator[Verdict]:
    """One verdict for each alert of each playbook's `rules.yaml`."""
    groups = known_groups(snapshot)
    loaded = loaded_rules(snapshot.playbooks, groups or ())
    for playbook in snapshot.playbooks:
        system = safe(playbook.system, 40)
        for spec in playbook.rules:
            name = safe(spec.name, 80)
            id, title = f"rules.drift.{system}.{name}", trusted(f"{name} is loaded as the playbook says it")
            rule = loaded.get((playbook.system, spec.name))
            if groups is None:
                yield from dark(id, title, snapshot)
            elif rule is None:
                because, reason = f"rules.loaded.{system}", trusted(f"{name} is not loaded")
                yield Verdict(id=id, title=title, level=Level.UNKNOWN, reason=reason, because=because)
            else:
                yield _compared(id, title, name, differences(spec, rule))


def _compared(id: str, title: SafeText, name: SafeText, found: tuple[Difference, ...]) -> Verdict:
    if not found:
        return Verdict(id=id, title=title, level=Level.OK, reason=trusted("the same expression, for and severity"))
    evidence: list[SafeText] = []
    for one in found:
        evidence += [safe(f"- {one.part}: {one.wanted}", _SHOWN), safe(f"+ {one.part}: {one.loaded}", _SHOWN)]
    said = [_said(one) for one in found]
    return Verdict(
        id=id,
        title=title,
        level=Level.WARNING,
        reason=trusted(f"{name}: {'; '.join(said)}"),
        evidence=tuple(evidence),
        hint=trusted("load the playbook's rules.yaml, or take what is loaded into it"),
    )


def _said(one: Difference) -> SafeText:
    if one.part == "expr":
        return trusted("its expression is not the playbook's")
    return trusted(f"{one.part} is {safe(one.loaded, 40)}, the playbook says {safe(one.wanted, 40)}")


CHECKS = (
    Check(
        id="rules.drift",
        group="rules",
        title=trusted("The alerts are loaded as the playbook says them"),
        explains="The expression (however it is written), `for` and severity of every loaded alert are those of "
        "the playbook's rules.yaml; the differences are shown. Else WARNING.",
        needs=frozenset({"rules"}),
        run=check_drift,
    ),
)
