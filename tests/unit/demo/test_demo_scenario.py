"""The scripted incident: calm, pending, firing, rolled back, resolved; the same every time."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest
from demo_driver import Demo

from opsconsole.clock import ManualClock
from opsconsole.config.playbooks import find_playbook, load_playbook
from opsconsole.demo.embedded import EmbeddedDemo
from opsconsole.demo.release import served_share

PANEL_95 = 'histogram_quantile(0.95, sum by (le) (rate(http_request_duration_ms_bucket{job="accubooks"}[5m])))'
ERRORS = (
    '100 * sum(rate(http_requests_total{job="accubooks",status_code=~"5.."}[5m]))'
    ' / sum(rate(http_requests_total{job="accubooks"}[5m]))'
)
POOL = "max(db_pool_utilization_percent)"
BACKGROUND = {"RedisMemoryWarning", "DiskFillingUp", "CertificateExpiresSoon"}


def roll_back(path: Path) -> None:
    content = json.loads(path.read_text())
    content["flags"]["new_pricing"] |= {"defaultVariant": "off", "targeting": {}}
    path.write_text(json.dumps(content))


async def test_calm_before_the_release(demo: Demo) -> None:
    assert await demo.value(ERRORS) < 0.1
    assert await demo.value(PANEL_95) < 500
    assert await demo.value(POOL) < 40
    assert set(await demo.states()) == BACKGROUND
    content = json.loads(demo.endpoints.flags_file.read_text())
    assert served_share(content) == 0.0


async def test_the_incident_unfolds_in_four_minutes(demo: Demo) -> None:
    await demo.to(20)
    assert served_share(json.loads(demo.endpoints.flags_file.read_text())) == 1.0
    await demo.to(45)
    assert (await demo.states())["HighErrorRate"] == "pending"
    assert "HighErrorRate" not in await demo.alerts()
    await demo.to(75)
    assert (await demo.states())["HighErrorRate"] == "firing"
    assert "/api/forecast" in (await demo.alerts())["HighErrorRate"]["annotations"]["summary"]
    await demo.to(135)
    assert {"DatabasePoolWarning", "HighLatency"} <= set(await demo.alerts())
    assert "DatabasePoolExhaustion" not in await demo.alerts()
    await demo.to(180)
    alerts = await demo.alerts()
    assert alerts["DatabasePoolWarning"]["status"]["inhibitedBy"] == [
        alerts["DatabasePoolExhaustion"]["fingerprint"]
    ]
    assert await demo.value(ERRORS) == pytest.approx(4.8, abs=0.3)
    assert await demo.value(PANEL_95) == pytest.approx(1240, abs=60)
    assert await demo.value(POOL) == pytest.approx(91, abs=0.6)


async def test_every_state_can_be_seen(demo: Demo) -> None:
    await demo.to(180)
    alerts = await demo.alerts()
    assert alerts["DiskFillingUp"]["status"]["silencedBy"]
    assert alerts["DiskFillingUp"]["status"]["state"] == "suppressed"
    assert alerts["CertificateExpiresSoon"]["labels"]["severity"] == "info"
    assert alerts["RedisMemoryWarning"]["status"]["state"] == "active"
    assert alerts["HighErrorRate"]["receivers"] == [{"name": "on-call-pager-chat-mail"}]
    reply = await demo.http.get(f"{demo.endpoints.alertmanager_url}/api/v2/silences")
    assert [s["status"]["state"] for s in reply.json()] == ["active", "pending", "expired"]


async def test_a_rollback_heals_within_about_a_minute(demo: Demo) -> None:
    await demo.to(180)
    roll_back(demo.endpoints.flags_file)
    await demo.to(195)
    assert await demo.value(ERRORS) > 0.1
    await demo.to(260)
    assert await demo.value(ERRORS) < 0.1
    assert await demo.value(PANEL_95) < 500
    assert await demo.value(POOL) < 40
    assert set(await demo.states()) == BACKGROUND
    assert set(await demo.alerts()) == BACKGROUND


async def test_the_release_never_undoes_a_rollback(demo: Demo) -> None:
    await demo.to(60)
    roll_back(demo.endpoints.flags_file)
    before = demo.endpoints.flags_file.read_bytes()
    await demo.to(600, step=30)
    assert demo.endpoints.flags_file.read_bytes() == before


async def test_a_flag_changed_before_the_release_is_left_alone(demo: Demo) -> None:
    content = json.loads(demo.endpoints.flags_file.read_text())
    content["flags"]["new_pricing"]["state"] = "DISABLED"
    demo.endpoints.flags_file.write_text(json.dumps(content))
    await demo.to(120)
    assert set(await demo.states()) == BACKGROUND


async def test_a_broken_flag_file_keeps_what_was_served(demo: Demo) -> None:
    await demo.to(100)
    demo.endpoints.flags_file.write_text("{")
    await demo.to(150)
    assert await demo.value(ERRORS) > 4


async def test_alert_history_is_kept(demo: Demo) -> None:
    await demo.to(120)
    reply = await demo.prom(
        "query_range",
        query='ALERTS{alertname="HighErrorRate"}',
        start=demo.start - 3600,
        end=demo.start + 120,
        step=5,
    )
    spans = {s["metric"]["alertstate"]: s["values"] for s in reply["data"]["result"]}
    assert spans["pending"][-1][0] < spans["firing"][0][0]
    assert spans["firing"][-1] == [demo.start + 120, "1"]
    active = await demo.value('ALERTS_FOR_STATE{alertname="RedisMemoryWarning"}')
    assert active == pytest.approx(demo.start - 31 * 60, abs=180)


async def test_every_expression_of_the_playbook_is_answered(demo: Demo) -> None:
    folder = find_playbook("accubooks")
    playbook = load_playbook(folder)
    panels = [panel for dashboard in playbook.dashboards for panel in dashboard.panels]
    rules = (await demo.prom("rules"))["data"]["groups"]
    queries = [q.expr for panel in panels for q in panel.queries]
    rule_queries = [rule["query"] for group in rules for rule in group["rules"]]
    assert len(queries) > 15
    assert len(rule_queries) >= 9
    for query in queries:
        reply = await demo.prom("query", query=query)
        assert "warnings" not in reply
        assert reply["data"]["result"], query
        ranged = await demo.prom("query_range", query=query, start=demo.start - 3600, end=demo.start, step=60)
        assert ranged["data"]["result"], query
    for query in rule_queries:
        reply = await demo.prom("query", query=query)
        assert reply["status"] == "success"
        assert "warnings" not in reply


async def _record(tmp_path: Path, seed: int) -> list[bytes]:
    tmp_path.mkdir()
    clock = ManualClock()
    server = EmbeddedDemo(clock=clock, directory=tmp_path, seed=seed)
    endpoints = await server.start()
    replies: list[bytes] = []
    async with httpx.AsyncClient(trust_env=False) as http:
        for _ in range(12):
            clock.advance(20)
            now = clock.now()
            query = {"query": PANEL_95, "start": now - 600, "end": now, "step": 15}
            for reply in (
                await http.post(f"{endpoints.prometheus_url}/api/v1/query_range", data=query),
                await http.get(f"{endpoints.prometheus_url}/api/v1/rules"),
                await http.get(f"{endpoints.alertmanager_url}/api/v2/alerts"),
                await http.get(f"{endpoints.alertmanager_url}/api/v2/silences"),
            ):
                replies.append(reply.content)
    replies.append(endpoints.flags_file.read_bytes())
    await server.stop()
    return replies


async def test_the_same_seed_and_clock_give_the_same_bytes(tmp_path: Path) -> None:
    first = await _record(tmp_path / "a", 7)
    assert first == await _record(tmp_path / "b", 7)
    assert first != await _record(tmp_path / "c", 8)


async def test_how_often_it_is_asked_changes_nothing(demo: Demo, tmp_path: Path) -> None:
    await demo.to(180, step=1)
    folder = tmp_path / "rarely"
    folder.mkdir()
    clock = ManualClock()
    server = EmbeddedDemo(clock=clock, directory=folder)
    endpoints = await server.start()
    clock.advance(180)
    reply = await demo.http.get(f"{endpoints.alertmanager_url}/api/v2/alerts")
    again = await demo.http.get(f"{demo.endpoints.alertmanager_url}/api/v2/alerts")
    await server.stop()
    assert reply.content == again.content
