"""Samples asked of a real Prometheus for each refresh, against asking for whole windows."""

from __future__ import annotations

import asyncio

from opsconsole.clients.sources import Sources
from opsconsole.clock import SystemClock
from opsconsole.config.playbooks import find_playbook, load_playbook
from opsconsole.config.schema import Context, Endpoint
from opsconsole.demo.real import RealStack
from opsconsole.state.engine import Engine
from opsconsole.state.snapshot import ContextInfo
from opsconsole.text import trusted

TARGET = 0.05
REFRESHES = 20


async def measure(url: str) -> float:
    """Points asked for over points of whole windows, after the first full ones."""
    clock = SystemClock()
    playbook = load_playbook(find_playbook("accubooks"))
    context = Context(name="bench", prometheus=Endpoint(url=url))
    engine = Engine(ContextInfo(name=trusted("bench")), Sources(context, clock), [playbook], clock)
    keys = [f"{playbook.system}/{panel.id}" for panel in playbook.dashboards[0].panels]
    try:
        await engine.collect(names=(), panels=keys)
        engine.polls.panels.samples_asked = engine.polls.panels.samples_full = 0
        for _ in range(REFRESHES):
            await engine.collect(names=(), panels=keys)
    finally:
        await engine.aclose()
    return engine.polls.panels.samples_asked / engine.polls.panels.samples_full


def main() -> None:
    with RealStack() as end:
        ratio = asyncio.run(measure(end.prometheus_url))
    mark = "met" if ratio <= TARGET else "MISSED"
    print(f"samples asked for a refresh against whole windows: ratio {ratio:.3f}, target at most {TARGET}: {mark}")


if __name__ == "__main__":
    main()
