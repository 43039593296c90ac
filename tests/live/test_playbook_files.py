"""The files of every shipped playbook, on the real promtool and amtool."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from opsconsole.config.playbooks import load_playbook
from opsconsole.model.runbooks import runbook_by_url
from tests.support.servers import require

pytestmark = pytest.mark.live

PLAYBOOKS = Path(__file__).resolve().parents[2] / "playbooks"
FOLDERS = sorted(path.parent for path in PLAYBOOKS.glob("*/playbook.yaml"))
SYSTEMS = {"accubooks", "docc2context", "gremlinsai", "ruleiq", "todo"}
PARTS = (
    *("playbook.yaml", "rules.yaml", "rules.test.yaml", "alertmanager.yaml", "routes.test.yaml"),
    *("COVERAGE.md", "README.md", "stack/prometheus.yml"),
)
each_folder = pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)

MAIL = re.compile(r"[\w.+-]+@(?!example\.|localhost\b)[\w-]+\.[A-Za-z]{2,}")
HOOK = re.compile(
    r"hooks\.slack\.com|discord(?:app)?\.com/api/webhooks|webhook\.office\.com|api\.telegram\.org|events\.pagerduty\.com",
    re.I,
)
KEY = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY|\bAKIA[0-9A-Z]{16}\b|\bgh[pousr]_\w{20,}|\bxox[abprs]-[\w-]{10,}"
    r"|\bsk-[A-Za-z0-9]{20,}"
    r"|^\s*-?\s*[\"']?[a-z_]*(?:password|secret|token|(?:api|service|routing)_key)[\"']?:"
    r"\s*[\"']?[^\s\"'{$#\[<]{4,}",
    re.I | re.M,
)


def run(folder: Path, *command: str) -> str:
    """Run a tool in a playbook's folder and give back what it prints; its own message when it fails."""
    require(command[0])
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def read(folder: Path, name: str) -> Any:
    return yaml.safe_load((folder / name).read_text("utf-8"))


def rules_of(folder: Path) -> list[dict[str, Any]]:
    """The alerting rules."""
    groups = read(folder, "rules.yaml")["groups"]
    return [rule for group in groups for rule in group["rules"] if "alert" in rule]


