"""`opsconsole playbook show`, `new`, `lint` and `schema`, as they are run."""

from __future__ import annotations

import json
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from opsconsole.cli.main import main
from opsconsole.cli.playbook_show import describe
from opsconsole.config import playbook_starter
from opsconsole.config.playbook_schema import playbook_schema
from opsconsole.config.playbooks import list_playbooks, load_playbook
from tests.support.servers import require

PLAYBOOK = """\
system: shop
title: "The Shop\\e[31m"
owner: shop-team
reviewed: 2026-11-21
severities: [critical, warning]
jobs: [{name: shop, instances: 2}]
response: {critical: 5m}
acknowledge: {critical: 2m}
alerts:
  HighErrorRate: {response: 90s, panel: errors, runbook: errors.md}
dashboards:
  - id: main
    title: Main
    refresh: 10s
    groups:
      - title: API
        panels:
          - id: errors
            title: Errors
            unit: percent
            empty: ok
            queries:
              - legend: 5xx
                expr: |
                  a
                  / b
            thresholds: [{level: critical, above: 1, for: 5m}, {level: warning, below: 0}]
probes: [{name: liveness, url: 'http://shop/live', timeout: 2s}]
oncall:
  starts: 2026-01-05
  turns: [{primary: lead, secondary: head}, {primary: head}]
  roles: {lead: {team: platform, time_zone: Asia/Tokyo}, head: {}, director: {}}
escalation:
  - {to: [primary], action: responds}
  - {after: 1h, to: [secondary, director], action: decides}
evidence:
  errors: {panel: errors, title: with 5xx, bad: 'sum(increase(e[$window]))', all: 'sum(increase(r[$window]))'}
  evaluations: 'sum(increase(ff{flag="$flag"}[$window]))'
guard: {never: [banner], rules: [{id: errors, title: Error ratio, expr: c, above: 0.05, for: 30s, unit: ratio}]}
"""

RULES = """\
groups:
  - name: g
    rules:
      - {alert: Slow, expr: a > 1, labels: {severity: warning}}
      - {alert: HighErrorRate, expr: a > 1, for: 5m, labels: {severity: critical}}
"""

