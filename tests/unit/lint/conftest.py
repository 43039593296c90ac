"""One good playbook, from which each faulty one is made by small edits."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from opsconsole.clock import ManualClock
from opsconsole.config.playbook_starter import starter_files
from opsconsole.lint.finding import Finding
from opsconsole.lint.run import lint
from opsconsole.lint.tools import Tools, find_tools

TODAY = date(2026, 1, 1)
"""The day of the manual clock."""

SECTIONS = """\
evidence:
  errors: {title: failed, bad: 'sum(increase(failed_total[$window]))', all: 'sum(increase(hits_total[$window]))'}
  evaluations: 'sum(increase(evaluations_total{flag="$flag"}[$window]))'
guard:
  never: [maintenance]
  rules:
    - {id: errors, alert: SlowAnswers, expr: 'sum(rate(errors_total{job="shop"}[5m]))', above: 1}
silences:
  - name: deploy
    duration: 20m
    comment: deploying {{version}}
    matchers:
      - job="shop"
      - alertname=~"InstanceDown|SlowAnswers"
      - instance="{{instance}}"
"""

RUNBOOK = """\
---
alerts: [SlowAnswers]
title: Answers are slow
---
# Answers are slow

## Definition

Half of the answers take over a second. See [the other one](instance-down.md#response-steps), or the
[chart](../README.md).

## Mitigation

Look first:

```sh title="pods"
kubectl -n shop get pods
kubectl -n shop logs deploy/shop | grep -F "$LABEL_job"
```

```sh title="restart" changes
kubectl -n shop rollout restart deploy/shop
```

## Escalation

Call the secondary.
"""

RULE = """\

      - alert: SlowAnswers
        expr: max by (job) (answer_seconds{job="shop"}) > 1
        labels:
          severity: warning
        annotations:
          runbook_url: https://wiki.example/slow-answers
          dashboard_panel: answers
"""

TESTS = """\

  - name: SlowAnswers
    interval: 15s
    input_series: &slow
      - {series: 'answer_seconds{job="shop"}', values: '2x20'}
    alert_rule_test:
      - eval_time: 1m
        alertname: SlowAnswers
        exp_alerts:
          - exp_labels: {job: shop, severity: warning}

  - name: SlowAnswers stays silent
    interval: 15s
    input_series: [{series: 'answer_seconds{job="shop"}', values: '1x20'}]
    alert_rule_test:
      - {eval_time: 1m, alertname: SlowAnswers}
"""

PANEL = """\
          - id: answers
            unit: s
            queries:
              - legend: slowest
                expr: |
                  max(answer_seconds{job="shop"})
"""


def good_files() -> dict[str, str]:
    """A playbook without a fault: the starter's, and a second alert whose runbook has commands."""
    files = starter_files("shop", TODAY)
    playbook = files["playbook.yaml"]
    playbook = playbook.replace("            thresholds:", PANEL_LAST, 1)
    playbook = playbook.replace("\ndashboards:", "  SlowAnswers: {panel: answers}\n\ndashboards:")
    return {
        **files,
        "playbook.yaml": playbook + SECTIONS,
        "rules.yaml": files["rules.yaml"] + RULE,
        "rules.test.yaml": files["rules.test.yaml"] + TESTS,
        "runbooks/slow-answers.md": RUNBOOK,
        "README.md": "# Shop\n\nSee the [rules](rules.yaml) and [this](#shop).\n",
    }


PANEL_LAST = "            thresholds: []\n" + PANEL + "            thresholds:"


class Shop:
    """A playbook's folder that can be edited, and looked at by the rules."""

    def __init__(self, folder: Path, files: dict[str, str]) -> None:
        self.folder = folder
        for name, text in files.items():
            self.write(name, text)

    def write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def text(self, name: str) -> str:
        return (self.folder / name).read_text()

    def edit(self, name: str, old: str, new: str) -> None:
        """Replace what must be there exactly once."""
        text = self.text(name)
        assert text.count(old) == 1, f"{old!r} is {text.count(old)} times in {name}"
        self.write(name, text.replace(old, new))

    def line(self, name: str, marker: str) -> int:
        """The line on which a marker stands first."""
        lines = self.text(name).split("\n")
        return next(number for number, line in enumerate(lines, 1) if marker in line)

    def lint(self, tools: Tools | None = None) -> list[Finding]:
        return lint(self.folder, clock=ManualClock(), tools=tools or find_tools())


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path / "shop", good_files())


@pytest.fixture
def one_runbook(shop: Shop) -> Callable[[str], list[Finding]]:
    """Puts a script into a runbook's block and says what the rules find."""

    def look(script: str) -> list[Finding]:
        shop.edit("runbooks/slow-answers.md", "kubectl -n shop get pods", script)
        return shop.lint()

    return look
