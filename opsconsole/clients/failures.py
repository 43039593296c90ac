"""From what went wrong with a request to the error a person reads, each with a hint.

No message of httpx is ever passed on: they carry URLs with passwords, header values and raw reason phrases.
"""

from __future__ import annotations

import math
import re
import socket
import ssl
from collections.abc import Iterator, Mapping
from functools import lru_cache
from http import HTTPStatus
from urllib.parse import urlsplit

import msgspec

from opsconsole.clients._httpx import httpx
from opsconsole.errors import (
    BadQuery,
    BadReply,
    CertificateExpired,
    NotReady,
    Overloaded,
    SourceError,
    TimedOut,
    Unauthorised,
    Unreachable,
)
from opsconsole.text import SafeText, safe

TEXT_LIMIT = 300
"""Characters of a server's own words that an error shows."""

ERROR_BODY_LIMIT = 64 * 1024
"""Bytes of an error's body that are read."""

_EXPIRED = 10
"""OpenSSL's X509_V_ERR_CERT_HAS_EXPIRED."""

_STARTING = re.compile(r"^\s*service unavailable\s*$|not ready|starting|replay|initiali[sz]ing|stopping", re.I)


def timed_out(where: str, deadline: float, *, sent: bool, answering: bool) -> TimedOut:
    """The total deadline of `deadline` seconds passed; `answering` when a reply had begun."""
    if answering:
        message = f"the answer began but was not whole within {deadline:g} s"
        hint = "the server or the network is slow, or the answer is very large: narrow it, or raise `timeout`"
    elif sent:
        message = f"no answer within {deadline:g} s"
        hint = "the server is overloaded or hangs; raise `timeout` if it is just slow"
    else:
        message = f"no connection within {deadline:g} s"
        hint = "a firewall may drop the packets, or the host is down"
    error = TimedOut(message, where=where, hint=hint)
    error.sent = sent
    return error


def from_exception(
    error: httpx.HTTPError | httpx.InvalidURL | httpx.StreamError | OSError,
    where: str,
    *,
    sent: bool,
    answering: bool,
) -> SourceError:
    """What a failed exchange means. `sent`: some of the request left; `answering`: a reply had begun."""
    if isinstance(error, httpx.RemoteProtocolError | httpx.DecodingError) or (
        answering and isinstance(error, httpx.NetworkError)
    ):
        cut = "the reply was cut short or is not HTTP"
        hint = "the server or a proxy closed the connection half way, or something else listens there"
        return _with(BadReply(cut, where=where, hint=hint), sent=sent)
    if isinstance(error, httpx.LocalProtocolError):
        message = "the request cannot be sent: a header is not valid HTTP"
        hint = "look for a line break or an odd character in credentials or `http_headers`"
        return _with(BadQuery(message, where=where, hint=hint), sent=False)
    if isinstance(error, httpx.InvalidURL | httpx.UnsupportedProtocol):
        return _with(BadQuery("not a usable URL", where=where, hint="use http:// or https://"), sent=False)
    if isinstance(error, httpx.ProxyError):
        hint = "look at `proxy_url` and what that proxy allows"
        return _with(Unreachable("the proxy did not connect", where=where, hint=hint), sent=False)
    return _with(_unreachable(error, where, sent=sent), sent=sent)


