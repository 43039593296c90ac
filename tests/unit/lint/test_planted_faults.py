"""Each planted fault is found under its rule's name, on its line, and nothing else is."""

# ruff: noqa: E501  one case per line: the table is read by columns

from __future__ import annotations

from pathlib import Path

import pytest

from opsconsole.config.playbooks import list_playbooks
from opsconsole.lint.run import RULES, lint_all
from opsconsole.lint.tools import Tools, find_tools

P, R, T, A = "playbook.yaml", "rules.yaml", "rules.test.yaml", "alertmanager.yaml"
SLOW, DOWN = "runbooks/slow-answers.md", "runbooks/instance-down.md"
PODS = "kubectl -n shop get pods"

# file to edit, what is replaced, by what; the rule; the file and a text of the line; a part of the message
# fmt: off
FAULTS = [
    # schema
    (P, "title: shop", "titel: shop", "schema", P, "titel: shop", "titel: is not a known key"),
    (P, "unit: count", "unit: counts", "schema", P, "unit: counts", "`counts` is not a unit"),
    (P, "reviewed: 2026-01-01", "reviewed: yesterday", "schema", P, "reviewed: yesterday", "`yesterday` is not a date"),
    (P, "above: 1}", "above: 1, below: 0}", "schema", P, "below: 0}", "needs exactly one of above and below"),
    (P, "{panel: answers}", "{panel: answer}", "schema", P, "{panel: answer}", "there is no panel `answer`"),
    (SLOW, "alerts: [SlowAnswers]\ntitle", "alerts: [SlowAnswers]\ntitel", "schema", SLOW, "titel:", "titel: is not a known key"),
    # the other YAML files
    (T, "input_series: &slow", "input_series: &slow [", "yaml", T, "- {series: 'answer_seconds{job=\"shop\"}', values: '2x20'}", "is not valid YAML"),
    (A, "group_by: [alertname, job]", "group_by: [alertname, job]\n  group_by: [job]", "yaml", A, "  group_by: [job]", "this key is here twice"),
    # PromQL
    (R, "max by (job) (answer_seconds{job=\"shop\"}) > 1", "max by (job) (answer_seconds{job=\"shop\"} > 1", "promql", R, "answer_seconds", "SlowAnswers: could not parse expression"),
    (R, "No instance of {{ $labels.job }} answers", "No instance of {{ $labels.job } answers", "promql", R, "summary:", "annotation \"summary\": template"),
    (R, "for: 1m", "for: 1 minute", "promql", R, "for: 1 minute", "not a valid duration string"),
    (R, "for: 1m", "four: 1m", "promql", R, "four: 1m", "field four not found"),
    (P, "max(answer_seconds{job=\"shop\"})", "max(answer_seconds{job=\"shop\"}", "promql", P, "expr: |", "panel answers: could not parse expression"),
    (P, "sum(increase(hits_total[$window]))", "sum(increase(hits_total[$window])", "promql", P, "hits_total", "evidence errors: could not parse expression"),
    (P, "sum(increase(evaluations", "max(increase(evaluations)(", "promql", P, "evaluations", "evidence: could not parse expression"),
    (P, "sum(rate(errors_total{job=\"shop\"}[5m]))", "sum(rate(errors_total{job=\"shop\"}))", "promql", P, "errors_total", "guard errors: could not parse expression"),
    # routing
    (A, "receiver: on-call-chat\n", "receiver: on-call-chart\n", "routing", A, "on-call-chart", "undefined receiver \"on-call-chart\""),
    (A, "  group_by:", "  groupby:", "routing", A, "groupby:", "field groupby not found"),
    # alerts
    (R, "\n      - alert: SlowAnswers", "\n      - {alert: SlowAnswers, expr: answer_seconds > 2, labels: {severity: warning}, annotations: {runbook_url: slow-answers}}\n      - alert: SlowAnswers", "alert-twice", R, "      - alert: SlowAnswers", "there are two alerts named SlowAnswers"),
    (P, "  SlowAnswers: {", "  Slowness: {}\n  SlowAnswers: {", "alert-unknown", P, "Slowness:", "the alert Slowness is not in rules.yaml"),
    (P, "alert: SlowAnswers,", "alert: SlowAnswer,", "alert-unknown", P, "alert: SlowAnswer,", "SlowAnswer is not in rules.yaml: no page of the guard can join it"),
    (SLOW, "[SlowAnswers]", "[SlowAnswers, Slowness]", "alert-unknown", SLOW, "alerts:", "the alert Slowness is not in rules.yaml"),
    (T, "{eval_time: 1m, alertname: SlowAnswers}", "{eval_time: 1m, alertname: SlowAnswers}\n      - {eval_time: 1m, alertname: SlowAnswer}", "alert-unknown", T, "SlowAnswer}", "a test that it does not fire proves nothing"),
    (P, "  SlowAnswers: {panel: answers}\n", "", "alert-unlisted", R, "alert: SlowAnswers", "is not in the alerts of playbook.yaml"),
    (T, "      - {eval_time: 1m, alertname: SlowAnswers}\n", "      - {eval_time: 1m, alertname: InstanceDown}\n", "alert-untested", R, "alert: SlowAnswers", "does not show the alert SlowAnswers not firing"),
    (T, "        exp_alerts:\n          - exp_labels: {job: shop, severity: warning}\n", "        exp_alerts: []\n", "alert-untested", R, "alert: SlowAnswers", "does not show the alert SlowAnswers firing"),
    (R, "> 1\n        labels:", "> 1 unless up == 0\n        labels:", "alert-graph", R, "unless", "its graph has no bound"),
    (R, "          severity: warning", "          severity: high", "severity", R, "severity: high", "has the severity `high`, which this playbook does not know"),
    (R, "          severity: warning", "          team: shop", "severity", R, "alert: SlowAnswers", "the alert SlowAnswers has no severity"),
    (R, "dashboard_panel: answers", "dashboard_panel: answer", "dashboard-panel", R, "dashboard_panel: answer", "which is on no dashboard"),
    # runbooks
    (R, "          runbook_url: https://wiki.example/slow-answers\n", "", "runbook-url", R, "alert: SlowAnswers", "has no runbook_url"),
    (R, "wiki.example/slow-answers", "wiki.example/slow-answer", "runbook-url", R, "slow-answer", "leads to no runbook"),
    (R, "wiki.example/slow-answers", "wiki.example/instance-down", "runbook-url", R, "wiki.example", "leads to the runbook of another alert"),
    ("runbooks/spare.md", None, SLOW, "runbook-unused", "runbooks/spare.md", "---", "no alert has this runbook"),
    (SLOW, "## Definition", "## What it is", "runbook-sections", SLOW, "# Answers", "has no section Meaning"),
    (SLOW, "## Mitigation", "```sh\n# Mitigation\n```\n## Do", "runbook-sections", SLOW, "# Answers", "has no section Diagnosis or Response steps"),
    (SLOW, "## Escalation", "Escalation", "runbook-sections", SLOW, "# Answers", "has no section Escalation"),
    (P, "owner: on-call ", "#", "runbook-owner", SLOW, "---", "has no owner"),
    (P, "reviewed: 2026-01-01\n", "", "runbook-reviewed", SLOW, "---", "has no date of its last review"),
    (P, "reviewed: 2026-01-01", "reviewed: 2026-01-03", "runbook-reviewed", P, "reviewed: 2026", "the review of 2026-01-03 is in the future"),
    (SLOW, "---\n# Answers", "reviewed: 2027-01-01\n---\n# Answers", "runbook-reviewed", SLOW, "reviewed:", "the review of 2027-01-01 is in the future"),
    (SLOW, "(../README.md)", "(../READ.md)", "link", SLOW, "READ.md", "there is no such file"),
    (SLOW, "#response-steps", "#response-step", "link", SLOW, "#response-step", "there is no such heading"),
    ("README.md", "(#shop)", "(#shops)", "link", "README.md", "#shops", "there is no such heading"),
    # templates of silences
    (P, "- job=\"shop\"", "- job=\"shops\"", "silence-unknown", P, "shops", "the template deploy: job=\"shops\" matches no job of this playbook"),
    (P, "InstanceDown|SlowAnswers", "InstanceDowns|Slow", "silence-unknown", P, "InstanceDowns", "matches no alert of rules.yaml"),
    (P, "alertname=~\"InstanceDown|SlowAnswers\"", "alertname!=\"SlowAnswer\"", "silence-unknown", P, "SlowAnswer\"", "matches no alert of rules.yaml"),
    (P, "duration: 20m", "duration: 25h", "silence-long", P, "25h", "the template deploy lasts longer than a day"),
    # commands
    (SLOW, PODS, "if true; then\n  ls\nfi fi", "shell-syntax", SLOW, "fi fi", "syntax error near unexpected token `fi'"),
    (SLOW, PODS, "ls\necho 'open", "shell-syntax", SLOW, "echo 'open", "unexpected EOF"),
    (SLOW, PODS, "ls\nkubectl logs {{ $labels.pod }}", "shell-label", SLOW, "{{ $labels.pod }}", "`{{ $labels.pod }}` is a placeholder"),
    (SLOW, PODS, "kubectl logs {{pod}}", "shell-label", SLOW, "{{pod}}", "`{{pod}}` is a placeholder"),
    (SLOW, PODS, "kubectl logs '<pod>'", "shell-label", SLOW, "<pod>", "`<pod>` is a placeholder"),
    (SLOW, PODS, "kubectl logs $LABEL_pod", "shell-label", SLOW, "$LABEL_pod", "$LABEL_pod stands without quotes"),
    (SLOW, PODS, 'sh -c "ls $LABEL_pod"', "shell-label", SLOW, "$LABEL_pod", "$LABEL_pod becomes part of a script for another shell"),
    (SLOW, PODS, "psql -c \"select '$LABEL_pod'\"", "shell-label", SLOW, "$LABEL_pod", "$LABEL_pod becomes part of an SQL statement"),
    (SLOW, PODS, "ls\nkubectl delete pod shop-0", "shell-changes", SLOW, "delete pod", "`kubectl delete` changes something"),
    (SLOW, '"restart" changes', '"restart"', "shell-changes", SLOW, "rollout restart", "`kubectl rollout restart` changes something"),
    (DOWN, "```sh title=\"since when\"\n", "```sh title=\"since when\"\nrm -rf /tmp/x\n", "shell-changes", DOWN, "rm -rf", "`rm` changes something"),
]
# fmt: on


