"""Connections: kept while they can be, never trusted with bytes that nobody asked for."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from opsconsole.clients import direct
from opsconsole.clients.transport import Transport
from opsconsole.clock import ManualClock
from opsconsole.config.schema import Endpoint
from opsconsole.errors import BadReply, Unreachable
from tests.support.scripted import Say, ScriptedServer, cut_short, json_reply, raw

pytestmark = pytest.mark.asyncio


@pytest_asyncio.fixture
async def scripted() -> AsyncIterator[ScriptedServer]:
    async with ScriptedServer() as server:
        yield server


def transport(url: str) -> Transport:
    return Transport(Endpoint(url=url), clock=ManualClock())


async def answers(scripted: ScriptedServer, *paths: str) -> list[bytes]:
    client = transport(scripted.url)
    try:
        return [(await client.request("GET", path)).body for path in paths]
    finally:
        await client.aclose()


async def test_a_connection_is_kept_for_the_next_request(scripted: ScriptedServer) -> None:
    scripted.on("*", json_reply({}))
    await answers(scripted, "/a", "/b", "/c")
    assert scripted.connections == 1


@pytest.mark.parametrize(
    "first",
    [
        json_reply({}, close=True),
        Say(raw=b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}", close=True),
        Say(raw=b"HTTP/1.0 200 OK\r\n\r\n{}", close=True),
    ],
    ids=["closed afterwards", "said so", "HTTP/1.0"],
)
async def test_a_closed_connection_is_not_used_again(scripted: ScriptedServer, first: Say) -> None:
    scripted.on("/first", first)
    scripted.on("/second", json_reply([2]))
    client = transport(scripted.url)
    assert (await client.request("GET", "/first")).body == b"{}"
    async with asyncio.timeout(5):
        while scripted._tasks:
            await asyncio.sleep(0)
    assert (await client.request("GET", "/second")).body == b"[2]"
    await client.aclose()


async def test_an_answer_that_nobody_asked_for_is_not_taken_for_the_next(scripted: ScriptedServer) -> None:
    spare = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nimpostor!"
    scripted.on("/first", Say(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}" + spare))
    scripted.on("/second", json_reply([2]))
    assert await answers(scripted, "/first", "/second") == [b"{}", b"[2]"]
    assert scripted.connections == 2


async def test_a_408_on_an_idle_connection_is_not_the_answer_to_the_next_request() -> None:
    late = b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    good = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
    answered, said = asyncio.Event(), asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(good)
        if not said.is_set():
            await writer.drain()
            await answered.wait()  # the client has read the answer and keeps the connection
            writer.write(late)
            await writer.drain()
            said.set()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        client = transport(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        await client.request("GET", "/")
        answered.set()
        await asyncio.wait_for(said.wait(), 5)
        assert (await client.request("GET", "/")).status == 200
        await client.aclose()


async def test_informational_responses_are_passed_over(scripted: ScriptedServer) -> None:
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
    scripted.on("*", raw(hints + b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]"))
    assert await answers(scripted, "/") == [b"[]"]


async def test_a_chunked_body_is_put_together(scripted: ScriptedServer) -> None:
    chunks = b"3\r\n[1,\r\n2\r\n2]\r\n0\r\n\r\n"
    scripted.on("*", raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks))
    assert await answers(scripted, "/") == [b"[1,2]"]


async def test_a_cut_reply_ends_its_connection_and_not_the_next_request(scripted: ScriptedServer) -> None:
    scripted.on("*", cut_short({"a": "long enough"}), json_reply({}))
    client = transport(scripted.url)
    with pytest.raises(BadReply, match="cut short"):
        await client.request("GET", "/")
    assert (await client.request("GET", "/")).body == b"{}"
    await client.aclose()


async def test_the_next_address_of_a_host_is_tried(
    scripted: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def addresses(_host: str) -> list[str]:
        return ["127.0.0.2", "127.0.0.1"]

    monkeypatch.setattr(direct, "_addresses", addresses)
    scripted.on("*", json_reply({}))
    assert await answers(scripted, "/") == [b"{}"]


async def test_a_host_all_of_whose_addresses_refuse_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    async def addresses(_host: str) -> list[str]:
        return ["127.0.0.2", "127.0.0.3"]

    monkeypatch.setattr(direct, "_addresses", addresses)
    with socket.socket() as closed:
        closed.bind(("127.0.0.2", 0))
        client = transport(f"http://somewhere.test:{closed.getsockname()[1]}")
        with pytest.raises(Unreachable, match="connection refused") as caught:
            await client.request("GET", "/")
    assert not caught.value.sent


@pytest.mark.parametrize(("host", "wanted"), [("127.0.0.1", ["127.0.0.1"]), ("::1", ["::1"])])
async def test_an_address_is_not_looked_up(host: str, wanted: list[str]) -> None:
    assert await direct._addresses(host) == wanted
