"""The requests that LaunchDarkly's REST API is asked, and what its errors mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import msgspec

from opsconsole.clients.decode import decode
from opsconsole.clients.flags.http_errors import flag_error
from opsconsole.clients.transport import Transport
from opsconsole.clock import Clock
from opsconsole.errors import ApprovalRequired, Conflict, FlagRateLimited, OpsError, SourceError

SEMANTIC_PATCH = "application/json; domain-model=launchdarkly.semanticpatch"
LIMIT = 64 * 1024 * 1024
"""Bytes of an answer that are read: 100 flags with all of their rules are much."""

_OBJECT = msgspec.json.Decoder(dict[str, Any])
_VERSION = ("LD-API-Version", "20240415")


class Api:
    """One project. Every method raises a FlagError, or Conflict, and asks only once."""

    def __init__(self, transport: Transport, project: str, clock: Clock) -> None:
        self._transport = transport
        self._project = project
        self._clock = clock

    def flag(self, key: str = "") -> str:
        """The path of one flag, or of all."""
        parts = [self._project, key] if key else [self._project]
        return "/".join(["/api/v2/flags", *(quote(part, safe="") for part in parts)])

    async def get(self, path: str, params: list[tuple[str, str]]) -> dict[str, Any]:
        """The object that is there."""
        try:
            reply = await self._transport.request("GET", path, params=params, headers=[_VERSION], limit=LIMIT)
            return decode(_OBJECT, reply.body, f"{self._transport.url}{path}")
        except SourceError as error:
            failed = error
        raise self._failed(failed, write=False)

    async def patch(self, key: str, body: bytes) -> None:
        """Send a semantic patch of a flag."""
        try:
            await self._transport.request(
                "PATCH", self.flag(key), json=body, headers=[("Content-Type", SEMANTIC_PATCH), _VERSION]
            )
            return
        except SourceError as error:
            failed = error
        raise self._failed(failed, write=True)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._transport.aclose()

    def _failed(self, error: SourceError, *, write: bool) -> OpsError:
        """What an error means here. That an approval is needed is told by words alone, with the status 405: `Flag
        configuration updates require approval: action 'updateOn' not allowed`."""
        if write and error.status in (400, 403, 405) and b"approval" in error.body.lower():
            return ApprovalRequired(
                error.message,
                where=error.where,
                hint="request the change in LaunchDarkly and have it approved; nothing was changed",
            )
        now = self._clock.now() + (self._transport.skew or 0.0)
        made = flag_error(error, write=write, now=now)
        if isinstance(made, FlagRateLimited):
            made.retry_after = _wait(error.headers, made.retry_after, now)
            if made.retry_after is not None:
                made.hint = f"the server limits how often it may be asked; it asks to wait {made.retry_after:g} s"
        if isinstance(made, Conflict):
            made.message = f"{error.message}; nothing was written"
        return made


def _wait(headers: Mapping[str, str], told: float | None, now: float) -> float | None:
    """Seconds to wait: what Retry-After says, or until `X-Ratelimit-Reset`, which is in epoch milliseconds."""
    reset = headers.get("x-ratelimit-reset", "")
    until = max(0.0, float(reset) / 1000.0 - now) if reset.isascii() and reset.isdigit() else None
    waits = [wait for wait in (told, until) if wait is not None]
    return max(waits) if waits else None
