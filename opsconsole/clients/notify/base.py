"""What the channels share: which events they want, and what the failure of a message means."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from urllib.parse import urlsplit

from opsconsole.clients._httpx import httpx
from opsconsole.clients.transport import Transport
from opsconsole.clock import Clock
from opsconsole.config.schema import Endpoint, HttpConfig, SecretSource
from opsconsole.config.secrets import read_secret
from opsconsole.errors import ConfigError, NotifyError, SourceError
from opsconsole.model.guard import GuardEvent
from opsconsole.text import safe

REPLY_LIMIT = 64 * 1024
"""Bytes of a reply that are read; what it says is not used."""

_LATER = frozenset({401, 403, 407, 408, 421, 423, 425, 429})
"""Statuses from 400 on that may be another next time: what is wrong with credentials can be mended meanwhile."""


def wanted(event: GuardEvent, on: Sequence[str]) -> bool:
    """Whether a channel that is told of `on` is told of an event: of all but the decision when it does not say."""
    if event.kind == "test":
        return True
    return event.kind in on if on else event.kind != "decided"


class Post:
    """Posts JSON to one URL. Nothing that it raises holds one of `hide`, nor a path when `show_path` is false."""

    def __init__(
        self,
        url: str,
        http: HttpConfig,
        clock: Clock,
        *,
        show_path: bool = True,
        inner: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        parts = urlsplit(url)
        self._path = parts.path or "/"
        self._transport = Transport(
            Endpoint(url=f"{parts.scheme}://{parts.netloc}", http=http), clock=clock, inner=inner
        )
        self._where = str(self._transport.url) + (safe(parts.path, 200) if show_path else "")

    async def send(
        self,
        body: bytes,
        *,
        headers: Sequence[tuple[str, str]] = (),
        hide: Sequence[str] = (),
        busy_wait: float | None = None,
    ) -> None:
        """Send it once. `busy_wait` is the wait in seconds after a 429 that names none. Raises NotifyError."""
        failure: NotifyError | None = None
        try:
            await self._transport.request("POST", self._path, json=body, headers=headers, limit=REPLY_LIMIT)
        except SourceError as error:
            failure = _failure(error, self._where, hide)
            if error.status == 429 and failure.retry_after is None:
                failure.retry_after = busy_wait
        # Raised outside of the handler: what led here may hold a secret.
        if failure is not None:
            raise failure

    async def aclose(self) -> None:
        await self._transport.aclose()


async def secret_of(source: SecretSource | None, where: str) -> str:
    """The secret, read now: it may have been changed since. Raises NotifyError."""
    try:
        if source is None:
            raise failed("no secret is configured", where)
        return await asyncio.to_thread(read_secret, file=source.file, command=source.command)
    except ConfigError as error:
        raise failed(error.message, where, hint=error.hint) from None


def failed(
    message: str, where: str, *, hint: str = "", retry: bool = True, retry_after: float | None = None
) -> NotifyError:
    """A message that was not taken."""
    error = NotifyError(message, where=where, hint=hint)
    error.retry, error.retry_after = retry, retry_after
    return error


def hidden(text: str, secrets: Sequence[str]) -> str:
    """A server's words without the secrets that it was sent."""
    for secret in secrets:
        text = text.replace(secret, "(secret)") if secret else text
    return text


def _failure(error: SourceError, where: str, hide: Sequence[str]) -> NotifyError:
    status = error.status
    refused = 300 <= status < 500 and status not in _LATER
    return failed(
        hidden(error.message, hide),
        where,
        hint=hidden(error.hint, hide),
        retry=not refused,
        retry_after=error.retry_after,
    )
