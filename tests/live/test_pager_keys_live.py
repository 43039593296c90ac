"""The dedup_key of an alert, as a real Alertmanager sends it to PagerDuty, against the one that is worked out."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from opsconsole.cli.guard_page import make_pager
from opsconsole.clients.notify import make_channels
from opsconsole.clients.sources import Sources
from opsconsole.clock import SystemClock
from opsconsole.config.schema import ClusterConfig, Context, Endpoint, NotifyConfig, SecretSource
from opsconsole.model.pagerkeys import alert_key
from opsconsole.model.routing import parse_routing
from tests.support.guard_events import an_event
from tests.support.scripted import ScriptedServer, json_reply
from tests.support.servers import START_LIMIT, Alertmanager, http

CONFIG = """\
route:
  receiver: pager
  group_by: [alertname, cluster]
  group_wait: 1ms
  routes:
    - matchers: ['severity="critical"', 'path=~"C:\\\\\\\\.*|say \\"x\\""']
      receiver: pager
      group_by: ['...']
      routes:
        - matchers: [team != nobody]
    - match_re: {team: 'db|data.*'}
      match: {severity: warning}
      receiver: chat
      group_by: [team, absent]
      continue: true
      routes:
        - matchers: ['severity="warning"', 'env!~"test|dev"', 'env!=""']
          receiver: pager
          group_by: []
    - matchers: ['severity="info"']
      receiver: chat
    - match: {team: db}
      group_by: [team, nothing]
receivers:
  - name: pager
    pagerduty_configs: [{routing_key: 0123456789abcdef0123456789abcdef, url: "%(url)s/v2/enqueue"}]
  - name: chat
    webhook_configs: [{url: "%(url)s/chat"}]
"""

ALERTS: list[dict[str, str]] = [
    {"alertname": "Plain", "cluster": "a", "severity": "warning"},
    {"alertname": "NoCluster"},
    {"alertname": "Quoted", "severity": "critical", "path": 'C:\\x "y"', "team": "pay\n\tments é\u200b\x01"},
    {"alertname": "Nobody", "severity": "critical", "path": 'say "x"', "team": "nobody"},
    {"alertname": "Inherits", "severity": "warning", "team": "data-1", "env": "prod"},
    {"alertname": "Continues", "severity": "warning", "team": "db", "env": "dev"},
]


async def test_the_key_is_the_one_that_alertmanager_sends(tmp_path: Path) -> None:
    async with ScriptedServer() as receiver:
        receiver.on("*", json_reply({"status": "success"}, status=202))
        server = Alertmanager(tmp_path / "am", config=CONFIG % {"url": receiver.url})
        await asyncio.to_thread(server.start)
        try:
            chat = {"alertname": "OnlyChat", "severity": "info"}
            await asyncio.to_thread(server.post_alerts, [{"labels": labels} for labels in (*ALERTS, chat)])
            status = json.loads(await asyncio.to_thread(http, "GET", f"{server.url}/api/v2/status"))
            routing = parse_routing(status["config"]["original"])
            sent: dict[str, str] = {}
            try:
                async with asyncio.timeout(START_LIMIT):
                    while len(sent) < len(ALERTS):
                        for request in receiver.asked("/v2/enqueue"):
                            said = json.loads(request.body)
                            firing = said["payload"]["custom_details"]["firing"]
                            name = firing.split("alertname = ", 1)[1].split("\n", 1)[0]
                            sent[name] = said["dedup_key"]
                        await asyncio.sleep(0.02)
            except TimeoutError:
                raise AssertionError(f"PagerDuty heard only of {sorted(sent)}; {server.log()[-2000:]}") from None
        finally:
            await asyncio.to_thread(server.stop)
    assert {labels["alertname"]: alert_key([routing], labels) for labels in ALERTS} == sent
    assert alert_key([routing], chat) == "", "no PagerDuty hears of it"
    assert alert_key([], ALERTS[0]) == "", "nothing is known of the routing"
    other = parse_routing("route: {receiver: p}\nreceivers: [{name: p, pagerduty_configs: [{}]}]")
    assert alert_key([routing, other], ALERTS[0]) == "", "the members do not agree"


GUARDED = """\
route: {receiver: pager, group_by: [alertname, job], group_wait: 1ms}
receivers:
  - name: pager
    pagerduty_configs: [{routing_key: 0123456789abcdef0123456789abcdef, url: "%(url)s/v2/enqueue"}]
"""


async def test_the_page_of_the_guard_joins_that_of_the_alert(tmp_path: Path) -> None:
    secret = tmp_path / "key"
    secret.write_text("0123456789abcdef0123456789abcdef")
    secret.chmod(0o600)
    firing = {"alertname": "HighErrorRate", "severity": "critical", "job": "ruleiq"}
    async with ScriptedServer() as receiver:
        receiver.on("*", json_reply({"status": "success"}, status=202))
        server = Alertmanager(tmp_path / "am", config=GUARDED % {"url": receiver.url})
        await asyncio.to_thread(server.start)
        cluster = ClusterConfig(name="main", members=(Endpoint(url=server.url),))
        context = Context(name="prod", playbooks=("ruleiq",), alertmanager=(cluster,))
        sources = Sources(context, SystemClock())
        notify = NotifyConfig(
            name="pd", kind="pagerduty", endpoint=Endpoint(url=receiver.url), secret=SecretSource(file=secret)
        )
        alerts, changes = make_channels([notify], SystemClock())
        pager = make_pager(context, sources, SystemClock())
        assert pager is not None
        try:
            await asyncio.to_thread(server.post_alerts, [{"labels": firing}])
            labels, key = await pager("ruleiq", "error_rate", "incident-1")
            assert labels == firing
            await alerts.send(an_event(dedup_key=key, labels=labels))
            try:
                async with asyncio.timeout(START_LIMIT):
                    while len(sent := receiver.asked("/v2/enqueue")) < 2:
                        await asyncio.sleep(0.02)
            except TimeoutError:
                raise AssertionError(f"PagerDuty heard {len(sent)} of 2; {server.log()[-2000:]}") from None
            assert await pager("ruleiq", "db_pool", "incident-2") == ({}, "opsconsole/prod/incident-2")
        finally:
            await sources.aclose()
            await alerts.aclose()
            await changes.aclose()
            await asyncio.to_thread(server.stop)
    said = [json.loads(request.body) for request in sent]
    assert {each["dedup_key"] for each in said} == {key}, said
    assert {each.get("client") for each in said} == {"Alertmanager", "opsconsole guard"}
