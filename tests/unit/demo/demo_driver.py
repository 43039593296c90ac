"""A running embedded demo for tests, its clock, and short ways to ask it."""

from __future__ import annotations

from typing import Any

import httpx

from opsconsole.clock import ManualClock
from opsconsole.demo.embedded import DemoEndpoints


class Demo:
    """A running embedded demo."""

    def __init__(self, clock: ManualClock, endpoints: DemoEndpoints, http: httpx.AsyncClient) -> None:
        self.clock = clock
        self.endpoints = endpoints
        self.http = http
        self.start = clock.now()

    async def to(self, seconds: float, step: float = 5.0) -> None:
        """Move the clock to `seconds` after the start, as a console that polls would see it."""
        while self.clock.now() < self.start + seconds - 1e-6:
            self.clock.advance(min(step, self.start + seconds - self.clock.now()))
            await self.http.get(f"{self.endpoints.prometheus_url}/-/ready")

    async def prom(self, path: str, **params: Any) -> Any:
        reply = await self.http.post(f"{self.endpoints.prometheus_url}/api/v1/{path}", data=params)
        return reply.json()

    async def value(self, query: str) -> float:
        (series,) = (await self.prom("query", query=query))["data"]["result"]
        return float(series["value"][1])

    async def alerts(self, **params: Any) -> dict[str, Any]:
        reply = await self.http.get(f"{self.endpoints.alertmanager_url}/api/v2/alerts", params=params)
        return {alert["labels"]["alertname"]: alert for alert in reply.json()}

    async def states(self) -> dict[str, str]:
        alerts = (await self.prom("alerts"))["data"]["alerts"]
        return {alert["labels"]["alertname"]: alert["state"] for alert in alerts}
