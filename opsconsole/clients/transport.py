"""One HTTP client for one server: credentials, TLS, a total deadline, a size cap, and typed failures."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from urllib.parse import urlencode

import msgspec

from opsconsole.clients._httpx import httpx
from opsconsole.clients.bodies import BadEncoding, TooLarge, read_body, read_start
from opsconsole.clients.certificates import ends_at
from opsconsole.clients.credentials import Credentials
from opsconsole.clients.direct import KEEP_ALIVE, DirectTransport
from opsconsole.clients.failures import (
    ERROR_BODY_LIMIT,
    bad_reply,
    from_exception,
    from_status,
    http_date,
    timed_out,
)
from opsconsole.clients.tls import plain_context, tls_context
from opsconsole.clock import Clock
from opsconsole.config.schema import Endpoint
from opsconsole.errors import ConfigError, SourceError, Unauthorised, Unreachable, UsageError
from opsconsole.text import SafeText, safe

MIB = 1 << 20
BODY_LIMIT = 16 * MIB
"""Decompressed bytes of a reply that are accepted unless the caller says otherwise."""

MAX_IN_FLIGHT = 8
"""Connections through a proxy. Without one, only the gate bounds the requests in flight."""

_ACCEPT = (("Accept", "application/json"), ("User-Agent", "opsconsole"))

_URLS = 32


class Reply(msgspec.Struct, frozen=True):
    """A reply, with a 2xx status unless any was asked for. `body` is decompressed; `server_date` is the server's
    clock, seconds since the epoch with a resolution of 1 s, None when it did not say; `took` the seconds from
    asking to the last byte; `headers` are the reply's, whatever their case."""

    status: int
    body: bytes
    server_date: float | None = None
    took: float = 0.0
    headers: Mapping[str, str] = {}


class _Progress:
    """How far an exchange came: told by the trace events of httpx's transports."""

    def __init__(self) -> None:
        self.sent = False
        self.answering = False

    async def trace(self, event: str, info: Mapping[str, object]) -> None:
        # CONNECT to a proxy is traced by the same names, so a write through one counts as sent early: safe.
        if event.endswith("send_request_headers.started"):
            self.sent = True
        elif event.endswith("receive_response_headers.complete"):
            self.answering = True


