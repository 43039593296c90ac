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
from opsconsole.errors import ExitCode, UsageError
from opsconsole.text import safe

if TYPE_CHECKING:
    from opsconsole.demo.embedded import DemoEndpoints

OpenConsole = Callable[["DemoEndpoints"], Awaitable[int]]

EMBEDDED = "accubooks"
"""The only playbook that the embedded demo knows."""


def demo_servers(
    *, real: bool, seed: int = 7, speed: float = 1.0, clock: Clock | None = None, playbook: str = EMBEDDED
) -> AbstractAsyncContextManager[DemoEndpoints]:
    """A running demo of one system for as long as the block lasts; its temporary folder goes with it.

    Raises UsageError for a playbook that it does not know, or when `real` is asked for and a program is
    missing; OpsError when one does not start.
    """
    check_playbook(playbook, real=real)
    return _real(playbook, seed, speed) if real else _embedded(seed, speed, clock or SystemClock())


def check_playbook(playbook: str, *, real: bool) -> None:
    """Raises UsageError when the demo cannot run this playbook; an unknown name is told the nearest one."""
    if playbook == EMBEDDED:
        return
    from opsconsole.demo.systems.registry import find_system

    find_system(playbook)
    if not real:
        name = safe(playbook, 60)
        raise UsageError(
            f"the embedded demo knows {EMBEDDED} only, not {name}",
            hint=f"opsconsole demo --real --playbook {name} runs it on real servers",
        )


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
async def _real(playbook: str, seed: int, speed: float) -> AsyncIterator[DemoEndpoints]:
    from opsconsole.demo.real import RealStack

    with RealStack(system=playbook, seed=seed, compress=10.0 * speed, release_after=20.0 / speed) as endpoints:
        yield endpoints


async def run_demo(
    open_console: OpenConsole,
    *,
    real: bool = False,
    seed: int = 7,
    speed: float = 1.0,
    playbook: str = EMBEDDED,
) -> int:
    """Start the demo, open the console on it in the same event loop, end the demo. Returns the console's
    exit code."""
    async with demo_servers(real=real, seed=seed, speed=speed, playbook=playbook) as endpoints:
        return await open_console(endpoints)


async def serve(endpoints: DemoEndpoints) -> int:
    """Print where the demo is, and wait for ctrl+c or SIGTERM instead of opening a console."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    lines = [
        ("prometheus", endpoints.prometheus_url),
        ("alertmanager", endpoints.alertmanager_url),
        ("flags-file", str(endpoints.flags_file)),
        ("playbook", endpoints.playbook),
    ]
    if endpoints.control_url:
        lines.append(("faults", f"{endpoints.control_url}/faults"))
    for name, value in lines:
        sys.stdout.write(f"{name} {value}\n")
    sys.stdout.flush()
    sys.stderr.write(f"{endpoints.label}: {endpoints.note}. Ends with ctrl+c.\n")
    await stop.wait()
    return ExitCode.OK
