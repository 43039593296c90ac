"""Alerts that are posted to the embedded demo: there with their receivers, over at their end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx

from opsconsole.clock import ManualClock
from opsconsole.demo.embedded import EmbeddedDemo
from opsconsole.demo.times import rfc3339


async def test_a_posted_alert_is_there_until_it_ends(tmp_path: Path) -> None:
    clock = ManualClock()
    demo = EmbeddedDemo(clock=clock, directory=tmp_path)
    url = f"{(await demo.start()).alertmanager_url}/api/v2/alerts"

    async def names() -> list[tuple[str, str]]:
        found = (await http.get(url)).json()
        return [(a["labels"]["alertname"], a["receivers"][0]["name"]) for a in found]

    async def post(**fields: Any) -> int:
        labels = {"alertname": "Test", "severity": "critical"}
        return (await http.post(url, json=[{"labels": labels, **fields}])).status_code

    async with httpx.AsyncClient(trust_env=False) as http:
        before = await names()
        assert await post(endsAt=rfc3339(clock.now() + 60)) == 200
        assert set(await names()) == {("Test", "on-call-pager-chat-mail"), *before}
        clock.advance(30)
        assert "Test" in dict(await names())
        assert await post(startsAt=rfc3339(clock.now() - 9), endsAt=rfc3339(clock.now())) == 200
        assert "Test" not in dict(await names())
        assert await post(startsAt=rfc3339(clock.now()), endsAt=rfc3339(clock.now() - 9)) == 400
        assert (await http.post(url, json={"labels": {}})).status_code == 400
        assert (await http.post(url, json=[{"labels": {}}])).status_code == 400
        assert "Test" not in dict(await names())
    await demo.stop()
