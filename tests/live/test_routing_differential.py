"""The routing tree against amtool: the same receivers in the same order, for written and for made-up trees."""

from __future__ import annotations

import json
import random
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from opsconsole.config.paths import shipped_playbooks
from opsconsole.errors import UsageError
from opsconsole.model.routing import MAX_ROUTES, parse_routing
from tests.support.servers import require

RECEIVERS = ("root", "a", "b", "c", "null")

WRITTEN = """\
route:
  receiver: root
  routes:
    - match: {severity: critical, team: 1}
      receiver: a
      continue: true
    - match_re: {team: 'db|data.*'}
      receiver: b
      routes:
        - matchers: ['env!="test"', 'region=~"eu-.+"']
          receiver: c
        - matchers: [severity = critical]
          continue: yes
          receiver: a
        - matchers: ['{job="x",severity!~"info|none"}']
    - matchers: ['absent=""', 'severity="warning"']
      receiver: "null"
receivers:
  - {name: root, webhook_configs: [{url: 'http://127.0.0.1:9'}]}
  - {name: a, webhook_configs: [{url: 'http://127.0.0.1:9'}]}
  - {name: b, webhook_configs: [{url: 'http://127.0.0.1:9'}]}
  - {name: c, webhook_configs: [{url: 'http://127.0.0.1:9'}, {url: 'http://127.0.0.1:9'}]}
  - {name: "null"}
"""

LABELS: list[dict[str, str]] = [
    {},
    {"severity": "critical", "team": "1"},
    {"severity": "critical", "team": "db"},
    {"severity": "critical", "team": "database", "env": "test"},
    {"team": "data", "region": "eu-1"},
    {"team": "data", "region": "eu-1", "env": "test", "job": "x"},
    {"team": "db", "job": "x", "severity": "none", "env": "test"},
    {"team": "xdb", "severity": "warning"},
    {"severity": "warning", "absent": "no"},
]


def amtool(config: Path, labels: Mapping[str, str]) -> list[str]:
    """The receivers that `amtool config routes test` prints."""
    argv = [require("amtool"), "config", "routes", "test", f"--config.file={config}"]
    done = subprocess.run(
        [*argv, *(f"{name}={value}" for name, value in labels.items())], capture_output=True, timeout=30, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip().split(",")


@pytest.mark.parametrize(
    "labels", LABELS, ids=lambda labels: ",".join(f"{k}={v}" for k, v in labels.items()) or "-"
)
def test_a_written_tree(labels: dict[str, str], tmp_path: Path) -> None:
    config = tmp_path / "am.yml"
    config.write_text(WRITTEN)
    found = [route.receiver for route in parse_routing(WRITTEN).root.find(labels)]
    # amtool says each receiver once for each route.
    assert found == amtool(config, labels)


@pytest.mark.parametrize("playbook", ["accubooks", "docc2context", "gremlinsai", "ruleiq", "todo"])
def test_the_shipped_playbooks(playbook: str) -> None:
    config = shipped_playbooks() / playbook / "alertmanager.yaml"
    routing = parse_routing(config.read_text("utf-8"))
    for severity in ("critical", "warning", "unheard-of"):
        labels = {"alertname": "Any", "severity": severity}
        assert list(routing.receivers_of(labels)) == amtool(config, labels)
        assert routing.reached(labels), f"nobody hears of {severity}"


@pytest.mark.parametrize("seed", range(8))
def test_trees_that_nobody_wrote(seed: int, tmp_path: Path) -> None:
    chance = random.Random(seed)
    root = {"receiver": "root", "routes": [_route(chance, 0) for _ in range(3)]}
    text = json.dumps({"route": root, "receivers": [{"name": name} for name in RECEIVERS]})
    config = tmp_path / "am.yml"
    config.write_text(text)
    routing = parse_routing(text)
    for _ in range(3):
        labels = {name: chance.choice("xyz") for name in "pqr" if chance.random() < 0.8}
        found = [route.receiver for route in routing.root.find(labels)]
        assert found == amtool(config, labels), f"{labels} in {text}"


def _route(chance: random.Random, depth: int) -> dict[str, Any]:
    route: dict[str, Any] = {}
    if chance.random() < 0.8:
        route["receiver"] = chance.choice(RECEIVERS)
    if chance.random() < 0.4:
        route["continue"] = True
    kind = chance.randrange(4)
    name, value = chance.choice("pqr"), chance.choice("xyz")
    if kind == 0:
        route["match"] = {name: value}
    elif kind == 1:
        route["match_re"] = {name: f"{value}|y"}
    else:
        operator = chance.choice(("=", "!=", "=~", "!~"))
        route["matchers"] = [f'{name}{operator}"{value}"']
    if depth < 2:
        route["routes"] = [_route(chance, depth + 1) for _ in range(chance.randrange(3))]
    return route


def test_what_a_receiver_has() -> None:
    routing = parse_routing(WRITTEN)
    assert routing.receivers == {"root": 1, "a": 1, "b": 1, "c": 2, "null": 0}
    assert routing.receivers_of({"severity": "warning"}) == ("null",)
    assert routing.reached({"severity": "warning"}) == (), "a receiver without integrations tells nobody"
    assert routing.names("severity")
    assert not routing.names("pager")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no route"),
        ("[1, 2]", "no route"),
        ("route: nowhere", "no route"),
        ("route: {receiver: [", "not valid YAML"),
        ("route: {receiver: a, routes: [{matchers: ['severity=~\"(\"']}]}", "regular expression"),
        ("route: {receiver: a, routes: [{matchers: ['severity']}]}", "matchers"),
        ("x" * 1_000_001, "larger"),
    ],
)
def test_what_cannot_be_read(text: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        parse_routing(text)


def test_aliases_make_a_tree_that_is_too_large() -> None:
    layers = "\n".join(f"l{i}: &l{i} [{', '.join([f'{{routes: *l{i - 1}}}'] * 9)}]" for i in range(1, 9))
    with pytest.raises(UsageError, match=f"{MAX_ROUTES:,}"):
        parse_routing(f"l0: &l0 [{{receiver: a}}]\n{layers}\nroute: {{receiver: a, routes: *l8}}")


def test_aliases_and_merges_are_followed() -> None:
    text = "x: &common {receiver: a}\nroute: {receiver: root, routes: [{<<: *common, match: {p: x}}]}"
    assert parse_routing(text).receivers_of({"p": "x"}) == ("a",)
