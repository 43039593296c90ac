"""A real Unleash, evaluated with the engine of its own SDK on what it tells an application."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from opsconsole.clients.flags import make_provider
from opsconsole.clients.flags.base import FlagProvider
from tests.contract.harness import HOSTILE, Harness, Keys
from tests.support.counting_proxy import CountingProxy
from tests.support.flag_servers import Unleash, rollout, unleash_config
from tests.support.servers import free_port

MARKS = (pytest.mark.live, pytest.mark.xdist_group("flags"))


class UnleashHarness(Harness):
    keys = Keys(
        **{role: f"contract-{role}" for role in ("full", "partial", "off", "turned_off", "hostile")},
        kill_switch="contract-kill-switch",
        targeted="contract-targeted",
    )
    other = "ada"
    steps = 6

    def __init__(self, unleash: Unleash, folder: Path) -> None:
        self._unleash = unleash
        self._token = folder / "token"
        self._wrong = folder / "wrong"
        for path, token in ((self._token, unleash.token), (self._wrong, "*:*.not-this-one")):
            path.write_text(token)
            path.chmod(0o600)
        self._listed: set[str] = set()
        self._proxy = CountingProxy(unleash.port)
        self._proxy.open()

    async def start(self) -> None:
        self._listed = {flag["name"] for flag in self._unleash.ask("GET", "projects/default/features")["features"]}
        keys, pro = self.keys, [{"contextName": "sessionId", "operator": "IN", "values": ["pro"]}]
        self._make(keys.full, True, rollout(100))
        self._make(keys.partial, True, rollout(50))
        self._make(keys.off, False, rollout(100))
        self._make(keys.turned_off, True, rollout(100))
        title = HOSTILE.replace("\x00", "")  # PostgreSQL has no place for it
        self._make(keys.hostile, True, rollout(100, title=title), description=title)
        self._make(keys.kill_switch, True, rollout(100), type="kill-switch")
        self._make(keys.targeted, True, {"name": "default", "parameters": {}, "constraints": pro})

    def provider(self) -> FlagProvider:
        return make_provider(unleash_config(self._proxy.url, self._token))

    async def serves(self, key: str) -> float:
        return self._unleash.share(key)

    async def change(self, key: str, percent: float) -> None:
        if percent == 0:
            self._unleash.turn_off(key)
        else:
            self._unleash.set_rollout(key, int(percent))
            if not self._unleash.is_on(key):
                self._unleash.turn_on(key)

    def unreachable(self) -> FlagProvider:
        return make_provider(unleash_config(f"http://127.0.0.1:{free_port()}", self._token))

    def unauthorised(self) -> FlagProvider:
        return make_provider(unleash_config(self._proxy.url, self._wrong))

    def answerless(self) -> FlagProvider:
        self._proxy.lose_answers_to_writes = True
        return make_provider(unleash_config(self._proxy.url, self._token, timeout=2.0))

    def writes(self) -> int:
        return self._proxy.writes

    async def aclose(self) -> None:
        self._proxy.close()

    def _make(self, key: str, on: bool, strategy: dict[str, Any], **more: str) -> None:
        """The flag as it should be; a former test may have left it otherwise."""
        if key not in self._listed:
            self._unleash.ask("POST", "projects/default/features", {"name": key, **more})
        place = f"projects/default/features/{key}/environments/production"
        there = self._unleash.strategies(key)
        if len(there) != 1 or any(there[0].get(name) != value for name, value in strategy.items()):
            for one in there:
                self._unleash.ask("DELETE", f"{place}/strategies/{one['id']}")
            self._unleash.ask("POST", f"{place}/strategies", strategy)
        if self._unleash.is_on(key) is not on:
            (self._unleash.turn_on if on else self._unleash.turn_off)(key)


HARNESSES = {
    "unleash": lambda request, folder: UnleashHarness(request.getfixturevalue("unleash"), folder),
}
