"""`opsconsole demo`: the console on an embedded or a real demo."""

from __future__ import annotations

import asyncio
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from opsconsole.clock import Clock, SystemClock
from opsconsole.errors import ExitCode

if TYPE_CHECKING:
    from opsconsole.demo.embedded import DemoEndpoints

OpenConsole = Callable[["DemoEndpoints"], Awaitable[int]]


def demo_servers(
    *, real: bool, seed: int = 7, speed: float = 1.0, clock: Clock | None = None
) -> AbstractAsyncContextManager[DemoEndpoints]:
    """A running demo for as long as the block lasts; its temporary folder goes with it.

    Raises UsageError when `real` is asked for and a program is missing, OpsError when one does not start.
    """
    return _real(seed, speed) if real else _embedded(seed, speed, clock or SystemClock())


@asynccontextmanager
async def _embedded(seed: int, speed: float, clock: Clock) -> AsyncIterator[DemoEndpoints]:
    from opsconsole.demo.embedded import EmbeddedDemo

    with tempfile.TemporaryDirectory(prefix="opsconsole-demo-") as folder:
        server = EmbeddedDemo(clock=clock, directory=Path(folder), seed=seed, speed=speed)
        try:
            yield await server.start()
        finally:
            await server.stop()


@asynccontextmanager
async def _real(seed: int, speed: float) -> AsyncIterator[DemoEndpoints]:
    from opsconsole.demo.real import RealStack

    with RealStack(seed=seed, compress=10.0 * speed, release_after=20.0 / speed) as endpoints:
        yield endpoints


async def run_demo(open_console: OpenConsole, *, real: bool = False, seed: int = 7, speed: float = 1.0) -> int:
    """Start the demo, open the console on it in the same event loop, end the demo. Returns the console's
    exit code."""
    async with demo_servers(real=real, seed=seed, speed=speed) as endpoints:
        return await open_console(endpoints)


async def serve(endpoints: DemoEndpoints) -> int:
    """Print where the demo is, and wait for ctrl+c or SIGTERM instead of opening a console."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    lines = (
        ("prometheus", endpoints.prometheus_url),
        ("alertmanager", endpoints.alertmanager_url),
        ("flags-file", endpoints.flags_file),
        ("playbook", endpoints.playbook),
    )
    for name, value in lines:
        sys.stdout.write(f"{name} {value}\n")
    sys.stdout.flush()
    sys.stderr.write(f"{endpoints.label}: {endpoints.note}. Ends with ctrl+c.\n")
    await stop.wait()
    return ExitCode.OK