SHOWN = """\
The Shop\\x1b[31m (shop)
  folder      FOLDER
  owner       shop-team
  reviewed    2026-11-21
  severities  critical, warning
  jobs        shop (2 instances)

Dashboard: Main (main), asked every 10s
  API
    Errors (errors): line, percent, 1h
      5xx: a
           / b
      critical above 1 for 5m; warning below 0
      an empty result means ok

Alerts (2)
  SEVERITY  ALERT          FOR      ACKNOWLEDGE  RESPOND  PANEL   RUNBOOK
  critical  HighErrorRate  5m       2m           1m30s    errors  runbooks/errors.md
  warning   Slow           at once  -            -        -       none

Probes
  liveness  GET http://shop/live  answers 200 within 2s

On call: turn 1 of 2, until 2026-01-12 00:00 UTC
  primary    lead  team platform, it is 21:00 in Asia/Tokyo
  secondary  head

Escalation
  after 0s  primary (lead)              responds
  after 1h  secondary (head), director  decides

Evidence: counted before and after the change of a flag
  errors: with 5xx, shown by errors
    bad: sum(increase(e[$window]))
    all: sum(increase(r[$window]))
  evaluations of the flag
    sum(increase(ff{flag="$flag"}[$window]))

Guard: flags are turned off when any of these holds
  Error ratio (errors): above 0.05 ratio for 30s
    c
  never: banner
  asked every 10s; 3 values in a row; clear at 80 % of the bound for 1m
  flags changed up to 30m before, at most 2 flags, 3 rollbacks an hour, each again after 30m
  blind after 1m without a value"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    (folder / "runbooks").mkdir(parents=True)
    (folder / "runbooks" / "errors.md").write_text("# Errors\n")
    (folder / "playbook.yaml").write_text(PLAYBOOK)
    (folder / "rules.yaml").write_text(RULES)
    return folder


def test_what_is_shown(shop: Path) -> None:
    noon = datetime(2026, 1, 5, 12, tzinfo=UTC).timestamp()
    assert describe(load_playbook(shop), noon) == SHOWN.replace("FOLDER", str(shop))


def test_nobody_is_on_call_yet(shop: Path) -> None:
    text = describe(load_playbook(shop), 0.0)
    assert "On call: nobody before 2026-01-05 00:00 UTC" in text
    assert "after 1h  secondary, director  decides" in text


@pytest.mark.parametrize("folder", list_playbooks(), ids=lambda folder: folder.name)
def test_every_shipped_playbook_is_shown(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["playbook", "show", folder.name]) == 0
    shown = capsys.readouterr().out
    playbook = load_playbook(folder)
    for dashboard in playbook.dashboards:
        assert all(f"({panel.id}):" in shown for panel in dashboard.panels)
    assert all(f"  {alert}  " in shown for alert in playbook.alerts)


def test_new_is_complete_and_lints_clean(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["playbook", "new", "shop", "--dir", "mine"]) == 0
    assert capsys.readouterr().out.split("\n")[0] == "wrote ./mine/shop"
    folder = tmp_path / "mine" / "shop"
    assert {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()} == {
        "playbook.yaml",
        "playbook.schema.json",
        "rules.yaml",
        "rules.test.yaml",
        "alertmanager.yaml",
        "runbooks/instance-down.md",
    }
    first = (folder / "playbook.yaml").read_text().split("\n")[0]
    assert first == "# yaml-language-server: $schema=playbook.schema.json"
    assert json.loads((folder / "playbook.schema.json").read_text()) == playbook_schema()
    assert main(["playbook", "lint", "./mine/shop"]) == 0
    ended = capsys.readouterr()
    assert (ended.out, ended.err) == ("", "0 errors, 0 warnings in 1 playbook\n")
    tested = subprocess.run([require("promtool"), "test", "rules", str(folder / "rules.test.yaml")], check=False)
    assert tested.returncode == 0
    assert list((tmp_path / "mine").iterdir()) == [folder]


@pytest.mark.parametrize("there", ["folder", "file", "link"])
def test_new_replaces_nothing(tmp_path: Path, there: str, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "shop"
    if there == "folder":
        target.mkdir()
    elif there == "file":
        target.write_text("mine")
    else:
        target.symlink_to(tmp_path / "none")
    assert main(["playbook", "new", "shop", "--dir", str(tmp_path)]) == 2
    assert f"{target}: is already there" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("name", ["../x", "a/b", ".x", "", "a b", "x" * 64])
def test_new_needs_a_name_that_a_folder_can_have(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["playbook", "new", "--dir", str(tmp_path), "--", name]) == 2
    assert "cannot be the name of a playbook" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_new_is_never_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(self: Path, text: str, encoding: str) -> None:
        if self.name == "alertmanager.yaml":
            raise OSError(28, "No space left on device")
        self.write_bytes(text.encode(encoding))

    monkeypatch.setattr(playbook_starter.Path, "write_text", full)
    assert main(["playbook", "new", "shop", "--dir", str(tmp_path)]) == 2
    assert "cannot be written: No space left on device" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_new_does_not_replace_what_appears_meanwhile(tmp_path: Path) -> None:
    target = playbook_starter.new_folder("shop", tmp_path)
    target.mkdir()
    (target / "mine").write_text("mine")
    with pytest.raises(playbook_starter.UsageError, match="cannot be written"):
        playbook_starter.write_folder(target, {"a": "b"})
    assert list(tmp_path.iterdir()) == [target]
    assert list(target.iterdir()) == [target / "mine"]


def test_lint_tells_findings_and_ends_with_1(
    shop: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(shop.parent)
    (shop / "runbooks" / "errors.md").write_text("# Errors\n## Meaning\n## Diagnosis\n")
    assert main(["playbook", "lint", str(shop), "accubooks"]) == 1
    ended = capsys.readouterr()
    assert "shop/runbooks/errors.md:1: runbook-sections: has no section Escalation (a heading: Escalation)" in (
        ended.out.split("\n")
    )
    assert ended.err.endswith("errors, 0 warnings in 2 playbooks\n")
    assert main(["playbook", "lint", "./shop", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert {
        "file": "shop/rules.yaml",
        "line": 4,
        "rule": "runbook-missing",
        "severity": "error",
        "message": "the alert Slow has no runbook",
        "hint": "write runbooks/NAME.md with `alerts: [Slow]` in its front matter",
    } in found


def test_warnings_alone_end_with_0(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["playbook", "new", "shop", "--dir", str(tmp_path)])
    rules = tmp_path / "shop" / "rules.yaml"
    rules.write_text(rules.read_text().replace("- 1) < 1", "- 1) < 1 and on () vector(1)"))
    capsys.readouterr()
    assert main(["playbook", "lint", str(tmp_path / "shop")]) == 0
    ended = capsys.readouterr()
    assert "alert-graph: warning: the alert InstanceDown is not" in ended.out
    assert ended.err == "0 errors, 1 warning in 1 playbook\n"


def test_lint_of_all_shipped_playbooks(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["playbook", "lint"]) == 0
    assert capsys.readouterr().err.startswith("0 errors, ")


def test_lint_says_its_rules(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["playbook", "lint", "--rules"]) == 0
    assert "runbook-missing   Every alert has a runbook." in capsys.readouterr().out


def test_lint_of_what_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["playbook", "lint", str(tmp_path)]) == 2
    assert "there is no playbook.yaml" in capsys.readouterr().err


def test_the_schema_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["playbook", "schema"]) == 0
    assert json.loads(capsys.readouterr().out) == playbook_schema()


def test_a_copy_of_a_shipped_playbook_lints_clean_elsewhere(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = list_playbooks()[0]
    shutil.copytree(folder, tmp_path / folder.name)
    assert main(["playbook", "lint", str(tmp_path / folder.name)]) == 0