@pytest.mark.parametrize(("name", "old", "new", "rule", "file", "marker", "message"), FAULTS)
def test_a_planted_fault_is_found_and_nothing_else(
    shop, name: str, old: str | None, new: str, rule: str, file: str, marker: str, message: str
) -> None:
    if old is None:
        shop.write(name, shop.text(new).replace("alerts: [SlowAnswers]\n", ""))
    else:
        shop.edit(name, old, new)
    (found,) = shop.lint()
    assert (found.rule, found.file) == (rule, str(shop.folder / file))
    assert found.line == shop.line(file, marker)
    assert message in found.message
    assert found.severity == ("warning" if rule in ("alert-graph", "silence-long") else "error")
    assert str(found).startswith(f"{shop.folder / file}:{found.line}: {rule}: ")


def test_the_good_one_has_no_finding(shop) -> None:
    assert shop.lint() == []


def test_a_file_that_is_missing(shop) -> None:
    (shop.folder / "rules.test.yaml").unlink()
    (found,) = shop.lint()
    assert (found.rule, found.file, found.line) == ("files", str(shop.folder / T), 0)
    shop.edit("README.md", "[rules](rules.yaml)", "rules")
    (shop.folder / "rules.yaml").unlink()
    (found,) = shop.lint()
    assert (found.rule, found.severity, found.file) == ("files", "warning", str(shop.folder / R))


