"""The simulated application of the real stack: `/metrics` of each job, health checks, faults, a flag file.

`python -m opsconsole.demo.app --system NAME --flags FILE --ready FILE` serves on free loopback ports until it
is told to stop: one port for each scrape job and one for the control endpoint. They are written to the ready
file as `{"jobs": {"name": port}, "control": port}`. While the flag of the system's release is on, the faults
of the release are; with it off, everything heals.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from opsconsole.demo.backfill import read_totals
from opsconsole.demo.httpd import Handler, LoopbackServer
from opsconsole.demo.systems.registry import find_system
from opsconsole.demo.systems.service import Application
from opsconsole.demo.systems.world import SystemWorld

TICK = 0.5
"""Seconds between looks at the flag file and the clock."""


def _announce(ready: Path, ports: dict[str, object]) -> None:
    """Write the ready file at once, so that no reader ever sees half of it."""
    fresh = ready.with_name(f".{ready.name}.new")
    fresh.write_text(json.dumps(ports), "utf-8")
    fresh.replace(ready)


async def _serve(application: Application, jobs: Sequence[str], ready: Path) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    servers: list[LoopbackServer] = []

    async def port(handler: Handler) -> int | None:
        server = LoopbackServer(handler, time.time)
        servers.append(server)
        return urlsplit(await server.start()).port

    try:
        ports = {job: await port(application.job(job)) for job in jobs}
        _announce(ready, {"jobs": ports, "control": await port(application.control)})
        while not stop.is_set():
            application.tick()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), TICK)
    finally:
        for server in servers:
            await server.stop()


def main(argv: Sequence[str] | None = None) -> None:
    """The command line. `--start` and `--totals` make its counters go on from a history written before."""
    parser = argparse.ArgumentParser(prog="python -m opsconsole.demo.app", description=main.__doc__)
    parser.add_argument("--system", default="accubooks", help="simulated system; default: accubooks")
    parser.add_argument("--flags", type=Path, required=True, help="flagd definition file")
    parser.add_argument("--ready", type=Path, required=True, help="file that gets the ports once it serves")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--start", type=float, help="wall time at which the history ends (default: now)")
    parser.add_argument("--totals", type=Path, help="what the counters were at the start")
    parser.add_argument("--pace", type=float, default=1.0, help="how much faster faults take hold")
    parser.add_argument("--release-after", type=float, help="seconds after the start; default: never")
    options = parser.parse_args(argv)
    system = find_system(options.system)
    start = options.start if options.start is not None else time.time()
    release_at = None if options.release_after is None else start + options.release_after
    totals = read_totals(options.totals) if options.totals is not None else None
    world = SystemWorld(system, seed=options.seed, start=start, pace=options.pace, totals=totals)
    application = Application(world, options.flags, release_at=release_at)
    asyncio.run(_serve(application, [job.name for job in system.jobs], options.ready))


if __name__ == "__main__":
    main()
