"""The accubooks playbook on the real tools: promtool, amtool, Prometheus and Alertmanager."""

from __future__ import annotations

import json
import math
import os
import re
import subprocess
import time
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from opsconsole.config.playbooks import load_playbook
from opsconsole.model.promql import split_comparison
from opsconsole.model.runbook import Command, commands_of, label_environment
from opsconsole.model.severity import Severity, severity_of
from tests.support.accubooks import FOLDER, samples
from tests.support.servers import Alertmanager, Prometheus, http, require, wait_for

pytestmark = pytest.mark.live

PLAYBOOK: dict[str, Any] = yaml.safe_load((FOLDER / "playbook.yaml").read_text())
RULES: dict[str, dict[str, Any]] = {
    rule["alert"]: rule
    for group in yaml.safe_load((FOLDER / "rules.yaml").read_text())["groups"]
    for rule in group["rules"]
}
PANELS: dict[str, dict[str, Any]] = {
    panel["id"]: panel
    for dashboard in PLAYBOOK["dashboards"]
    for group in dashboard["groups"]
    for panel in group["panels"]
}
RUNBOOKS = sorted((FOLDER / "runbooks").glob("*.md"))
LABELS = {"job": "accubooks", "route": "/api/forecast", "pool": "primary", "kind": "calculation"}


def run(*command: str) -> str:
    """Run a tool in the playbook's folder and give back what it prints; its own message when it fails."""
    require(command[0])
    done = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def runbook(path: Path) -> tuple[dict[str, Any], str]:
    """Front matter and body."""
    _, front, body = path.read_text().split("---\n", 2)
    return yaml.safe_load(front), body


# -- files ---------------------------------------------------------------------------------------------


def test_promtool_accepts_the_rules() -> None:
    assert "9 rules found" in run("promtool", "check", "rules", "rules.yaml")


def test_each_alert_fires_and_does_not_fire_in_its_rule_test() -> None:
    assert "SUCCESS" in run("promtool", "test", "rules", "rules.test.yaml")
    shown: dict[str, set[bool]] = {}
    for test in yaml.safe_load((FOLDER / "rules.test.yaml").read_text())["tests"]:
        for case in test.get("alert_rule_test", []):
            shown.setdefault(case["alertname"], set()).add(bool(case["exp_alerts"]))
    assert shown == {alert: {True, False} for alert in RULES}


def test_amtool_accepts_the_routing() -> None:
    assert "SUCCESS" in run("amtool", "check-config", "alertmanager.yaml")


@pytest.mark.parametrize(
    ("labels", "receiver"),
    [
        ({"severity": "critical"}, "on-call-pager-chat-mail"),
        ({"severity": "critical", "alertname": "DataIntegrityIssue"}, "on-call-escalation"),
        ({"severity": "high"}, "on-call-chat-mail"),
        ({"severity": "warning"}, "on-call-chat"),
        ({"severity": "critcal"}, "on-call-chat-mail"),
        ({}, "on-call-chat-mail"),
    ],
)
def test_each_severity_reaches_its_receiver(labels: dict[str, str], receiver: str) -> None:
    pairs = [f"{name}={value}" for name, value in labels.items()] or ["alertname=Any"]
    routed = run("amtool", "config", "routes", "test", "--config.file=alertmanager.yaml", *pairs)
    assert routed.split("Warning")[0].strip() == receiver


def test_receivers_are_placeholders() -> None:
    text = (FOLDER / "alertmanager.yaml").read_text()
    assert set(re.findall(r"https?://([^/']+)", text)) == {"127.0.0.1:9"}


@pytest.mark.parametrize("alert", RULES)
def test_each_rule_says_all_that_the_console_needs(alert: str) -> None:
    rule = RULES[alert]
    guide = PLAYBOOK["alerts"][alert]
    priorities = {Severity.CRITICAL: "P0", Severity.HIGH: "P1", Severity.WARNING: "P2"}
    assert rule["labels"]["priority"] == priorities[severity_of(rule["labels"])]
    assert rule["labels"]["team"]
    assert {"summary", "description", "runbook_url", "dashboard_panel"} <= set(rule["annotations"])
    assert rule["annotations"]["dashboard_panel"] == guide["panel"]
    assert guide["panel"] in PANELS
    assert rule["annotations"]["runbook_url"] == f"file:///playbooks/accubooks/runbooks/{guide['runbook']}"
    assert guide["response"]
    assert guide["distinguish"]


