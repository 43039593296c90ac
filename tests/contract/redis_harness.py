"""A real Redis, with applications that serve a flag to the first so many of a hundred users."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis as Client

from opsconsole.clients.flags import make_provider
from opsconsole.clients.flags.base import FlagProvider
from opsconsole.config.schema import FlagsConfig, RedisSettings
from tests.contract.harness import HOSTILE, Harness, Keys
from tests.support.flag_servers import Redis
from tests.support.servers import free_port

MARKS = (pytest.mark.live, pytest.mark.xdist_group("flags"))

FLAGS: dict[str, dict[str, Any]] = {
    "full": {"enabled": True},
    "partial": {"enabled": True, "rollout": 50},
    "off": {"enabled": False},
    "turned_off": {"enabled": True, "owner": "pricing"},
    HOSTILE: {"enabled": True, "type": HOSTILE, "tags": [HOSTILE], HOSTILE: HOSTILE},
    "kill_switch": {"enabled": True, "type": "kill-switch"},
    "targeted": {"enabled": True, "rollout": 0, "targeting": {"plan": "pro"}},
}


class RedisHarness(Harness):
    keys = Keys(hostile=HOSTILE, kill_switch="kill_switch", targeted="targeted")
    other = "ann"

    def __init__(self, server: Redis, folder: Path) -> None:
        self._server, self._folder = server, folder
        self._hash = f"flags:{folder.name}"
        self._stream = f"{self._hash}:changes"
        self._deaf: _Deaf | None = None

    async def start(self) -> None:
        self._client = Client(port=self._server.port)
        await self._client.delete(self._hash, self._stream)
        for key, value in FLAGS.items():
            await self._client.execute_command("HSET", self._hash, key, json.dumps(value))
        self._deaf = _Deaf(self._server.port)
        await self._deaf.start()

    def provider(self) -> FlagProvider:
        return self._made(self._server.port)

    def unreachable(self) -> FlagProvider:
        return self._made(free_port())

    def unauthorised(self) -> FlagProvider:
        secret = self._folder / "secret"
        secret.write_text("wrong")
        secret.chmod(0o600)
        return self._made(self._server.port, username="nobody", password_file=secret)

    def answerless(self) -> FlagProvider:
        assert self._deaf is not None
        return self._made(self._deaf.port, timeout=1.0)

    def writes(self) -> int | None:
        return None if self._deaf is None else self._deaf.writes

    async def serves(self, key: str) -> float:
        flag = await self._read(key)
        if not flag["enabled"]:
            return 0.0
        return max(float(flag.get("rollout", 100)), 10.0 if flag.get("targeting") else 0.0)

    async def change(self, key: str, percent: float) -> None:
        """As an application that writes the hash by itself, and tells the stream."""
        flag = await self._read(key)
        new = {**flag, "enabled": False} if percent == 0 else {**flag, "enabled": True, "rollout": percent}
        before, after = json.dumps(flag), json.dumps(new)
        await self._client.execute_command("HSET", self._hash, key, after)
        told = (
            "key",
            key,
            "at",
            str(time.time()),
            "who",
            self.other,
            "reason",
            "",
            "before",
            before,
            "after",
            after,
        )
        await self._client.execute_command("XADD", self._stream, "*", *told)

    async def aclose(self) -> None:
        if self._deaf is not None:
            await self._deaf.stop()
            await self._client.delete(self._hash, self._stream)
            await self._client.aclose()

    async def _read(self, key: str) -> dict[str, Any]:
        found = json.loads(await self._client.execute_command("HGET", self._hash, key))
        assert isinstance(found, dict)
        return found

    def _made(self, port: int, **more: Any) -> FlagProvider:
        url = f"redis://127.0.0.1:{port}/0"
        settings = RedisSettings(url=url, key=self._hash, stream=self._stream, **more)
        return make_provider(FlagsConfig(provider="redis", redis=settings))


class _Deaf:
    """Passes everything on to Redis, and everything back until a script was sent."""

    def __init__(self, upstream: int) -> None:
        self.writes = 0
        self.port = 0
        self._upstream = upstream

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream, onward = await asyncio.open_connection("127.0.0.1", self._upstream)
        sent = asyncio.Event()

        async def back() -> None:
            while answer := await upstream.read(65536):
                if not sent.is_set():
                    writer.write(answer)

        task = asyncio.get_running_loop().create_task(back())
        try:
            while asked := await reader.read(65536):
                if b"EVAL" in asked:
                    self.writes += 1
                    sent.set()
                onward.write(asked)
        except ConnectionError:
            pass
        finally:
            task.cancel()
            writer.close()
            onward.close()


HARNESSES = {"redis": lambda request, folder: RedisHarness(request.getfixturevalue("redis_server"), folder)}