def _unreachable(error: BaseException, where: str, *, sent: bool) -> Unreachable:
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            message = f"TLS verification failed: {safe(cause.verify_message, TEXT_LIMIT)}"
            if cause.verify_code == _EXPIRED:
                return CertificateExpired(message, where=where, hint="renew the certificate of the server")
            hint = "set `tls_config.ca_file` to the CA that signed it, or `server_name` to the name it is for"
            return Unreachable(message, where=where, hint=hint)
        if isinstance(cause, ssl.SSLError):
            message = f"the TLS handshake failed: {safe(cause.reason or 'no reason given', TEXT_LIMIT)}"
            hint = "is it https at all, and does the server want a client certificate (`tls_config.cert_file`)?"
            return Unreachable(message, where=where, hint=hint)
        if isinstance(cause, socket.gaierror):
            hint = "is the name spelled right, and does this machine's DNS know it?"
            return Unreachable("the host name cannot be resolved", where=where, hint=hint)
    if any(isinstance(cause, ConnectionRefusedError) for cause in causes):
        hint = "is the server running, and is the port right?"
        refused = Unreachable("connection refused", where=where, hint=hint)
        refused.refused = True
        return refused
    if sent:
        hint = "the server may be restarting"
        return Unreachable("the connection was lost before an answer came", where=where, hint=hint)
    reasons = [cause.strerror for cause in causes if isinstance(cause, OSError) and cause.strerror]
    detail = f": {safe(reasons[-1].lower(), TEXT_LIMIT)}" if reasons else ""
    hint = "is the address right, and is there a route to it from here?"
    return Unreachable(f"cannot connect{detail}", where=where, hint=hint)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and everything behind it, groups opened, each once."""
    waiting, seen = [error], set[int]()
    while waiting:
        cause = waiting.pop(0)
        if id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        if isinstance(cause, BaseExceptionGroup):
            waiting.extend(cause.exceptions)
        waiting.extend(c for c in (cause.__cause__, cause.__context__) if c is not None)


def from_status(response: httpx.Response, body: bytes, where: str, *, now: float) -> SourceError:
    """What a status other than 2xx means. `body` is its beginning, `now` wall seconds for Retry-After."""
    status = response.status_code
    said = body_text(body)
    message = f"{status} {_reason(response)}".rstrip() + (f": {said}" if said else "")
    error = _classify(status, response.headers, body, said or message)
    error.message = error.args[0] if status in (400, 422) and said else message
    error.args = (error.message,)
    error.where, error.status = where, status
    error.headers, error.body = response.headers, body
    if status in (429, 503):
        error.retry_after = retry_after(response.headers.get("retry-after", ""), now)
    if error.retry_after is not None and isinstance(error, Overloaded):
        error.hint += f"; it asks to wait {error.retry_after:g} s"
    return error


def _classify(status: int, headers: Mapping[str, str], body: bytes, said: str) -> SourceError:
    if 300 <= status < 400:
        return BadReply(said, hint=_redirect_hint(headers.get("location", "")))
    if status in (401, 403, 407):
        who = "the proxy" if status == 407 else "the server"
        knows = "does not know who asks" if status != 403 else "knows who asks and does not allow it"
        return Unauthorised(said, hint=f"{who} {knows}: check `authorization`, `basic_auth` or `http_headers`")
    if status == 404:
        return BadQuery(said, hint="is it the right server, and does its URL need a path prefix?")
    if status in (400, 422):
        return BadQuery(said, hint="the server will not take this request; asking again will not help")
    if status == 429:
        return Overloaded(said, hint="the server limits how often it may be asked")
    if status == 503:
        if _STARTING.search(body.decode("utf-8", "replace")):
            return NotReady(said, hint="it is starting, stopping or replaying its log: it should be back soon")
        return Overloaded(said, hint="the server has too much to do right now")
    if status in (502, 504):
        return BadReply(said, hint="a gateway in front of the server could not get an answer from it")
    if status >= 500:
        return BadReply(said, hint="the server failed; its own log says why")
    return BadReply(said, hint="is it the right server for this URL?")


def _redirect_hint(location: str) -> str:
    try:
        host = urlsplit(location).hostname or ""
    except ValueError:
        host = ""
    target = f" (to {safe(host, 100)})" if host else ""
    return f"redirects are not followed{target}: use the final URL; a login page may be in the way"


class _ErrorBody(msgspec.Struct):
    """The error shapes of Prometheus (`error`) and Alertmanager (`message`)."""

    error: str = ""
    message: str = ""


_ERROR_BODY = msgspec.json.Decoder(_ErrorBody | str)


def body_text(body: bytes) -> SafeText:
    """What an error's body says, as one bounded line; "" for nothing, a short note for a web page."""
    text = body.decode("utf-8", "replace").strip()
    if text[:1] == "<":
        return safe("(a web page, not an API)")
    try:
        found = _ERROR_BODY.decode(body)
    except (ValueError, RecursionError):
        return safe(text, TEXT_LIMIT)
    said = found if isinstance(found, str) else found.error or found.message or text
    return safe(said.strip(), TEXT_LIMIT)


def _reason(response: httpx.Response) -> SafeText:
    raw = response.extensions.get("reason_phrase")
    if isinstance(raw, bytes) and raw:
        return safe(raw.decode("latin-1"), TEXT_LIMIT)
    try:
        return safe(HTTPStatus(response.status_code).phrase)
    except ValueError:
        return safe("")


def retry_after(value: str, now: float) -> float | None:
    """Seconds to wait from a Retry-After header (seconds or an HTTP date); None when it says nothing."""
    value = value.strip()
    if re.fullmatch(r"[0-9]{1,9}", value):
        return float(value)
    at = http_date(value)
    return None if at is None else max(0.0, math.ceil(at - now))


@lru_cache(maxsize=64)
def http_date(value: str) -> float | None:
    """Seconds since the epoch of an HTTP date, None when it is not one. Kept: all replies of a second have the
    same."""
    if not value:
        return None
    try:
        from email.utils import parsedate_to_datetime

        return parsedate_to_datetime(value).timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def bad_reply(message: str, where: str, hint: str) -> BadReply:
    """A reply that came but cannot be used."""
    return BadReply(message, where=where, hint=hint)


def _with(error: SourceError, *, sent: bool) -> SourceError:
    error.sent = sent
    return error
