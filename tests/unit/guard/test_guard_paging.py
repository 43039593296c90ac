"""Which alert an event of the guard belongs to."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from msgspec.structs import replace

from opsconsole.config.playbooks import find_playbook, load_playbook
from opsconsole.errors import Unreachable
from opsconsole.guard.paging import Pager, matching_alert
from opsconsole.model.alerts import Alert
from opsconsole.model.playbook import Playbook
from opsconsole.model.reading import Reading
from opsconsole.model.rules import MemberStatus
from opsconsole.state.snapshot import ClusterReading, MemberReading
from opsconsole.text import safe, safe_block
from tests.support.guard_loops import at_the_breach, is_on


@pytest.fixture(scope="module")
def ruleiq() -> Playbook:
    return load_playbook(find_playbook("ruleiq"))


def alert(name: str, severity: str = "critical", *, at: int = 0, job: str = "ruleiq") -> Alert:
    return Alert(
        fingerprint=f"{name}-{severity}-{at}",
        labels={"alertname": name, "severity": severity, "job": job},
        starts_at=datetime.fromtimestamp(at, UTC),
    )


def cluster(name: str, *alerts: Alert, config: str = "") -> ClusterReading:
    status = Reading[MemberStatus]().good(MemberStatus(url="http://am", config=safe_block(config)), 1.0)
    return ClusterReading(
        name=name,
        alerts=Reading[tuple[Alert, ...]]().good(alerts, 1.0),
        silences=Reading(),
        members=(MemberReading(url=safe("http://am"), status=status),) if config else (),
    )


def test_every_rule_of_ruleiq_has_its_alert(ruleiq: Playbook) -> None:
    assert ruleiq.guard is not None
    names = [rule.alert for rule in ruleiq.guard.rules]
    assert names == ["HighErrorRate", "HighLatency", "AuthenticationAttack", "DatabasePoolPressure"]


def test_the_alert_that_the_rule_names_is_taken(ruleiq: Playbook) -> None:
    assert ruleiq.guard is not None
    errors, latency = ruleiq.guard.rules[:2]
    alerts = [alert("Watchdog"), alert("HighErrorRate"), alert("HighLatency", "warning")]
    assert matching_alert(ruleiq, errors, alerts) == alerts[1]
    assert matching_alert(ruleiq, replace(errors, alert="HighLatency"), alerts) == alerts[2]
    assert matching_alert(ruleiq, latency, alerts[:2]) is None
    assert matching_alert(ruleiq, errors, [alert("HighErrorRate", job="todo-app")]) is None, "another system's"


def test_of_several_alerts_the_worst_then_the_longest_counts(ruleiq: Playbook) -> None:
    assert ruleiq.guard is not None
    late, early = alert("HighErrorRate", at=200), alert("HighErrorRate", at=100)
    mild = alert("HighErrorRate", "warning", at=1)
    assert matching_alert(ruleiq, ruleiq.guard.rules[0], [late, mild, early]) == early


def test_without_a_name_the_alert_about_the_same_metric_is_taken(ruleiq: Playbook) -> None:
    assert ruleiq.guard is not None
    errors, latency, auth, pool = (replace(rule, alert="") for rule in ruleiq.guard.rules)
    alerts = [alert("Watchdog"), alert("HighErrorRate"), alert("HighLatency", "warning")]
    assert matching_alert(ruleiq, errors, alerts) == alerts[1]
    assert matching_alert(ruleiq, latency, alerts) == alerts[2]
    assert matching_alert(ruleiq, auth, alerts) is None
    assert matching_alert(ruleiq, pool, [alert("DatabasePoolPressure")]) is not None


async def test_an_event_has_its_labels_and_a_key(ruleiq: Playbook) -> None:
    asked: list[Sequence[str]] = []

    async def look(names: Sequence[str]) -> Sequence[ClusterReading]:
        asked.append(names)
        return [cluster("main", alert("HighErrorRate"))]

    pager = Pager("prod", [ruleiq], look)
    labels, key = await pager("ruleiq", "error_rate", "incident-1")
    assert labels["alertname"] == "HighErrorRate"
    assert key == "opsconsole/prod/incident-1"
    assert await pager("gone", "error_rate", "incident-1") == ({}, key)
    assert asked == [("HighErrorRate",)]


async def test_the_key_is_that_of_the_cluster_that_pages(ruleiq: Playbook) -> None:
    config = "route: {receiver: p, group_by: [alertname]}\nreceivers: [{name: p, pagerduty_configs: [{}]}]"

    async def look(names: Sequence[str]) -> Sequence[ClusterReading]:
        firing = alert("HighErrorRate")
        return [
            cluster("quiet", firing, config="route: {receiver: p}\nreceivers: [{name: p}]"),
            cluster("pages", firing, config=config),
            cluster("other", config=config),
        ]

    _, key = await Pager("prod", [ruleiq], look)("ruleiq", "error_rate", "incident-1")
    assert key == hashlib.sha256(b'{}:{alertname="HighErrorRate"}').hexdigest()


@pytest.mark.parametrize("fault", [Unreachable("refused"), ValueError("a fault")])
async def test_alertmanager_that_fails_keeps_nobody_from_hearing(tmp_path: Path, fault: Exception) -> None:
    bench = await at_the_breach(tmp_path)

    async def page(system: str, rule: str, incident: str) -> tuple[dict[str, str], str]:
        asked.append(is_on(bench.flags))
        raise fault

    asked: list[bool] = []
    bench.loop._teller._page = page
    await bench.run(60)
    assert bench.writes() == ["new_parser"]
    assert bench.ports.kinds() == ["decided", "rolled-back"]
    assert [event.dedup_key for event in bench.ports.events.values()] == ["", ""]
    assert asked == [False], "after the write, and not again at once when it fails"


async def test_an_incident_keeps_its_alert_after_that_has_ended(tmp_path: Path) -> None:
    bench = await at_the_breach(tmp_path)

    async def page(system: str, rule: str, incident: str) -> tuple[dict[str, str], str]:
        return ({"alertname": "HighErrorRate"}, "key") if bench.value() else ({}, "other")

    bench.loop._teller._page = page
    bench.value = lambda: 0.2 if bench.clock.now() < 1_767_225_760 else 0.0
    await bench.run(300)
    assert bench.ports.kinds() == ["decided", "rolled-back", "recovered"]
    assert [event.dedup_key for event in bench.ports.events.values()] == ["key"] * 3


async def test_alertmanager_that_hangs_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("opsconsole.guard.telling.PAGE_SECONDS", 0.01)
    bench = await at_the_breach(tmp_path)

    async def page(system: str, rule: str, incident: str) -> tuple[dict[str, str], str]:
        await asyncio.Event().wait()
        raise AssertionError

    bench.loop._teller._page = page
    await bench.run(60)
    assert bench.ports.kinds() == ["decided", "rolled-back"]
    problems = {status.problem for status in bench.ports.statuses} - {""}
    assert problems == {"told without the alert that it belongs to: Alertmanager gave no answer in time"}
