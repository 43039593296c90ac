"""A guard's page joins the one that a real Alertmanager has sent for the same trouble."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from opsconsole.cli.guard_page import make_pager
from opsconsole.clients.sources import Sources
from opsconsole.clock import SystemClock
from opsconsole.config.schema import ClusterConfig, Context, Endpoint
from tests.support.servers import Alertmanager, Server

pytestmark = pytest.mark.live

ROUTES = """\
route: {receiver: pager, group_by: [alertname]}
receivers:
  - name: pager
    pagerduty_configs: [{routing_key: key, url: 'http://127.0.0.1:9/', send_resolved: false}]
"""
ALERT = {"alertname": "HighErrorRate", "severity": "critical", "job": "ruleiq", "endpoint": "/a"}


async def test_the_key_is_that_of_the_alert(tmp_path: Path, started: Callable[[Server], Server]) -> None:
    server = Alertmanager(tmp_path / "alertmanager", config=ROUTES)
    started(server)
    server.post_alerts([{"labels": ALERT}])
    cluster = ClusterConfig(name="main", members=(Endpoint(url=server.url),))
    context = Context(name="prod", playbooks=("ruleiq",), alertmanager=(cluster,))
    sources = Sources(context, SystemClock())
    try:
        labels, key = await make_pager(context, sources, SystemClock())("ruleiq", "error_rate", "incident")
        assert labels == ALERT
        assert key == hashlib.sha256(b'{}:{alertname="HighErrorRate"}').hexdigest()
        labels, key = await make_pager(context, sources, SystemClock())("ruleiq", "db_pool", "incident")
        assert (labels, key) == ({}, "opsconsole/prod/incident")
    finally:
        await sources.aclose()
