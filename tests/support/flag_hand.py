"""What somebody at a console stands in who rolls a flag back: a ruleIQ that asks the flag's provider for every
request, a Prometheus that scrapes it, an Alertmanager, and a configuration in which all that is production.

    with FlagScene(folder, RedisFlags(server)) as scene:
        scene.flags.release()
        scene.harms()

Nothing is simulated but the users of the application.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
import urllib.parse
import uuid
import zlib
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import yaml
from openfeature.contrib.tools.flagd.core import FlagdCore
from openfeature.evaluation_context import EvaluationContext
from prometheus_client import start_http_server
from redis import Redis as RedisClient

from opsconsole.config.playbooks import find_playbook
from opsconsole.demo.compress import compressed_copy
from tests.support.flag_servers import Redis, Unleash, rollout
from tests.support.guard_scene import SCRAPES
from tests.support.ruleiq_app import Ruleiq
from tests.support.servers import Alertmanager, Prometheus, http, wait_for

ROOT = Path(__file__).resolve().parents[2]

COMPRESS = 60.0
"""What the delays and windows of the playbook are divided by: an alert fires after 2 s, and looks back 5 s."""

BEFORE = 2
"""The percentage of the users who had the feature before its release, of providers for which some had it."""


class Flags(Protocol):
    """A provider with `flag`, and others that nobody touches. `settings` are the `flags:` of a context."""

    flag: str
    settings: Mapping[str, Any]

    def release(self) -> None:
        """Serve the flag to everybody, as somebody of the team does it."""

    def stands(self) -> object:
        """The definition that the provider itself has of the flag."""

    def is_enabled(self, feature_name: str, context: dict[str, Any] | None = None) -> bool:
        """What an application gets for a user (`userId`)."""


class FlagdFlags:
    """A file as flagd reads it, asked through flagd's own evaluator. Nobody had the feature before."""

    flag = "hand_scoring"

    def __init__(self, folder: Path) -> None:
        self._path = folder / "flags.json"
        self._core, self._read = FlagdCore(), ""
        self.settings = {"provider": "flagd", "path": str(self._path)}
        one = {"state": "ENABLED", "variants": {"on": True, "off": False}, "defaultVariant": "off"}
        self._write({"bulk_export": one, self.flag: one, "a_banner": one})

    def release(self) -> None:
        flags = json.loads(self._path.read_text())["flags"]
        self._write({**flags, self.flag: {**flags[self.flag], "defaultVariant": "on"}})

    def stands(self) -> object:
        return json.loads(self._path.read_text())["flags"][self.flag]

    def is_enabled(self, feature_name: str, context: dict[str, Any] | None = None) -> bool:
        text = self._path.read_text()
        if text != self._read:
            self._core.set_flags(json.loads(text))
            self._read = text
        user = EvaluationContext((context or {}).get("userId"))
        return bool(self._core.resolve_boolean_value(feature_name, False, user).value)

    def _write(self, flags: Mapping[str, object]) -> None:
        new = self._path.with_name("new")
        new.write_text(json.dumps({"$schema": "https://flagd.dev/schema/v0/flags.json", "flags": flags}, indent=2))
        new.replace(self._path)


class UnleashFlags:
    """A flag of a shared Unleash, asked through its SDK. It was on for nobody before."""

    flag = "hand-scoring"

    def __init__(self, folder: Path, server: Unleash, ask: Any) -> None:
        self._server, self._ask = server, ask
        token = folder / "token"
        token.write_text(server.token)
        token.chmod(0o600)
        self.settings = {"provider": "unleash", "url": server.url, "token_file": str(token)}
        for name in (self.flag, "a-banner-by-hand"):
            server.create_flag(name, strategies={"production": [rollout(100)]})

    def release(self) -> None:
        self._server.turn_on(self.flag)

    def stands(self) -> object:
        return self._server.is_on(self.flag), self._server.share(self.flag)

    def is_enabled(self, feature_name: str, context: dict[str, Any] | None = None) -> bool:
        return bool(self._ask(feature_name))