@pytest.mark.parametrize("alert", RULES)
def test_each_rule_can_be_drawn_against_its_bound(prometheus: str, end: int, alert: str) -> None:
    split = split_comparison(RULES[alert]["expr"])
    assert split is not None
    value, operator, _ = split
    assert operator == ("<" if alert in {"SystemDowntime", "CacheHitRateLow"} else ">")
    assert vector(prometheus, value, end)


def test_alerts_and_runbooks_belong_together() -> None:
    named = {alert: path.name for path in RUNBOOKS for alert in runbook(path)[0]["alerts"]}
    assert named == {alert: guide["runbook"] for alert, guide in PLAYBOOK["alerts"].items()}
    assert set(named) == set(RULES)
    assert len(named) == len(RUNBOOKS) == 9


@pytest.mark.parametrize("path", RUNBOOKS, ids=lambda p: p.stem)
def test_each_runbook_has_its_sections_and_sound_commands(path: Path) -> None:
    front, body = runbook(path)
    (alert,) = front["alerts"]
    assert path.stem == re.sub(r"(?<!^)(?=[A-Z])", "-", alert).lower()
    assert front["title"]
    assert front["owner"] == "platform-on-call"
    assert str(front["reviewed"]) == "2026-11-20"
    sections = re.findall(r"^## (.+)$", body, re.M)
    assert sections == ["Meaning", "Impact", "Diagnosis", "Response steps", "Escalation"]
    commands = commands_of(body)
    assert commands
    for command in commands:
        check_command(command, PLAYBOOK["alerts"][alert]["distinguish"])


def check_command(command: Command, distinguish: list[str]) -> None:
    """Titled, sound shell, only the alert's own labels as variables, quoted, and marked when it changes."""
    run("sh", "-n", "-c", command.script)
    assert command.title != command.script.split("\n")[0][:60]
    assert set(re.findall(r"\$\{?(\w+)", command.script)) == set(command.variables())
    assert set(command.variables()) <= {f"LABEL_{name}" for name in [*distinguish, "job"]}
    outside = re.sub(r'"(?:[^"\\]|\\.)*"|\'[^\']*\'', "", command.script)
    assert "$LABEL_" not in outside
    changing = re.search(r"rollout (undo|restart)|\bscale\b|terminate|config set|> *\"?/", command.script)
    assert command.changes is (changing is not None)


def test_the_console_loads_it_whole() -> None:
    book = load_playbook(FOLDER)
    assert set(book.alerts) == set(book.runbooks) == set(RULES)
    panels = [panel for dashboard in book.dashboards for panel in dashboard.panels]
    assert [panel.id for panel in panels] == list(PANELS)
    assert book.panel(book.flag_panel) is not None
    assert book.response == {"critical": 300.0, "high": 900.0, "warning": 3600.0}
    assert book.response_time("DataIntegrityIssue", "critical") == 60.0


# -- on a real Prometheus ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def end() -> int:
    return int(time.time()) - 30


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory, end: int) -> Iterator[str]:
    """Prometheus with the playbook's rules and 70 minutes of every metric that the README lists; its URL."""
    home = tmp_path_factory.mktemp("accubooks-prometheus")
    (home / "history.om").write_text("".join(samples(70, end)))
    run("promtool", "tsdb", "create-blocks-from", "openmetrics", str(home / "history.om"), str(home / "data"))
    config = f"rule_files: [{json.dumps(str(FOLDER / 'rules.yaml'))}]\n"
    with Prometheus(home, config=config) as server:
        yield server.url


def get(url: str, **parameters: str) -> Any:
    return json.loads(http("GET", f"{url}?{urllib.parse.urlencode(parameters)}"))


def vector(url: str, expr: str, at: float) -> list[float]:
    reply = get(f"{url}/api/v1/query", query=expr, time=str(at))
    assert reply["status"] == "success"
    assert not reply.get("warnings")
    return [float(series["value"][1]) for series in reply["data"]["result"]]