def files_of(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_every_system_has_its_folder() -> None:
    assert {folder.name for folder in FOLDERS} == SYSTEMS


@each_folder
def test_the_folder_is_whole(folder: Path) -> None:
    assert [part for part in PARTS if not (folder / part).is_file()] == []
    assert list((folder / "runbooks").glob("*.md"))


@each_folder
def test_promtool_accepts_the_rules(folder: Path) -> None:
    found = re.search(r"(\d+) rules? found", run(folder, "promtool", "check", "rules", "rules.yaml"))
    assert found is not None
    assert int(found[1]) >= len(rules_of(folder)) > 0


@each_folder
def test_promtool_runs_the_rule_tests(folder: Path) -> None:
    assert "SUCCESS" in run(folder, "promtool", "test", "rules", "rules.test.yaml")


@each_folder
def test_each_alert_is_shown_firing_and_not_firing(folder: Path) -> None:
    shown: dict[str, set[bool]] = {}
    for test in read(folder, "rules.test.yaml")["tests"]:
        for case in test.get("alert_rule_test", []):
            shown.setdefault(case["alertname"], set()).add(bool(case.get("exp_alerts")))
    assert shown == {rule["alert"]: {True, False} for rule in rules_of(folder)}


@each_folder
def test_promtool_accepts_the_stack(folder: Path) -> None:
    assert "SUCCESS" in run(folder, "promtool", "check", "config", "--syntax-only", "stack/prometheus.yml")
    config = read(folder, "stack/prometheus.yml")
    assert config["rule_files"] == ["/etc/prometheus/rules.yaml"]
    (managers,) = config["alerting"]["alertmanagers"]
    assert managers["static_configs"] == [{"targets": ["alertmanager:9093"]}]


@each_folder
def test_the_stack_scrapes_the_jobs_that_the_playbook_watches(folder: Path) -> None:
    scraped = {job["job_name"] for job in read(folder, "stack/prometheus.yml")["scrape_configs"]}
    watched = {job.name for job in load_playbook(folder).jobs}
    assert watched
    assert watched <= scraped


@each_folder
def test_amtool_accepts_the_routing(folder: Path) -> None:
    assert "SUCCESS" in run(folder, "amtool", "check-config", "alertmanager.yaml")


@each_folder
def test_each_route_reaches_its_receivers(folder: Path) -> None:
    for route in read(folder, "routes.test.yaml"):
        labels = [f"{name}={value}" for name, value in route["labels"].items()]
        printed = run(folder, "amtool", "config", "routes", "test", "--config.file=alertmanager.yaml", *labels)
        assert printed.split("Warning")[0].strip().split(",") == route["receivers"], labels


@each_folder
def test_each_severity_has_a_route(folder: Path) -> None:
    routed = {route["labels"].get("severity") for route in read(folder, "routes.test.yaml")}
    used = {rule["labels"]["severity"] for rule in rules_of(folder)}
    assert used <= routed
    assert used <= set(load_playbook(folder).severities)


@each_folder
def test_the_console_loads_it_whole(folder: Path) -> None:
    book = load_playbook(folder)
    assert book.system == folder.name
    assert set(book.alerts) == {rule["alert"] for rule in rules_of(folder)}
    assert book.dashboards
    for rule in rules_of(folder):
        assert book.panel(rule["annotations"]["dashboard_panel"]) is not None
        assert book.response_time(rule["alert"], rule["labels"]["severity"])


@each_folder
def test_each_runbook_url_names_the_runbook_of_its_alert(folder: Path) -> None:
    book = load_playbook(folder)
    for rule in rules_of(folder):
        url = rule["annotations"]["runbook_url"]
        found = runbook_by_url(book, url)
        assert url.startswith("file:///")
        assert found is not None, url
        assert Path(found.path).name == url.rsplit("/", 1)[-1]
        assert found == book.runbooks[rule["alert"]]


@each_folder
def test_no_file_has_an_address_or_a_key(folder: Path) -> None:
    for path in files_of(folder):
        text = path.read_text("utf-8")
        for pattern in (MAIL, HOOK, KEY):
            assert pattern.search(text) is None, (path, pattern.search(text))


@pytest.mark.parametrize(
    "line",
    [
        "to: oncall" + "@" + "company.io",
        "url: https://hooks.slack" + ".com/services/T0/B0/x",
        "slack_api_token: abcd1234",
        "smtp_auth_password: 'hunter2x'",
        "-----BEGIN RSA " + "PRIVATE KEY-----",
    ],
)
def test_an_address_or_a_key_would_be_seen(line: str) -> None:
    assert any(pattern.search(line) for pattern in (MAIL, HOOK, KEY))


@each_folder
def test_receivers_are_placeholders(folder: Path) -> None:
    text = (folder / "alertmanager.yaml").read_text("utf-8")
    assert set(re.findall(r"https?://([^/'\"\s]+)", text)) == {"127.0.0.1:9"}


@each_folder
def test_the_coverage_has_no_empty_cell(folder: Path) -> None:
    lines = (folder / "COVERAGE.md").read_text("utf-8").splitlines()
    rows = [re.split(r"(?<!\\)\|", line.strip())[1:-1] for line in lines if line.startswith("|")]
    assert len(rows) > 20
    for row in rows:
        assert len(row) == 3, row
        assert all(cell.strip() for cell in row), row


@each_folder
def test_the_coverage_names_every_alert(folder: Path) -> None:
    text = (folder / "COVERAGE.md").read_text("utf-8")
    assert [rule["alert"] for rule in rules_of(folder) if rule["alert"] not in text] == []
