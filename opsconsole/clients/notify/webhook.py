"""A webhook of one's own: the event as JSON."""

from __future__ import annotations

from typing import Any

import msgspec

from opsconsole.clients._httpx import httpx
from opsconsole.clients.notify.base import Post, wanted
from opsconsole.clock import Clock
from opsconsole.config.schema import Endpoint, NotifyConfig
from opsconsole.model.guard import GuardEvent
from opsconsole.model.guard_words import body, headline, next_steps

VERSION = "1"
"""Changes when a field changes its meaning or goes; new ones may come at any time."""


class Webhook:
    """Posts to a URL. The header `Idempotency-Key` is the event's id: the same again is the same event."""

    resolves = False

    def __init__(
        self, config: NotifyConfig, clock: Clock, *, inner: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self.name = config.name
        self._config = config
        endpoint = config.endpoint or Endpoint(url="")
        self._post = Post(endpoint.url, endpoint.http, clock, inner=inner)

    def wants(self, event: GuardEvent) -> bool:
        return wanted(event, self._config.on)

    async def send(self, event: GuardEvent) -> None:
        raw = msgspec.json.encode(document(event))
        key = "".join(char for char in event.id if "!" <= char <= "~")[:200]
        await self._post.send(raw, headers=(("Idempotency-Key", key),))

    async def aclose(self) -> None:
        await self._post.aclose()


def document(event: GuardEvent) -> dict[str, Any]:
    """Every field of the event, what is to be done next, and all of it in words. `at` is seconds since the
    epoch."""
    words = {
        "headline": headline(event),
        "next": next_steps(event),
        "text": body(event),
    }
    fields: dict[str, Any] = msgspec.to_builtins(event)
    return {"version": VERSION, "source": "opsconsole-guard", **fields, **words}
