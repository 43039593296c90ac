"""What an answer of an HTTP flag provider, or none, means for the flag."""

from __future__ import annotations

import pytest

from opsconsole.clients.flags.http_errors import flag_error
from opsconsole.clients.transport import Transport
from opsconsole.clock import ManualClock
from opsconsole.config.schema import Endpoint, HttpConfig
from opsconsole.errors import (
    Conflict,
    FlagError,
    FlagNotFound,
    FlagRateLimited,
    FlagUnauthorised,
    FlagUnavailable,
    OpsError,
    SourceError,
)
from tests.support.scripted import Say, ScriptedServer, cut_short, hang, json_reply, refusing_url, text_reply


async def failure(url: str, timeout: float = 30.0) -> SourceError:
    client = Transport(Endpoint(url=url, http=HttpConfig(timeout=timeout)), clock=ManualClock())
    try:
        with pytest.raises(SourceError) as caught:
            await client.request("POST", "/api/flags/x", json=b"{}")
    finally:
        await client.aclose()
    return caught.value


@pytest.mark.parametrize(
    ("answer", "kind", "sent"),
    [
        (text_reply("no", status=401), FlagUnauthorised, False),
        (text_reply("no", status=403), FlagUnauthorised, False),
        (json_reply({"message": "no such flag"}, status=404), FlagNotFound, False),
        (json_reply({"message": "it changed"}, status=409), Conflict, None),
        (json_reply({"message": "not that one"}, status=412), Conflict, None),
        (json_reply({"message": "wrong"}, status=400), FlagError, False),
        (json_reply({"message": "wrong"}, status=405), FlagError, False),
        (text_reply("slow down", status=429), FlagRateLimited, False),
        (Say(302, b"Found", (("Location", "https://login.example"),)), FlagError, False),
        (text_reply("broken", status=500), FlagUnavailable, True),
        (text_reply("busy", status=503), FlagUnavailable, True),
        (text_reply("no answer", status=504), FlagUnavailable, True),
        (cut_short({"flag": "x"}), FlagUnavailable, True),
    ],
)
async def test_what_an_answer_to_a_write_means(
    scripted: ScriptedServer, answer: Say, kind: type[OpsError], sent: bool | None
) -> None:
    scripted.on("*", answer)
    made = flag_error(await failure(scripted.url), write=True)
    assert type(made) is kind, made
    assert made.where.endswith("/api/flags/x")
    assert made.message
    assert made.hint
    assert getattr(made, "sent", None) is sent


async def test_a_read_never_counts_as_sent(scripted: ScriptedServer) -> None:
    scripted.on("*", text_reply("broken", status=500))
    made = flag_error(await failure(scripted.url), write=False)
    assert isinstance(made, FlagUnavailable)
    assert not made.sent


async def test_a_refused_connection_wrote_nothing_and_a_silent_server_may_have(scripted: ScriptedServer) -> None:
    with refusing_url() as url:
        refused = flag_error(await failure(url), write=True)
    assert isinstance(refused, FlagUnavailable)
    assert not refused.sent
    scripted.on("*", hang())
    silent = flag_error(await failure(scripted.url, timeout=0.3), write=True)
    assert isinstance(silent, FlagUnavailable)
    assert silent.sent


async def test_the_wait_that_a_provider_asks_for(scripted: ScriptedServer) -> None:
    waits = []
    for value in ("7", "Thu, 01 Jan 2026 00:00:30 GMT", ""):
        scripted.on("*", text_reply("slow down", status=429, headers=(("Retry-After", value),)))
        made = flag_error(await failure(scripted.url), write=True, now=ManualClock().now())
        assert isinstance(made, FlagRateLimited)
        waits.append(made.retry_after)
    assert waits == [7.0, 30.0, None]
