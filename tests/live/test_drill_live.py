"""`opsconsole drill` on its own real stack, as a process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from opsconsole.demo.systems.registry import find_system
from tests.support.servers import wait_for

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("drill")]

STEPS = ["pending", "firing", "visible", "ack", "rollback", "resolved"]


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "opsconsole", "drill", "--speed", "4.5", *arguments]


def run(*arguments: str, limit: float = 240.0) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*arguments), capture_output=True, text=True, timeout=limit)


def test_a_release_is_seen_acknowledged_rolled_back_and_resolved(tmp_path: Path) -> None:
    file = tmp_path / "drill.json"
    ended = run("--playbook", "ruleiq", "--fault", "errors", "--format", "json", "--output", str(file))
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert ended.stdout == ""
    report = json.loads(file.read_text(encoding="utf-8"))
    jsonschema.validate(report, json.loads(run("--schema").stdout))
    (fault,) = report["faults"]
    assert (report["verdict"], fault["alert"], fault["severity"]) == ("OK", "HighErrorRate", "critical")
    assert fault["flag"] == find_system("ruleiq").release, "the release's flag was rolled back"
    assert [step["step"] for step in fault["steps"]] == STEPS
    times = [step["seconds"] for step in fault["steps"]]
    assert times == sorted(times), f"the steps did not happen in their order: {times}"
    assert "firing:" in ended.stderr, "narration goes to stderr"


def test_a_drill_that_is_interrupted_reports_unknown_and_leaves_no_process(tmp_path: Path) -> None:
    told = (tmp_path / "stderr").open("wb")
    process = subprocess.Popen(
        command("--playbook", "ruleiq", "--fault", "errors"),
        stdout=subprocess.PIPE,
        stderr=told,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    try:
        wait_for(lambda: "1 of 1" in (tmp_path / "stderr").read_text(), 120, "the drill began")
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
        told.close()
    assert process.returncode == 1
    assert "UNKNOWN   stopped: it was interrupted" in output, output
    assert not list(tmp_path.glob("opsconsole-demo-*")), "its folder, and with it its servers, is still there"


@pytest.mark.nightly
def test_every_fault_of_gremlinsai_meets_the_playbooks_targets() -> None:
    ended = run("--playbook", "gremlinsai", limit=1500)
    print(ended.stdout)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert ended.stdout.count("\nOK  ") >= len(find_system("gremlinsai").proves)
