"""The simulated accubooks application of the real stack: `/metrics`, `/health` and a flag file it obeys.

`python -m opsconsole.demo.app --flags FILE --ready FILE` serves on a free loopback port until it is told to
stop, and writes that port to the ready file. It draws from the same world as the embedded demo, in real time:
with `new_pricing` on, forecasts fail and the pool fills; with it off, everything heals.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from opsconsole.demo.exposition import scrape
from opsconsole.demo.httpd import LoopbackServer, Request, Response, json_response, text_response
from opsconsole.demo.release import FlagWatch, release
from opsconsole.demo.world import World

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Application:
    """The application's state. `release_at` is the wall time at which the release bot turns the flag on,
    None for never; `now` is where wall time comes from."""

    def __init__(
        self, world: World, flags: Path, *, release_at: float | None, now: Callable[[], float] = time.time
    ) -> None:
        self._world = world
        self._flags = flags
        self._watch = FlagWatch(flags)
        self._share = 0.0
        self._release_at = release_at
        self._now = now

    def tick(self) -> None:
        """Bring the traffic up to now, and obey the flag file as it is now."""
        now = self._now()
        if self._release_at is not None and now >= self._release_at:
            self._release_at = None
            release(self._flags)
        self._world.advance(now)
        share = self._watch.share()
        if share != self._share:
            self._share = share
            self._world.switch(now, share)

    def __call__(self, request: Request) -> Response:
        """The response to a request."""
        self.tick()
        if request.method not in ("GET", "HEAD"):
            return text_response("method not allowed\n", 405)
        if request.path == "/metrics":
            return Response(200, scrape(self._world).encode(), METRICS_TYPE)
        if request.path == "/health":
            return json_response({"status": "healthy", "new_pricing": self._share})
        return text_response("not found\n", 404)


def _announce(ready: Path, port: int | None) -> None:
    ready.write_text(str(port), "utf-8")


async def _serve(application: Application, ready: Path) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    server = LoopbackServer(application, time.time)
    url = await server.start()
    _announce(ready, urlsplit(url).port)
    try:
        while not stop.is_set():
            application.tick()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), 0.5)
    finally:
        await server.stop()


def main(argv: Sequence[str] | None = None) -> None:
    """The command line. `--start` and `--seed` make its counters go on from a history written before."""
    parser = argparse.ArgumentParser(prog="python -m opsconsole.demo.app", description=main.__doc__)
    parser.add_argument("--flags", type=Path, required=True, help="flagd definition file")
    parser.add_argument("--ready", type=Path, required=True, help="file that gets the port once it serves")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--start", type=float, help="wall time at which the history ends (default: now)")
    parser.add_argument("--release-after", type=float, help="seconds after the start; default: never")
    options = parser.parse_args(argv)
    start = options.start if options.start is not None else time.time()
    release_at = None if options.release_after is None else start + options.release_after
    world = World(seed=options.seed, start=start, fine=1.0)
    asyncio.run(_serve(Application(world, options.flags, release_at=release_at), options.ready))


if __name__ == "__main__":
    main()
