"""How loaded alerts differ from those of the playbooks, and which is whose."""

from __future__ import annotations

from opsconsole.model.playbook import Playbook, RuleSpec
from opsconsole.model.ruledrift import differences, loaded_rules
from opsconsole.model.rules import Rule, RuleGroup
from opsconsole.text import trusted


def spec(name: str = "A", expr: str = 'x{job="a"} > 1', hold: float = 300, severity: str = "critical") -> RuleSpec:
    return RuleSpec(name=name, expr=expr, hold=hold, severity=severity)


def rule(name: str = "A", expr: str = 'x{job="a"} > 1', hold: float = 300, severity: str = "critical") -> Rule:
    labels = {"severity": trusted(severity)} if severity else {}
    return Rule(name=trusted(name), query=trusted(expr), duration=hold, labels=labels, health=trusted("ok"))


def book(system: str, *specs: RuleSpec) -> Playbook:
    return Playbook(system=system, title=trusted(system), folder="/", rules=specs)


def groups(*rules: Rule) -> tuple[RuleGroup, ...]:
    return (RuleGroup(name=trusted("g"), rules=rules),)


def test_no_difference_in_other_words() -> None:
    assert differences(spec(), rule(expr='(x{job="a"}) > 1.0')) == ()


def test_each_part_that_differs_is_told() -> None:
    found = differences(spec(), rule(expr='x{job="a"} > 2', hold=600, severity="high"))
    assert [(d.part, d.wanted, d.loaded) for d in found] == [
        ("expr", 'x{job="a"} > 1', 'x{job="a"} > 2'),
        ("for", "5m", "10m"),
        ("severity", "critical", "high"),
    ]


def test_a_severity_that_is_gone_is_told() -> None:
    (found,) = differences(spec(), rule(severity=""))
    assert (found.part, found.loaded) == ("severity", "none")


def test_two_systems_with_one_name_get_their_own_rules_in_any_order() -> None:
    mine, theirs = spec(expr="x > 1"), spec(expr="y > 1")
    loaded = groups(rule(expr="y > 1"), rule(expr="x > 1"))
    found = loaded_rules((book("mine", mine), book("theirs", theirs)), loaded)
    assert str(found["mine", "A"].query) == "x > 1"
    assert str(found["theirs", "A"].query) == "y > 1"


def test_an_edited_rule_is_the_one_that_nobody_else_claims() -> None:
    loaded = groups(rule(expr="x > 99"), rule(expr="y > 1"))
    found = loaded_rules((book("mine", spec(expr="x > 1")), book("theirs", spec(expr="y > 1"))), loaded)
    assert str(found["mine", "A"].query) == "x > 99"


def test_a_rule_of_another_system_does_not_stand_in_for_a_missing_one() -> None:
    found = loaded_rules(
        (book("mine", spec(expr="x > 1")), book("theirs", spec(expr="y > 1"))), groups(rule(expr="y > 1"))
    )
    assert set(found) == {("theirs", "A")}
