"""The YAML files of a playbook's folder as trees that know their lines."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from opsconsole.config.nodes import Kind, Node, Problems, decode, parse, read_bytes
from opsconsole.errors import Problem


class Document(msgspec.Struct):
    """One file. `root` is None when it is not there, is empty or is not YAML: `problems` say which."""

    path: Path
    there: bool
    root: Node | None = None
    problems: tuple[Problem, ...] = ()


class Entry(msgspec.Struct, frozen=True):
    """A value and the line of its key."""

    line: int
    node: Node

    @property
    def text(self) -> str:
        return self.node.value if self.node.kind is Kind.TEXT else ""


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """One alerting rule of `rules.yaml`. `line` is where its name stands, `hold` its `for`."""

    name: str
    line: int
    expr: Entry | None
    hold: Entry | None
    labels: dict[str, Entry]
    annotations: dict[str, Entry]


class RuleTest(msgspec.Struct, frozen=True):
    """One `alert_rule_test` of `rules.test.yaml`: the alert's name and whether it is expected to fire."""

    alert: str
    line: int
    fires: bool


def read_document(path: Path, *, shared: bool = True) -> Document:
    """The file's tree, and the problems of reading it; a file that is not there has none. Without `shared` it
    may have no anchors."""
    if not path.exists():
        return Document(path, False)
    problems = Problems(str(path))
    raw = read_bytes(path, problems)
    text = None if raw is None else decode(raw, problems)
    root = None if text is None else parse(text, problems, shared=shared)
    if root is not None and root.kind is not Kind.MAP:
        problems.add(root.line, "", f"must be a mapping, not {root.described}")
        root = None
    return Document(path, True, root, tuple(problems.found))


def entries(node: Node | None) -> dict[str, Entry]:
    """The values of a mapping by key, merged ones among them; nothing for anything else."""
    found: dict[str, Entry] = {}
    _collect(node, found, set())
    return found


def _collect(node: Node | None, found: dict[str, Entry], seen: set[int]) -> None:
    """Add what a mapping has and `found` does not; each mapping once, however often it is merged."""
    if node is None or id(node.pairs) in seen:
        return
    seen.add(id(node.pairs))
    for key, value in node.pairs:
        if key.value != "<<":
            found.setdefault(key.value, Entry(key.line, value))
    for key, value in node.pairs:
        if key.value == "<<":
            for part in value.items or [value]:
                _collect(part, found, seen)


def inside(node: Node | None, *keys: str) -> Node | None:
    """The value below some keys, or None."""
    for key in keys:
        entry = entries(node).get(key)
        if entry is None:
            return None
        node = entry.node
    return node


def _items(node: Node | None) -> list[Node]:
    return node.items if node is not None else []


def rules_of(document: Document) -> Iterator[tuple[str, int, Node]]:
    """The rules with the name of their group and their number in it, from 1."""
    for group in _items(inside(document.root, "groups")):
        name = inside(group, "name")
        for number, rule in enumerate(_items(inside(group, "rules")), 1):
            yield name.value if name is not None else "", number, rule


def alerts_of(document: Document) -> tuple[Alert, ...]:
    """The alerting rules of `rules.yaml` in their order."""
    found = []
    for _, _, rule in rules_of(document):
        parts = entries(rule)
        name = parts.get("alert")
        if name is not None:
            found.append(
                Alert(
                    name=name.text,
                    line=name.line,
                    expr=parts.get("expr"),
                    hold=parts.get("for"),
                    labels=entries(inside(rule, "labels")),
                    annotations=entries(inside(rule, "annotations")),
                )
            )
    return tuple(found)


def rule_tests_of(document: Document) -> tuple[RuleTest, ...]:
    """The alert tests of `rules.test.yaml`."""
    found = []
    for test in _items(inside(document.root, "tests")):
        for case in _items(inside(test, "alert_rule_test")):
            name = entries(case).get("alertname")
            if name is not None:
                found.append(RuleTest(name.text, name.line, bool(_items(inside(case, "exp_alerts")))))
    return tuple(found)