class Transport:
    """Speaks HTTP to one endpoint. Opened on the first request; call `aclose` at the end.

    `inner` replaces the network (an httpx transport), `gate` bounds the requests in flight over several
    transports. The wait for the gate is not part of a request's deadline. `url` is the base URL, safe to
    show.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        clock: Clock,
        inner: httpx.AsyncBaseTransport | None = None,
        gate: asyncio.Semaphore | None = None,
    ) -> None:
        self._base = _base_url(endpoint.url)
        self.url: SafeText = safe(str(self._base).rstrip("/"), 300)
        self.timeout = endpoint.http.timeout
        self.skew: float | None = None
        """Seconds that the server's clock is ahead of this one, from the last reply that had a date; None
        when not known."""
        self.expires: float | None = None
        """When the server's certificate ends, seconds since the epoch; None when not known, or without TLS."""
        self._http = endpoint.http
        self._clock = clock
        self._inner = inner
        self._gate = gate
        self._credentials = Credentials(endpoint.http)
        self._urls: dict[str, httpx.URL] = {}
        self._network: httpx.AsyncBaseTransport | None = None

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Sequence[tuple[str, str]] | None = None,
        form: Mapping[str, str] | None = None,
        json: bytes | None = None,
        headers: Sequence[tuple[str, str]] = (),
        deadline: float | None = None,
        limit: int | None = None,
        small: bool = False,
        any_status: bool = False,
    ) -> Reply:
        """Ask once and give the whole reply, or raise a SourceError.

        `path` starts with a slash and is already percent-encoded. `form` is sent form-encoded, `json` as it
        is, with the Content-Type among `headers` or else application/json; other `headers` are sent too.
        `deadline` is in seconds for everything from connecting to the last byte (default: the endpoint's
        timeout), `limit` in decompressed bytes. A reply that is known to be `small` is not asked for
        compressed, which would take the server longer than the answer. With `any_status` every status is a
        reply, not only 2xx.
        """
        seconds = self.timeout if deadline is None else deadline
        content, content_type = _content(form, json)
        sent = [*_ACCEPT, ("Accept-Encoding", "identity" if small else "gzip"), *headers]
        if content_type and not any(name.lower() == "content-type" for name, _ in headers):
            sent.append(("Content-Type", content_type))
        async with self._gate or nullcontext():
            outcome = await self._timed(method, path, params or (), content, sent, seconds, limit, any_status)
        # Raised outside of any handler: a traceback must not lead back to an httpx message.
        if isinstance(outcome, SourceError):
            raise outcome
        return outcome

    async def aclose(self) -> None:
        """Close the connections. A later request opens new ones."""
        network, self._network = self._network, None
        if network is not None:
            await network.aclose()

    async def _timed(
        self,
        method: str,
        path: str,
        params: Sequence[tuple[str, str]],
        content: bytes | None,
        headers: list[tuple[str, str]],
        seconds: float,
        limit: int | None,
        any_status: bool,
    ) -> Reply | SourceError:
        progress = _Progress()
        where = f"{self.url}{safe(path, 200)}"
        try:
            async with asyncio.timeout(seconds):
                request = httpx.Request(
                    method,
                    self._url(path, params),
                    headers=[*headers, *await self._credentials.headers()],
                    content=content,
                    extensions=self._extensions(progress),
                )
                return await self._exchange(request, where, BODY_LIMIT if limit is None else limit, any_status)
        except TimeoutError:
            return timed_out(where, seconds, sent=progress.sent, answering=progress.answering)
        except ConfigError as error:
            return _unconfigured(error, where)
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError) as error:
            return from_exception(error, where, sent=progress.sent, answering=progress.answering)
        except UnicodeError:
            return _unencodable(where)

    async def _exchange(
        self, request: httpx.Request, where: str, limit: int, any_status: bool
    ) -> Reply | SourceError:
        began = time.monotonic()
        response = await self._opened().handle_async_request(request)
        try:
            if self._base.scheme == "https":
                self.expires = ends_at(_certificate(response))
            date = http_date(response.headers.get("date", ""))
            if date is not None:
                self.skew = date - self._clock.now()
            if not any_status and not 200 <= response.status_code < 300:
                if response.status_code == 401:
                    self._credentials.forget()
                start = self._credentials.hide(await read_start(response, ERROR_BODY_LIMIT))
                reason = response.extensions.get("reason_phrase")
                if isinstance(reason, bytes):
                    response.extensions["reason_phrase"] = self._credentials.hide(reason)
                return from_status(response, start, where, now=self._clock.now())
            body = await read_body(response, limit)
            return Reply(response.status_code, body, date, time.monotonic() - began, response.headers)
        except TooLarge:
            message = f"the reply is larger than {limit / MIB:.3g} MiB"
            return bad_reply(message, where, "ask for less: a narrower selector or filter, a shorter range")
        except BadEncoding as error:
            return bad_reply(safe(str(error), 200), where, "a proxy in between may be damaging replies")
        finally:
            await response.aclose()

    def _opened(self) -> httpx.AsyncBaseTransport:
        if self._network is None:
            context = tls_context(self._http.tls_config) if self._base.scheme == "https" else plain_context()
            self._network = self._inner or (
                httpx.AsyncHTTPTransport(
                    verify=context,
                    proxy=self._http.proxy_url,
                    trust_env=False,
                    limits=httpx.Limits(max_connections=MAX_IN_FLIGHT, keepalive_expiry=KEEP_ALIVE),
                )
                if self._http.proxy_url
                else DirectTransport(context)
            )
        return self._network

    def _url(self, path: str, params: Sequence[tuple[str, str]]) -> httpx.URL:
        """The whole URL; those without parameters, which are few, are made once."""
        known = self._urls.get(path) if not params else None
        if known is not None:
            return known
        prefix = self._base.raw_path.rstrip(b"/")
        query = f"?{urlencode(params)}" if params else ""
        url = self._base.copy_with(raw_path=prefix + f"{path}{query}".encode())
        if not params and len(self._urls) < _URLS:
            self._urls[path] = url
        return url

    def _extensions(self, progress: _Progress) -> dict[str, object]:
        extensions: dict[str, object] = {"trace": progress.trace}
        if self._http.tls_config.server_name:
            extensions["sni_hostname"] = self._http.tls_config.server_name
        return extensions


def _base_url(url: str) -> httpx.URL:
    hint = "write it as https://host:port/prefix, and the credentials as `basic_auth` or `authorization`"
    try:
        base = httpx.URL(url)
    except (httpx.InvalidURL, ValueError, TypeError):
        base = httpx.URL()
    if base.scheme not in ("http", "https") or not base.host:
        raise UsageError("not a usable server URL: http:// or https:// and a host are needed", hint=hint)
    if base.userinfo or base.query or base.fragment:
        raise UsageError(
            f"the URL of {safe(base.host, 100)} has credentials, a query or a fragment in it", hint=hint
        )
    return base


def _certificate(response: httpx.Response) -> bytes:
    """The server's certificate in DER, b"" when the transport does not tell."""
    stream = response.extensions.get("network_stream")
    tls = stream.get_extra_info("ssl_object") if stream is not None else None
    found = tls.getpeercert(binary_form=True) if tls is not None else response.extensions.get("certificate")
    return found if isinstance(found, bytes) else b""


def _content(form: Mapping[str, str] | None, json: bytes | None) -> tuple[bytes | None, str]:
    if form is not None:
        return urlencode(form).encode(), "application/x-www-form-urlencoded"
    return json, "application/json" if json is not None else ""


def _unconfigured(error: ConfigError, where: str) -> SourceError:
    """A secret or certificate that cannot be read now: nothing was sent."""
    about_tls = any(problem.key in ("ca_file", "cert_file") for problem in error.problems)
    made: SourceError = (
        Unreachable(f"no TLS: {error.message}", where=where, hint=error.hint)
        if about_tls
        else Unauthorised(f"no credentials: {error.message}", where=where, hint=error.hint)
    )
    made.sent = False
    return made


def _unencodable(where: str) -> SourceError:
    made = bad_reply("the request has characters that HTTP cannot carry", where, "look at names and values")
    made.sent = False
    return made
