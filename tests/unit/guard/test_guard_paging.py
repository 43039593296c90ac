"""Which alert an event of the guard belongs to."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from opsconsole.config.playbooks import find_playbook, load_playbook
from opsconsole.errors import Unreachable
from opsconsole.guard.paging import Pager, matching_alert
from opsconsole.model.alerts import Alert
from opsconsole.model.playbook import Playbook
from opsconsole.state.snapshot import ClusterReading
from tests.support.guard_loops import at_the_breach


@pytest.fixture(scope="module")
def ruleiq() -> Playbook:
    return load_playbook(find_playbook("ruleiq"))


def alert(name: str, severity: str = "critical") -> Alert:
    return Alert(fingerprint=name, labels={"alertname": name, "severity": severity, "job": "ruleiq"})


def test_the_alert_about_the_same_metric_is_taken(ruleiq: Playbook) -> None:
    assert ruleiq.guard is not None
    errors, latency, auth, pool = ruleiq.guard.rules
    alerts = [alert("Watchdog"), alert("HighErrorRate"), alert("HighLatency", "warning")]
    assert matching_alert(ruleiq, errors, alerts) == alerts[1]
    assert matching_alert(ruleiq, latency, alerts) == alerts[2]
    assert matching_alert(ruleiq, auth, alerts) is None
    assert matching_alert(ruleiq, pool, [alert("DatabasePoolPressure")]) is not None


async def test_an_event_has_its_labels_and_a_key(ruleiq: Playbook) -> None:
    async def look() -> tuple[Sequence[Alert], ClusterReading | None]:
        return [alert("HighErrorRate")], None

    pager = Pager("prod", [ruleiq], look)
    labels, key = await pager("ruleiq", "error_rate", "incident-1")
    assert labels["alertname"] == "HighErrorRate"
    assert key == "opsconsole/prod/incident-1"
    assert await pager("gone", "error_rate", "incident-1") == ({}, key)


async def test_alertmanager_that_does_not_answer_keeps_nobody_from_hearing(tmp_path: Path) -> None:
    bench = await at_the_breach(tmp_path)

    async def page(system: str, rule: str, incident: str) -> tuple[dict[str, str], str]:
        raise Unreachable("refused")

    bench.loop._teller._page = page
    await bench.run(60)
    assert bench.writes() == ["new_parser"]
    assert bench.ports.kinds() == ["decided", "rolled-back"]


async def test_an_incident_keeps_its_alert_after_that_has_ended(tmp_path: Path) -> None:
    bench = await at_the_breach(tmp_path)

    async def page(system: str, rule: str, incident: str) -> tuple[dict[str, str], str]:
        return ({"alertname": "HighErrorRate"}, "key") if bench.value() else ({}, "other")

    bench.loop._teller._page = page
    bench.value = lambda: 0.2 if bench.clock.now() < 1_767_225_760 else 0.0
    await bench.run(300)
    assert bench.ports.kinds() == ["decided", "rolled-back", "recovered"]
    assert [event.dedup_key for event in bench.ports.events.values()] == ["key"] * 3
