"""Each way a server can fail, and what a person is told."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from opsconsole.clients.transport import Transport
from opsconsole.clock import ManualClock
from opsconsole.config.schema import Endpoint, HttpConfig, TlsConfig
from opsconsole.errors import (
    BadQuery,
    BadReply,
    NotReady,
    Overloaded,
    SourceError,
    TimedOut,
    Unauthorised,
    Unreachable,
    UsageError,
)
from opsconsole.text import is_safe
from tests.support.scripted import (
    Say,
    ScriptedServer,
    cut_short,
    drip,
    gzip_reply,
    hang,
    json_reply,
    raw,
    refusing_url,
    text_reply,
)

HOSTILE = "\x1b]52;c;YQ==\x07\x1b[2J\x9b31m\u202e\u200b\x00[/red]"


@asynccontextmanager
async def opened(url: str, **http: object) -> AsyncIterator[Transport]:
    endpoint = Endpoint(url=url, http=HttpConfig(**http))  # type: ignore[arg-type]
    transport = Transport(endpoint, clock=ManualClock())
    try:
        yield transport
    finally:
        await transport.aclose()


async def failure(url: str, *, deadline: float = 5.0, limit: int | None = None, **http: object) -> SourceError:
    async with opened(url, **http) as transport:
        with pytest.raises(SourceError) as caught:
            await transport.request("GET", "/x", deadline=deadline, limit=limit)
    error = caught.value
    assert error.hint, "every failure says what to do"
    assert error.where == f"{url}/x"
    assert is_safe(str(error))
    assert is_safe(error.hint)
    assert error.__cause__ is None
    assert error.__context__ is None, "no way back to a message of the HTTP library"
    return error


@pytest.mark.parametrize(
    ("say", "kind", "words", "hint"),
    [
        (text_reply("no", status=401), Unauthorised, "401", "authorization"),
        (text_reply("no", status=403), Unauthorised, "403", "allow"),
        (text_reply("no", status=404), BadQuery, "404", "prefix"),
        (
            json_reply({"status": "error", "error": "parse error"}, status=400),
            BadQuery,
            "parse error",
            "again",
        ),
        (json_reply("end time in the past", status=400), BadQuery, "end time in the past", "again"),
        (json_reply({"code": 601, "message": "bad id"}, status=422), BadQuery, "bad id", "again"),
        (text_reply("slow down", status=429), Overloaded, "slow down", "limits"),
        (text_reply("Service Unavailable", status=503), NotReady, "503", "soon"),
        (json_reply({"error": "TSDB not ready"}, status=503), NotReady, "TSDB not ready", "soon"),
        (json_reply({"error": "query timed out"}, status=503), Overloaded, "query timed out", "too much"),
        (text_reply("Limit of concurrent GET requests reached (8)", status=503), Overloaded, "Limit", "too"),
        (text_reply("oops", status=500), BadReply, "oops", "log"),
        (text_reply("<html>bad", status=502), BadReply, "web page", "gateway"),
        (
            Say(302, b"Found", (("Location", "https://sso.example/login?t=SECRET"),)),
            BadReply,
            "302",
            "sso.example",
        ),
        (Say(302, b"Found", (("Location", "http://[bad"),)), BadReply, "302", "redirects"),
        (text_reply("?", status=418), BadReply, "418", "right server"),
        (raw(b"SSH-2.0-OpenSSH_9.2\r\n"), BadReply, "not HTTP", "something else"),
        (raw(b""), BadReply, "cut short", "closed"),
        (cut_short({"a": "x" * 100}), BadReply, "cut short", "closed"),
        (Say(headers=(("Content-Encoding", "br"),), body=b"?"), BadReply, "encoding br", "proxy"),
        (Say(headers=(("Content-Encoding", "gzip"),), body=b"plain"), BadReply, "damaged", "proxy"),
        (
            Say(headers=(("Content-Encoding", "gzip"),), body=gzip.compress(b"x" * 999)[:-9]),
            BadReply,
            "cut",
            "proxy",
        ),
    ],
)
async def test_each_answer_has_its_error_and_hint(
    scripted: ScriptedServer, say: Say, kind: type[SourceError], words: str, hint: str
) -> None:
    scripted.on("*", say)
    error = await failure(scripted.url)
    assert type(error) is kind
    assert words in error.message
    assert hint in error.hint
    assert "SECRET" not in f"{error} {error.hint}"
    assert error.sent


async def test_refused_is_unreachable_and_surely_not_sent() -> None:
    with refusing_url() as url:
        error = await failure(url)
    assert isinstance(error, Unreachable)
    assert error.message == "connection refused"
    assert not error.sent


async def test_a_name_that_does_not_resolve() -> None:
    error = await failure("http://no-such-host.invalid:9090")
    assert isinstance(error, Unreachable)
    assert "cannot be resolved" in error.message
    assert not error.sent


async def test_https_to_a_plain_port_is_a_failed_handshake() -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
        error = await failure(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    assert isinstance(error, Unreachable)
    assert not error.sent


async def test_a_silent_server_times_out_as_sent(scripted: ScriptedServer) -> None:
    scripted.on("*", hang())
    error = await failure(scripted.url, deadline=0.2)
    assert isinstance(error, TimedOut)
    assert error.message == "no answer within 0.2 s"
    assert error.sent


async def test_a_dripping_body_ends_at_the_deadline(scripted: ScriptedServer) -> None:
    scripted.on("*", drip())
    async with asyncio.timeout(5):
        error = await failure(scripted.url, deadline=0.3)
    assert isinstance(error, TimedOut)
    assert "began but was not whole" in error.message


async def test_a_dripping_error_body_ends_at_the_deadline(scripted: ScriptedServer) -> None:
    scripted.on("*", Say(500, b"Oops", drip=b"x"))
    async with asyncio.timeout(5):
        assert isinstance(await failure(scripted.url, deadline=0.3), TimedOut)


async def test_a_fast_endless_body_stops_at_the_size_limit(scripted: ScriptedServer) -> None:
    scripted.on("*", drip(b"x" * 65536, 0))
    error = await failure(scripted.url, limit=1 << 20)
    assert isinstance(error, BadReply)
    assert "larger than 1 MiB" in error.message


async def test_a_decompression_bomb_stops_at_the_size_limit(scripted: ScriptedServer) -> None:
    scripted.on("*", gzip_reply(b"0" * (40 << 20)))
    error = await failure(scripted.url)
    assert isinstance(error, BadReply)
    assert "larger than 16 MiB" in error.message
    assert "ask for less" in error.hint


async def test_a_large_error_body_is_bounded(scripted: ScriptedServer) -> None:
    scripted.on("*", text_reply("e" * 1_000_000, status=500))
    assert len(str(await failure(scripted.url))) < 600


@pytest.mark.parametrize("status", [302, 400, 401, 404, 422, 429, 500, 503])
async def test_hostile_reasons_and_bodies_carry_no_control(scripted: ScriptedServer, status: int) -> None:
    reason = b"\x9b31m\x90evil \xc2\x9d" + b"A" * 2000
    scripted.on(
        "*",
        text_reply(HOSTILE, status=status, reason=reason),
        json_reply({"error": HOSTILE, "message": HOSTILE}, status=status, reason=reason),
    )
    for _ in range(2):
        error = await failure(scripted.url)  # `failure` looks for controls
        assert "\\u202e" in error.message
        assert len(error.message) < 1000


@pytest.mark.parametrize(("header", "wait"), [("17", 17.0), ("Thu, 01 Jan 2026 00:00:30 GMT", 30.0)])
async def test_retry_after_in_seconds_or_as_a_date(scripted: ScriptedServer, header: str, wait: float) -> None:
    scripted.on("*", Say(429, b"Too Many", (("Retry-After", header),)))
    error = await failure(scripted.url)  # ManualClock stands at 2026-01-01T00:00:00Z
    assert error.retry_after == wait
    assert f"wait {wait:g} s" in error.hint


@pytest.mark.parametrize("header", ["-5", "soon", "9" * 400, "", "1e9", "Thu, 99 Jan 2026 00:00:30 GMT"])
async def test_a_senseless_retry_after_is_ignored(scripted: ScriptedServer, header: str) -> None:
    scripted.on("*", Say(429, b"Too Many", (("Retry-After", header),)))
    assert (await failure(scripted.url)).retry_after is None


@pytest.mark.parametrize("url", ["http://u:hunter2@h:1", "ftp://h", "h:9090", "http://", "http://h/?t=hunter2"])
def test_an_unusable_url_is_refused_without_its_secret(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        Transport(Endpoint(url=url), clock=ManualClock())
    assert "hunter2" not in f"{caught.value} {caught.value.hint}"
    assert caught.value.hint


async def test_a_missing_ca_file_is_a_failure_of_the_source(tmp_path: object) -> None:
    tls = TlsConfig(ca_file=tmp_path / "no.pem")  # type: ignore[operator]
    error = await failure("https://127.0.0.1:1", tls_config=tls)
    assert isinstance(error, Unreachable)
    assert "no.pem" in error.message
    assert not error.sent


async def test_a_cancelled_request_leaves_the_transport_usable(scripted: ScriptedServer) -> None:
    scripted.on("*", hang(), json_reply({}))
    async with opened(scripted.url) as transport:
        task = asyncio.ensure_future(transport.request("GET", "/x"))
        await until(lambda: bool(scripted.requests))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (await transport.request("GET", "/x")).body == b"{}"


async def until(condition: Callable[[], bool], limit: float = 30.0) -> None:
    async with asyncio.timeout(limit):
        while not condition():
            await asyncio.sleep(0.005)
