"""One incident, lived through in a real terminal on real Prometheus and Alertmanager processes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from opsconsole.clock import SystemClock
from opsconsole.demo.embedded import DemoEndpoints
from opsconsole.demo.real import RealStack
from opsconsole.demo.release import release
from opsconsole.journal.store import Journal
from tests.support.servers import http, wait_for
from tests.support.tmux import Tmux

pytestmark = pytest.mark.live


def console(endpoints: DemoEndpoints, home: Path) -> Tmux:
    """The console on a stack, as a person starts it."""
    command = [
        *(sys.executable, "-m", "opsconsole"),
        *("--prometheus", endpoints.prometheus_url, "--alertmanager", endpoints.alertmanager_url),
        *("--playbook", endpoints.playbook, "--flags-file", str(endpoints.flags_file)),
    ]
    env = {"HOME": str(home), "OPSCONSOLE_STATE_DIR": str(home), "LANG": "C.UTF-8", "TERM": "xterm-256color"}
    return Tmux(command, columns=120, rows=40, env=env, cwd=Path(__file__).parents[2])


def silences(endpoints: DemoEndpoints) -> list[dict[str, object]]:
    """The active silences, asked with amtool."""
    done = subprocess.run(
        ["amtool", "--alertmanager.url", endpoints.alertmanager_url, "silence", "query", "-o", "json"],
        capture_output=True,
        check=True,
        timeout=20,
    )
    found: list[dict[str, object]] = json.loads(done.stdout or b"[]")
    return found


def firing(endpoints: DemoEndpoints, name: str) -> bool:
    """Whether Alertmanager has the alert, silenced or not."""
    alerts = json.loads(http("GET", f"{endpoints.alertmanager_url}/api/v2/alerts"))
    return any(alert["labels"]["alertname"] == name for alert in alerts)


def test_from_the_flag_to_the_end_of_the_ack(tmp_path: Path) -> None:
    with RealStack(release_after=None) as endpoints, console(endpoints, tmp_path) as terminal:
        terminal.wait_for("API latency", "Firing now")
        assert release(endpoints.flags_file)

        terminal.keys("2")
        terminal.wait_for("sev", "alert")
        terminal.keys("/")
        terminal.text('alertname="HighErrorRate"')
        terminal.keys("Enter")
        terminal.wait_for("pending", "HighErrorRate", limit=90)
        terminal.wait_for("✖ CRIT", "nobody", "High error rate", "[Runbook]", limit=90)

        terminal.keys("Tab")
        terminal.wait_for("[Graph]", "alerts when > 1", "query: 100 * sum by", limit=30)

        terminal.keys("a")
        terminal.wait_for("Acknowledge")
        terminal.text("looking at new_pricing")
        terminal.wait_for("looking at new_pricing")
        terminal.keys("Enter")
        wait_for(lambda: len(silences(endpoints)) == 1, 20, "the ack to be seen by amtool")
        ack = silences(endpoints)[0]
        assert str(ack["comment"]).startswith("ACK! "), ack
        assert "looking at new_pricing" in str(ack["comment"])
        terminal.wait_for("ack you", limit=30)

        terminal.keys("4")
        terminal.wait_for("new_pricing", "roll back")
        terminal.keys("g", "r")
        terminal.wait_for("serve off to everyone", "defaultVariant")
        terminal.keys("Enter")
        terminal.wait_for("verified", limit=30)
        flags = json.loads(endpoints.flags_file.read_text())
        assert flags["flags"]["new_pricing"]["defaultVariant"] == "off"

        wait_for(lambda: not firing(endpoints, "HighErrorRate"), 180, "the alert to resolve", every=0.5)
        wait_for(lambda: not silences(endpoints), 90, "the ack to end with its alert", every=0.5)
        terminal.wait_for("recovered", limit=120)
        terminal.keys("q")
        terminal.wait_for("exit code 0", limit=30)

    journal = Journal(tmp_path / "journal.db", SystemClock())
    try:
        entries = [(e.action, e.phase.value, e.result.value) for e in reversed(journal.entries(100))]
        assert journal.verify() == []
    finally:
        journal.close()
    for step in (
        ("flag-change", "observed", "done"),
        ("ack", "intent", "open"),
        ("ack", "outcome", "done"),
        ("rollback", "intent", "open"),
        ("rollback", "outcome", "done"),
        ("expire", "intent", "open"),
        ("expire", "outcome", "done"),
    ):
        assert step in entries, f"{step} is not in the journal: {entries}"
