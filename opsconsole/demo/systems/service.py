"""The simulated application of a system: what its jobs and its control endpoint answer."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

from opsconsole.demo.heard import heard
from opsconsole.demo.httpd import Handler, Request, Response, json_response, text_response
from opsconsole.demo.probes import HEALTH
from opsconsole.demo.release import FlagWatch, release
from opsconsole.demo.systems.exposition import CONTENT_TYPE, exposition
from opsconsole.demo.systems.world import SystemWorld

FULL = 0.95
"""From here on a fault has taken hold fully: readiness fails."""

NOT_READY = ("down", "pool")
"""The faults with which the application is alive but cannot serve."""


class Application:
    """The application's state. `release_at` is the wall time at which the release bot turns the system's flag
    on, None for never; `now` is where wall time comes from. A fault is on by the higher of what the control
    endpoint says and, for the faults of the release, the share of users that get the flag."""

    def __init__(
        self, world: SystemWorld, flags: Path, *, release_at: float | None, now: Callable[[], float] = time.time
    ) -> None:
        self._world = world
        self._system = world.system
        self._flags = flags
        self._watch = FlagWatch(flags, self._system.release)
        self._share = 0.0
        self._asked = dict.fromkeys(self._system.faults, 0.0)
        self._levels = dict(self._asked)
        self._release_at = release_at if self._system.release else None
        self._now = now

    def tick(self) -> None:
        """Bring the traffic up to now, and obey the flag file as it is now."""
        now = self._now()
        if self._release_at is not None and now >= self._release_at:
            self._release_at = None
            release(self._flags, self._system.release, self._system.flags[self._system.release])
        self._world.advance(now)
        self._share = self._watch.share() if self._system.release else 0.0
        for name, level in self._levels.items():
            served = self._share if name in self._system.release_faults else 0.0
            wanted = max(self._asked[name], served)
            if wanted != level:
                self._levels[name] = wanted
                self._world.switch(name, now, wanted)

    def job(self, name: str) -> Handler:
        """What the target of a job answers: `/metrics` and the health checks. Raises KeyError."""
        job = {job.name: job for job in self._system.jobs}[name]

        def answer(request: Request) -> Response:
            self.tick()
            if request.method not in ("GET", "HEAD"):
                return text_response("method not allowed\n", 405)
            down = self._levels.get(job.down, 0.0) > 0.0
            if request.path == "/metrics":
                if down:
                    return text_response("the application is down\n", 503)
                return Response(200, exposition(self._world, name), CONTENT_TYPE)
            return self._health(request.path, down)

        return answer

    def _health(self, path: str, down: bool) -> Response:
        served = {self._system.release: self._share} if self._system.release else {}
        if path in HEALTH:
            word = "unhealthy" if down else "healthy"
            return json_response({"status": word, **served}, 503 if down else 200)
        if path == "/health/liveness":
            return json_response({"status": "alive"})
        if path == "/health/readiness":
            faults = [name for name in NOT_READY if name in self._levels and self._world.fault(name) >= FULL]
            ready = not down and not faults
            return json_response({"status": "ready" if ready else "not ready"}, 200 if ready else 503)
        return text_response("not found\n", 404)

    def control(self, request: Request) -> Response:
        """`GET /faults` says which faults are on; `POST /faults/NAME` with `{"on": true}`, `{"level": 0.5}` or
        `?level=0.5` turns one on or off. A fault of the release stays on while the flag is served.
        Notifications are taken."""
        self.tick()
        if heard(request):
            return json_response({})
        if request.path == "/faults":
            if request.method not in ("GET", "HEAD"):
                return _wrong("only GET; one fault is at /faults/NAME", 405)
            return json_response({name: level > 0.0 for name, level in self._levels.items()})
        name = request.path.removeprefix("/faults/")
        if not request.path.startswith("/faults/") or name not in self._asked:
            return json_response({"error": f"no fault at {request.path}", "known": sorted(self._asked)}, 404)
        if request.method == "POST":
            level = _level(request)
            if level is None:
                return _wrong('say {"on": true}, {"level": 0.5} or ?level=0.5, from 0 to 1', 400)
            self._asked[name] = level
            self.tick()
        elif request.method not in ("GET", "HEAD"):
            return _wrong("only GET and POST", 405)
        return json_response({"on": self._levels[name] > 0.0, "level": self._levels[name]})


def _wrong(text: str, status: int) -> Response:
    return json_response({"error": text}, status)


def _level(request: Request) -> float | None:
    """The level that a request asks for; None when it cannot be read."""
    asked: object = request.get("level") or None
    if asked is None:
        try:
            body = json.loads(request.body)
        except (ValueError, RecursionError):
            return None
        if not isinstance(body, dict):
            return None
        if isinstance(on := body.get("on"), bool):
            return 1.0 if on else 0.0
        asked = body.get("level")
    if isinstance(asked, bool) or not isinstance(asked, str | int | float):
        return None
    try:
        level = float(asked)
    except (ValueError, OverflowError):
        return None
    return level if 0.0 <= level <= 1.0 else None
