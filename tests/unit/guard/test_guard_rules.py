"""The alerts about the guard itself, each firing and not, by promtool; and the unit file, by systemd."""

# ruff: noqa: E501  one case per line

from __future__ import annotations

import json
import shutil
import subprocess
from importlib.resources import files
from pathlib import Path

import pytest

RULES = Path(str(files("opsconsole.guard") / "rules.yaml"))
UNIT = Path(str(files("opsconsole.guard") / "opsconsole-guard.service"))

WELL = {
    "up": "1x30",
    "heartbeat_timestamp_seconds": "40+60x30",
    "interval_seconds": "10x30",
    "expected_armed": "1x30",
    "armed": "1x30",
    "armed_until_timestamp_seconds": "9000x30",
    "leader": "1x30",
    "kill_switch": "0x30",
    "blind_seconds": "0x30",
    "undelivered_notifications": "0x30",
    "problem": "0x30",
}
STANDBY = WELL | {"leader": "0x30"}
GONE = {name: f"{values.partition('x')[0]}x9 _x20" for name, values in WELL.items()}

# name, the guards of the context, the minute, the alerts that fire then
CASES: list[tuple[str, list[dict[str, str]], int, set[str]]] = [
    ("well", [WELL], 20, set()),
    ("two of them", [WELL, STANDBY], 20, set()),
    ("no guard at all", [], 20, set()),
    ("it hangs", [WELL | {"heartbeat_timestamp_seconds": "40+60x9 580x20"}], 12, {"Stopped"}),
    ("a slow one does not hang", [WELL | {"interval_seconds": "60x30", "heartbeat_timestamp_seconds": "0x1 0+60x30"}], 20, set()),
    ("it was stopped", [WELL | {"up": "1x9 0x20", "leader": "1x9 0x20"}], 12, {"Stopped"}),
    ("its metrics are gone", [GONE], 20, {"Stopped"}),
    ("gone for a moment", [GONE], 10, set()),
    ("one of two hangs", [WELL, STANDBY | {"heartbeat_timestamp_seconds": "40+60x9 580x20"}], 12, set()),
    ("one of two is gone", [GONE, WELL], 20, set()),
    ("blind", [WELL | {"blind_seconds": "0x9 60+60x20"}], 13, {"Blind"}),
    ("blind for a moment", [WELL | {"blind_seconds": "0x9 50 0x20"}], 11, set()),
    ("dry run although it should be armed", [WELL | {"armed": "0x30", "armed_until_timestamp_seconds": "0x30"}], 6, {"NotArmed"}),
    ("dry run as it should be", [WELL | {"armed": "0x30", "armed_until_timestamp_seconds": "0x30", "expected_armed": "0x30"}], 6, set()),
    ("arming ends in 25 minutes", [WELL | {"armed_until_timestamp_seconds": "2700x30"}], 20, {"ArmingEnds"}),
    ("arming ends in 35 minutes", [WELL | {"armed_until_timestamp_seconds": "3300x30"}], 20, set()),
    ("the kill switch is left pulled", [WELL | {"kill_switch": "1x30"}], 16, {"KillSwitch"}),
    ("the kill switch was pulled just now", [WELL | {"kill_switch": "1x30"}], 14, set()),
    ("nobody may act", [STANDBY, STANDBY], 4, {"NoLeader"}),
    ("a change of the leader", [STANDBY | {"leader": "0x2 1x30"}, STANDBY], 4, set()),
    ("not delivered", [WELL | {"undelivered_notifications": "3x30"}], 11, {"Undelivered"}),
    ("delivered in the end", [WELL | {"undelivered_notifications": "3x9 0x20"}], 11, set()),
    ("a problem", [WELL | {"problem": "1x30"}], 6, {"Problem"}),
]  # fmt: skip


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What promtool says of all cases at once; it names the contexts of those that are not as they should be."""
    tests = []
    for number, (_, guards, minute, expected) in enumerate(CASES):
        context = f"case-{number}."
        series = [
            {"series": f'opsconsole_guard_{metric}{{context="{context}",instance="{which}"}}', "values": values}
            for which, guard in enumerate(guards)
            for metric, values in guard.items()
        ]
        fires = [
            {"labels": f'{{alertname="OpsconsoleGuard{alert}",context="{context}"}}', "value": 1}
            for alert in sorted(expected)
        ]
        asked = 'count by (alertname, context) (ALERTS{alertstate="firing"})'
        tests.append(
            {
                "interval": "1m",
                "input_series": series,
                "promql_expr_test": [{"expr": asked, "eval_time": f"{minute}m", "exp_samples": fires}],
            }
        )
    file = tmp_path_factory.mktemp("rules") / "test.yaml"
    file.write_text(json.dumps({"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": tests}))
    done = subprocess.run(["promtool", "test", "rules", str(file)], capture_output=True, text=True)
    return done.stdout + done.stderr


def test_promtool_accepts_the_rules() -> None:
    done = subprocess.run(["promtool", "check", "rules", str(RULES)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "8 rules found" in done.stdout


@pytest.mark.parametrize("number", range(len(CASES)), ids=[case[0] for case in CASES])
def test_each_alert_fires_when_it_should_and_only_then(number: int, verdicts: str) -> None:
    assert "SUCCESS" in verdicts or "case-" in verdicts, verdicts
    assert f"case-{number}." not in verdicts, verdicts


def test_every_alert_is_seen_firing() -> None:
    named = {
        line.split("OpsconsoleGuard")[1].strip() for line in RULES.read_text().splitlines() if "- alert:" in line
    }
    assert named == {alert for case in CASES for alert in case[3]}


def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    verify = shutil.which("systemd-analyze")
    if verify is not None:
        done = subprocess.run([verify, "verify", "--man=no", str(UNIT)], capture_output=True, text=True)
        said = [line for line in done.stderr.splitlines() if "opsconsole-guard" in line]
        assert not said, said
    text = UNIT.read_text()
    for line in ("Restart=always", "NoNewPrivileges=yes", "ProtectSystem=strict", "StateDirectory=opsconsole"):
        assert f"\n{line}\n" in text, line