class RedisFlags:
    """A hash in a shared Redis, asked field by field. Some users had the feature before."""

    flag = "hand:scoring"

    def __init__(self, server: Redis) -> None:
        self._client = RedisClient(port=server.port, decode_responses=True)
        self._key = f"hand:{uuid.uuid4().hex[:8]}"
        self.settings = {"provider": "redis", "url": server.url, "key": self._key}
        one = {"enabled": True, "rollout": BEFORE, "owner": "risk"}
        for name in ("bulk:export", self.flag, "a:banner"):
            self._client.hset(self._key, name, json.dumps(one))

    def release(self) -> None:
        before = self._value(self.flag)
        after = json.dumps({**json.loads(before), "rollout": 100})
        told = {"key": self.flag, "at": str(time.time()), "who": "ada", "before": before, "after": after}
        self._client.hset(self._key, self.flag, after)
        self._client.xadd(f"{self._key}:changes", told)

    def stands(self) -> object:
        return json.loads(self._value(self.flag))

    def is_enabled(self, feature_name: str, context: dict[str, Any] | None = None) -> bool:
        flag = json.loads(self._value(feature_name))
        user = str((context or {}).get("userId"))
        return bool(flag["enabled"]) and zlib.crc32(user.encode()) % 100 < flag["rollout"]

    def _value(self, flag: str) -> str:
        return str(self._client.hget(self._key, flag))


class FlagScene:
    """All of it, in `folder`. Users for whom the flag is on come to no harm until `harms`."""

    def __init__(self, folder: Path, flags: Flags) -> None:
        self.folder, self.flags = folder, flags
        self._faults, self._over = folder / "faults.json", threading.Event()
        self._playbook = compressed_copy(find_playbook("ruleiq"), folder / "ruleiq", COMPRESS)
        self._running = contextlib.ExitStack()
        self.alertmanager = Alertmanager(folder / "alertmanager")
        self.prometheus: Prometheus

    @property
    def environment(self) -> dict[str, str]:
        """For `opsconsole` as a process."""
        return {
            "HOME": str(self.folder),
            "USER": "oncall",
            "LOGNAME": "oncall",
            "PYTHONPATH": str(ROOT),
            "OPSCONSOLE_CONFIG": str(self.folder / "config.yaml"),
            "OPSCONSOLE_STATE_DIR": str(self.folder / "state"),
            "OPSCONSOLE_CACHE_DIR": str(self.folder / "cache"),
        }

    def harms(self) -> None:
        """From now on a fifth of the requests of users for whom the flag is on fail."""
        self._bad(0.2)

    def breaches(self) -> bool:
        """Whether the expression of HighErrorRate holds now, asked of Prometheus itself."""
        rules = yaml.safe_load((self._playbook / "rules.yaml").read_text())["groups"]
        expr = next(r["expr"] for group in rules for r in group["rules"] if r["alert"] == "HighErrorRate")
        return bool(self._ask(expr))

    def run(self, *arguments: str) -> str:
        """What `opsconsole` prints with these arguments."""
        done = subprocess.run(
            [sys.executable, "-m", "opsconsole", *arguments],
            env={**os.environ, **self.environment},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as started:
            port = self._serve(started)
            started.enter_context(self.alertmanager)
            self.prometheus = Prometheus(
                self.folder / "prometheus",
                config=SCRAPES % (port, self._playbook / "rules.yaml"),
                alertmanagers=[f"127.0.0.1:{self.alertmanager.port}"],
            )
            started.enter_context(self.prometheus)
            self._write_config()
            wait_for(lambda: bool(self._ask("rate(ruleiq_requests_total[5s]) > 1")), 60, "traffic in Prometheus")
            self._running = started.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._running.close()

    def _serve(self, started: contextlib.ExitStack) -> int:
        """Start the application; the port of its metrics."""
        self._bad(0.0)
        app = Ruleiq(self.flags, [self.flags.flag], self._faults)
        server, exporter = start_http_server(0, addr="127.0.0.1", registry=app.registry)
        users = threading.Thread(target=app.run, args=(self._over,), daemon=True)
        users.start()

        def stop() -> None:
            self._over.set()
            server.shutdown()
            server.server_close()
            for thread in (users, exporter):
                thread.join(10)

        started.callback(stop)
        return int(server.server_port)

    def _bad(self, share: float) -> None:
        fresh = self._faults.with_suffix(".new")
        fresh.write_text(json.dumps({"bad": share}))
        fresh.replace(self._faults)

    def _ask(self, expr: str) -> list[Any]:
        answer = http("GET", f"{self.prometheus.url}/api/v1/query?{urllib.parse.urlencode({'query': expr})}")
        found: list[Any] = json.loads(answer)["data"]["result"]
        return found

    def _write_config(self) -> None:
        context = {
            "environment": "production",
            "playbooks": [str(self._playbook)],
            "prometheus": {"url": self.prometheus.url},
            "alertmanager": [{"name": "main", "members": [self.alertmanager.url]}],
            "flags": dict(self.flags.settings),
        }
        file = self.folder / "config.yaml"
        file.write_text(yaml.safe_dump({"current_context": "live", "contexts": {"live": context}}))
