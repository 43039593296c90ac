from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest_asyncio
from demo_driver import Demo

from opsconsole.clock import ManualClock
from opsconsole.demo.embedded import EmbeddedDemo


@pytest_asyncio.fixture
async def demo(tmp_path: Path) -> AsyncIterator[Demo]:
    clock = ManualClock()
    server = EmbeddedDemo(clock=clock, directory=tmp_path)
    endpoints = await server.start()
    async with httpx.AsyncClient(trust_env=False) as http:
        yield Demo(clock, endpoints, http)
    await server.stop()
