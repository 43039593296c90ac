"""Rules that ask the servers' own tools: promtool for PromQL, amtool for routing."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec

from opsconsole.config.documents import Document, Entry, entries, inside, rules_of
from opsconsole.config.nodes import Kind, Node
from opsconsole.lint.finding import WARNING, Spot
from opsconsole.lint.folder import Folder
from opsconsole.lint.tools import ask
from opsconsole.model.evidence_windows import question

_PLACE = re.compile(
    r"(?:(?P<line>\d+):\d+: )?(?:group \"(?P<group>[^\"]*)\", rule (?P<rule>\d+), \"(?P<name>[^\"]*)\": )?"
)
_PART = re.compile(r"(?P<kind>label|annotation) \"(?P<key>[^\"]*)\": ")
_YAML_LINE = re.compile(r"line (\d+): ")
_QUOTED = re.compile(r"\"([^\"]+)\"")


class _Expression(msgspec.Struct, frozen=True):
    what: str
    entry: Entry
    text: str


class _Said(msgspec.Struct, frozen=True):
    """One complaint of promtool: the line of the file that it names or 0, and where in the rules it is."""

    line: int
    group: str
    rule: int
    name: str
    message: str


def promql(folder: Folder) -> Iterator[Spot]:
    """promtool accepts every rule, and the expression of every panel, guard and evidence."""
    expressions = list(_expressions(folder))
    wanted = not folder.rules.problems and inside(folder.rules.root, "groups") is not None
    if not wanted and not expressions:
        return
    if folder.tools.promtool is None:
        yield Spot(folder.path, 0, "promtool is not there: PromQL is not checked", severity=WARNING)
        return
    if wanted:
        for said in _check_rules(folder.tools.promtool, folder.rules.path):
            name = f"{said.name}: " if said.name else ""
            yield Spot(folder.rules.path, _line(folder.rules, said), f"{name}{said.message}")
    if not expressions:
        return
    with tempfile.TemporaryDirectory(prefix="opsconsole-lint-") as place:
        path = Path(place) / "expressions.yaml"
        path.write_text(_as_rules(expressions), encoding="utf-8")
        for said in _check_rules(folder.tools.promtool, path):
            found = expressions[said.rule - 1] if 0 < said.rule <= len(expressions) else None
            line = found.entry.line if found else 0
            yield Spot(folder.source.path, line, f"{found.what}: {said.message}" if found else said.message)


def _expressions(folder: Folder) -> Iterator[_Expression]:
    root = folder.source.root
    for dashboard in _list(root, "dashboards"):
        for group in _list(dashboard, "groups"):
            for panel in _list(group, "panels"):
                for query in _list(panel, "queries"):
                    yield from _expression(query, f"panel {_id(panel)}")
    for rule in _list(inside(root, "guard"), "rules"):
        yield from _expression(rule, f"guard {_id(rule)}")
        yield from _expression(rule, f"guard {_id(rule)}, its traffic", "traffic")
    yield from _evidence(inside(root, "evidence"))


def _evidence(evidence: Node | None) -> Iterator[_Expression]:
    """The expressions of the evidence, their placeholders filled."""
    for name in ("errors", "latency"):
        yield from _expression(inside(evidence, name), f"evidence {name}", "bad", "all")
    yield from _expression(evidence, "evidence", "evaluations")


def _expression(node: Node | None, what: str, *keys: str) -> Iterator[_Expression]:
    for key in keys or ("expr",):
        entry = entries(node).get(key)
        if entry is not None and entry.text.strip():
            yield _Expression(what, entry, question(entry.text, 60.0, "a") if keys else entry.text)


def _list(node: Node | None, key: str) -> list[Node]:
    found = inside(node, key)
    return found.items if found is not None else []


def _id(node: Node) -> str:
    entry = entries(node).get("id")
    return entry.text if entry is not None else "without id"


def _as_rules(expressions: list[_Expression]) -> str:
    """A rules file with one recording rule for each expression. JSON is YAML."""
    rules = [{"record": f"expression:{at}", "expr": found.text} for at, found in enumerate(expressions)]
    return json.dumps({"groups": [{"name": "expressions", "rules": rules}]}, ensure_ascii=False)


def _check_rules(promtool: str, path: Path) -> list[_Said]:
    answer = ask([promtool, "check", "rules", "--lint=none", str(path)])
    if answer.fine:
        return []
    found: list[_Said] = []
    start = f"{path}: "
    for line in answer.text.split("\n"):
        if line.startswith(start):
            found.append(_read(line.removeprefix(start)))
        elif line.startswith("  line ") and found:
            if found[-1].message.endswith("errors:"):
                found.pop()
            number = _YAML_LINE.search(line)
            message = line.strip()[len(number[0]) :] if number else line.strip()
            found.append(_Said(int(number[1]) if number else 0, "", 0, "", message))
    return found or [_Said(0, "", 0, "", " ".join(answer.text.split()))]


def _read(text: str) -> _Said:
    place = _PLACE.match(text)
    if place is None:
        return _Said(0, "", 0, "", text)
    rest = text[place.end() :]
    number = _YAML_LINE.search(rest) if not place["line"] else None
    line = int(place["line"] or (number[1] if number else 0))
    return _Said(line, place["group"] or "", int(place["rule"] or 0), place["name"] or "", rest)


def _line(document: Document, said: _Said) -> int:
    """The line that a complaint is about: the one it names, that of the label or annotation, else that of the
    first value that it quotes."""
    if said.line:
        return said.line
    for group, number, rule in rules_of(document):
        if (group, number) == (said.group, said.rule):
            part = _PART.match(said.message)
            entry = entries(inside(rule, f"{part['kind']}s")).get(part["key"]) if part else None
            return entry.line if entry is not None else rule.line
    return _line_of_value(document.root, said.message)


def _line_of_value(root: Node | None, message: str) -> int:
    scalars = list(_scalars(root, set())) if root is not None else []
    quoted = _QUOTED.findall(message)
    return next((node.line for value in quoted for node in scalars if node.value == value), 0)


def _scalars(node: Node, seen: set[int]) -> Iterator[Node]:
    """The texts below a node, those that stand in several places once."""
    if node.kind is Kind.TEXT:
        yield node
        return
    if id(node.items) in seen or id(node.pairs) in seen:
        return
    seen |= {id(node.items), id(node.pairs)}
    for item in node.items:
        yield from _scalars(item, seen)
    for _, value in node.pairs:
        yield from _scalars(value, seen)


def routing(folder: Folder) -> Iterator[Spot]:
    """amtool accepts `alertmanager.yaml`."""
    if folder.routes.root is None or folder.routes.problems:
        return
    path = folder.routes.path
    if folder.tools.amtool is None:
        yield Spot(folder.path, 0, "amtool is not there: alertmanager.yaml is not checked", severity=WARNING)
        return
    answer = ask([folder.tools.amtool, "check-config", str(path)])
    if answer.fine:
        return
    _, _, text = answer.text.partition("FAILED: ")
    message = " ".join((text or answer.text).partition("amtool: error")[0].split())
    number = _YAML_LINE.search(message)
    line = int(number[1]) if number else _line_of_value(folder.routes.root, message)
    yield Spot(path, line, _YAML_LINE.sub("", message, count=1))
