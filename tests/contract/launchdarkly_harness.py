"""LaunchDarkly, from its documented shapes: there is none to run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from opsconsole.clients.flags import make_provider
from opsconsole.clients.flags.base import FlagProvider
from opsconsole.config.schema import Authorization, Endpoint, FlagsConfig, HttpConfig
from tests.contract.harness import HOSTILE, Harness, Keys
from tests.support.launchdarkly import ENVIRONMENT, TOKEN, LaunchDarkly, flag, served
from tests.support.scripted import ScriptedServer
from tests.support.servers import free_port

USERS = 100
HALF = {"rollout": {"variations": [{"variation": 0, "weight": 50_000}, {"variation": 1, "weight": 50_000}]}}
RULE = {
    "_id": "r1",
    "clauses": [{"_id": "c1", "attribute": "plan", "op": "in", "values": ["pro"], "contextKind": "user"}],
    "variation": 0,
    "trackEvents": False,
}


class LaunchDarklyHarness(Harness):
    keys = Keys(no_safe="no_safe", kill_switch="kill_switch", targeted="targeted")
    other = "Ann Lee"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._there, self._silent = ScriptedServer(), ScriptedServer()
        self.api = LaunchDarkly()
        self._there.on("*", self.api.answer)
        self._silent.on("*", self.api.lost)

    async def start(self) -> None:
        made = (
            flag("full"),
            flag("partial", fallthrough=HALF),
            flag("off", on=False),
            flag("turned_off"),
            flag("hostile", HOSTILE, "off") | {"name": HOSTILE, "description": HOSTILE, "tags": [HOSTILE]},
            flag("no_safe", "a", "b", offVariation=None),
            flag("kill_switch") | {"tags": ["Kill switch"]},
            flag(
                "targeted",
                fallthrough={"variation": 1},
                rules=[RULE],
                targets=[{"values": ["7"], "variation": 0, "contextKind": "user"}],
                prerequisites=[{"key": "full", "variation": 0}],
            ),
        )
        self.api.flags = {rep["key"]: rep for rep in made}
        await self._there.start()
        await self._silent.start()

    def provider(self) -> FlagProvider:
        return self._made(self._there.url)

    def unreachable(self) -> FlagProvider:
        return self._made(f"http://127.0.0.1:{free_port()}")

    def unauthorised(self) -> FlagProvider:
        return self._made(self._there.url, token="wrong")

    def answerless(self) -> FlagProvider:
        return self._made(self._silent.url, timeout=1.0)

    async def serves(self, key: str) -> float:
        rep = self.api.flags[key]
        return 100 * sum(served(rep, user) not in (False, "off", "b") for user in range(USERS)) / USERS

    async def change(self, key: str, percent: float) -> None:
        if percent == 0:
            self.api.edit(key, {"on": False}, "turned off the flag")
            return
        fallthrough: dict[str, Any] = HALF if percent == 50 else {"variation": 0}
        self.api.edit(key, {"on": True, "fallthrough": fallthrough})

    def writes(self) -> int:
        return len(self.api.patches)

    async def aclose(self) -> None:
        await self._there.stop()
        await self._silent.stop()

    def _made(self, url: str, *, token: str = TOKEN, timeout: float = 30.0) -> FlagProvider:
        secret = self._folder / f"token-{token}"
        secret.write_text(token)
        secret.chmod(0o600)
        http = HttpConfig(authorization=Authorization(type="", credentials_file=secret), timeout=timeout)
        return make_provider(
            FlagsConfig(
                provider="launchdarkly",
                endpoint=Endpoint(url=url, http=http),
                project="default",
                environment=ENVIRONMENT,
            )
        )


HARNESSES = {"launchdarkly": lambda request, folder: LaunchDarklyHarness(folder)}
