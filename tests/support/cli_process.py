"""The command line as processes of their own, through a proxy, killed with -9 where a fault holds their write."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

from tests.support.fault_proxy import Fault, FaultProxy, Point

LIMIT = 60.0


class Cli:
    """Each run is a process; all have one state folder."""

    def __init__(self, folder: Path, proxy: FaultProxy) -> None:
        self._proxy = proxy
        self.state = folder / "state"
        self._env = {
            **{name: value for name, value in os.environ.items() if name in ("PATH", "LANG", "LC_ALL")},
            "HOME": str(folder),
            "OPSCONSOLE_STATE_DIR": str(self.state),
            "USER": "me",
            "LOGNAME": "me",
        }

    async def start(self, *argv: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "opsconsole",
            *argv,
            env=self._env,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    async def run(self, *argv: str) -> tuple[int | None, str, str]:
        process = await self.start(*argv)
        async with asyncio.timeout(LIMIT):
            out, err = await process.communicate()
        return process.returncode, out.decode(), err.decode()

    async def ack(self, name: str) -> tuple[int | None, str, str]:
        return await self.run("ack", f"alertname={name}", "--reason=looking", f"--alertmanager={self._proxy.url}")

    async def killed(self, fault: Fault, *argv: str) -> None:
        """Run a command until its write is where the fault holds it, and kill it there."""
        # Whichever of its connections the write takes.
        self._proxy.script(afterwards=fault)
        process = await self.start(*argv, f"--alertmanager={self._proxy.url}")
        reached = self._proxy.answered.is_set if fault.point is Point.ANSWER else lambda: bool(self._proxy.struck)
        async with asyncio.timeout(LIMIT):
            while not reached():
                assert process.returncode is None, (await process.communicate())[1].decode()
                await asyncio.sleep(0.02)
        process.kill()
        await process.communicate()
        self._proxy.heal()

    async def states(self) -> list[tuple[str, str]]:
        """Action and state of each deed in the journal, the newest first."""
        code, out, err = await self.run("journal", "list", "--json")
        assert code == 0, err
        return [(deed["action"], deed["state"]) for deed in json.loads(out)]
