"""A first playbook: a small folder that is complete, and writing it."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import msgspec

from opsconsole.config.playbook_schema import playbook_schema
from opsconsole.config.playbooks import FILE
from opsconsole.errors import UsageError
from opsconsole.text import safe

SCHEMA_FILE = "playbook.schema.json"

MODELINE = f"# yaml-language-server: $schema={SCHEMA_FILE}\n"
"""The first line of a playbook whose schema lies beside it."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")

_PLAYBOOK = """\
#
# @NAME@: what to watch. The alerts are in rules.yaml, what to do is in runbooks/.
# `opsconsole playbook lint ./@NAME@` looks for what is missing, `opsconsole --playbook ./@NAME@` shows it.
system: @NAME@
title: @NAME@
owner: on-call                  # the team that keeps this playbook
reviewed: @TODAY@
severities: [critical, warning]
jobs:
  - {name: @NAME@, instances: 1}
response: {critical: 5m, warning: 1h}

alerts:
  InstanceDown: {panel: instances, runbook: instance-down.md, distinguish: [job]}

dashboards:
  - id: overview
    title: Overview
    refresh: 10s
    groups:
      - title: Availability
        panels:
          - id: instances
            title: Instances that answer
            kind: number
            unit: count
            min: 0
            queries:
              - {legend: up, expr: 'sum(up{job="@NAME@"})'}
            thresholds:
              - {level: critical, below: 1, for: 1m}

# Also: acknowledge, flag_panel, probes, oncall, escalation and guard. An editor that knows the schema named on top
# completes them; `opsconsole playbook show gremlinsai` shows a playbook that has them.
"""

_RULES = """\
# @NAME@: the alerts, for `rule_files` of Prometheus. Checked by `promtool check rules rules.yaml`.
groups:
  - name: @NAME@
    rules:
      # A target that is gone from the configuration has no `up` at all: absent() is 1 then, and 1 - 1 = 0 keeps
      # the alert firing.
      - alert: InstanceDown
        expr: (sum by (job) (up{job="@NAME@"}) or absent(up{job="@NAME@"}) - 1) < 1
        for: 1m
        labels: {severity: critical, team: on-call}
        annotations:
          summary: 'No instance of {{ $labels.job }} answers'
          description: 'Prometheus has not been able to scrape any instance of {{ $labels.job }} for a minute.'
          runbook_url: file:///playbooks/@NAME@/runbooks/instance-down.md
          dashboard_panel: instances
"""

_TESTS = """\
# Each alert shown firing and shown not firing: `promtool test rules rules.test.yaml`.
rule_files: [rules.yaml]
evaluation_interval: 15s

tests:
  - name: InstanceDown fires when the only instance is down for a minute
    interval: 15s
    input_series:
      - {series: 'up{job="@NAME@",instance="a:80"}', values: '1x8 0x20'}
    alert_rule_test:
      - {eval_time: 2m, alertname: InstanceDown, exp_alerts: []}
      - eval_time: 5m
        alertname: InstanceDown
        exp_alerts:
          - exp_labels: {job: @NAME@, severity: critical, team: on-call}
            exp_annotations:
              summary: 'No instance of @NAME@ answers'
              description: 'Prometheus has not been able to scrape any instance of @NAME@ for a minute.'
              runbook_url: file:///playbooks/@NAME@/runbooks/instance-down.md
              dashboard_panel: instances

  - name: InstanceDown stays silent while one instance answers
    interval: 15s
    input_series:
      - {series: 'up{job="@NAME@",instance="a:80"}', values: '0x20'}
      - {series: 'up{job="@NAME@",instance="b:80"}', values: '1x20'}
    alert_rule_test:
      - {eval_time: 4m, alertname: InstanceDown, exp_alerts: []}
"""

_ROUTES = """\
# @NAME@: who hears what. Checked by `amtool check-config alertmanager.yaml`.
#
# The receivers are placeholders: nothing listens on port 9 of this machine. Put your own in their place, with
# credentials from files.
route:
  # A severity that no route knows must not go unheard.
  receiver: on-call-pager
  group_by: [alertname, job]
  routes:
    - matchers: ['severity="warning"']
      receiver: on-call-chat

receivers:
  - name: on-call-pager
    webhook_configs:
      - {url: 'http://127.0.0.1:9/pager'}
  - name: on-call-chat
    webhook_configs:
      - {url: 'http://127.0.0.1:9/chat'}
"""

_RUNBOOK = """\
---
alerts: [InstanceDown]
title: No instance answers
owner: on-call
reviewed: @TODAY@
---
# No instance answers

## Meaning

Prometheus has not been able to scrape any instance of the alert's `job` for a minute: none runs, or none can be
reached from Prometheus.

## Diagnosis

Ask Prometheus what it tried and what it got: the Status screen (key 6) shows each target with its last error.

```sh title="since when"
promtool query instant http://127.0.0.1:9090 "up{job=\\"$LABEL_job\\"}"
```

## Response steps

1. Acknowledge (`a`).
2. Was something released? Roll it back first.
3. Restart one instance and see whether it stays up. Write the command here, in a block that is marked with the
   word `changes` after its title.

## Escalation

Not up again after 15 minutes: call the secondary on-call.
"""

_FILES: Mapping[str, str] = {
    FILE: MODELINE + _PLAYBOOK,
    "rules.yaml": _RULES,
    "rules.test.yaml": _TESTS,
    "alertmanager.yaml": _ROUTES,
    "runbooks/instance-down.md": _RUNBOOK,
}


def starter_files(name: str, today: date) -> dict[str, str]:
    """The files of a first playbook by their paths in its folder."""
    words = {"@NAME@": name, "@TODAY@": today.isoformat()}
    files = {path: _filled(text, words) for path, text in _FILES.items()}
    return {**files, SCHEMA_FILE: schema_text()}


def _filled(text: str, words: Mapping[str, str]) -> str:
    for word, value in words.items():
        text = text.replace(word, value)
    return text


def schema_text() -> str:
    """The JSON Schema as a file has it."""
    return msgspec.json.format(msgspec.json.encode(playbook_schema()), indent=2).decode() + "\n"


def new_folder(name: str, parent: Path) -> Path:
    """Where a playbook of this name goes. Raises UsageError when the name cannot be one, or is taken."""
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"`{safe(name, 60)}` cannot be the name of a playbook",
            hint="letters, digits, _ and -, at most 63, for instance checkout-api",
        )
    target = parent / name
    if os.path.lexists(target):
        raise UsageError(
            "is already there", where=safe(str(target)), hint="nothing was written: take another name"
        )
    return target


def write_folder(target: Path, files: Mapping[str, str]) -> None:
    """Write a folder that is not there yet, whole or not at all. Raises UsageError."""
    with fresh_folder(target) as place:
        for name, text in files.items():
            path = place / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")


@contextmanager
def fresh_folder(target: Path) -> Iterator[Path]:
    """A folder to fill, which becomes `target` at the end: whole, or after an error not at all. Raises UsageError
    when it cannot be written or has appeared meanwhile."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        place = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
        try:
            yield place
            place.chmod(0o755)
            os.rename(place, target)  # fails when a folder with files in it, or a file, has appeared there
        finally:
            shutil.rmtree(place, ignore_errors=True)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "not a usable path"
        raise UsageError(f"cannot be written: {safe(reason)}", where=safe(str(target))) from None
