"""HTTP probes: one GET each, through a transport of its own. Redirects are not followed, bodies are capped."""

from __future__ import annotations

import asyncio
from urllib.parse import parse_qsl, urlsplit

from opsconsole.clients.transport import Transport
from opsconsole.clock import Clock
from opsconsole.config.schema import Endpoint
from opsconsole.errors import SourceError, Unreachable
from opsconsole.model.playbook import Probe
from opsconsole.model.probes import ProbeAnswer
from opsconsole.text import safe

BODY = 8 << 20
"""Decompressed bytes of an answer that are read."""

MAX_AT_ONCE = 16
"""Probes in flight. They have a gate of their own: a slow target must not hold up the sources."""

_SHOWN = 120


class Prober:
    """Asks probes. Connections are not kept: what a probe times includes connecting."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._gate = asyncio.Semaphore(MAX_AT_ONCE)

    async def ask(self, probe: Probe) -> ProbeAnswer:
        """The answer of one probe; a connection that is refused or breaks off, and an answer that does not come in
        time, are answers too.

        Raises SourceError when it cannot be told how the target is: its name is not known here, there is no way
        to it, or TLS cannot be agreed upon.
        """
        url = urlsplit(probe.url)
        transport = Transport(Endpoint(url=f"{url.scheme}://{url.netloc}"), clock=self._clock)
        async with self._gate:
            began = self._clock.monotonic()
            try:
                reply = await transport.request(
                    "GET",
                    url.path or "/",
                    params=parse_qsl(url.query, keep_blank_values=True),
                    deadline=probe.timeout,
                    limit=BODY,
                    any_status=True,
                )
            except SourceError as error:
                if not _tells(error):
                    raise
                return ProbeAnswer(status=0, failure=safe(error.message, 300))
            finally:
                await transport.aclose()
            seconds = self._clock.monotonic() - began
        text = reply.body.decode("utf-8", "replace")
        return ProbeAnswer(
            status=reply.status,
            seconds=seconds,
            contains=probe.contains in text,
            start=safe(text.strip()[:_SHOWN]),
        )


def _tells(error: SourceError) -> bool:
    """Whether a failure says something about the target: it was reached, or its machine refused."""
    return error.sent or (isinstance(error, Unreachable) and error.refused)