def test_an_alert_without_a_runbook(shop) -> None:
    (shop.folder / SLOW).unlink()
    found = {(f.rule, f.line) for f in shop.lint()}
    assert found == {
        ("runbook-missing", shop.line(R, "alert: SlowAnswers")),
        ("runbook-url", shop.line(R, "slow-answers")),
    }


def test_what_is_too_large(shop) -> None:
    shop.edit(SLOW, "Call the secondary.", "Call the secondary. " * 3500)
    (found,) = shop.lint()
    assert (found.rule, found.file, found.line) == ("size", str(shop.folder / SLOW), 0)
    shop.write("picture.svg", "x" * 1_000_000)
    assert [(f.rule, Path(f.file).name) for f in shop.lint()] == [("size", "shop"), ("size", "slow-answers.md")]


def test_a_broken_playbook_is_one_finding(shop) -> None:
    shop.write(P, "system: [\n")
    assert [(f.rule, f.line) for f in shop.lint()] == [("schema", 2)]


def test_every_rule_has_a_planted_fault() -> None:
    planted = {fault[3] for fault in FAULTS} | {"files", "runbook-missing", "size"}
    assert planted == {rule.name for rule in RULES}


def test_programs_that_are_missing_are_said_once(shop) -> None:
    shop.edit(R, "max by (job) (answer_seconds", "max by (job (answer_seconds")
    found = lint_all([shop.folder, *list_playbooks()[:1]], tools=Tools())
    assert [(f.rule, f.severity, f.line) for f in found if f.line == 0] == [
        ("promql", "warning", 0),
        ("routing", "warning", 0),
        ("shell-syntax", "warning", 0),
    ]
    assert not [f for f in found if f.rule in ("promql", "routing", "shell-syntax") and f.line]


@pytest.mark.parametrize("folder", list_playbooks(), ids=lambda folder: folder.name)
def test_the_shipped_playbooks_have_no_finding(folder: Path) -> None:
    tools = find_tools()
    assert tools.promtool
    assert tools.amtool
    assert [str(found) for found in lint_all([folder], tools=tools)] == []


def test_hostile_text_is_shown_safely(shop) -> None:
    shop.edit(R, "          severity: warning", '          severity: "a\\e[31mb"')
    (found,) = shop.lint()
    assert "\\x1b[31m" in found.message
    assert "\x1b" not in str(found)


def test_an_alias_bomb_ends(shop) -> None:
    levels = ["a0: &a0 [x, x]", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 25))]
    shop.write(A, "\n".join([*levels, "route: {receiver: nobody}", ""]))
    assert [f.rule for f in shop.lint()] == ["routing"]
