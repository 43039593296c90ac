"""Unleash's own limit on its log: it is not asked before it said, and the flags are read all the same."""

from __future__ import annotations

import pytest

from opsconsole.clients.flags.unleash import UnleashProvider
from opsconsole.clock import ManualClock
from opsconsole.config.schema import Endpoint
from opsconsole.errors import FlagRateLimited
from tests.support.scripted import Received, Say, ScriptedServer, json_reply

PLACE = {"name": "production", "enabled": True, "strategies": [{"name": "default", "id": "s"}]}
FLAG = {"name": "f", "type": "release", "environments": [PLACE]}
LIMITED = Say(429, b"Too Many Requests", (("Retry-After", "40"),), b"Too many requests, please try again later.")


class Log:
    """An Unleash with one flag whose log answers with `said`."""

    def __init__(self, server: ScriptedServer) -> None:
        self.said = LIMITED
        self.asked = 0
        server.on("*", self.answer)

    def answer(self, received: Received) -> Say:
        if received.path.endswith("/search/events"):
            self.asked += 1
            return self.said
        return json_reply(FLAG if received.path.endswith("/f") else {"features": [FLAG]})


async def test_a_log_that_asks_to_wait_is_not_asked_before(scripted: ScriptedServer) -> None:
    log, clock = Log(scripted), ManualClock()
    provider = UnleashProvider(Endpoint(url=scripted.url), "default", "production", clock=clock)
    try:
        for _ in range(3):
            assert [flag.key for flag in (await provider.read()).flags] == ["f"]
            clock.advance(10)
        with pytest.raises(FlagRateLimited) as caught:
            await provider.changes(0.0)
        assert (log.asked, caught.value.retry_after) == (1, 10.0)
        assert "10 s" in caught.value.hint
        log.said = json_reply({"events": []})
        clock.advance(10)
        assert (await provider.changes(0.0), log.asked) == ((), 2)
    finally:
        await provider.aclose()