@pytest.mark.parametrize("panel", PANELS)
def test_each_panel_has_a_value_from_the_listed_metrics(prometheus: str, end: int, panel: str) -> None:
    for query in PANELS[panel]["queries"]:
        values = vector(prometheus, query["expr"], end)
        assert values
        assert all(math.isfinite(value) for value in values)
        if "{{" not in query["legend"]:
            assert len(values) == 1


@pytest.mark.parametrize("panel", PANELS)
def test_no_panel_has_a_value_from_missing_metrics(prometheus: str, end: int, panel: str) -> None:
    for query in PANELS[panel]["queries"]:
        assert vector(prometheus, query["expr"], end - 86400) == []


def test_no_errors_yet_is_zero_while_there_is_traffic(prometheus: str, end: int) -> None:
    expr = PANELS["error_rate"]["queries"][0]["expr"].replace('"5.."', '"599"')
    assert vector(prometheus, expr, end) == [0.0]


@pytest.mark.parametrize("alert", RULES)
def test_each_rule_runs_without_a_warning(prometheus: str, end: int, alert: str) -> None:
    firing = vector(prometheus, RULES[alert]["expr"], end)
    assert bool(firing) is (alert in {"HighErrorRate", "CacheHitRateLow", "RedisMemoryWarning"})


def test_the_server_loads_all_rules_as_healthy(prometheus: str) -> None:
    groups = get(f"{prometheus}/api/v1/rules", type="alert")["data"]["groups"]
    assert {rule["name"] for group in groups for rule in group["rules"]} == set(RULES)
    assert all(rule["health"] in {"ok", "unknown"} for group in groups for rule in group["rules"])


@pytest.mark.parametrize("path", RUNBOOKS, ids=lambda p: p.stem)
def test_the_runbooks_queries_run(prometheus: str, path: Path) -> None:
    environment = {"PATH": os.environ["PATH"], **label_environment(LABELS)}
    for command in commands_of(runbook(path)[1]):
        if command.script.startswith(("promtool", "printf")):
            script = command.script.replace("http://127.0.0.1:9090", prometheus)
            done = subprocess.run(
                ["sh", "-c", script], env=environment, capture_output=True, text=True, timeout=20
            )
            assert done.returncode == 0, done.stderr
            assert done.stdout.strip()


# -- on a real Alertmanager ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def routed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Alertmanager]:
    """Alertmanager with the playbook's routing."""
    home = tmp_path_factory.mktemp("accubooks-alertmanager")
    with Alertmanager(home, config=FOLDER / "alertmanager.yaml") as server:
        yield server


def alerts(server: Alertmanager) -> list[dict[str, Any]]:
    return list(get(f"{server.url}/api/v2/alerts"))


def post(server: Alertmanager, total: int, *label_sets: dict[str, str]) -> None:
    """Post alerts of one job and wait until there are `total`."""
    server.post_alerts([{"labels": {"job": "accubooks", **labels}} for labels in label_sets])
    wait_for(lambda: len(alerts(server)) == total, 10, f"{total} alerts")


def inhibited(server: Alertmanager) -> set[tuple[str, str]]:
    return {
        (alert["labels"]["alertname"], alert["labels"].get("pool", ""))
        for alert in alerts(server)
        if alert["status"]["inhibitedBy"]
    }


def test_downtime_and_exhaustion_inhibit_what_follows_from_them(routed: Alertmanager) -> None:
    post(
        routed,
        3,
        {"alertname": "DatabasePoolExhaustion", "severity": "critical", "pool": "a"},
        {"alertname": "DatabasePoolWarning", "severity": "warning", "pool": "a"},
        {"alertname": "DatabasePoolWarning", "severity": "warning", "pool": "b"},
    )
    assert inhibited(routed) == {("DatabasePoolWarning", "a")}
    post(
        routed,
        5,
        {"alertname": "SystemDowntime", "severity": "critical"},
        {"alertname": "DataIntegrityIssue", "severity": "critical", "kind": "calculation"},
    )
    assert inhibited(routed) == {
        ("DatabasePoolExhaustion", "a"),
        ("DatabasePoolWarning", "a"),
        ("DatabasePoolWarning", "b"),
    }
